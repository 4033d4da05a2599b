"""Lines of a file that may be gzipped, cut off, far too long or not UTF-8, never holding more than one."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

LONGEST = 8 * 1024 * 1024
BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Stands where a row should: the reason goes into the Rejected record."""

    reason: str


def binary(path: Path) -> IO[bytes]:
    """The file's bytes, unzipped if they begin like gzip, whatever the name says."""
    with path.open("rb") as stream:
        zipped = stream.read(2) == b"\x1f\x8b"
    return cast(IO[bytes], gzip.open(path, "rb")) if zipped else path.open("rb")


def numbered_lines(path: Path) -> Iterator[tuple[int, bytes | Unreadable]]:
    """Numbered lines, stripped, blank ones included. A damaged end is one Unreadable, and the last."""
    number = 0
    with binary(path) as stream:
        while True:
            number += 1
            try:
                line = stream.readline(LONGEST)
                too_long = len(line) == LONGEST and not line.endswith(b"\n")
                while too_long and (rest := stream.readline(LONGEST)) and not rest.endswith(b"\n"):
                    pass
            except (EOFError, OSError, zlib.error) as error:
                yield number, Unreadable(f"the file is damaged or cut off here ({error}); export it again")
                return
            if not line:
                return
            yield (
                number,
                Unreadable("the line is longer than 8 MB") if too_long else line.strip().removeprefix(BOM),
            )


def text_of(row: bytes) -> str:
    try:
        return row.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 (byte {error.start + 1} is 0x{row[error.start]:02x})") from error
