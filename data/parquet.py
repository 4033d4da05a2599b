"""Records in Parquet files that `datasets.load_dataset` reads, written a few thousand rows at a time.

The columns' types come from the record, so that a file without rows, or with a first row that says little, has the
same columns as any other. Records that hold a dictionary are the exception: their types are found in the rows, all at
once.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_origin

from pydantic import BaseModel

from data.errors import BadInput, DeskmateError, NotFound

R = TypeVar("R", bound=BaseModel)
ROWS = 4096


def write_rows(path: Path, rows: Iterable[BaseModel], kind: type[BaseModel]) -> int:
    """Stream records into one file, which is there whole or not at all; returns how many. Raises DeskmateError."""
    import pyarrow.parquet as pq

    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    count = 0
    try:
        with temporary.open("wb") as stream:
            tables = _tables(rows, kind)
            first = next(tables)
            with pq.ParquetWriter(stream, first.schema, compression="zstd") as writer:
                for table in chain([first], tables):
                    writer.write_table(table)
                    count += table.num_rows
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except OSError as error:
        raise DeskmateError(f"cannot write {path}: {error.strerror}; free some space or fix its rights") from error
    finally:
        temporary.unlink(missing_ok=True)
    return count


def _tables(rows: Iterable[BaseModel], kind: type[BaseModel]) -> Iterator[Any]:
    """At least one, if only for its columns."""
    import pyarrow as pa

    typed = all(not _holds_dict(field.annotation) for field in kind.model_fields.values())
    columns = schema(kind) if typed else None
    pending: list[dict[str, Any]] = []
    empty = True
    for row in rows:
        pending.append(row.model_dump(mode="json"))
        if typed and len(pending) == ROWS:
            yield pa.Table.from_pylist(pending, columns)
            pending, empty = [], False
    if pending or (empty and typed):
        yield pa.Table.from_pylist(pending, columns)
    elif empty:
        yield pa.table({name: pa.array([], pa.string()) for name in kind.model_fields})


def _holds_dict(annotation: Any) -> bool:
    inner = get_args(annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        inner = tuple(field.annotation for field in annotation.model_fields.values())
    return (get_origin(annotation) or annotation) is dict or any(map(_holds_dict, inner))


def schema(kind: type[BaseModel]) -> Any:
    """The Arrow schema of a record; dates are ISO text."""
    import pyarrow as pa

    return pa.schema([pa.field(name, _arrow(field.annotation)) for name, field in kind.model_fields.items()])


def _arrow(annotation: Any) -> Any:
    import pyarrow as pa

    inner = [each for each in get_args(annotation) if each not in (NoneType, Ellipsis)]
    if isinstance(annotation, UnionType):
        return _arrow(inner[0])
    if get_origin(annotation) is tuple:
        return pa.list_(_arrow(inner[0]))
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return pa.struct(list(schema(annotation)))
    return {bool: pa.bool_(), int: pa.int64(), float: pa.float64()}.get(annotation, pa.string())


def read_any(path: Path, kind: type[R]) -> list[R]:
    """None where there is no such file, as beside what older code imported."""
    return read_rows(path, kind) if path.is_file() else []


def read_rows(path: Path, kind: type[R]) -> list[R]:
    """Raises NotFound for a missing file and BadInput for a damaged one."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not path.is_file():
        raise NotFound(f"{path} is missing; run the command that makes it again")
    try:
        return [kind.model_validate(row) for row in pq.read_table(path).to_pylist()]
    except (pa.ArrowInvalid, ValueError) as error:
        raise BadInput(f"{path} is damaged ({str(error).splitlines()[0]}); delete its folder and run again") from error
