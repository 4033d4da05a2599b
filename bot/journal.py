"""Answers as they arrive, one line each, synced to disk: a kill loses at most the answer being written.

A torn last line is cut off when the journal is opened again, so no answer is ever half there or there twice.
"""

from __future__ import annotations

import os
from pathlib import Path

from data.errors import DeskmateError
from data.records import Answer


class Journal:
    """`answers` holds what earlier runs left; `add` appends one and syncs it."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self.answers: list[Answer] = []
        if path.is_file():
            content = path.read_bytes()
            whole = content[: content.rfind(b"\n") + 1]
            if whole != content:
                os.truncate(path, len(whole))
            self.answers = [Answer.model_validate_json(line) for line in whole.splitlines()]

    def add(self, answer: Answer) -> None:
        line = answer.model_dump_json().encode() + b"\n"
        try:
            with self._path.open("ab") as stream:
                stream.write(line)
                stream.flush()
                os.fsync(stream.fileno())
        except OSError as error:
            raise DeskmateError(f"cannot write {self._path}: {error.strerror}; free some space, run again") from error
        self.answers.append(answer)
