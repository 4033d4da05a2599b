"""A table of objects: JSON, Parquet or Arrow whose rows have columns and no messages."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from data.importers.lines import Unreadable
from data.importers.objects import load, objects
from data.importers.parts import Part

LOOKED_AT = 50


def fits(part: Part) -> bool:
    return bool(names(part))


def names(part: Part) -> list[str]:
    """Of all columns that the first rows have."""
    found = (row for _, row in islice(rows(part), LOOKED_AT) if not isinstance(row, Unreadable))
    return list(dict.fromkeys(name for row in found for name in row))


def rows(part: Part) -> Iterator[tuple[int, dict[str, str] | Unreadable]]:
    for line, raw in objects(part):
        if isinstance(raw, Unreadable):
            yield line, raw
        elif raw:
            try:
                yield line, {name: _text(value) for name, value in load(raw).items()}
            except (ValueError, RecursionError) as error:
                yield line, Unreadable(str(error))


def _text(value: object) -> str:
    """A list is its members with commas, as tags are; an object says nothing in a cell."""
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    return str(value).strip() if isinstance(value, str | int | float) else ""
