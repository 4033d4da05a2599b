"""Any help desk's export, recognised by what is in it and never by its name, as Tickets and Rejected rows.

    path ──parts()──▶ files ──find()──▶ Source ──rows()──▶ (At, raw row) ──parse()──▶ Ticket | Rejected

Reading and parsing are apart so that parsing can run in several processes. A row that cannot be read is a
Rejected with its file, line and reason; only an export that holds nothing we know raises BadInput.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from data.errors import BadInput
from data.importers import forum, freshdesk, helpscout, intercom, jsonl, table, zendesk
from data.importers.joined import joined
from data.importers.json_objects import Raw
from data.importers.lines import Unreadable
from data.importers.objects import load, objects
from data.importers.parts import Part, parts
from data.records import Rejected, Ticket

Row = bytes | dict[str, str] | Unreadable
BINARY = {
    b"%PDF": "a PDF",
    b"\xd0\xcf\x11\xe0": "an old Excel file",
}
SNIFFED = 50
# Each module knows one shape: NAME to say, fits() for an object of it, ticket() to read it; the desks whose exports
# may keep what was said apart also CHILDREN, where it belongs in a ticket, and fits_child().
SHAPES = (forum, jsonl, zendesk, intercom, freshdesk, helpscout)
JOINED = (zendesk, intercom, freshdesk, helpscout)


class At(NamedTuple):
    """Where a row begins."""

    file: str
    line: int


@dataclass(frozen=True, slots=True)
class Source:
    """A recognised export. `why` tells a person how it was understood."""

    path: Path
    why: str
    columns: Mapping[str, str] | None = None
    tickets: tuple[Part, ...] = ()
    said: tuple[Part, ...] = ()
    users: tuple[Part, ...] = ()
    key: str = ""

    @property
    def parts(self) -> tuple[Part, ...]:
        return (*self.tickets, *self.said, *self.users)

    def rows(self) -> Iterator[tuple[At, Row]]:
        if self.columns is not None:
            for part in self.tickets:
                for line, cells in table.rows(part, self.columns):
                    yield At(part.name, line), cells
            return
        for name, line, row in self._objects():
            if row != b"":
                yield At(name, line), row

    def _objects(self) -> Iterator[tuple[str, int, Raw]]:
        if self.said:
            yield from joined(self.tickets, self.said, self.users, self.key)
            return
        for part in self.tickets:
            for line, row in objects(part):
                yield part.name, line, row


def parse(at: At, row: Row) -> Ticket | Rejected:
    """A ticket, or where the row stands and why it is none."""
    try:
        if isinstance(row, Unreadable):
            return reject(at, row.reason)
        if isinstance(row, dict):
            return table.ticket(row, at.line)
        return _ticket(load(row))
    except ValidationError as error:
        first = error.errors()[0]
        return reject(at, f"{'.'.join(map(str, first['loc']))}: {first['msg']}")
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        return reject(at, str(error).splitlines()[0] if str(error) else type(error).__name__)


def reject(at: At, reason: str) -> Rejected:
    return Rejected(file=at.file, line=at.line, reason=reason[:200])


def read(path: Path, columns: Mapping[str, str] | None = None) -> Iterator[Ticket | Rejected]:
    """Every row of an export, in file order. Raises BadInput for a missing, empty or unknown one."""
    source = find(path, columns or {})
    return (parse(at, row) for at, row in source.rows())


def find(path: Path, columns: Mapping[str, str]) -> Source:
    """Look into a file, a zip or a folder and decide how to read it."""
    found = parts(_chosen(path))
    if len(found) == 1:
        _checked(found[0].path, found[0].member)
    kinds = {part: _kind(part) for part in found}
    of = {kind: tuple(part for part in found if kinds[part] == kind) for kind in ("ticket", "said", "user")}
    if of["ticket"]:
        return _source(path, of["ticket"], of["said"], of["user"])
    if len(found) > 1:
        raise BadInput(f"{path}: none of its {len(found)} files holds tickets that we know; name one that does")
    mapped = table.header(found[0], columns)  # raises BadInput with the columns it saw
    told = ", ".join(f"{ours} from {theirs!r}" for ours, theirs in mapped.items())
    return Source(path, f"a table: {told}", mapped, tickets=tuple(found))


def _chosen(path: Path) -> Path:
    """The table in a folder that has one and nothing else we read."""
    if path.is_dir():
        tables = [file for name in ("tickets.csv", "tickets.tsv") if (file := path / name).is_file()]
        if tables and not any(path.glob("*.json*")):
            return tables[0]
    return path


def _checked(path: Path, member: str) -> None:
    try:
        with path.open("rb") as stream:
            start = stream.read(4)
    except OSError as error:
        raise BadInput(f"{path}: cannot be opened ({error.strerror}); check the path") from error
    if not start:
        raise BadInput(f"{path}: the file is empty; export the tickets again")
    if start in BINARY and not member:
        raise BadInput(f"{path}: this is {BINARY[start]}; export it as CSV or JSON lines")


def _kind(part: Part) -> str:
    """What most of a file's first objects are: 'ticket', 'said', 'user' or, where we know none of them, nothing."""
    votes = Counter(_kind_of(row) for row in sample(part))
    votes.pop("", None)
    return votes.most_common(1)[0][0] if votes else ""


def _kind_of(row: dict[str, Any]) -> str:
    if any(shape.fits(row) for shape in SHAPES):
        return "ticket"
    if any(shape.fits_child(row) for shape in JOINED):
        return "said"
    return "user" if "role" in row and "id" in row else ""


def sample(part: Part) -> Iterator[dict[str, Any]]:
    """Those of a file's first objects that can be read."""
    for _, document in islice(objects(part), SNIFFED):
        try:
            if not isinstance(document, Unreadable):
                yield load(document)
        except (ValueError, RecursionError):
            continue


def _source(path: Path, tickets: tuple[Part, ...], said: tuple[Part, ...], users: tuple[Part, ...]) -> Source:
    rows = [row for part in tickets[:SNIFFED] for row in sample(part)]
    (shape, _), *_ = Counter(shape for row in rows if (shape := _shape(row))).most_common()
    files = {"said": said, "authors": users} if said else {}
    apart = "".join(f"; {what} from {', '.join(part.name for part in found)}" for what, found in files.items() if found)
    return Source(
        path, f"{shape.NAME}: {shape.SIGN}{apart}", tickets=tickets, said=said, users=users,
        key=getattr(shape, "CHILDREN", ""),
    )  # fmt: skip


def _shape(row: dict[str, Any]) -> Any:
    return next((shape for shape in SHAPES if shape.fits(row)), None)


def _ticket(row: dict[str, Any]) -> Ticket:
    shape = _shape(row)
    if shape is None:
        raise ValueError("not a ticket: it has none of the fields that any help desk's export has")
    made: Ticket = shape.ticket(row)
    return made
