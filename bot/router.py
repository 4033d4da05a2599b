"""Who answers: student, teacher or a person. Pure: the same state always gives the same decision and reason.

    deny rules ──▶ human         (a person was asked for, law, harm, danger, a stolen account)
    student gone or failed ──▶ teacher, or human while there is none
    score >= threshold ──▶ student;   below ──▶ teacher, or human while there is none
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

from data.records import Route

Reason = Literal[
    "trying", "confident", "unsure", "student_down", "student_busy", "student_failed", "student_stopped",
    "teacher_down", "teacher_failed", "teacher_stopped", "asked_for_person", "legal", "self_harm", "danger",
    "account_security",
]  # fmt: skip

_PERSON = r"(?:human|(?:real |actual |live )?person|someone|somebody|representative|manager|supervisor|human being)"
_DENY: tuple[tuple[Reason, str], ...] = (
    ("self_harm", r"kill(?:ing)? myself|suicid|end(?:ing)? my (?:own )?life|(?:hurt|harm)(?:ing)? myself|want to die"
                  r"|self[- ]harm"),
    ("danger", r"caught (?:on )?fire|on fire\b|in flames|burst into flame|electric(?:al)? shock|electrocut|got a shock"
               r"|explod(?:ed|ing)|(?:smok(?:e|ing)|sparks?)\b[^.!?]{0,25}\b(?:coming|came|comes|pour\w*|from|out of)\b"
               r"|(?:coming|came|started|starts|began|is|was|seeing|see)\b[^.!?]{0,25}\b(?:smok(?:e|ing)|sparks|sparking)\b"
               r"|(?:smells?|smelled|smell|stinks?) (?:of|like) (?:burn\w*|burnt|melt\w*) (?:plastic|rubber|wir\w+|cable\w*)"
               r"|\b(?:burn(?:ed|t)|scald(?:ed)?|injured|hurt|cut) (?:my|his|her|their|our|me\b|him\b|her\b|myself)"
               r"|hospital|ambulance|carbon monoxide|gas leak"),
    ("legal", r"\b(?:lawyers?|solicitors?|attorneys?)\b|legal action|legal proceedings|\bsu(?:e|ing) (?:you|your)\b"
              r"|take (?:you|this) to court|see you in court|small claims|class action"),
    ("account_security", r"\b(?:account|e-?mail|profile|login)\b[^.!?]{0,25}\b(?:hacked|hijacked|stolen|compromised|taken over)\b"
                         r"|hack(?:ed|ing)? (?:in)?to my|hacked my|stole my (?:account|password|card)|identity theft"
                         r"|some(?:one|body)(?: else)?\b[^.!?]{0,25}\b(?:in|into|access(?:ed)? to|using|used|changed)"
                         r" (?:to )?my (?:account|password|card|e-?mail)"
                         r"|orders? (?:that )?i (?:did ?n.?t|never|did not) (?:make|place)"),
    ("asked_for_person", rf"\b(?:speak|talk|chat|connect(?: me)?|put me through|pass me|transfer(?: me)?|hand me over)"
                         rf"\b[^.!?]{{0,12}}\b(?:to|with)\b (?:a |an |another |some |your |the )?{_PERSON}\b"
                         rf"|\b(?:a |an? actual |a real |real |actual |live )(?:human|person)\b[^.!?]{{0,12}}\bplease"
                         rf"|\bhuman,? please|\b(?:want|need|get|give me|is there|are you) (?:a |an )?(?:real |actual |live )"
                         rf"(?:human|person|agent)\b|\b(?:want|need|get me|give me) a (?:human|person|manager)\b"
                         rf"|\b(?:speak|talk) (?:to|with) (?:a |an )?(?:support |live |human )?agent\b"
                         rf"|not (?:a|another) (?:bot|robot|machine)\b"),
)  # fmt: skip
DENY = tuple((reason, re.compile(pattern, re.IGNORECASE)) for reason, pattern in _DENY)

HANDOFF = "I'm sorry, I can't answer this well myself. I've passed your question to a colleague, who will reply to you."
TEXTS: dict[str, str] = {
    "asked_for_person": "Of course. I've passed your message to a colleague, and a person will reply to you.",
    "legal": (
        "Thank you for telling us. This deserves a careful answer from a person, so I've passed your message to a "
        "colleague who can look into it properly."
    ),
    "self_harm": (
        "I'm really sorry you're going through this, and I'm glad you said it. Please reach out to someone right now: "
        "if you might be in danger, call your local emergency number, or talk to a crisis line or someone you trust. "
        "I'm only a program, so I've also passed your message to a colleague."
    ),
    "danger": (
        "Your safety comes first. If it is safe to do so, unplug it and stop using it; if anyone is hurt or there is "
        "fire or smoke, keep away and call your local emergency number. I've passed this to a colleague as urgent."
    ),
    "account_security": (
        "I'm sorry, that is worrying. Please don't post passwords or codes here, and change your password if you still "
        "can. I've passed this to a colleague as urgent, who will help you secure the account."
    ),
}
BROKEN_OFF = "\n\nI'm sorry, I couldn't finish this answer. I've passed it to a colleague, who will reply to you."
DOUBLE_CHECK = "Let me double-check that with our senior assistant."
WORDS: dict[Route, str] = {
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
    """What is known at the moment of deciding. `score` is None until the first tokens have been held."""

    question: str
    up: bool = True
    teacher_up: bool = True
    failure: Reason | None = None
    score: float | None = None


def deny(question: str) -> Reason | None:
    """Why this must go to a person at once, if it must. The gravest reason wins."""
    straight = question.replace("\u2019", "'")
    return next((reason for reason, pattern in DENY if pattern.search(straight)), None)


def decide(state: StudentState, threshold: float) -> RoutingDecision:
    """The route and why. `threshold` is the release's; scores are recorded with the decision."""
    scores = {} if state.score is None else {"confidence": round(state.score, 4)}
    if denied := deny(state.question):
        return RoutingDecision("human", denied, scores, threshold)
    next_best: Route = "teacher" if state.teacher_up else "human"
    if state.failure:
        return RoutingDecision(next_best, state.failure, scores, threshold)
    if not state.up:
        return RoutingDecision(next_best, "student_down", scores, threshold)
    if state.score is None:
        return RoutingDecision("student", "trying", scores, threshold)
    if state.score >= threshold:
        return RoutingDecision("student", "confident", scores, threshold)
    return RoutingDecision(next_best, "unsure", scores, threshold)


def farewell(reason: str) -> str:
    """The honest text a customer reads when a person takes over."""
    return TEXTS.get(reason, HANDOFF)
