"""An answer cut back to what its evidence holds: sentences that state anything else are left out.

A good human reply often mixes what the notes say with what only that agent knew. Taught whole, it teaches inventing;
thrown away, the supported half is lost.
"""

from __future__ import annotations

import re

from data.text import unsupported

SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z0-9])")
STEP = re.compile(r"^\s*\d{1,2}\.\s+")
LEAST_WORDS = 15
LEAST_SHARE = 0.5


def trim(text: str, seen: str) -> str:
    """`text` without the sentences whose facts `seen` lacks, steps renumbered; empty when too little is left
    or the first sentence, which is the answer, would go."""
    opening = next(iter(SENTENCE.split(text.strip().split("\n")[0])), "")
    if unsupported(opening, seen):
        return ""
    lines = [_line(line, seen) for line in text.split("\n")]
    kept = _renumber([line for line in lines if line is not None])
    words = len(kept.split())
    return kept if words >= LEAST_WORDS and words >= LEAST_SHARE * len(text.split()) else ""


def _line(line: str, seen: str) -> str | None:
    """A line with its supported sentences; None when nothing of it is left. A step stands or falls whole."""
    if not line.strip():
        return line
    if STEP.match(line):
        return None if unsupported(STEP.sub("", line), seen) else line
    kept = [sentence for sentence in SENTENCE.split(line) if not unsupported(sentence, seen)]
    return " ".join(kept) if kept else None


def _renumber(lines: list[str]) -> str:
    number = 0
    out: list[str] = []
    for line in lines:
        if STEP.match(line):
            number += 1
            line = STEP.sub(f"{number}. ", line)
        out.append(line)
    return re.sub(r"\n{3,}", "\n\n", "\n".join(out)).strip()
