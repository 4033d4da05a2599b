"""Lines of a file that may be gzipped, cut off, far too long or not UTF-8, never holding more than one."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

LONGEST = 8 * 1024 * 1024
BOM = b"\xef\xbb\xbf"
DAMAGE = (EOFError, OSError, zlib.error, zipfile.BadZipFile)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Stands where a row should: the reason goes into the Rejected record."""

    reason: str


def damaged(error: Exception) -> Unreadable:
    return Unreadable(f"the file is damaged or cut off here ({error}); export it again")


def lines(stream: IO[bytes]) -> Iterator[tuple[int, bytes | Unreadable]]:
    """Numbered lines, stripped, blank ones included. A damaged end is one Unreadable, and the last."""
    number = 0
    while True:
        number += 1
        try:
            line = stream.readline(LONGEST)
            too_long = len(line) == LONGEST and not line.endswith(b"\n")
            while too_long and (rest := stream.readline(LONGEST)) and not rest.endswith(b"\n"):
                pass
        except DAMAGE as error:
            yield number, damaged(error)
            return
        if not line:
            return
        yield number, Unreadable("the line is longer than 8 MB") if too_long else line.strip().removeprefix(BOM)


def text_of(row: bytes) -> str:
    try:
        return row.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 (byte {error.start + 1} is 0x{row[error.start]:02x})") from error
