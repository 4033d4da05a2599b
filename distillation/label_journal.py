"""Soft labels as they arrive, synced to disk one answer at a time: what an answer's journal is for its text.

    answers/<teacher>.labels    one record an answer: length, checksum, an Arrow table of one row
    answers/<teacher>.json      Origin

Add an answer's soft labels before the answer: whatever the answers' journal holds then has its soft labels here, and
a kill between the two costs that one answer, made again under the same sample id. A torn last record is cut off.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from data.errors import BadInput, DeskmateError
from data.workspace import write_json
from distillation.softlabels import Origin, SoftLabels, rows_of, table_of

HEAD = struct.Struct("<II")


class LabelJournal:
    """`add` appends and syncs; `get` reads one answer's; `name in journal` costs nothing."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._about = path.with_suffix(".json")
        self._places: dict[str, int] = {}
        if path.is_file():
            self._index()

    def __contains__(self, sample_id: str) -> bool:
        return sample_id in self._places

    def __len__(self) -> int:
        return len(self._places)

    @property
    def origin(self) -> Origin | None:
        return Origin.model_validate_json(self._about.read_bytes()) if self._about.is_file() else None

    def begin(self, origin: Origin) -> None:
        """Say whose soft labels these are. Raises BadInput if the journal holds another's."""
        if self._places and self.origin not in (None, origin):
            raise BadInput(f"{self._path} holds the soft labels of another teacher; move it away, then run again")
        write_json(self._about, origin)

    def add(self, sample_id: str, labels: SoftLabels) -> None:
        content = _packed(sample_id, labels)
        record = HEAD.pack(len(content), zlib.crc32(content)) + content
        try:
            with self._path.open("ab") as stream:
                place = stream.tell()
                stream.write(record)
                stream.flush()
                os.fsync(stream.fileno())
        except OSError as error:
            raise DeskmateError(f"cannot write {self._path}: {error.strerror}; free some space, run again") from error
        self._places[sample_id] = place

    def get(self, sample_ids: Iterable[str]) -> dict[str, SoftLabels]:
        """Those of these answers that have soft labels."""
        found: dict[str, SoftLabels] = {}
        wanted = [name for name in sample_ids if name in self._places]
        if wanted:
            with self._path.open("rb") as stream:
                for name in sorted(wanted, key=self._places.__getitem__):
                    stream.seek(self._places[name])
                    content = _next(stream)
                    if content is None:
                        raise BadInput(f"{self._path} changed while it was read; run again")
                    found.update(_unpacked(content))
        return found

    def _index(self) -> None:
        """Find every whole record; cut off what follows the last."""
        end = 0
        with self._path.open("rb") as stream:
            while (content := _next(stream)) is not None:
                self._places[next(iter(_unpacked(content)))] = end
                end = stream.tell()
        if end < self._path.stat().st_size:
            os.truncate(self._path, end)


def _next(stream: Any) -> bytes | None:
    """The record at the stream's place, or None for a torn one."""
    head = stream.read(HEAD.size)
    if len(head) < HEAD.size:
        return None
    length, checksum = HEAD.unpack(head)
    content: bytes = stream.read(length)
    return content if len(content) == length and zlib.crc32(content) == checksum else None


def _packed(sample_id: str, labels: SoftLabels) -> bytes:
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    table = table_of([sample_id], [labels])
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def _unpacked(content: bytes) -> dict[str, SoftLabels]:
    import pyarrow as pa

    return dict(rows_of(pa.ipc.open_stream(content).read_all()))
