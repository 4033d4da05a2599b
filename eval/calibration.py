"""On which answers the fallback threshold rests: the student's replies to the validation exchanges, judged.

Its replies to the held-out ones are never used for it, so the report's figures stay honest about the release they
describe. Of the teacher only the share of good replies counts: a question goes to it where it does better.
"""

from __future__ import annotations

from collections.abc import Iterable
from statistics import fmean

from bot.confidence import calibrate
from bot.desk import Desk
from data.records import Answer, Exchange, Record, Source, Standing
from data.text import is_deferral, is_evasion, is_repetitive, overlap, support, unsupported

LEAST_SUPPORT = 0.6
LEAST_OVERLAP = 0.25
JUDGED = {("student", "validation"), ("teacher", "heldout")}


class Judged(Record):
    """`confidence`: the router's score of the reply's first tokens; `good`: no check found a fault in the reply;
    `standing`: only a question that is "known" would reach the student."""

    exchange_id: str
    standing: Standing = "known"
    source: Source = "student"
    confidence: float
    good: bool


def calibration(desk: Desk, answers: Iterable[Answer]) -> list[Judged]:
    """The student's validation answers with a verdict each, and the teacher's held-out ones: who asks the teacher
    should know how often it is right."""
    exchanges = {exchange.id: exchange for exchange in desk.exchanges}
    return [
        Judged(
            exchange_id=answer.exchange_id, source=answer.source, confidence=answer.confidence,
            standing=desk.standings.get(answer.exchange_id, "known"),
            good=is_good(answer, exchanges[answer.exchange_id], desk.context(exchanges[answer.exchange_id])),
        )
        for answer in answers
        if (answer.source, exchanges[answer.exchange_id].split) in JUDGED
    ]  # fmt: skip


def threshold(judged: Iterable[Judged], target: float) -> float:
    """The confidence from which the student answers by itself: its replies are good at the share `target`, or as often
    as the teacher's where those are good less often. With nothing to calibrate on, one that no reply reaches.
    """
    judged = [row for row in judged if row.standing == "known"]
    mine = [row for row in judged if row.source == "student"]
    teachers = [row.good for row in judged if row.source == "teacher"]
    if not mine:
        return 1.0
    least = min(target, fmean(teachers)) if teachers else target
    return calibrate([row.confidence for row in mine], [row.good for row in mine], least)


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
