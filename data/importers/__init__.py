"""Any help desk's export, recognised by what is in it and never by its name, as Tickets and Rejected rows.

    Source ──rows()──▶ (line, raw row) ──parse()──▶ Ticket | Rejected

Reading and parsing are apart so that parsing can run in several processes. A row that cannot be read is a
Rejected with its file, line and reason; only a file that holds nothing we know raises BadInput.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from data.errors import BadInput
from data.importers import forum, jsonl, table
from data.importers.lines import Unreadable, numbered_lines, text_of
from data.records import Rejected, Ticket

Kind = Literal["jsonl", "table"]
Row = bytes | dict[str, str] | Unreadable
NAMES = ("tickets.jsonl", "tickets.jsonl.gz", "tickets.csv", "tickets.tsv")
BINARY = {
    b"PK\x03\x04": "an Excel or zip file",
    b"PAR1": "a Parquet file",
    b"%PDF": "a PDF",
    b"\xd0\xcf\x11\xe0": "an Excel file",
}
SNIFFED = 200


@dataclass(frozen=True, slots=True)
class Source:
    """One recognised file; small enough to send to another process."""

    path: Path
    kind: Kind
    columns: Mapping[str, str]

    def rows(self) -> Iterator[tuple[int, Row]]:
        if self.kind == "table":
            yield from table.rows(self.path, self.columns)
        else:
            yield from ((number, row) for number, row in numbered_lines(self.path) if row != b"")

    def parse(self, line: int, row: Row) -> Ticket | Rejected:
        try:
            if isinstance(row, Unreadable):
                return self.reject(line, row.reason)
            if isinstance(row, dict):
                return table.ticket(row, line)
            return _shape(load(row))
        except ValidationError as error:
            first = error.errors()[0]
            return self.reject(line, f"{'.'.join(map(str, first['loc']))}: {first['msg']}")
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            return self.reject(line, str(error).splitlines()[0] or type(error).__name__)

    def reject(self, line: int, reason: str) -> Rejected:
        return Rejected(file=self.path.name, line=line, reason=reason[:200])


def read(path: Path, columns: Mapping[str, str] | None = None) -> Iterator[Ticket | Rejected]:
    """Every row of an export, in file order. Raises BadInput for a missing, empty or unknown file."""
    source = find(path, columns or {})
    return (source.parse(line, row) for line, row in source.rows())


def find(path: Path, columns: Mapping[str, str]) -> Source:
    """Look into a file (or a folder holding tickets.jsonl or .csv) and decide how to read it."""
    if path.is_dir():
        found = [path / name for name in NAMES if (path / name).is_file()]
        if not found:
            raise BadInput(f"{path}: no {' or '.join(NAMES)} in this folder; name the file itself")
        path = found[0]
    try:
        with path.open("rb") as stream:
            start = stream.read(4)
    except OSError as error:
        raise BadInput(f"{path}: cannot be opened ({error.strerror}); check the path") from error
    if not start:
        raise BadInput(f"{path}: the file is empty; export the tickets again")
    if start in BINARY:
        raise BadInput(f"{path}: this is {BINARY[start]}; export it as CSV or JSON lines")
    if any(_is_thread(row) for _, row in islice(numbered_lines(path), SNIFFED)):
        return Source(path, "jsonl", {})
    table.header(path, columns)  # raises BadInput with the columns it saw
    return Source(path, "table", dict(columns))


def load(row: bytes) -> dict[str, Any]:
    """One JSON line as an object whose strings can be written again (lone surrogates are replaced)."""
    try:
        value = json.loads(text_of(row))
        if b"\\ud" in row.lower():
            value = json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON ({error.msg}, column {error.colno})") from error
    if not isinstance(value, dict):
        raise ValueError(f"a JSON {type(value).__name__}, not an object")
    return value


def _shape(row: dict[str, Any]) -> Ticket:
    messages = row.get("messages")
    if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages):
        raise ValueError("messages: not a list of objects")
    if not messages:
        raise ValueError("messages: the ticket has none")
    return forum.ticket(row) if any("html" in message for message in messages) else jsonl.ticket(row)


def _is_thread(row: bytes | Unreadable) -> bool:
    if isinstance(row, Unreadable):
        return False
    try:
        return "messages" in load(row)
    except (ValueError, RecursionError):
        return False
