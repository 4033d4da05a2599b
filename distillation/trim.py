"""An answer cut back to what its evidence holds: sentences that state anything else, or promise a deed, are left out.

A good human reply often mixes what the notes say with what only that agent knew or did. Taught whole, it teaches
inventing, and promises that nobody keeps; thrown away, the supported half is lost.
"""

from __future__ import annotations

import re

from data.text import content_words, support, unsupported

SENTENCE = re.compile(r"(?<=[.!?])(?<!\b[Nn]o\.)(?<!e\.g\.)(?<!i\.e\.)\s+(?=[A-Z0-9])")
STEP = re.compile(r"^\s*\d{1,2}\.\s+")
PROMISE = re.compile(r"\b(?:I|we)(?:['’](?:ve|ll|m|re|d)| (?:have|will|am|just|already|can see|checked|found|see))\b")
LEAST_WORDS = 12
LEAST_SHARE = 0.34
LEAST_SUPPORT = 0.5


def sentences(text: str) -> list[str]:
    """The sentences of a text, line by line, steps with their numbers."""
    return [part for line in text.split("\n") if line.strip() for part in _parts(line)]


def promises(sentence: str) -> bool:
    """Says what its writer did or is going to do: true of that agent, never of a model that says it again."""
    return PROMISE.search(sentence) is not None


def trim(text: str, seen: str) -> str:
    """`text` without the sentences that `seen` does not hold, steps renumbered; empty when too little is left or the
    first sentence, which is the answer, would go."""
    first = next(iter(sentences(text)), "")
    if not holds(first, seen):
        return ""
    lines = [_line(line, seen) for line in text.split("\n")]
    kept = _renumber([line for line in lines if line is not None])
    words = len(kept.split())
    return kept if words >= LEAST_WORDS and words >= LEAST_SHARE * len(text.split()) else ""


def holds(sentence: str, seen: str) -> bool:
    """Whether a sentence may be taught: no fact beyond `seen`, half of its content words from it, no promise."""
    bare = STEP.sub("", sentence)
    if unsupported(bare, seen) or promises(bare):
        return False
    return not content_words(bare) or support(bare, seen) >= LEAST_SUPPORT


def _parts(line: str) -> list[str]:
    """A step stands or falls whole."""
    return [line] if STEP.match(line) else SENTENCE.split(line.strip())


def _line(line: str, seen: str) -> str | None:
    """A line with the sentences that hold; None when nothing of it is left."""
    kept = [part for part in _parts(line) if holds(part, seen)]
    return " ".join(kept) if kept or not line.strip() else None


def _renumber(lines: list[str]) -> str:
    number = 0
    out: list[str] = []
    for line in lines:
        if STEP.match(line):
            number += 1
            line = STEP.sub(f"{number}. ", line)
        out.append(line)
    return re.sub(r"\n{3,}", "\n\n", "\n".join(out)).strip()
