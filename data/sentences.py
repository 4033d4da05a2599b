"""A text as the sentences it says, and which of them a model may say again."""

from __future__ import annotations

import re

SENTENCE = re.compile(r"(?<=[.!?])(?<!\b[Nn]o\.)(?<!e\.g\.)(?<!i\.e\.)\s+(?=[A-Z0-9])")
STEP = re.compile(r"^\s*\d{1,2}\.\s+")
PROMISE = re.compile(r"\b(?:I|we)(?:['’](?:ve|ll|m|re|d)| (?:have|will|am|just|already|can see|checked|found|see))\b")


def sentences(text: str) -> list[str]:
    """The sentences of a text, line by line, steps with their numbers."""
    return [part for line in text.split("\n") if line.strip() for part in parts(line)]


def parts(line: str) -> list[str]:
    """The sentences of one line; a step stands or falls whole."""
    return [line] if STEP.match(line) else SENTENCE.split(line.strip())


def promises(sentence: str) -> bool:
    """Says what its writer did or is going to do: true of that agent, never of a model that says it again."""
    return PROMISE.search(sentence) is not None
