"""Rows of a Parquet file, or of the Arrow files that a saved `datasets` dataset is, as JSON objects."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from typing import Any

from data.importers.json_objects import Raw
from data.importers.lines import damaged
from data.importers.parts import Part

PARQUET = b"PAR1"
ROWS = 500


def fits(part: Part) -> bool:
    if part.member:
        return False
    with part.path.open("rb") as stream:
        return stream.read(4) == PARQUET or part.path.suffix == ".arrow"


def objects(part: Part) -> Iterator[tuple[int, Raw]]:
    import pyarrow as pa

    line = 0
    try:
        for batch in _batches(part):
            for row in batch.to_pylist():
                line += 1
                yield line, json.dumps(row, default=_plain).encode()
    except (pa.ArrowException, OSError, ValueError) as error:
        yield line + 1, damaged(error)


def _batches(part: Part) -> Iterator[Any]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if part.path.suffix == ".arrow":
        with pa.OSFile(str(part.path)) as stream, pa.ipc.open_stream(stream) as reader:
            yield from reader
        return
    with pq.ParquetFile(part.path) as file:
        yield from file.iter_batches(batch_size=ROWS)


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, date) else str(value)
