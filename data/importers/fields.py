"""What the help desks' exports have in common, read in one way: ids, dates, bodies, who said it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from data.clean import html_to_text
from data.importers.times import instant
from data.links import relative
from data.records import Message, Role, Ticket

Row = dict[str, Any]


def text(row: Row, *names: str) -> str:
    """The first of some fields that is given, as a string; numbers are written out. ValueError for anything else."""
    for name in names:
        value = row.get(name)
        if value is None or value == "":
            continue
        if isinstance(value, str | int | float):
            return str(value)
        raise ValueError(f"{name}: {type(value).__name__}, not text")
    return ""


def rows(value: object, name: str) -> list[Row]:
    """A list of objects; an absent one is empty. ValueError for anything else."""
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise ValueError(f"{name}: not a list of objects")
    return value


def inner(row: Row, name: str) -> Row:
    """An object inside another; an absent one is empty. ValueError for anything else."""
    value = row.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ValueError(f"{name}: {type(value).__name__}, not an object")
    return value


def names(value: object, field: str = "name") -> tuple[str, ...]:
    """Tags as strings or as objects that carry their name."""
    found = value if isinstance(value, list) else []
    plain = [each.get(field) if isinstance(each, dict) else each for each in found]
    return tuple(str(each) for each in plain if each)


def message(
    row: Row, role: Role, body: str, *, internal: bool = False, author: str = "", macro: bool = False
) -> Message | None:
    """None for an empty body. `row` gives the id and the date under any of their usual names."""
    plain = html_to_text(body)
    if not plain:
        return None
    return Message(
        id=text(row, "id"), role=role, visibility="internal" if internal else "public", author=author,
        created=instant(row.get("created_at", row.get("createdAt"))), text=plain,
        macro=macro, links=relative(body),
    )  # fmt: skip


def in_order(said: Iterable[Message | None]) -> tuple[Message, ...]:
    """By date, where all have one: some desks write the newest first."""
    found = [each for each in said if each is not None]
    if all(each.created for each in found):
        found.sort(key=lambda each: each.created.timestamp() if each.created else 0.0)
    return tuple(found)


def ticket(
    row: Row, channel: str, messages: Iterable[Message | None], *, subject: str, status: str,
    tags: Sequence[str], satisfaction: str = "", locale: str = "", product: str = "",
) -> Ticket:  # fmt: skip
    """ValueError without an id, a date or anything that was said."""
    said = in_order(messages)
    name = text(row, "id", "number")
    created = instant(row.get("created_at", row.get("createdAt"))) or next((m.created for m in said if m.created), None)
    if not name or created is None:
        raise ValueError(f"{'created_at' if name else 'id'}: missing")
    if not said:
        raise ValueError("nothing was said in it")
    return Ticket(
        id=name, channel=channel, product=product, locale=locale, subject=html_to_text(subject),
        created=created, status=status, tags=tuple(tags), satisfaction=satisfaction or None, messages=said,
    )  # fmt: skip
