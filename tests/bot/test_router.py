"""Routing: every state has one route and one reason; people are called for what people are for."""

from __future__ import annotations

import dataclasses

import pytest

from bot.deny import TEXTS, deny
from bot.router import HANDOFF, StudentState, decide, farewell


@pytest.mark.parametrize(
    ("state", "route", "reason"),
    [(StudentState("hi"), "student", "trying"),
     (StudentState("hi", worth=0.5), "student", "confident"),
     (StudentState("hi", worth=0.49), "teacher", "unsure"),
     (StudentState("hi", worth=0.9, deferred=True), "teacher", "student_deferred"),
     (StudentState("hi", worth=0.9, deferred=True, teacher_up=False), "human", "student_deferred"),
     (StudentState("hi", worth=0.49, teacher_up=False), "human", "unsure"),
     (StudentState("hi", worth=0.49, teacher_helps=False), "human", "unsure"),
     (StudentState("hi", worth=0.9, deferred=True, teacher_helps=False), "human", "student_deferred"),
     (StudentState("hi", up=False, teacher_helps=False), "teacher", "student_down"),
     (StudentState("hi", up=False), "teacher", "student_down"),
     (StudentState("hi", up=False, teacher_up=False), "human", "student_down"),
     (StudentState("hi", standing="far"), "human", "no_notes"),
     (StudentState("hi", standing="small_talk"), "teacher", "small_talk"),
     (StudentState("hi", standing="small_talk", teacher_up=False), "human", "small_talk"),
     (StudentState("hi", failure="student_failed"), "teacher", "student_failed"),
     (StudentState("Let me talk to a human", worth=0.99), "human", "asked_for_person")],
)  # fmt: skip
def test_one_route_and_one_reason(state: StudentState, route: str, reason: str) -> None:
    decision = decide(state, 0.5)
    assert (decision.route, decision.reason, decision.threshold) == (route, reason, 0.5)
    assert decide(state, 0.5) == decision
    with pytest.raises(dataclasses.FrozenInstanceError):
        decision.route = "human"  # type: ignore[misc]


PEOPLE = {
    "asked_for_person": ["I'd like to speak to a real person", "human please", "Can I talk to someone?",
                         "please connect me to a human", "I want a human", "let me talk to your manager",
                         "I need to speak with an agent"],
    "legal": ["You will hear from my lawyer.", "I'm going to sue you", "I will take legal action"],
    "self_harm": ["I want to kill myself", "thinking about suicide"],
    "danger": ["The kettle caught fire!", "There's smoke coming out of it", "it started smoking",
               "I got an electric shock", "It burned my hand", "it smells like burning plastic",
               "I cut my hand on the glass and it is still bleeding", "my lips swelled up and I came out in a rash",
               "my daughter swallowed a screw", "He went to the walk-in centre"],
    "account_security": ["my account was hacked", "Someone else logged into my account",
                         "there are orders I didn’t place"],
}  # fmt: skip


@pytest.mark.parametrize(("reason", "text"), [(r, text) for r, texts in PEOPLE.items() for text in texts])
def test_people_are_called(reason: str, text: str) -> None:
    assert deny(text) == reason


@pytest.mark.parametrize(
    "text",
    ["My coffee tastes burnt and smoky", "The beans smell of smoke, is that the roast?", "How do I reset my password?",
     "The grinder is not working", "I can't get into my account", "Which user agent does it send?",
     "My mail profile will not load", "Someone told me to descale it", "I burnt my coffee",
     "Can I change the e-mail address of my account?", "Is the issue on your side?", "Does it explode the archive?",
     "Can you cut my bill back?", "Thunderbird swallowed my mail", "the bleeding edge version", "he went to the shop"],
)  # fmt: skip
def test_ordinary_questions_are_not(text: str) -> None:
    assert deny(text) is None


def test_every_reason_has_a_text_and_the_gravest_wins() -> None:
    assert set(TEXTS) == set(PEOPLE)
    assert farewell("unsure") == HANDOFF
    assert deny("My lawyer says the thing caught fire") == "danger"
