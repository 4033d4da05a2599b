"""How sure we may be: paired, by ticket, because replies to one ticket stand and fall together.

Missing values are nan and drop out of their own mean only: a reply without facts is not unfaithful.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from data.records import Record

Floats = npt.NDArray[np.float64]
CHUNK = 1_000
Z95 = 1.959964
MOST_NEEDED = 5_000


class Interval(Record):
    """An estimate with the ends of its 95 % interval, over `n` values."""

    estimate: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """The percentile bootstrap over tickets (Efron & Tibshirani 1993, chapter 13).

    `units` names the ticket of each value; tickets are drawn with all their values and, in the paired forms,
    with both systems' values together. `resamples` and `seed` are stored in the report.
    """

    units: Sequence[str]
    resamples: int = 10_000
    seed: int = 7

    def mean(self, values: Sequence[float]) -> Interval | None:
        """Mean of one system's values; None when all are nan."""
        return self._interval([values], lambda means: means[0])

    def difference(self, a: Sequence[float], b: Sequence[float]) -> Interval | None:
        """mean(a) - mean(b)."""
        return self._interval([a, b], lambda means: means[0] - means[1])

    def ratio(self, a: Sequence[float], b: Sequence[float]) -> Interval | None:
        """mean(a) / mean(b); None when mean(b) is 0."""
        return self._interval([a, b], lambda means: means[0] / means[1])

    def _interval(
        self, columns: Sequence[Sequence[float]], statistic: Callable[[list[Floats]], Floats]
    ) -> Interval | None:
        sums, counts = zip(*(self._by_unit(column) for column in columns), strict=True)
        with np.errstate(divide="ignore", invalid="ignore"):
            whole = statistic([np.array(s.sum() / c.sum()) for s, c in zip(sums, counts, strict=True)])
            drawn = [
                statistic([(draw @ s) / (draw @ c) for s, c in zip(sums, counts, strict=True)])
                for draw in (d.astype(np.float64) for d in _draws(len(sums[0]), self.resamples, self.seed))
            ]
        spread = np.concatenate(drawn)
        spread = spread[np.isfinite(spread)]
        if not np.isfinite(whole) or not len(spread):
            return None
        low, high = np.quantile(spread, [0.025, 0.975])
        fewest = int(min(c.sum() for c in counts))
        return Interval(estimate=float(whole), low=float(low), high=float(high), n=fewest)

    def _by_unit(self, column: Sequence[float]) -> tuple[Floats, Floats]:
        names = {name: place for place, name in enumerate(dict.fromkeys(self.units))}
        sums, counts = np.zeros(len(names)), np.zeros(len(names))
        for name, value in zip(self.units, column, strict=True):
            if not math.isnan(value):
                sums[names[name]] += value
                counts[names[name]] += 1
        return sums, counts


@lru_cache(maxsize=2)
def _draws(size: int, resamples: int, seed: int) -> tuple[npt.NDArray[np.uint8], ...]:
    """How often each ticket is drawn, in chunks of bytes to bound memory; all intervals share them."""
    source = np.random.default_rng(seed)
    chunks = [min(CHUNK, resamples - start) for start in range(0, resamples, CHUNK)]
    return tuple(source.multinomial(size, np.full(size, 1 / size), size=n).astype(np.uint8) for n in chunks)


def wilson(hits: int, n: int, z: float = Z95) -> Interval:
    """Score interval of a rate (Wilson 1927), the one that stays honest at 0 and at n; z = 0 is the rate itself."""
    if n == 0:
        return Interval(estimate=0.0, low=0.0, high=1.0, n=0)
    rate, z2 = hits / n, z**2
    centre = (rate + z2 / (2 * n)) / (1 + z2 / n)
    half = z / (1 + z2 / n) * math.sqrt(rate * (1 - rate) / n + z2 / (4 * n * n))
    return Interval(estimate=rate, low=max(0.0, centre - half), high=min(1.0, centre + half), n=n)


def mcnemar(only_a: int, only_b: int) -> float:
    """Exact two-sided p that two systems fail equally often, from pairs where one fails (McNemar 1947)."""
    from scipy.stats import binomtest

    discordant = only_a + only_b
    return float(binomtest(only_a, discordant, 0.5).pvalue) if discordant else 1.0


def more_needed(interval: Interval, target: float, tickets: int) -> int:
    """About how many more tickets until the 95 % interval clears `target`, if the estimate stays where it is.

    The half width shrinks with the square root of n. 0 when it clears it already; at most 5,000.
    """
    if interval.low >= target or interval.high < target:
        return 0
    margin = abs(interval.estimate - target)
    half = (interval.high - interval.low) / 2
    wanted = tickets * (half / margin) ** 2 if margin else math.inf
    if not math.isfinite(wanted):
        return MOST_NEEDED
    return min(MOST_NEEDED, max(10, math.ceil((wanted - tickets) / 10) * 10))
