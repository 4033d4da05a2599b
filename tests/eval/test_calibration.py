"""From which worth on the student answers: the share of good replies to expect decides, over known questions alone."""

from __future__ import annotations

import pytest

from data.records import Standing
from eval.calibration import Judged, threshold


def judged(*worths: float, standing: Standing = "known") -> list[Judged]:
    return [Judged(exchange_id=f"x{worth}", worth=worth, good=False, standing=standing) for worth in worths]


@pytest.mark.parametrize(
    ("target", "least"), [(0.9, 0.9), (0.8, 0.7), (0.7, 0.5), (0.65, 0.5), (0.6, 0.3), (0.1, 0.1), (0.95, 0.9)]
)
def test_the_student_answers_as_long_as_the_share_to_expect_is_reached(target: float, least: float) -> None:
    assert threshold(judged(0.1, 0.3, 0.5, 0.7, 0.9), target) == least


def test_questions_that_would_not_reach_the_student_do_not_count() -> None:
    assert threshold([*judged(0.5, 0.7), *judged(0.99, standing="far")], 0.6) == 0.5
    assert threshold(judged(0.99, standing="small_talk"), 0.6) == 1.0
