"""Records as they arrive, one line each, synced to disk: a kill loses at most the one being written.

A torn last line is cut off when a file is opened again, so no record is ever half there or there twice.

    answers/<teacher>.jsonl    every answer of a teacher, asked once in a workspace's life
    answers/<teacher>.runs     what answers do not tell of the runs that made them (bot/ledger.py)
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import ValidationError

from data.errors import BadInput, Busy, DeskmateError
from data.records import Answer, Record
from data.workspace import Workspace, digest

R = TypeVar("R", bound=Record)


class Lines(Generic[R]):
    """`rows` holds what earlier runs left; `add` appends one and syncs it."""

    def __init__(self, path: Path, kind: type[R]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        if path.is_file():
            content = path.read_bytes()
            if content and content[-1:] != b"\n":
                os.truncate(path, content.rfind(b"\n") + 1)
        self.rows = stored(path, kind)

    def add(self, row: R) -> None:
        line = row.model_dump_json().encode() + b"\n"
        try:
            with self.path.open("ab") as stream:
                stream.write(line)
                stream.flush()
                os.fsync(stream.fileno())
        except OSError as error:
            raise DeskmateError(f"cannot write {self.path}: {error.strerror}; free some space, run again") from error
        self.rows.append(row)


def stored(path: Path, kind: type[R]) -> list[R]:
    """The whole lines of a file, which somebody may be writing; none where there is no file. Raises BadInput."""
    if not path.is_file():
        return []
    rows: list[R] = []
    for line in path.read_bytes().split(b"\n")[:-1]:
        try:
            rows.append(kind.model_validate_json(line))
        except ValidationError as error:
            raise BadInput(f"{path}, line {len(rows) + 1} is damaged; delete that line, run again") from error
    return rows


def journal_of(workspace: Workspace, teacher: str) -> Path:
    """Where a teacher's answers are kept; `teacher` as bot.launch.identity names it."""
    return workspace.root / "answers" / f"{digest(teacher)}.jsonl"


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """While the block runs, nobody else is in one for this file; a kill frees it. Raises Busy."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_suffix(".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Busy("another `deskmate teach` is asking this teacher; wait for it or stop it") from None
        yield


class Journal(Lines[Answer]):
    """A teacher's or a contest's answers."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, Answer)

    @property
    def answers(self) -> list[Answer]:
        return self.rows
