"""Intervals against closed forms, pairing, and tickets as the unit."""

from __future__ import annotations

import math

import numpy as np
import pytest

from eval.statistics import Bootstrap, Interval, mcnemar, more_needed, wilson


def test_the_bootstrap_of_a_mean_matches_its_standard_error() -> None:
    values = list(np.random.default_rng(1).normal(3, 2, 200))
    found = Bootstrap([str(place) for place in range(200)]).mean(values)
    assert found is not None
    half = 1.96 * np.std(values) / math.sqrt(200)
    assert found.estimate == pytest.approx(np.mean(values))
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=0.05)
    assert found == Bootstrap([str(place) for place in range(200)]).mean(values)


def test_pairing_removes_what_both_share() -> None:
    noise = np.random.default_rng(2).normal(0, 5, 100)
    units = [str(place) for place in range(100)]
    found = Bootstrap(units).difference(list(noise + 1), list(noise))
    assert found is not None
    assert found.low == pytest.approx(1)
    assert found.high == pytest.approx(1)


def test_tickets_are_drawn_whole() -> None:
    alone = Bootstrap([str(place) for place in range(40)]).mean([0.0, 1.0] * 20)
    together = Bootstrap([str(place // 10) for place in range(40)]).mean([0.0] * 20 + [1.0] * 20)
    assert alone is not None
    assert together is not None
    assert together.high - together.low > 2 * (alone.high - alone.low)


def test_missing_values_and_impossible_ratios() -> None:
    draw = Bootstrap(["a", "b", "c"], resamples=500)
    found = draw.ratio([2.0, math.nan, 2.0], [1.0, 1.0, math.nan])
    assert found is not None
    assert found.estimate == 2.0
    assert found.n == 2
    assert draw.mean([math.nan] * 3) is None
    assert draw.ratio([1.0] * 3, [0.0] * 3) is None


def test_wilson_is_honest_at_zero() -> None:
    none = wilson(0, 100)
    assert none.low == 0
    assert none.high == pytest.approx(0.037, abs=0.001)
    assert wilson(0, 0).high == 1


def test_mcnemar() -> None:
    assert mcnemar(0, 0) == 1.0
    assert mcnemar(6, 0) == pytest.approx(2 / 64)


def test_how_many_more_tickets() -> None:
    assert more_needed(Interval(estimate=0.95, low=0.9, high=1, n=50), 0.9, 50) == 0
    assert more_needed(Interval(estimate=0.95, low=0.85, high=1.05, n=50), 0.9, 50) == pytest.approx(150, abs=10)
    assert more_needed(Interval(estimate=0.9, low=0.8, high=1.0, n=50), 0.9, 50) == 5_000
    assert more_needed(Interval(estimate=-0.1, low=-0.2, high=0.0, n=12), 0.0, 12) > 0
