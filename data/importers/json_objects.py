"""The objects in a JSON file, one at a time, with the line each begins on, whatever wraps them.

    {"id": 1, …}\\n{"id": 2, …}          JSON lines
    [{"id": 1, …}, {"id": 2, …}]         an array
    {"tickets": [{"id": 1, …}], …}       an API's page (Help Scout's is inside `_embedded` or `articles`)
    {"id": 1, …}                         one ticket a file, over several lines

Objects are found by their brackets, not by parsing, so that a million tickets pass in the memory of one, and a damaged
one costs only itself: reading goes on at the next that begins as the first did.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import IO

from data.importers.lines import BOM, DAMAGE, LONGEST, Unreadable, damaged, lines
from data.importers.parts import Part

HEAD = CHUNK = 1 << 18
WRAPPERS = ("tickets", "conversations", "articles", "results", "data", "items", "users", "comments", "threads")
MARK = re.compile(rb'"(?:[^"\\]++|\\.)*+"|["{}\[\]]', re.DOTALL)
# What a page says before its rows, numbers of pages mostly; an object with an id is a row itself.
BEFORE = rb'(?:\s*(?!"id")"\w+"\s*:\s*(?:"[^"]*"|[\w.+-]+|\{(?:[^{}]++|\{[^{}]*+\})*+\})\s*,)*\s*'
WRAPPED = re.compile(
    rb"\s*(?:\{" + BEFORE + rb'(?:"(?:_embedded|articles)"\s*:\s*\{' + BEFORE + rb')?'
    rb'"(?:' + "|".join(WRAPPERS).encode() + rb')"\s*:\s*)?\[(?=\s*\{)'
)  # fmt: skip
OPENING = re.compile(rb"[{\]]")
KEY = re.compile(rb'\{\s*("(?:[^"\\]|\\.)*")\s*:')
KEY_BYTES = 200  # an opening may lie across two chunks
DEPTH = {b"{": 1, b"[": 1, b"}": -1, b"]": -1}

Raw = bytes | Unreadable


def objects(part: Part) -> Iterator[tuple[int, Raw]]:
    """Numbered by the line each begins on; a blank line of JSON lines is blank. A damaged end is one Unreadable, and
    the last."""
    try:
        with part.open() as stream:
            start = _start(stream.read(HEAD))
        with part.open() as stream:
            yield from lines(stream) if start is None else _Objects(stream, start).each()
    except DAMAGE as error:
        yield 1, damaged(error)


def _start(head: bytes) -> int | None:
    """Where the first object is looked for; None for JSON lines."""
    mark = len(BOM) if head.startswith(BOM) else 0
    body = head[mark:]
    wrapped = WRAPPED.match(body)
    first, newline, _ = body.partition(b"\n")
    whole = _object(first) if newline or len(head) < HEAD else None
    if wrapped and not (whole and "id" in whole):
        return mark + wrapped.end()
    return mark if whole is None and re.match(rb"\s*\{\s*\n", body) else None


def _object(line: bytes) -> dict[str, object] | None:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


class _Objects:
    """Walks over a stream. `_buffer` is what was read and not yet given away; it begins on line `_line`."""

    def __init__(self, stream: IO[bytes], start: int) -> None:
        self._stream = stream
        self._line = 1
        self._buffer = b""
        self._opening = OPENING  # what is looked for next; after damage, an object that begins as the first did
        self._first: re.Pattern[bytes] = KEY
        self._fault: Unreadable | None = None
        self._more(start)
        self._drop(start)

    def each(self) -> Iterator[tuple[int, Raw]]:
        while self._next():
            end = self._close()
            if end:
                self._learn()
                yield self._line, self._buffer[:end]
            elif self._fault is None:
                why = "longer than 8 MB" if len(self._buffer) >= LONGEST else "never closed"
                yield self._line, Unreadable(f"the object that begins here is {why}; the file is cut off or damaged")
                self._opening = self._first
            else:
                break
            self._drop(end or 1)
        if self._fault is not None:
            yield self._line + self._buffer.count(b"\n"), self._fault

    def _next(self) -> bool:
        """Drop what comes before the next object; False at the end of the array or the file."""
        while True:
            found = self._opening.search(self._buffer)
            if found:
                self._drop(found.start())
                return found[0] != b"]"
            self._drop(max(0, len(self._buffer) - KEY_BYTES))
            if not self._more(CHUNK):
                return False

    def _close(self) -> int:
        """Where the object that begins the buffer ends; 0 where it does not, within LONGEST bytes."""
        depth = place = 0
        while True:
            for mark in MARK.finditer(self._buffer, place):
                if mark[0] == b'"':  # a string that goes on in the next chunk
                    place = mark.start()
                    break
                place = mark.end()
                depth += DEPTH.get(mark[0], 0)
                if depth == 0:
                    return place
            if len(self._buffer) >= LONGEST or not self._more(CHUNK):
                return 0

    def _learn(self) -> None:
        key = KEY.match(self._buffer)
        if self._first is KEY and key:
            self._first = re.compile(rb"\{\s*" + re.escape(key[1]) + rb"\s*:")

    def _drop(self, count: int) -> None:
        self._line += self._buffer.count(b"\n", 0, count)
        self._buffer = self._buffer[count:]

    def _more(self, count: int) -> bool:
        try:
            chunk = self._stream.read(count)
        except DAMAGE as error:
            self._fault = damaged(error)
            return False
        self._buffer += chunk
        return bool(chunk)
