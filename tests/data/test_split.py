"""By time, whole tickets, near-duplicates of held-out questions gone."""

from datetime import UTC, datetime, timedelta

import pytest

from data.errors import BadInput
from data.records import Exchange, Reaction, Turn
from data.split import boilerplate, divide, near_duplicates, prefer

START = datetime(2025, 1, 1, tzinfo=UTC)
WORDS = "the grinder hums loudly but the motor does not turn when i press start today"


def exchange(
    day: int, name: str = "", question: str = "", reply: str = "", reaction: Reaction = "none", n: int = 1
) -> Exchange:
    ticket = name or f"T{day:03d}"
    return Exchange(
        id=f"{ticket}-{n}",
        ticket_id=ticket,
        subject="",
        product="",
        topic="",
        created=START + timedelta(days=day),
        split="train",
        turns=(Turn(role="customer", text=question or f"question {day} {ticket}"),),
        human_reply=reply or f"reply {day} {ticket} " + "word " * 15,
        reaction=reaction,
    )


def test_newest_are_held_out_and_later_than_all_training() -> None:
    parts = divide([exchange(day) for day in (5, 1, 9, 3, 7, 2, 8, 4, 6, 0)], heldout=3, validation=2)
    by = {s: [e.created for e in parts.exchanges if e.split == s] for s in ("train", "validation", "heldout")}
    assert [len(by[s]) for s in ("train", "validation", "heldout")] == [5, 2, 3]
    assert max(by["train"]) < min(by["validation"]) < max(by["validation"]) < min(by["heldout"]) == parts.first_heldout


def test_tickets_are_never_torn_and_equal_dates_stay_together() -> None:
    rows = [exchange(d) for d in range(5)] + [exchange(9, "A", n=n) for n in (1, 2, 3)] + [exchange(9, "B")]
    parts = divide(rows, heldout=2, validation=0)
    assert {e.ticket_id for e in parts.exchanges if e.split == "heldout"} == {"A", "B"}
    with pytest.raises(BadInput, match="leave none to train on"):
        divide([exchange(1, f"T{n}") for n in range(10)], heldout=2, validation=2)


def test_too_few() -> None:
    with pytest.raises(BadInput, match=r"lower desk.heldout"):
        divide([exchange(d) for d in range(5)], heldout=4, validation=2)


def test_near_duplicates_of_heldout_leave_training_and_are_named() -> None:
    rows = [
        exchange(0, question=WORDS + " again"),
        *(exchange(d) for d in range(1, 4)),
        exchange(9, question=WORDS),
    ]
    parts = divide(rows, heldout=1, validation=0)
    assert parts.near_duplicates == [("T000-1", "T009-1")]
    assert "T000-1" not in {e.id for e in parts.exchanges}


def test_other_questions_are_no_near_duplicates() -> None:
    half = " ".join(WORDS.split()[:8]) + " and now something else entirely is going on here"
    assert near_duplicates([exchange(0, question=half)], [exchange(1, question=WORDS)]) == {}
    assert near_duplicates([exchange(0, question="Hi")], [exchange(1, question="hi!")]) == {"T000-1": "T001-1"}


def test_limit_prefers_good_own_fitting_then_newest() -> None:
    stock = "see our help pages for all the answers " * 3
    rows = [
        exchange(0, reaction="accepted"),
        exchange(1, reaction="thanked"),
        exchange(2),
        exchange(3, reply="too short"),
        *(exchange(4 + n, reply=stock) for n in range(3)),
    ]
    assert len(boilerplate(rows)) == 1
    assert [e.id for e in prefer(rows, 3, boilerplate(rows))] == ["T000-1", "T001-1", "T002-1"]
    parts = divide([*rows, exchange(99)], heldout=1, validation=0, limit_train=2)
    assert parts.passed_over == 5
    assert [e.id for e in parts.exchanges if e.split == "train"] == ["T000-1", "T001-1"]
