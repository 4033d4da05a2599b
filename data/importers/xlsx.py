"""The first sheet of an Excel file; its first row names the columns. Formulas count by the value Excel last saw."""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from typing import Any

from data.errors import BadInput
from data.importers.lines import Unreadable, damaged
from data.importers.parts import SHEET, Part


def fits(part: Part) -> bool:
    if part.member or not zipfile.is_zipfile(part.path):
        return False
    with zipfile.ZipFile(part.path) as archive:
        return SHEET in archive.namelist()


def names(part: Part) -> list[str]:
    for _, cells in _cells(part):
        if isinstance(cells, Unreadable):
            raise BadInput(f"{part.name}: {cells.reason}")
        return [name.strip() for name in cells]
    return []


def rows(part: Part) -> Iterator[tuple[int, dict[str, str] | Unreadable]]:
    header: list[str] = []
    for line, cells in _cells(part):
        if isinstance(cells, Unreadable):
            yield line, cells
        elif not header:
            header = [name.strip() for name in cells]
        elif any(cells):
            yield line, dict(zip(header, cells, strict=False))


def _cells(part: Part) -> Iterator[tuple[int, list[str] | Unreadable]]:
    """Rows that are not empty, numbered as Excel shows them. A damaged end is one Unreadable, and the last."""
    from openpyxl import load_workbook

    line = 0
    try:
        with part.path.open("rb") as stream, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # styles and extensions that we do not read anyway
            with closing(load_workbook(stream, read_only=True, data_only=True)) as book:
                for line, row in enumerate(book.worksheets[0].iter_rows(values_only=True), 1):
                    cells = [_text(value) for value in row]
                    if any(cells):
                        yield line, cells
    except Exception as error:  # openpyxl passes on whatever its XML and zip readers raise
        yield line + 1, damaged(error)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, date):
        return value.isoformat()
    return str(int(value) if isinstance(value, float) and value.is_integer() else value).strip()
