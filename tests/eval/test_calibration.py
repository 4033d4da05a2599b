"""From which worth on the student answers: by what checks said of its replies, or by what readers taught."""

from __future__ import annotations

import random

import pytest

from data.records import Source, Standing
from eval.calibration import Judged, calibrate, threshold


def judged(source: Source, *good: bool, standing: Standing = "known") -> list[Judged]:
    return [
        Judged(exchange_id=f"x{place}", source=source, worth=0.9 - place / 10, good=good, standing=standing)
        for place, good in enumerate(good)
    ]


MINE = judged("student", True, True, False, True, False, False)


def test_the_student_answers_as_long_as_its_replies_are_good_enough() -> None:
    assert threshold(MINE, 0.75) == MINE[3].worth
    assert threshold([], 0.75) == 1.0
    assert threshold([*MINE, *judged("student", True, standing="far")], 0.75) == MINE[3].worth


def test_a_teacher_that_is_right_less_often_is_asked_less() -> None:
    assert threshold([*MINE, *judged("teacher", True, False, False)], 0.75) == MINE[5].worth
    assert threshold([*MINE, *judged("teacher", True, True, True)], 0.75) == MINE[3].worth


@pytest.mark.parametrize(("target", "least"), [(0.9, 0.9), (0.8, 0.7), (0.75, 0.6), (0.65, 0.4), (0.95, 0.9)])
def test_a_worth_that_is_a_chance_needs_no_checks(target: float, least: float) -> None:
    assert threshold(MINE, target, chances=True) == pytest.approx(least)


def test_calibrate_finds_the_lowest_threshold_that_keeps_the_promise() -> None:
    scores = [0.9, 0.8, 0.7, 0.6, 0.5]
    assert calibrate(scores, [True, True, False, True, False], 0.75) == 0.6
    assert calibrate(scores, [True] * 5, 0.9) == 0.5
    assert calibrate(scores, [False] * 5, 0.5) == 0.9
    assert calibrate([0.7, 0.7, 0.2], [True, False, False], 0.6) == 0.7  # equals are taken together
    with pytest.raises(ValueError, match="as many"):
        calibrate([], [], 0.9)


def test_calibrate_against_trying_every_threshold() -> None:
    dice = random.Random(3)
    for _ in range(200):
        scores = [round(dice.random(), 1) for _ in range(dice.randint(1, 12))]
        good = [dice.random() < 0.6 for _ in scores]
        kept = [
            t
            for t in set(scores)
            if sum(g for s, g in zip(scores, good, strict=True) if s >= t) >= 0.7 * sum(s >= t for s in scores)
        ]
        assert calibrate(scores, good, 0.7) == (min(kept) if kept else max(scores))
