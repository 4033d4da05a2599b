"""A text as the pieces that stand by themselves: sentences, and procedures, whose steps stay together."""

from __future__ import annotations

import re

SENTENCE = re.compile(r"(?<=[.!?])(?<!\b[Nn]o\.)(?<!e\.g\.)(?<!i\.e\.)\s+(?=[A-Z0-9])")
STEP = re.compile(r"^\s*\d{1,2}\.\s+")
BULLET = re.compile(r"^\s*(?:[-*•>]\s+|\d{1,2}[.)]\s+)")
UNDER = re.compile(r"\s+[-*•]\s")
STRESS = re.compile(r"[*_`]{1,2}")


def sentences(text: str) -> list[str]:
    """The sentences of a text, line by line; a step with its number stands or falls whole."""
    return [part for line in text.split("\n") if line.strip() for part in split(line)]


def split(line: str) -> list[str]:
    """The sentences of one line; a step is one."""
    return [line] if STEP.match(line) else SENTENCE.split(line.strip())


def parts(text: str) -> list[str]:
    """Sentences without bullets and emphasis; numbered steps in a row stay one part, with the line that announces
    them: half of a procedure is worse than none."""
    found: list[str] = []
    steps: list[str] = []
    for line in [*(line for line in STRESS.sub("", text).split("\n") if line.strip()), ""]:
        if STEP.match(line) or (steps and UNDER.match(line)):
            steps.append(line.strip())
            continue
        if len(steps) > 1:
            lead = [found.pop()] if found and found[-1].endswith(":") else []
            found.append("\n".join([*lead, *steps]))
        else:
            found += [BULLET.sub("", step) for step in steps]
        steps = []
        found += [BULLET.sub("", part) for part in sentences(line)]
    return found
