"""By time, whole tickets; customers and near-duplicates of the test are gone from training, and all is named."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path

import pytest

from data.errors import BadInput
from data.importers import At
from data.reading import Read, cut_of, microseconds
from data.records import Exchange, Reaction, Rejected, Turn
from data.split import CROWD, divide
from data.spool import Spool

START = datetime(2025, 1, 1, tzinfo=UTC)
WORDS = "the grinder hums loudly but the motor does not turn when i press start today"
ALIKE = WORDS.replace("today", "now")


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
        turns=(Turn(role="customer", text=question or f"question {day} {ticket} {n}"),),
        human_reply=reply or f"reply {day} {ticket} " + "word " * 15,
        reaction=reaction,
    )


def tickets(exchanges: Iterable[Exchange], people: dict[str, int]) -> Iterable[Read]:
    for line, (name, held) in enumerate(groupby(exchanges, key=lambda each: each.ticket_id), 1):
        cuts = list(held)
        yield Read(
            At("t.jsonl", line), name, microseconds(cuts[0].created), False, True, people.get(name, 0), "", "",
            Counter(tickets=1), [cut_of(each) for each in cuts], None,
        )  # fmt: skip


class Parts:
    """What a division kept and left out."""

    def __init__(self, folder: Path, exchanges: Iterable[Exchange], *sizes: int, **people: int) -> None:
        spool = Spool(folder)
        try:
            for item in tickets(exchanges, people):
                spool.add(item)
            divide(spool, *sizes)
            self.kept = list(spool.exchanges())
            self.rejected = list(spool.rejected())
            self.dropped = spool.dropped()
        finally:
            spool.close()

    def of(self, split: str) -> list[str]:
        return [each.id for each in self.kept if each.split == split]

    def left(self, kind: str) -> dict[str, str]:
        return {row.record: row.match for row in self.rejected if row.kind == kind}


def test_newest_are_held_out_and_later_than_all_training(tmp_path: Path) -> None:
    parts = Parts(tmp_path, [exchange(day) for day in (5, 1, 9, 3, 7, 2, 8, 4, 6, 0)], 3, 2)
    assert parts.of("train") == [f"T00{n}-1" for n in range(5)]
    assert parts.of("validation") == ["T005-1", "T006-1"]
    assert parts.of("heldout") == ["T007-1", "T008-1", "T009-1"]
    assert [each.created for each in parts.kept] == [START + timedelta(days=day) for day in range(10)]


def test_tickets_are_never_torn_and_equal_dates_stay_together(tmp_path: Path) -> None:
    rows = [exchange(d) for d in range(5)] + [exchange(9, "A", n=n) for n in (1, 2, 3)] + [exchange(9, "B")]
    assert Parts(tmp_path, rows, 2, 0).of("heldout") == ["A-1", "A-2", "A-3", "B-1"]
    with pytest.raises(BadInput, match="begun at 1 different times only, leave none to train on"):
        Parts(tmp_path, [exchange(1, f"T{n}") for n in range(10)], 2, 2)


@pytest.mark.parametrize("sizes", [(4, 2), (100, 0), (0, 2)])
def test_too_few(tmp_path: Path, sizes: tuple[int, int]) -> None:
    with pytest.raises(BadInput, match=r"lower desk.heldout"):
        Parts(tmp_path, [exchange(d) for d in range(5)], *sizes)
    assert list(tmp_path.iterdir()) == []


def test_a_question_of_the_test_is_in_no_other_part(tmp_path: Path) -> None:
    """The newest stays: of two held-out ones, of validation and held-out, of train and either."""
    rows = [exchange(0, question=ALIKE), exchange(1), exchange(5, question=WORDS), exchange(6), exchange(7),
            exchange(8, question=ALIKE), exchange(9, question=WORDS)]  # fmt: skip
    parts = Parts(tmp_path, rows, 3, 2)
    assert parts.left("near_duplicate") == {"T000-1": "T009-1", "T005-1": "T009-1", "T008-1": "T009-1"}
    assert [parts.of(split) for split in ("train", "validation", "heldout")] == [["T001-1"], ["T006-1"],
                                                                                 ["T007-1", "T009-1"]]  # fmt: skip
    row = next(row for row in parts.rejected if row.record == "T000-1")
    assert (row.file, row.line, row.reason) == (
        "t.jsonl", 1, "asks nearly the same as T009-1 (held out), which is kept"
    )  # fmt: skip
    assert row.text == ALIKE


def test_of_nearly_the_same_train_questions_the_best_stays(tmp_path: Path) -> None:
    rows = [exchange(0, question=WORDS, reaction="thanked"), exchange(1, question=ALIKE), exchange(2, question=WORDS),
            exchange(3), exchange(9)]  # fmt: skip
    parts = Parts(tmp_path, rows, 1, 0)
    assert parts.left("near_duplicate") == {"T001-1": "T000-1", "T002-1": "T000-1"}
    assert parts.of("train") == ["T000-1", "T003-1"]


def test_questions_of_one_ticket_are_no_duplicates(tmp_path: Path) -> None:
    rows = [*(exchange(0, "A", WORDS, n=n) for n in (1, 2)), *(exchange(9, "B", ALIKE + " so", n=n) for n in (1, 2))]
    assert Parts(tmp_path, [exchange(1), *rows[:2], exchange(9)], 1, 0).dropped == {}
    assert Parts(tmp_path, [exchange(1), *rows[2:]], 1, 0).of("heldout") == ["B-1", "B-2"]


def test_customers_of_the_test_are_not_learned_from(tmp_path: Path) -> None:
    people = {"T000": 7, "T001": 8, "T002": 9, "T004": 7, "T005": 8, "T009": 7}
    parts = Parts(tmp_path, [exchange(day) for day in (0, 1, 2, 3, 4, 5, 9)], 1, 2, 0, **people)
    assert parts.left("same_customer") == {"T000-1": "T009-1", "T004-1": "T009-1", "T001-1": "T005-1"}
    assert {each.id: each.customer for each in parts.kept} == {
        "T002-1": "c3", "T003-1": "", "T005-1": "c2", "T009-1": "c1",
    }  # fmt: skip
    with pytest.raises(BadInput, match="3 of them by the same customers"):
        Parts(tmp_path, [exchange(day) for day in range(4)], 1, 0, 0, T000=1, T001=1, T002=1, T003=1)


def test_a_mailbox_that_many_write_from_is_no_customer(tmp_path: Path) -> None:
    rows = [exchange(day) for day in range(CROWD + 5)]
    parts = Parts(tmp_path, rows, 2, 0, 0, **{each.ticket_id: 1 for each in rows})
    assert len(parts.of("train")) == CROWD + 3
    assert {each.customer for each in parts.kept} == {""}


def test_limit_prefers_good_own_fitting_then_newest(tmp_path: Path) -> None:
    stock = "see our help pages for all the answers " * 3
    rows = [
        exchange(0, reaction="accepted"),
        exchange(1, reaction="thanked"),
        exchange(2),
        exchange(3, reply="too short"),
        *(exchange(4 + n, reply=stock) for n in range(3)),
        exchange(99),
    ]
    assert Parts(tmp_path, rows, 1, 0, 3).of("train") == ["T000-1", "T001-1", "T002-1"]
    assert Parts(tmp_path, rows, 1, 0, 5).of("train") == ["T000-1", "T001-1", "T002-1", "T005-1", "T006-1"]
    parts = Parts(tmp_path, rows, 1, 0, 2)
    assert parts.of("train") == ["T000-1", "T001-1"]
    assert parts.dropped == {"beyond_limit": 5}
    assert set(parts.left("beyond_limit")) == {"T002-1", "T003-1", "T004-1", "T005-1", "T006-1"}
    assert {row.match for row in parts.rejected} == {""}


def test_a_ticket_that_comes_again_is_told_with_the_first(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    first, *_ = tickets([exchange(0)], {})
    spool.add(first)
    spool.add(Rejected(file="u.jsonl", line=3, reason="not JSON"))
    spool.add(Read(At("u.jsonl", 4), first.id, 0, False, True, 0, "", "", Counter(tickets=1), first.cuts, None))
    assert [(row.kind, row.reason, row.match) for row in spool.rejected()] == [
        ("unreadable", "not JSON", ""), ("again", "ticket T000 again, first on line 1 of t.jsonl", "T000"),
    ]  # fmt: skip
    assert spool.counts["tickets"] == 1
    spool.close()


def test_what_a_killed_run_left_is_gone(tmp_path: Path) -> None:
    for name in (".spool.db", ".exchanges.parquet.17.tmp"):
        (tmp_path / name).write_bytes(b"half a page")
    Spool(tmp_path).close()
    assert list(tmp_path.iterdir()) == []
