"""What a support team said of notes as replies to past questions: `deskmate review` makes the sheet, they fill it in.

A row is a note (a past reply, a piece of an article) beside a customer's question: a score from 1 (wrong for them) to 5
(send it as it is), and whether it would mislead them. Rows without a score are not reviewed yet. `desk.reviews` names
the sheet; what it says counts only while the note's words are the same (`version`).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

from data.errors import BadInput
from data.importers import delimited
from data.importers.lines import Unreadable
from data.importers.parts import Part
from data.records import Passage, Rejected, Review
from data.workspace import write_bytes

NEEDED = ("exchange", "passage", "version", "score", "wrong")
COLUMNS = ("question", "reply", *NEEDED)
YES, NO = frozenset({"y", "yes", "x", "1", "true"}), frozenset({"", "n", "no", "0", "false"})
FORMULA = ("=", "+", "-", "@")


def read_sheet(path: Path) -> list[dict[str, str]]:
    """Its rows as they are. Raises BadInput where there is no such table, or one without the columns."""
    if not path.is_file():
        raise BadInput(f"{path}: no such file; `deskmate review {path}` makes one to fill in")
    part = Part(path, path.name)
    if missing := [name for name in NEEDED if name not in delimited.names(part)]:
        raise BadInput(f"{path}: no column {missing[0]}; keep those that `deskmate review` writes")
    return [
        {"line": str(line), **(_broken(row) if isinstance(row, Unreadable) else row)}
        for line, row in delimited.rows(part)
    ]


def load_reviews(path: Path, passages: Iterable[Passage]) -> tuple[list[Review], list[Rejected], int]:
    """The reviews, the rows that cannot be read, and how many are of notes that say something else today."""
    versions = {passage.id: passage.version for passage in passages}
    found, bad, stale = [], [], 0
    for row in read_sheet(path):
        if not row.get("score"):
            continue
        if why := _fault(row):
            bad.append(Rejected(file=path.name, line=int(row["line"]), reason=why, kind="review"))
        elif versions.get(row["passage"]) != row["version"]:
            stale += 1
        else:
            said = {"score": int(row["score"]), "wrong": row["wrong"].lower() in YES}
            found.append(Review(exchange=row["exchange"], passage=row["passage"], **said))
    return found, bad, stale


def write_sheet(path: Path, rows: Sequence[dict[str, str]]) -> None:
    """As a spreadsheet reads it: no cell of a customer's is a formula."""
    stream = io.StringIO(newline="")
    writer = csv.DictWriter(stream, COLUMNS, extrasaction="ignore", restval="")
    writer.writeheader()
    writer.writerows({name: _plain(text) for name, text in row.items()} for row in rows)
    write_bytes(path, ("\ufeff" + stream.getvalue()).encode())


def _plain(text: str) -> str:
    return f" {text}" if text.startswith(FORMULA) else text


def _broken(row: Unreadable) -> dict[str, str]:
    return {"score": "?", "why": row.reason}


def _fault(row: dict[str, str]) -> str:
    if "why" in row:
        return row["why"]
    if row["score"] not in {"1", "2", "3", "4", "5"}:
        return f"score {row['score']} is none of 1 to 5"
    wrong = row.get("wrong", "")
    return "" if wrong.lower() in YES | NO else f"wrong is {wrong}; write y or n"
