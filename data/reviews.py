"""What a support team said of notes as replies to past questions: `deskmate review` makes the sheet, they fill it in.

A row is a note (a past reply, a piece of an article) beside a customer's question: a score from 1 (wrong for them) to 5
(send it as it is), and whether it would mislead them. Rows without either are not reviewed yet. `desk.reviews` names
the sheet, CSV or Excel; what it says counts only while the note's words are the same. `id` holds exchange, passage and
the passage's version in one cell, which no spreadsheet takes for a number or a date.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from data.errors import BadInput
from data.importers import xlsx
from data.importers.lines import Unreadable
from data.importers.parts import Part
from data.records import Passage, Rejected, Review
from data.workspace import write_bytes

NEEDED = ("id", "score", "wrong")
COLUMNS = ("question", "reply", "score", "wrong", "id")
BETWEEN, KEYS = " | ", 3
YES, NO = frozenset({"y", "yes", "x", "1", "true"}), frozenset({"", "n", "no", "0", "false"})
SCORE = re.compile(r"([1-5])(?:[.,]0+)?")
FORMULA = ("=", "+", "-", "@")
Row = dict[str, str]


@dataclass(frozen=True, slots=True)
class Sheet:
    """`rows` have all of NEEDED."""

    name: str
    rows: list[Row]


def key(exchange: str, passage: Passage) -> str:
    return BETWEEN.join([exchange, passage.id, passage.version])


def exchange_of(row: Row) -> str:
    return _keys(row)[0]


def _keys(row: Row) -> list[str]:
    """Exchange, passage and version, unless somebody changed the cell."""
    return row["id"].split(BETWEEN)


def read_sheet(path: Path) -> Sheet:
    """Raises BadInput where there is no such table, or one without the columns."""
    if not path.is_file():
        raise BadInput(f"{path}: no such file; `deskmate review {path}` makes one to fill in")
    rows = list(_excel(path) if xlsx.fits(Part(path, path.name)) else _csv(path))
    if missing := [name for name in NEEDED if not rows or name not in rows[0]]:
        raise BadInput(f"{path}: no column {missing[0]}; keep those that `deskmate review` writes")
    return Sheet(path.name, [dict.fromkeys(NEEDED, "") | row for row in rows[1:]])


def _csv(path: Path) -> Iterator[Row]:
    """The header and what follows. Excel writes the letters of its country, and ';' where ',' is in numbers."""
    text = _decoded(path.read_bytes())
    first = text.partition("\n")[0]
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=max(",\t;", key=first.count))
    try:
        header = [name.strip() for name in next(lines, [])]
        yield dict.fromkeys(header, "")
        yield from (dict(zip(header, map(str.strip, cells), strict=False)) for cells in lines if any(cells))
    except csv.Error as error:
        raise BadInput(f"{path}: not a table ({error}); save it again as CSV or Excel") from error


def _decoded(content: bytes) -> str:
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return content.decode("utf-16", "replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace")


def _excel(path: Path) -> Iterator[Row]:
    part = Part(path, path.name)
    yield dict.fromkeys(xlsx.names(part), "")
    for _, row in xlsx.rows(part):
        if isinstance(row, Unreadable):
            raise BadInput(f"{path}: {row.reason}")
        yield row


def load_reviews(
    sheet: Sheet, passages: Iterable[Passage], test: frozenset[str]
) -> tuple[list[Review], list[Rejected], dict[str, float]]:
    """The reviews; the rows that cannot be read, numbered as a spreadsheet does; how many are of notes that say
    something else today, or are gone, and how many of exchanges of the `test`, about which nothing may be known."""
    wanted = {name for row in sheet.rows for name in _keys(row)[1:2]}
    versions = {passage.id: passage.version for passage in passages if passage.id in wanted}
    found, bad, left = [], [], {"stale_reviews": 0.0, "test_reviews": 0.0}
    for line, row in enumerate(sheet.rows, 2):
        if not row["score"] and not row["wrong"]:
            continue
        if why := fault(row):
            bad.append(Rejected(file=sheet.name, line=line, reason=why, kind="review", record=exchange_of(row)))
            continue
        exchange, passage, version = _keys(row)
        if exchange in test:
            left["test_reviews"] += 1
        elif versions.get(passage) != version:
            left["stale_reviews"] += 1
        else:
            found.append(review_of(row))
    return found, bad, left


def review_of(row: Row) -> Review:
    """What a row without a fault says."""
    exchange, passage, _ = _keys(row)
    wrong = row["wrong"].lower() in YES
    return Review(exchange=exchange, passage=passage, score=int(row["score"][0]), wrong=wrong)


def fault(row: Row) -> str:
    """Why a row cannot be read; empty for one that can."""
    if len(_keys(row)) != KEYS:
        return f"id is {row['id'] or 'empty'}; leave it as `deskmate review` wrote it"
    if not SCORE.fullmatch(row["score"]):
        return f"score is {row['score'] or 'empty'}; write 1 to 5"
    return "" if row["wrong"].lower() in YES | NO else f"wrong is {row['wrong']}; write y or n"


def write_sheet(path: Path, rows: Sequence[Row]) -> None:
    """As Excel where the name says so, else as CSV; a team's own columns stay. No cell is a formula."""
    columns = list(dict.fromkeys([*COLUMNS, *(name for row in rows for name in row)]))
    cells = [columns, *([row.get(name, "") for name in columns] for row in rows)]
    write_bytes(path, _as_excel(cells) if path.suffix == ".xlsx" else _as_csv(cells))


def _as_csv(cells: Iterable[Sequence[str]]) -> bytes:
    stream = io.StringIO(newline="")
    csv.writer(stream).writerows([f" {cell}" if cell.startswith(FORMULA) else cell for cell in row] for row in cells)
    return ("\ufeff" + stream.getvalue()).encode()


def _as_excel(cells: Iterable[Sequence[str]]) -> bytes:
    from openpyxl import Workbook
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
    from openpyxl.styles import Alignment

    book, stream = Workbook(), io.BytesIO()
    sheet = book.active
    sheet.freeze_panes = "A2"
    for letter, width in zip("ABCDE", (60, 60, 8, 8, 12), strict=True):
        sheet.column_dimensions[letter].width = width
    for line, row in enumerate(cells, 1):
        for place, text in enumerate(row, 1):
            cell = sheet.cell(line, place, ILLEGAL_CHARACTERS_RE.sub("", text))
            cell.data_type, cell.alignment = "s", Alignment(wrap_text=line > 1, vertical="top")
    book.save(stream)
    return stream.getvalue()
