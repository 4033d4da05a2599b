"""Confidence: monotone, bounded, calibrated as promised."""

from __future__ import annotations

import math
import random

import pytest

from bot.confidence import calibrate, looping, score, signals


def test_signals_are_quantiles_of_the_first_tokens() -> None:
    found = signals([-1.0, -0.5, -0.2, -0.1, -0.0, -9.0], [2.0, 4.0, float("nan")], first=5)
    assert found.lowest == -1.0
    assert found.low == pytest.approx(-0.6)
    assert found.margin == 3.0


def test_the_score_rises_with_every_signal_and_stays_in_range() -> None:
    base = score([-0.5] * 12, [1.0] * 12)
    assert 0 < base < 1
    assert score([-0.4] * 12, [1.0] * 12) > base
    assert score([-0.5] * 12, [2.0] * 12) > base
    assert score([-0.5] * 11 + [-3.0], [1.0] * 12) < base
    assert score([-0.5] * 12 + [-50.0], [1.0] * 13) == base  # after the first tokens nothing counts
    assert score([], []) == score([math.nan], [math.nan]) == 0.0
    assert score([0.0] * 12, [50.0] * 12) == pytest.approx(1.0)


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


def test_looping_needs_three_times_the_same() -> None:
    assert looping("Well, " + "turn it off and on again " * 3)
    assert looping("no " * 12)
    assert not looping("no no no, that is not it")
    assert not looping("Open Settings, then Mail. Open Settings, then Calendar. Open Settings, then Tasks.")
