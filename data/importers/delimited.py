"""A CSV or TSV file: a byte order mark, UTF-16, ';' or tabs, and Excel's ="00123" are understood."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator

from data.errors import BadInput
from data.importers.lines import DAMAGE, LONGEST, Unreadable, damaged
from data.importers.parts import Part

OPENING = 65536


def names(part: Part) -> list[str]:
    """The header. BadInput for what is no table at all."""
    dialect, encoding = _dialect(part)
    with _text(part, encoding) as stream:
        try:
            return [name.strip() for name in next(csv.reader(_bounded(stream), delimiter=dialect), [])]
        except (csv.Error, *DAMAGE) as error:
            raise BadInput(f"{part.name}: not a table, JSON or any export we know ({error})") from error


def rows(part: Part) -> Iterator[tuple[int, dict[str, str] | Unreadable]]:
    """Cells by the header's names; the line is where a row begins."""
    dialect, encoding = _dialect(part)
    with _text(part, encoding) as stream:
        reader = csv.reader(_bounded(stream), delimiter=dialect)
        header = [name.strip() for name in next(reader)]
        while True:
            line = reader.line_num + 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield line, Unreadable(f"not a row ({error})")
                continue
            except DAMAGE as error:
                yield line, damaged(error)
                return
            if cells:
                yield line, _row(header, cells)


def _row(header: list[str], cells: list[str]) -> dict[str, str] | Unreadable:
    extra = len(cells) - len(header)
    if extra > 0:
        return Unreadable(f"{extra} cells more than the header has; quote cells that hold the separator")
    try:
        "".join(cells).encode()
    except UnicodeEncodeError:
        return Unreadable("not UTF-8")
    return dict(zip(header, map(_cell, cells), strict=False))


def _cell(text: str) -> str:
    """Excel writes ="00123" to keep a number's zeros; every other formula is only text here."""
    formula = re.fullmatch(r'="(.*)"', text.strip(), re.DOTALL)
    return (formula[1] if formula else text).strip()


def _dialect(part: Part) -> tuple[str, str]:
    try:
        with part.open() as stream:
            start = stream.read(OPENING)
    except DAMAGE as error:
        raise BadInput(f"{part.name}: cannot be read ({error}); export it again") from error
    if start.startswith((b"PK\x03\x04", b"PAR1")):
        raise BadInput(f"{part.name}: a zip, Excel or Parquet file that is damaged; export it again")
    encoding = "utf-16" if start[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    if encoding != "utf-16" and b"\0" in start:
        raise BadInput(f"{part.name}: not a text file; export the tickets as CSV or JSON lines")
    first = start.decode(encoding, "replace").partition("\n")[0]
    return max(",\t;", key=first.count), encoding


def _text(part: Part, encoding: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(part.open(), encoding=encoding, errors="surrogateescape", newline="")


def _bounded(stream: io.TextIOWrapper) -> Iterator[str]:
    """Lines as csv wants them; one longer than 8 MB becomes a line that csv refuses."""
    while line := stream.readline(LONGEST):
        if len(line) < LONGEST or line.endswith("\n"):
            yield line
            continue
        while (rest := stream.readline(LONGEST)) and not rest.endswith("\n"):
            pass
        yield "x" * (csv.field_size_limit() + 1) + "\n"
