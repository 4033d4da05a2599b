"""Which sentence of the notes comes nearest to a question: how a student begins that does not know how to begin.

A small model copies well and chooses badly. Where the first token it would say is unlikely by its own count, it has not
found the place in the notes that answers; the encoder that found the notes finds it better (bot/engine.py, `opening`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from data.records import ANSWER, Passage
from data.redact import LABEL
from data.sentences import promises, sentences
from data.text import content_words, overlap

Vectors = npt.NDArray[np.float32]
LEAST_WORDS = 3
OPENING_WORDS = 5  # shorter lines are headings, commands and steps, and answer nobody by themselves
SAME = 0.6
MARKS = re.compile(r"^\s*(?:[-*•>]\s+|\d{1,2}[.)]\s+)|[*_`]{1,2}")
CASE = re.compile(r"[£€$]\s?\d|\d\s?[£€$]|\b(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day\b")  # sums and days of one case
ORDER = re.compile(r"\b[A-Z]{1,4}-?\d{4,}\b|#\d{4,}")


def quotable(passage: Passage) -> list[str]:
    """What of a passage may be said to another customer: whole sentences with content, and of a past reply nothing
    that was promised to that customer, belongs to that order or names somebody."""
    return list(_quotable(passage.text, passage.kind == "ticket"))


@lru_cache(maxsize=1 << 14)  # a search meets the same few passages again and again
def _quotable(text: str, past: bool) -> tuple[str, ...]:
    shown = text.partition(ANSWER)[2] if past else text
    lines = [MARKS.sub("", sentence).strip() for sentence in sentences(shown)]
    return tuple(
        line for line in lines
        if len(content_words(line)) >= LEAST_WORDS and not line.endswith(("…", ":", "?")) and "|" not in line
        and not (past and (promises(line) or ORDER.search(line) or LABEL.search(line)))
    )  # fmt: skip


class Quotes:
    """`encode` gives unit vectors [len(texts), D]. `known`: the sentences embedded so far, each once."""

    def __init__(self, encode: Callable[[list[str]], Vectors]) -> None:
        self._encode = encode
        self.known: dict[str, Vectors] = {}

    def mark(self, passages: Sequence[Passage], question_D: Vectors) -> list[Passage]:
        """The passages found for a question, the one that holds the nearest sentence with it as its `quote`.

        A sentence counts by its own cosine with the question plus its passage's: alone it often lacks what it is about.
        Sums and weekdays in past replies are those of that customer's case, and are not quoted.
        """
        found = self._nearest(passages, question_D, 1, OPENING_WORDS)
        best, quote = found[0] if found else (-1, "")
        return [p.model_copy(update={"quote": quote}) if place == best else p for place, p in enumerate(passages)]

    def excerpt(self, passages: Sequence[Passage], question_D: Vectors, count: int = 3) -> str:
        """The nearest sentences as a reply that no model had a part in: what a student has to beat."""
        return " ".join(quote for _, quote in self._nearest(passages, question_D, count))

    def _nearest(
        self, passages: Sequence[Passage], question_D: Vectors, count: int, fewest: int = 1
    ) -> list[tuple[int, str]]:
        """At most `count` sentences that do not repeat one another, each with its passage's place, in their order."""
        held = [(place, line) for place, passage in enumerate(passages) for line in quotable(passage)]
        held = [(place, line) for place, line in held if passages[place].kind == "article" or not CASE.search(line)]
        held = [(place, line) for place, line in held if len(line.split()) >= fewest]
        self._learn(line for _, line in held)
        scores = [float(self.known[line] @ question_D) + passages[place].score for place, line in held]
        chosen: list[int] = []
        for number in np.argsort(-np.array(scores), kind="stable"):
            if len(chosen) < count and not any(overlap(held[number][1], held[c][1]) > SAME for c in chosen):
                chosen.append(int(number))
        return [(held[number][0], ended(held[number][1])) for number in sorted(chosen)]

    def _learn(self, lines: Iterable[str]) -> None:
        fresh = list(dict.fromkeys(line for line in lines if line not in self.known))
        if fresh:
            self.known |= dict(zip(fresh, self._encode(fresh), strict=True))


def ended(line: str) -> str:
    """A sentence with its stop; list items come without."""
    return line if line[-1] in ".!?" else f"{line}."


def quoted(passages: Iterable[Passage]) -> str:
    """The sentence that was marked; empty when none was."""
    return next((passage.quote for passage in passages if passage.quote), "")
