"""Who answers: student, teacher or a person. Pure: the same state always gives the same decision and reason.

    deny rules               ──▶ human    (bot/deny.py)
    notes too far away       ──▶ human    (both models answer from notes; without any they invent)
    greetings and thanks     ──▶ teacher, or human while there is none
    student gone or failed   ──▶ teacher, or human while there is none
    worth >= threshold       ──▶ student
    worth below, or it defers ──▶ teacher, where it helps (eval/calibration.py); human else, or while there is none

Every decision is recorded with its scores and returned with the reply.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from bot.deny import TEXTS, Denied, deny
from data.records import Route, Standing

Trouble = Literal[
    "student_down", "student_busy", "student_failed", "student_stopped", "teacher_down", "teacher_failed",
    "teacher_stopped",
]  # fmt: skip
Reason = Literal["trying", "confident", "unsure", "student_deferred", "no_notes", "small_talk"] | Trouble | Denied

HANDOFF = "I'm sorry, I can't answer this well myself. I've passed your question to a colleague, who will reply to you."
BROKEN_OFF = "\n\nI'm sorry, I couldn't finish this answer. I've passed it to a colleague, who will reply to you."
DOUBLE_CHECK = "Let me double-check that with our senior assistant."
WORDS: dict[str, str] = {
    "student": "answered instantly",
    "teacher": "checked with our senior assistant",
    "human": "a colleague will reply",
}


@dataclass(frozen=True, slots=True)
class RoutingDecision:
    route: Route
    reason: Reason
    scores: dict[str, float] = field(default_factory=dict)
    threshold: float = 0.0


@dataclass(frozen=True, slots=True)
class StudentState:
    """What is known when deciding. `worth`: the chance that the notes hold a good reply (bot/worth.py), None
    before they were searched; `deferred`: the student begins the words it was taught to hand over with;
    `teacher_helps`: the teacher answers well enough what the student is unsure of."""

    question: str
    up: bool = True
    teacher_up: bool = True
    teacher_helps: bool = True
    standing: Standing = "known"
    failure: Trouble | None = None
    worth: float | None = None
    deferred: bool = False


def decide(state: StudentState, threshold: float) -> RoutingDecision:
    """The route and why. `threshold` is the release's."""
    scores = {} if state.worth is None else {"worth": round(state.worth, 4)}
    if denied := deny(state.question):
        return RoutingDecision("human", denied, scores, threshold)
    if state.standing == "far":
        return RoutingDecision("human", "no_notes", scores, threshold)
    next_best: Route = "teacher" if state.teacher_up else "human"
    if state.failure:
        return RoutingDecision(next_best, state.failure, scores, threshold)
    if state.standing == "small_talk":
        return RoutingDecision(next_best, "small_talk", scores, threshold)
    if not state.up:
        return RoutingDecision(next_best, "student_down", scores, threshold)
    if state.worth is None:
        return RoutingDecision("student", "trying", scores, threshold)
    doubtful = next_best if state.teacher_helps else "human"
    if state.deferred:
        return RoutingDecision(doubtful, "student_deferred", scores, threshold)
    if state.worth >= threshold:
        return RoutingDecision("student", "confident", scores, threshold)
    return RoutingDecision(doubtful, "unsure", scores, threshold)


def farewell(reason: str) -> str:
    """The honest text a customer reads when a person takes over."""
    return TEXTS.get(reason, HANDOFF)
