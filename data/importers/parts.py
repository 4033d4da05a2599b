"""What an export is made of: one file, a zip of files or a folder of them, each as bytes to read once.

Nothing is unpacked to disk and no name inside a zip is ever used as a path, so a hostile archive has nowhere to write.
"""

from __future__ import annotations

import gzip
import io
import struct
import zipfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO, cast

from data.errors import BadInput

SHEET = "[Content_Types].xml"  # what makes a zip an Excel file
READ = (".json", ".jsonl", ".ndjson", ".jsonl.gz", ".json.gz", ".ndjson.gz", ".parquet", ".arrow")
TABLES = (".csv", ".tsv")
UNLISTED = (zipfile.BadZipFile, NotImplementedError, ValueError, OSError, struct.error)  # of a damaged list of members
ENCRYPTED = 1  # the bit of a member's flags that says so
GZIP = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class Part:
    """A file, or a member of a zip; `name` is what a person is told about it."""

    path: Path
    name: str
    member: str = ""

    def open(self) -> IO[bytes]:
        """Its bytes, unzipped if they begin like gzip, whatever the name says."""
        with self._raw() as raw:
            zipped = raw.read(2) == GZIP
        raw = self._raw()
        if not zipped:
            return raw
        stream = gzip.GzipFile(fileobj=raw)
        stream.myfileobj = cast(io.FileIO, raw)  # closed with it
        return cast(IO[bytes], stream)

    def _raw(self) -> IO[bytes]:
        if not self.member:
            return self.path.open("rb")
        try:
            return _archive(self.path, self.path.stat().st_mtime_ns).open(self.member)
        except RuntimeError as error:  # what zipfile raises for a method it does not know
            raise zipfile.BadZipFile(str(error)) from error


@lru_cache(maxsize=2)
def _archive(path: Path, changed: int) -> zipfile.ZipFile:
    """Kept open: the list of its members is read once, not for every member."""
    return zipfile.ZipFile(path)


def is_zip(path: Path) -> bool:
    """A zip of files, and not a spreadsheet, which is one too."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return SHEET not in archive.namelist()


def members(path: Path) -> list[Part]:
    """All files of a folder or a zip, in the order of names, hidden ones apart; of any other file only itself. Raises
    BadInput for a zip that is damaged or has a password."""
    if path.is_dir():
        every = [Part(file, file.relative_to(path).as_posix()) for file in sorted(path.rglob("*")) if file.is_file()]
        return [part for part in every if _shown(part.name)]
    try:
        if not is_zip(path):
            return [Part(path, path.name)]
        with zipfile.ZipFile(path) as archive:
            inside = [info for info in archive.infolist() if not info.is_dir()]
    except UNLISTED as error:
        raise BadInput(f"{path}: the zip is damaged ({error}); export it again") from error
    names = sorted(info.filename for info in inside if _shown(info.filename))
    if any(info.flag_bits & ENCRYPTED and _shown(info.filename) for info in inside):
        raise BadInput(f"{path}: the zip has a password; unpack it and name the folder")
    return [Part(path, f"{path.name}/{name}", name) for name in names]


def parts(path: Path) -> list[Part]:
    """Everything in an export that may hold tickets, in the order of names. Raises BadInput where nothing does."""
    every = members(path)
    if every == [Part(path, path.name)]:
        return every
    found = [p for p in every if p.name.lower().endswith(READ)] or [p for p in every if p.name.lower().endswith(TABLES)]
    if not found:
        raise BadInput(f"{path}: no {', '.join((*READ[:3], *TABLES))} file in it; name the export itself")
    return found


def _shown(name: str) -> bool:
    return not name.rpartition("/")[2].startswith(".") and "__MACOSX" not in name
