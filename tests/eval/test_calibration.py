"""From which worth on the student answers: by what checks said of its replies, or by what readers taught."""

from __future__ import annotations

import random

import pytest

from bot.config import Config
from bot.desk import Desk
from bot.prompt import DEFERRAL
from data.records import Answer, Passage, Review, Source, Standing
from eval.calibration import ENOUGH_READ, Help, Judged, Threshold, calibrate, is_sound, read, teacher_helps, threshold
from tests.eval.invented import exchanges


def judged(source: Source, *good: bool, standing: Standing = "known", wrong: int = 0) -> list[Judged]:
    """One of each, worth less and less; `wrong`: how many of the last mislead."""
    return [
        Judged(
            exchange_id=f"x{place}", source=source, worth=0.9 - place / 1000, good=each, standing=standing,
            wrong=place >= len(good) - wrong,
        )
        for place, each in enumerate(good)
    ]  # fmt: skip


SAID = "Press reset, then choose 55 degrees on the panel of the kettle."
MINE = judged("student", True, True, False, True, False, False)


def test_the_student_answers_as_long_as_its_replies_are_good_enough() -> None:
    assert threshold(MINE, target=0.75, most_wrong=0.1).least == MINE[3].worth
    assert threshold([], target=0.75, most_wrong=0.1).least > 1
    assert (
        threshold([*MINE, *judged("student", True, standing="far")], target=0.75, most_wrong=0.1).least == MINE[3].worth
    )


def test_where_nobody_reviewed_what_is_worth_little_is_handed_over() -> None:
    assert threshold(MINE, target=0.75, most_wrong=0.1, unreviewed=0.8985).answered == 2
    assert threshold(MINE, target=0.75, most_wrong=0.1, unreviewed=0.12).least == MINE[3].worth


def test_a_teacher_that_is_right_less_often_is_asked_less() -> None:
    assert (
        threshold([*MINE, *judged("teacher", True, False, False)], target=0.75, most_wrong=0.1).least == MINE[5].worth
    )
    assert threshold([*MINE, *judged("teacher", True, True, True)], target=0.75, most_wrong=0.1).least == MINE[3].worth


NOTES = judged("notes", *[True] * 72, *[False] * 36, wrong=18)


def test_readers_are_believed_before_checks_and_the_teacher() -> None:
    found = threshold([*NOTES, *judged("student", False), *judged("teacher", False)], target=0.75, most_wrong=1.0)
    assert found == Threshold(NOTES[88].worth, answered=89, asked=108, good=72, wrong=0), "72 of 89: .754 at least"
    assert str(threshold(NOTES[72:] * 3, target=0.75, most_wrong=1.0)).startswith("of 108 judged too few are good")


def test_what_misleads_is_bounded_too() -> None:
    found = threshold(NOTES, target=0.5, most_wrong=0.1)
    assert str(found).startswith("the student answers from a worth of 0.81 on, 95 of 108 (readers: 72 good, 5 wrong;")


def test_those_of_questions_that_fitted_nothing_are_preferred() -> None:
    fitted = [row.model_copy(update={"split": "train"}) for row in NOTES]
    assert threshold([*fitted, *NOTES], target=0.5, most_wrong=0.1).asked == len(NOTES)
    assert threshold([*fitted, *NOTES[:20]], target=0.5, most_wrong=0.1).asked == len(NOTES) + 20


def test_few_readings_decide_nothing_and_the_test_s_never() -> None:
    unseen = [row.model_copy(update={"split": "heldout"}) for row in NOTES]
    assert threshold([*NOTES[: ENOUGH_READ - 1], *unseen, *MINE], target=0.75, most_wrong=0.1).asked == len(MINE)


def test_only_the_first_note_is_what_readers_are_heard_about() -> None:
    first, second = (Passage(id=name, kind="article", title=name, text=SAID, worth=0.4) for name in ("one", "two"))
    asked = exchanges()[:3]
    desk = Desk(asked, {asked[0].id: [first, second], asked[1].id: [second, first], asked[2].id: []}, Config())
    reviews = [Review(exchange=each.id, passage="one", score=3, wrong=True) for each in asked]
    assert [(row.exchange_id, row.source, row.worth, row.good, row.wrong) for row in read(desk, reviews)] == [
        (asked[0].id, "notes", 0.4, True, True)
    ]


@pytest.mark.parametrize(("sound", "helps"), [(7, True), (6, False)])
def test_a_teacher_helps_where_its_replies_are_sound(sound: int, helps: bool) -> None:
    rows = [row.model_copy(update={"sound": n < sound}) for n, row in enumerate(judged("teacher", *[False] * 10))]
    found = teacher_helps([*rows, *MINE], 0.7)
    assert (found.helps, str(found).endswith(f"replies to the test {sound} are sound)")) == (helps, True)
    assert teacher_helps(MINE, 0.7) == Help(True), "not known of a teacher that was not asked"


@pytest.mark.parametrize(
    ("text", "sound"),
    [(SAID, True), (DEFERRAL, False), ("Press reset, then choose 71 degrees on the panel.", False),
     ("The article does not address your question.", False), (" ".join([SAID] * 6), False)],
)  # fmt: skip
def test_a_sound_reply_says_something_that_was_known(text: str, sound: bool) -> None:
    exchange = exchanges()[0]
    answer = Answer(sample_id="s", exchange_id="x", source="teacher", text=text)
    assert is_sound(answer, exchange, f"{exchange.question} {SAID}") == sound


def scored(*rows: tuple[float, bool] | tuple[float, bool, bool]) -> list[Judged]:
    """Worth, whether it is good, whether it misleads."""
    return [Judged(exchange_id="x", worth=row[0], good=row[1], wrong=row[2:] == (True,)) for row in rows]


def test_calibrate_finds_the_lowest_threshold_that_keeps_the_promise() -> None:
    mixed = scored((0.9, True), (0.8, True), (0.7, False), (0.6, True), (0.5, False))
    assert calibrate(mixed, 0.75) == 0.6
    good = scored((0.9, True), (0.8, True), (0.7, True, True), (0.6, True), (0.5, True))
    assert calibrate(good, 0.9) == 0.5
    assert calibrate(good, 0.9, 0.19) == 0.8
    assert calibrate(scored((0.9, False), (0.8, False)), 0.5) is None
    assert calibrate(good[:4], 0.7, z=1.2816) == 0.6, "4 of 4: .709 at least; 3 of 3: .646"
    assert calibrate(good[:3], 0.7, z=1.2816) is None
    assert calibrate(scored((0.7, True), (0.7, False), (0.2, False)), 0.6) is None  # equals are taken together
    assert calibrate([], 0.9) is None


def test_calibrate_against_trying_every_threshold() -> None:
    dice = random.Random(3)
    for _ in range(200):
        rows = scored(*((round(dice.random(), 1), dice.random() < 0.6, dice.random() < 0.2) for _ in range(12)))
        kept = []
        for least in {row.worth for row in rows}:
            over = [row for row in rows if row.worth >= least]
            if sum(r.good for r in over) >= 0.7 * len(over) and sum(r.wrong for r in over) <= 0.2 * len(over):
                kept.append(least)
        assert calibrate(rows, 0.7, 0.2) == (min(kept) if kept else None)
