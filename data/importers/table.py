"""A spreadsheet's CSV or TSV: one row is one customer message and one agent reply.

`columns` maps our names (subject, question, reply, created, id, locale, product, topic) to the file's;
without it, common names are recognised. A byte order mark, UTF-16, ';' or tabs, and Excel's ="00123" are
understood.
"""

from __future__ import annotations

import csv
import io
import re
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from data.clean import html_to_text
from data.errors import BadInput
from data.importers.lines import LONGEST, Unreadable, binary
from data.importers.times import instant
from data.records import Message, Ticket

GUESSES = {
    "id": ("id", "ticket id", "ticket", "number", "ticket number", "conversation id", "case id"),
    "subject": ("subject", "title", "summary"),
    "question": (
        "question",
        "customer message",
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
OPENING = 65536


def header(path: Path, columns: Mapping[str, str]) -> dict[str, str]:
    """Our names to the file's column names. Raises BadInput naming what is missing and what there is."""
    unknown = [name for name in columns if name not in GUESSES]
    if unknown:
        raise BadInput(f"columns: no {unknown[0]}; the names are {', '.join(GUESSES)}")
    dialect, encoding = _dialect(path)
    with _text(path, encoding) as stream:
        try:
            names = [name.strip() for name in next(csv.reader(_bounded(stream), delimiter=dialect), [])]
        except (csv.Error, EOFError, OSError, zlib.error) as error:
            raise BadInput(f"{path}: not a table, JSON lines or any export we know ({error})") from error
    found = dict(columns) or _guess(names)
    missing = [name for name in NEEDED if name not in found]
    absent = [column for column in found.values() if column not in names]
    if missing or absent:
        what = f"no column called {absent[0]}" if absent else f"cannot tell which column holds {', '.join(missing)}"
        seen = ", ".join(name[:30] for name in names[:12])
        raise BadInput(f'{path}: {what} (it has: {seen}); set desk.columns, e.g. {{question = "Body", …}}')
    return found


def rows(path: Path, columns: Mapping[str, str]) -> Iterator[tuple[int, dict[str, str] | Unreadable]]:
    """Numbered rows under our own names; the line is where a row begins."""
    found = header(path, columns)
    dialect, encoding = _dialect(path)
    with _text(path, encoding) as stream:
        reader = csv.reader(_bounded(stream), delimiter=dialect)
        names = [name.strip() for name in next(reader)]
        while True:
            line = reader.line_num + 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield line, Unreadable(f"not a row ({error})")
                continue
            except (EOFError, OSError, zlib.error) as error:
                yield line, Unreadable(f"the file is damaged or cut off here ({error}); export it again")
                return
            if cells:
                yield line, _row(dict(zip(names, cells, strict=False)), found, len(cells) - len(names))


def ticket(row: Mapping[str, str], line: int) -> Ticket:
    for name in NEEDED:
        if not row.get(name):
            raise ValueError(f"{name}: empty")
    name = row.get("id") or f"row-{line}"
    tags = tuple(tag.strip() for tag in re.split(r"[,;|]", row.get("topic", "")) if tag.strip())
    return Ticket(
        id=name, channel="table", product=row.get("product", ""), locale=row.get("locale") or "en",
        subject=html_to_text(row.get("subject", "")), created=instant(row["created"]), tags=tags,
        messages=(
            Message(id=f"{name}-q", role="customer", text=html_to_text(row["question"])),
            Message(id=f"{name}-a", role="agent", text=html_to_text(row["reply"])),
        ),
    )  # fmt: skip


def _row(cells: Mapping[str, str], found: Mapping[str, str], extra: int) -> dict[str, str] | Unreadable:
    if extra > 0:
        return Unreadable(f"{extra} cells more than the header has; quote cells that hold the separator")
    values = {ours: _cell(cells.get(theirs, "")) for ours, theirs in found.items()}
    try:
        "".join(values.values()).encode()
    except UnicodeEncodeError:
        return Unreadable("not UTF-8")
    return values


def _cell(text: str) -> str:
    """Excel writes ="00123" to keep a number's zeros; every other formula is only text here."""
    formula = re.fullmatch(r'="(.*)"', text.strip(), re.DOTALL)
    return (formula[1] if formula else text).strip()


def _guess(names: list[str]) -> dict[str, str]:
    plain = {re.sub(r"[_\W]+", " ", name).strip().lower(): name for name in reversed(names)}
    return {
        ours: next(plain[g] for g in guesses if g in plain)
        for ours, guesses in GUESSES.items()
        if plain.keys() & set(guesses)
    }


def _dialect(path: Path) -> tuple[str, str]:
    try:
        with binary(path) as stream:
            start = stream.read(OPENING)
    except (EOFError, OSError, zlib.error) as error:
        raise BadInput(f"{path}: cannot be read ({error}); export it again") from error
    encoding = "utf-16" if start[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    if encoding != "utf-16" and b"\0" in start:
        raise BadInput(f"{path}: not a text file; export the tickets as CSV or JSON lines")
    first = start.decode(encoding, "replace").partition("\n")[0]
    return max(",\t;", key=first.count), encoding


def _text(path: Path, encoding: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(binary(path), encoding=encoding, errors="surrogateescape", newline="")


def _bounded(stream: io.TextIOWrapper) -> Iterator[str]:
    """Lines as csv wants them; one longer than 8 MB becomes a line that csv refuses."""
    while line := stream.readline(LONGEST):
        if len(line) < LONGEST or line.endswith("\n"):
            yield line
            continue
        while (rest := stream.readline(LONGEST)) and not rest.endswith("\n"):
            pass
        yield "x" * (csv.field_size_limit() + 1) + "\n"
