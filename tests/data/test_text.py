"""The yardstick: facts normalise, fidelity catches planted edits, evasions differ from honest deferrals."""

from __future__ import annotations

import pytest

from data import text

CONTEXT = (
    "Go to **Account > Beans Club** and press Pause. Up to 12 weeks, or two deliveries. It costs €12.50 "
    "with 10 % off. "
    "Error E1 on the KG-200, firmware v2.3.1, 1,000 g. Write to help@kettlewick.example or see "
    "https://kettlewick.example/help/."
)


def test_facts_are_normalised() -> None:
    assert text.facts(CONTEXT) == {
        "account > beans club",
        "12",
        "12.5 eur",
        "10%",
        "E1",
        "KG200",
        "v2.3.1",
        "1000",
        "help@kettlewick.example",
        "kettlewick.example/help",
    }


@pytest.mark.parametrize(
    "reply",
    [
        "Open Account → Beans Club and pause for 12 weeks.",
        "That is 12.50 euros with 10% off.",
        "1. Unplug it.\n2. Note the code: E1, KG200 on 2.3.1.",
        "Use https://www.kettlewick.example/help and skip 2 deliveries.",
    ],
)
def test_fidelity_accepts_the_same_fact_written_otherwise(reply: str) -> None:
    assert text.fidelity(reply, CONTEXT) == 1.0
    assert text.unsupported(reply, CONTEXT) == []


@pytest.mark.parametrize(
    ("reply", "wrong"),
    [
        ("Pause it for 21 weeks.", "21"),
        ("It costs $12.50.", "12.5 usd"),
        ("The display shows E2.", "E2"),
        ("Go to Account > Coffee Club.", "account > coffee club"),
        ("Write to hello@kettlewick.example.", "hello@kettlewick.example"),
        ("Install firmware 2.3.2 first.", "v2.3.2"),
    ],
)
def test_fidelity_catches_a_planted_edit(reply: str, wrong: str) -> None:
    assert text.unsupported(reply, CONTEXT) == [wrong]
    assert text.fidelity(reply, CONTEXT) == 0.0


def test_a_reply_without_facts_has_no_fidelity() -> None:
    assert text.fidelity("Please unplug it and wait.", CONTEXT) is None


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "Yes it does.",
        "The article does not address this question.",
        "I don't have information about that.",
        "Please contact our support team for more help.",
        "I'm sorry to hear that you're having trouble. I'm here to help.",
        "Could you please provide more information about the problem?",
        "Thank you for writing. The notes do not mention the pump. Let me know if you have other questions.",
    ],
)
def test_evasions(reply: str) -> None:
    assert text.is_evasion(reply, "My pump is loud.")
    assert not text.is_deferral(reply)


@pytest.mark.parametrize(
    "reply",
    [
        "Which code does the display show, E1 or E2?",
        "Hold the power button for ten seconds, then descale it. If it stays loud, contact our support team.",
        "Thanks for waiting. Yes, the paper filter fits the large dripper.",
        "The manual does not mention the pump, but a loud pump is short of water: fill the tank to the line.",
    ],
)
def test_useful_replies_are_no_evasions(reply: str) -> None:
    assert not text.is_evasion(reply, "My pump is loud.")


def test_an_echo_is_an_evasion() -> None:
    question = "My kettle leaks at the base. What should I do?"
    assert text.is_evasion("Your kettle leaks at the base. What should I do?", question)


def test_handing_over_is_a_deferral_unless_it_closes_an_answer() -> None:
    honest = "I don't want to guess on this one, so I'm passing it to a colleague. They will reply here."
    assert text.is_deferral(honest)
    assert not text.is_evasion(honest)
    answer = (
        "Empty the hopper, turn it to Unlock, lift the upper burr out, brush both burrs, then "
        "click the burr back. If it still sticks a colleague will arrange a repair."
    )
    assert not text.is_deferral(answer)


def test_repetition() -> None:
    assert text.is_repetitive("Press the button. Wait. " + "Press the button again. " * 3)
    assert text.is_repetitive("the red light and the red light and " * 4)
    assert not text.is_repetitive("Empty the hopper, brush both burrs, dry them with a cloth and click them back in.")


def test_overlap_support_and_bigrams() -> None:
    assert text.overlap("clean the burrs", "the burr needs cleaning") > 0.7
    assert text.overlap("clean the burrs", "refund my order") == 0.0
    assert text.support("clean burrs monthly", "the burr is cleaned") == pytest.approx(2 / 3)
    assert text.bigram_precision("pause for 12 weeks", CONTEXT) == pytest.approx(1 / 3)
    assert text.bigram_precision("hello", CONTEXT) == text.support("", CONTEXT) == 0.0
