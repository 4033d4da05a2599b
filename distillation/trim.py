"""An answer cut back to what its evidence holds: sentences that state anything else, or promise a deed, are left out.

A good human reply often mixes what the notes say with what only that agent knew or did. Taught whole, it teaches
inventing, and promises that nobody keeps; thrown away, the supported half is lost.
"""

from __future__ import annotations

import re

from data.sentences import STEP, parts, promises, sentences
from data.text import content_words, support, unsupported

LEAST_WORDS = 12
LEAST_SHARE = 0.34
LEAST_SUPPORT = 0.5


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


def _line(line: str, seen: str) -> str | None:
    """A line with the sentences that hold; None when nothing of it is left."""
    kept = [part for part in parts(line) if holds(part, seen)]
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
