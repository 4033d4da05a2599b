"""What a teacher cost: answers, tokens, hours and euros of every run, and in all.

The journal holds the answers with their tokens; the ledger beside it adds what answers do not tell: when each run
began, which answer was its first, how long its machine was up and at what price. Counts are therefore exact after
any kill, and of a run's seconds at most TICK are lost.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

from bot.journal import Journal, Lines, stored
from data.records import Answer, Record

TICK = 5.0


class Run(Record):
    """One line; of several with one `started` the last one counts. `first`: how many answers there were before."""

    started: datetime
    first: int
    seconds: float
    euros_per_hour: float


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one run, or of all; `started` is None for answers from before there was a ledger."""

    started: datetime | None
    answers: int
    prompt_tokens: int
    tokens: int
    seconds: float
    euros: float


@dataclass(slots=True)
class Ledger:
    """Open while a teacher is up: `tick` after every answer, `write` at the end."""

    lines: Lines[Run]
    first: int
    euros_per_hour: float
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    began: float = field(default_factory=time.monotonic)
    written: float = 0.0

    def tick(self) -> None:
        if time.monotonic() - self.began - self.written >= TICK or not self.written:
            self.write()

    def write(self) -> None:
        self.written = time.monotonic() - self.began
        run = Run(
            started=self.started, first=self.first, seconds=round(self.written, 3), euros_per_hour=self.euros_per_hour
        )
        self.lines.add(run)


@contextmanager
def paid(journal: Journal, euros_per_hour: float) -> Iterator[Ledger]:
    """The block in which a teacher is up."""
    ledger = Ledger(Lines(beside(journal.path), Run), len(journal.answers), euros_per_hour)
    try:
        yield ledger
    finally:
        ledger.write()


def beside(journal: Path) -> Path:
    return journal.with_suffix(".runs")


def costs(journal: Path) -> list[Cost]:
    """Of every run that asked anything, the oldest first."""
    answers = stored(journal, Answer)
    runs = list({run.started: run for run in stored(beside(journal), Run)}.values())
    edges = [*(min(run.first, len(answers)) for run in runs), len(answers)]
    before = [_cost(None, answers[: edges[0]], 0.0, 0.0)]
    found = [
        _cost(run.started, answers[start:end], run.seconds, run.euros_per_hour)
        for run, (start, end) in zip(runs, pairwise(edges), strict=True)
    ]
    return [cost for cost in [*before, *found] if cost.answers or cost.seconds >= 1]


def total(found: Sequence[Cost]) -> Cost:
    return Cost(
        None, sum(cost.answers for cost in found), sum(cost.prompt_tokens for cost in found),
        sum(cost.tokens for cost in found), sum(cost.seconds for cost in found), sum(cost.euros for cost in found),
    )  # fmt: skip


def _cost(started: datetime | None, answers: Sequence[Answer], seconds: float, euros_per_hour: float) -> Cost:
    return Cost(
        started, len(answers), sum(answer.prompt_tokens for answer in answers),
        sum(answer.completion_tokens for answer in answers), seconds, seconds / 3600 * euros_per_hour,
    )  # fmt: skip
