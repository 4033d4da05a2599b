"""The key-values at the head of a GGUF file, those that are asked for and no others.

The gguf package's reader makes several objects for each of a vocabulary's tokens and merges, which takes many seconds;
this passes over what nobody asked for.
"""

from __future__ import annotations

import mmap
import struct
from pathlib import Path
from typing import Any

from data.errors import BadInput

# struct formats by GGUF's type number; 8 is a string, 9 an array
SCALARS = {
    0: "B", 1: "b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "?", 10: "<Q", 11: "<q", 12: "<d",
}  # fmt: skip
STRING, ARRAY = 8, 9
HEADER = struct.Struct("<4sIQQ")
LENGTH, KIND, ARRAY_HEAD = struct.Struct("<Q"), struct.Struct("<I"), struct.Struct("<IQ")


def read(path: Path, *wanted: str) -> dict[str, Any]:
    """The values of the `wanted` keys that the file has; arrays as lists. Raises BadInput for another kind of file."""
    found: dict[str, Any] = {}
    try:
        with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
            magic, _, _, count = HEADER.unpack_from(data, 0)
            if magic != b"GGUF":
                raise BadInput(f"{path} is no GGUF file; give another one")
            place = HEADER.size
            for _ in range(count):
                key, place = _string(data, place)
                (kind,), place = KIND.unpack_from(data, place), place + KIND.size
                value, place = _value(data, place, kind, keep=key in wanted)
                if key in wanted:
                    found[key] = value
    except (OSError, ValueError, struct.error, KeyError) as error:
        raise BadInput(f"{path} cannot be read as GGUF ({error}); give another file") from error
    return found


def _value(data: mmap.mmap, place: int, kind: int, *, keep: bool) -> tuple[Any, int]:
    """One value and where the next begins; an array that is not kept is passed over."""
    if kind == STRING:
        return _string(data, place)
    if kind != ARRAY:
        form = struct.Struct(SCALARS[kind])
        return form.unpack_from(data, place)[0], place + form.size
    kind, count = ARRAY_HEAD.unpack_from(data, place)
    place += ARRAY_HEAD.size
    if kind == STRING:
        return _strings(data, place, count, keep=keep)
    form = struct.Struct(f"<{count}{SCALARS[kind].lstrip('<')}")
    return list(form.unpack_from(data, place)) if keep else None, place + form.size


def _strings(data: mmap.mmap, place: int, count: int, *, keep: bool) -> tuple[list[str], int]:
    texts = []
    for _ in range(count):
        begin = place + LENGTH.size
        place = begin + LENGTH.unpack_from(data, place)[0]
        if keep:
            texts.append(data[begin:place].decode(errors="replace"))
    return texts, place


def _string(data: mmap.mmap, place: int) -> tuple[str, int]:
    begin = place + LENGTH.size
    end = begin + LENGTH.unpack_from(data, place)[0]
    return data[begin:end].decode(errors="replace"), end
