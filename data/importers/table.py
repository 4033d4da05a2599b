"""A table of any kind: one row is one customer message and one agent reply.

`columns` maps our names (subject, question, reply, created, id, locale, product, topic) to the table's; where it says
nothing, common names are recognised.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import ModuleType

from data.clean import html_to_text
from data.errors import BadInput
from data.importers import delimited, flat, xlsx
from data.importers.lines import Unreadable
from data.importers.parts import Part
from data.importers.times import instant
from data.links import relative
from data.records import Message, Ticket

GUESSES = {
    "id": ("id", "ticket id", "ticket", "number", "ticket number", "conversation id", "case id"),
    "subject": ("subject", "title", "summary"),
    "question": (
        "question",
        "customer message",
        "customer question",
        "description",
        "message",
        "body",
        "request",
        "customer",
        "inquiry",
    ),
    "reply": (
        "reply",
        "answer",
        "agent reply",
        "first reply",
        "first response",
        "response",
        "agent response",
        "agent message",
        "solution",
        "agent",
    ),
    "created": ("created", "created at", "date", "created date", "opened", "opened at", "timestamp", "time"),
    "locale": ("locale", "language", "lang"),
    "product": ("product",),
    "topic": ("topic", "category", "tag", "tags", "type"),
}
NEEDED = ("question", "reply", "created")


def header(part: Part, columns: Mapping[str, str]) -> dict[str, str]:
    """Our names to the table's column names. Raises BadInput naming what is missing and what there is."""
    unknown = [name for name in columns if name not in GUESSES]
    if unknown:
        raise BadInput(f"columns: no {unknown[0]}; the names are {', '.join(GUESSES)}")
    names = _kind(part).names(part)
    found = {**_guess([name for name in names if name not in columns.values()]), **columns}
    missing = [name for name in NEEDED if name not in found]
    absent = [column for column in found.values() if column not in names]
    if missing or absent:
        what = f"no column called {absent[0]}" if absent else f"cannot tell which column holds {', '.join(missing)}"
        seen = ", ".join(name[:30] for name in names[:12])
        raise BadInput(
            f'{part.path}: {what} (it has: {seen}); set desk.columns, e.g. {{ {(missing or NEEDED)[0]} = "…" }}'
        )
    return found


def rows(part: Part, columns: Mapping[str, str]) -> Iterator[tuple[int, dict[str, str] | Unreadable]]:
    """Numbered rows under our own names."""
    for line, cells in _kind(part).rows(part):
        yield line, cells if isinstance(cells, Unreadable) else {o: cells.get(t, "") for o, t in columns.items()}


def ticket(row: Mapping[str, str], line: int) -> Ticket:
    for name in NEEDED:
        if not row.get(name):
            raise ValueError(f"{name}: empty")
    name = row.get("id") or f"row-{line}"
    tags = tuple(tag.strip() for tag in re.split(r"[,;|]", row.get("topic", "")) if tag.strip())
    return Ticket(
        id=name, channel="table", product=row.get("product", ""), locale=row.get("locale", ""),
        subject=html_to_text(row.get("subject", "")), created=instant(row["created"]), tags=tags,
        messages=(
            Message(id=f"{name}-q", role="customer", text=html_to_text(row["question"])),
            Message(id=f"{name}-a", role="agent", text=html_to_text(row["reply"]), links=relative(row["reply"])),
        ),
    )  # fmt: skip


def _kind(part: Part) -> ModuleType:
    if xlsx.fits(part):
        return xlsx
    return flat if flat.fits(part) else delimited


def _guess(names: list[str]) -> dict[str, str]:
    plain = {re.sub(r"[_\W]+", " ", name).strip().lower(): name for name in reversed(names)}
    return {
        ours: next(plain[g] for g in guesses if g in plain)
        for ours, guesses in GUESSES.items()
        if plain.keys() & set(guesses)
    }
