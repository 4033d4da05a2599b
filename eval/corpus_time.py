"""When questions came in: months, quarters or years, whichever gives few enough columns to read."""

from __future__ import annotations

from calendar import month_abbr
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from data.records import SPLITS, Exchange
from eval.examples import CLAY, SAGE, Count, brief, of_exchanges

STEPS = (1, 3, 12, 60)
MONTHS = 24
COLUMNS = 36
TOPICS = 6
NO_TOPIC = "no topic"
OTHERS = "topic-others"


@dataclass(frozen=True, slots=True)
class Periods:
    """Consecutive periods of `step` months, from the one that holds `first` (in months since year 0)."""

    step: int
    first: int
    names: tuple[str, ...]

    @property
    def unit(self) -> str:
        return {1: "month", 3: "quarter", 12: "year"}.get(self.step, f"{self.step // 12} years")

    def place(self, exchange: Exchange) -> int:
        return _months(exchange) // self.step - self.first

    def counts(self, exchanges: Sequence[Exchange]) -> list[int]:
        found = Counter(self.place(exchange) for exchange in exchanges)
        return [found[place] for place in range(len(self.names))]


@dataclass(frozen=True, slots=True)
class Series:
    """One topic: how many in all, with examples, and how many in each period."""

    total: Count
    values: list[int]

    @property
    def others(self) -> bool:
        return self.total.key == OTHERS


def _months(exchange: Exchange) -> int:
    return exchange.created.year * 12 + exchange.created.month - 1


def periods(exchanges: Sequence[Exchange]) -> Periods:
    """Months up to two years, then quarters, years and longer; at most 36 columns. Needs at least one exchange."""
    first, last = min(map(_months, exchanges)), max(map(_months, exchanges))
    span = last - first + 1
    fits = next((step for step in STEPS[1:] if span / step <= COLUMNS), 12 * (span // (12 * COLUMNS) + 1))
    step = 1 if span <= MONTHS else fits
    places = range(first // step, last // step + 1)
    return Periods(step, places[0], tuple(_name(place * step, step) for place in places))


def _name(month: int, step: int) -> str:
    year, number = divmod(month, 12)
    if step == 1:
        return f"{month_abbr[number + 1]} {year}"
    return f"Q{number // 3 + 1} {year}" if step == 3 else str(year)


def topics(exchanges: Sequence[Exchange], when: Periods) -> list[Series]:
    """The most frequent topics, then all others as one."""
    ranked = [name for name, _ in Counter(each.topic or NO_TOPIC for each in exchanges).most_common()]
    named = ranked if len(ranked) == TOPICS + 1 else ranked[:TOPICS]
    found = [
        _series(f"topic-{place}", name, [e for e in exchanges if (e.topic or NO_TOPIC) == name], when, SAGE)
        for place, name in enumerate(named)
    ]
    others = [each for each in exchanges if (each.topic or NO_TOPIC) not in named]
    if others:
        found.append(_series(OTHERS, f"{len(ranked) - len(named)} other topics", others, when, CLAY, "its own scale"))
    return found


def _series(key: str, name: str, held: Sequence[Exchange], when: Periods, colour: str, hint: str = "") -> Series:
    return Series(Count(key, brief(name, 12), len(held), of_exchanges(held), hint, colour), when.counts(held))


def by_split(exchanges: Sequence[Exchange], when: Periods) -> list[list[int]]:
    """For each split, how many in each period."""
    return [when.counts([each for each in exchanges if each.split == split]) for split in SPLITS]
