"""The bars a student must clear before it ships, fixed before anything is measured, and the verdict.

    evasions   student's share <= teacher's           (sure when the interval ends within 5 points)
    grounding  >= 90 % of the teacher's               fidelity   >= 90 % of the teacher's
    overlap    half of the base student's distance to the better of teacher and human is closed
    speed      >= 8 times as fast per reply as the teacher

A bar passes by its estimate; it is `sure` when the 95 % interval agrees. Passing without being sure asks for
more tickets, never for shipping.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from data.records import Record
from eval.cases import Case, System
from eval.statistics import MOST_NEEDED, Bootstrap, Interval, more_needed

Decision = Literal["ship", "hold", "more"]
EVASION_MARGIN = 0.05
SHARE, CLOSED, TIMES = 0.9, 0.5, 8.0
FEWEST_TICKETS = 30
WHOSE = {"teacher": "the teacher's words", "human": "our agents'"}


class Bar(Record):
    """`numbers` says in words what was found; `more` is about how many further tickets would make it sure."""

    name: str
    rule: str
    numbers: str
    estimate: Interval | None
    target: float
    passed: bool
    sure: bool
    more: int = 0


@dataclass(frozen=True, slots=True)
class Outlook:
    decision: Decision
    sentence: str
    reasons: tuple[str, ...]


def judge(cases: Sequence[Case], bootstrap: Bootstrap) -> tuple[Bar, ...]:
    """Every bar with its numbers, in the order above."""
    found = [_evasions(cases, bootstrap)]
    for name, word in (("grounding", "grounding"), ("fidelity", "fidelity of numbers and names")):
        found.append(_share(cases, bootstrap, name, word))
    if "base" in cases[0].replies:
        found.append(_halved(cases, bootstrap))
    return (*found, _speed(cases, bootstrap))


def _column(cases: Sequence[Case], system: System, name: str) -> list[float]:
    return [case.metric(system, name) for case in cases]


def _bar(name: str, rule: str, numbers: str, found: Interval | None, target: float, tickets: int) -> Bar:
    if found is None:
        return Bar(name=name, rule=rule, numbers=numbers, estimate=None, target=target, passed=False, sure=False)
    more = more_needed(found, target, tickets)
    return Bar(
        name=name, rule=rule, numbers=numbers, estimate=found, target=target, passed=found.estimate >= target,
        sure=more == 0, more=more,
    )  # fmt: skip


def _evasions(cases: Sequence[Case], bootstrap: Bootstrap) -> Bar:
    student, teacher = _column(cases, "student", "evasion"), _column(cases, "teacher", "evasion")
    found = bootstrap.difference(teacher, student)
    if found is None:
        raise AssertionError("evasion is measured for every reply")
    passed = sum(student) <= sum(teacher)
    edge = -EVASION_MARGIN if passed else 0.0
    more = more_needed(found, edge, len(set(bootstrap.units)))
    return Bar(
        name="Evasions", rule="the student evades no more often than the teacher",
        estimate=found, target=edge,
        numbers=f"student {sum(student):.0f} of {len(cases)}, teacher {sum(teacher):.0f} of {len(cases)}",
        passed=passed, sure=more == 0, more=more,
    )  # fmt: skip


def _share(cases: Sequence[Case], bootstrap: Bootstrap, name: str, word: str) -> Bar:
    student, teacher = _column(cases, "student", name), _column(cases, "teacher", name)
    found = bootstrap.ratio(student, teacher)
    numbers = (
        f"student {_mean(student):.0%}, teacher {_mean(teacher):.0%}: {found.estimate:.0%} of the teacher's "
        f"({found.low:.0%} to {found.high:.0%})"
        if found
        else "not measured: too few replies state any"
    )
    rule = f"the student keeps at least {SHARE:.0%} of the teacher's {word}"
    return _bar(name.capitalize(), rule, numbers, found, SHARE, len(set(bootstrap.units)))


def _halved(cases: Sequence[Case], bootstrap: Bootstrap) -> Bar:
    """Distance is 1 - overlap; closed share = (student - base) / (1 - base). The better reference counts."""
    closed: dict[str, Interval] = {}
    for reference in ("teacher", "human"):
        base = _column(cases, "base", f"overlap_{reference}")
        student = _column(cases, "student", f"overlap_{reference}")
        gained = [s - b for s, b in zip(student, base, strict=True)]
        found = bootstrap.ratio(gained, [1 - b for b in base])
        if found:
            closed[reference] = found
    if not closed:
        numbers, best = "not measured: the untrained student is no distance away", None
    else:
        best = max(closed.values(), key=lambda found: found.estimate)
        between = _mean(_column(cases, "teacher", "overlap_human"))
        numbers = "; ".join(f"{found.estimate:.0%} closed to {WHOSE[name]}" for name, found in closed.items())
        before, own = (_mean(_column(cases, system, "overlap_human")) for system in ("base", "student"))
        numbers += (
            f" (words shared with our agents: base student {before:.0%}, student {own:.0%}, teacher {between:.0%})"
        )
    rule = "training halves the student's distance to the better of teacher and human, in content words"
    return _bar("Overlap", rule, numbers, best, CLOSED, len(set(bootstrap.units)))


def _speed(cases: Sequence[Case], bootstrap: Bootstrap) -> Bar:
    student = [case.replies["student"].seconds for case in cases]
    teacher = [case.replies["teacher"].seconds for case in cases]
    found = bootstrap.ratio(teacher, student)
    numbers = (
        f"student {_mean(student):.1f} s, teacher {_mean(teacher):.1f} s: {found.estimate:.1f} times as fast"
        if found
        else "not measured: the student's replies carry no times"
    )
    rule = f"the student is at least {TIMES:.0f} times as fast per reply"
    return _bar("Speed", rule, numbers, found, TIMES, len(set(bootstrap.units)))


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else 0.0


def decide(bars: Sequence[Bar], tickets: int) -> Outlook:
    """Ship when every bar is surely passed, hold when one surely fails, else ask for more tickets."""
    failed = [bar for bar in bars if not bar.passed]
    unsure = [bar for bar in bars if not bar.sure]
    wrong = tuple(f"{bar.name}: {bar.numbers}" for bar in failed)
    if any(bar.sure for bar in failed):
        names = _names([bar for bar in failed if bar.sure])
        return Outlook("hold", f"Hold. The student misses the bar for {names}.", wrong)
    more = max([bar.more for bar in unsure] + [FEWEST_TICKETS - tickets])
    if more > 0:
        open_ = tuple(f"{bar.name}: {bar.numbers}" for bar in unsure)
        about = "More than 5,000" if more >= MOST_NEEDED else f"About {more:,}"
        state = f"falls short on {_names(failed)}, though" if failed else "clears every bar, but"
        sentence = f"Not yet. The student {state} {tickets} tickets are too few to be sure."
        return Outlook("more", f"{sentence} {about} more reviewed tickets would settle it.", open_)
    if failed:
        return Outlook("hold", f"Hold. {_names(failed).capitalize()} could not be measured.", wrong)
    return Outlook("ship", "Ship. The student clears every bar.", tuple(f"{bar.name}: {bar.numbers}" for bar in bars))


def _names(bars: Sequence[Bar]) -> str:
    names = [bar.name.lower() for bar in bars]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else ""
