from __future__ import annotations

from data.records import Source
from eval.calibration import Judged, threshold


def judged(source: Source, *goods: bool) -> list[Judged]:
    """Ever less sure, from 0.9 down by tenths."""
    return [
        Judged(exchange_id=f"x{place}", source=source, confidence=0.9 - place / 10, good=good)
        for place, good in enumerate(goods)
    ]


MINE = judged("student", True, True, False, True, False, False)


def test_the_student_answers_as_far_down_as_its_replies_are_good_at_the_target() -> None:
    assert threshold(MINE, 0.75) == MINE[3].confidence


def test_a_teacher_that_is_good_less_often_is_not_asked_to_do_better() -> None:
    assert threshold([*MINE, *judged("teacher", True, False, False)], 0.75) == MINE[5].confidence
    assert threshold([*MINE, *judged("teacher", True, True, True)], 0.75) == MINE[3].confidence


def test_nothing_to_go_by_leaves_every_question_to_the_teacher() -> None:
    assert threshold(judged("teacher", True), 0.75) == 1.0
