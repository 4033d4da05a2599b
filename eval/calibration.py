"""From which worth on the student answers by itself: read off the validation exchanges, never off the held-out ones, so
the report's figures stay honest about the release they describe.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import fmean

from bot.desk import Desk
from data.records import Answer, Exchange, Record, Source, Split, Standing
from data.text import is_deferral, is_evasion, is_repetitive, overlap, support, unsupported

LEAST_SUPPORT = 0.6
LEAST_OVERLAP = 0.25


class Judged(Record):
    """`worth`: what the router decides by (bot/worth.py); `good`: no check found a fault in the student's reply;
    `standing`: only a question that is "known" would reach the student."""

    exchange_id: str
    split: Split = "validation"
    source: Source = "student"
    standing: Standing = "known"
    worth: float
    good: bool


def calibration(desk: Desk, answers: Iterable[Answer]) -> list[Judged]:
    """Student's and teacher's answers, judged: who asks the teacher should know how often it is right."""
    exchanges = {exchange.id: exchange for exchange in desk.exchanges}
    return [
        Judged(
            exchange_id=answer.exchange_id, source=answer.source, split=exchanges[answer.exchange_id].split,
            worth=desk.worth(exchanges[answer.exchange_id]),
            standing=desk.standings.get(answer.exchange_id, "known"),
            good=is_good(answer, exchanges[answer.exchange_id], desk.context(exchanges[answer.exchange_id])),
        )
        for answer in answers
        if answer.source in ("student", "teacher")
    ]  # fmt: skip


def threshold(judged: Iterable[Judged], target: float, *, chances: bool = False) -> float:
    """The least worth from which the student answers by itself: its replies are good at the share `target`, or as often
    as the teacher's where those are good less often. With nothing to calibrate on, one that no question reaches.

    `chances`: the worth of a question is taken for the chance of a good reply, in place of what the checks say.
    """
    known = [row for row in judged if row.standing == "known"]
    mine = [row for row in known if (row.source, row.split) == ("student", "validation")]
    teachers = [row.good for row in known if row.source == "teacher"]
    if not mine:
        return 1.0
    worths = [row.worth for row in mine]
    if chances:
        return calibrate(worths, worths, target)
    return calibrate(worths, [row.good for row in mine], min(target, fmean(teachers)) if teachers else target)


def calibrate(scores: Sequence[float], good: Sequence[float], target: float) -> float:
    """The lowest threshold at which answers scored at or above it are good at least at the share `target`;
    `good` is 0, 1 or a chance.

    Plug-in, without a confidence bound: right on average, too bold on few cases. If no threshold reaches the
    target it is the highest score seen. Equal scores are accepted together. Raises ValueError on unequal or
    empty input.
    """
    if len(scores) != len(good) or not scores:
        raise ValueError("calibrate needs as many judgements as scores, and at least one")
    ranked = sorted(zip(scores, good, strict=True), key=lambda pair: -pair[0])
    best, accepted = ranked[0][0], 0.0
    for position, (value, is_good) in enumerate(ranked, 1):
        accepted += is_good
        last_of_equals = position == len(ranked) or ranked[position][0] < value
        if last_of_equals and accepted / position >= target:
            best = value
    return best


def is_good(answer: Answer, exchange: Exchange, seen: str) -> bool:
    """Says something, says it from the evidence with no fact of its own, and shares content with the agent's reply."""
    text = answer.text
    if answer.finish == "length" or is_evasion(text, exchange.question) or is_repetitive(text) or is_deferral(text):
        return False
    return (
        not unsupported(text, seen)
        and support(text, seen) >= LEAST_SUPPORT
        and overlap(text, exchange.human_reply) >= LEAST_OVERLAP
    )
