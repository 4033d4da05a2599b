"""The objects in a file of any kind that has them, as JSON, one at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from data.importers import columnar, json_objects
from data.importers.json_objects import Raw
from data.importers.lines import text_of
from data.importers.parts import Part


def objects(part: Part) -> Iterator[tuple[int, Raw]]:
    """Numbered by the line each begins on, by the row in a columnar file. Blank lines are blank; a damaged end is one
    Unreadable, and the last."""
    yield from columnar.objects(part) if columnar.fits(part) else json_objects.objects(part)


def load(row: bytes) -> dict[str, Any]:
    """One JSON object whose strings can be written again (lone surrogates are replaced). ValueError for anything else,
    RecursionError for one that is nested too deep."""
    try:
        value = json.loads(text_of(row))
        if b"\\ud" in row.lower():
            value = json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON ({error.msg}, column {error.colno})") from error
    if not isinstance(value, dict):
        raise ValueError(f"a JSON {type(value).__name__}, not an object")
    return value
