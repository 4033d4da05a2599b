"""What a reply costs to run, and when the teacher's one-off work is paid back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean

from pydantic import Field

from data.records import Record
from eval.cases import System


class Machine(Record):
    """What serves one system. `parallel`: replies in flight when timed; `wall_seconds`: 0 if not measured."""

    model: str = ""
    euros_per_hour: float = 0.0
    memory_bytes: int = 0
    disk_bytes: int = 0
    parallel: int = Field(1, ge=1)
    wall_seconds: float = 0.0

    def euros_per_thousand(self, seconds: Sequence[float]) -> float:
        """Euros per 1,000 replies: machine time per reply (seconds overlap when `parallel` > 1) x price."""
        if not seconds:
            return 0.0
        busy = self.wall_seconds / len(seconds) if self.wall_seconds else fmean(seconds) / self.parallel
        return busy * 1_000 / 3_600 * self.euros_per_hour


class TeachCost(Record):
    """The teacher's one-off work, from the corpus manifest."""

    answers: int = 0
    tokens: int = 0
    seconds: float = 0.0
    euros: float = 0.0


class Costs(Record):
    machines: dict[System, Machine] = Field(default_factory=dict)
    teaching: TeachCost = TeachCost()


class Payback(TeachCost):
    """`replies` after which the student has saved what teaching cost; None when it saves nothing."""

    saved_per_thousand: float
    replies: int | None


def payback(costs: Costs, teacher_euros: float | None, student_euros: float | None) -> Payback:
    """Replies until one-off euros = replies x (teacher's - student's euros per reply)."""
    saved = (teacher_euros or 0.0) - (student_euros or 0.0)
    replies = math.ceil(costs.teaching.euros / saved * 1_000) if saved > 0 else None
    return Payback(**costs.teaching.model_dump(), saved_per_thousand=saved, replies=replies)
