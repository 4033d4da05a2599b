"""From which worth on the student answers by itself: read off the validation exchanges, never off the held-out ones, so
the report's figures stay honest about the release they describe.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate

from bot.desk import Desk
from data.records import Answer, Exchange, Record, Split, Standing
from data.text import is_deferral, is_evasion, is_repetitive, overlap, support, unsupported

LEAST_SUPPORT = 0.6
LEAST_OVERLAP = 0.25


class Judged(Record):
    """`worth`: what the router decides by (bot/worth.py); `good`: no check found a fault in the student's reply;
    `standing`: only a question that is "known" would reach the student."""

    exchange_id: str
    split: Split = "validation"
    standing: Standing = "known"
    worth: float
    good: bool


def calibration(desk: Desk, answers: Iterable[Answer]) -> list[Judged]:
    """The student's answers with a verdict each."""
    exchanges = {exchange.id: exchange for exchange in desk.exchanges}
    return [
        Judged(
            exchange_id=answer.exchange_id, split=exchanges[answer.exchange_id].split,
            worth=desk.worth(exchanges[answer.exchange_id]),
            standing=desk.standings.get(answer.exchange_id, "known"),
            good=is_good(answer, exchanges[answer.exchange_id], desk.context(exchanges[answer.exchange_id])),
        )
        for answer in answers
        if answer.source == "student"
    ]  # fmt: skip


def threshold(judged: Iterable[Judged], target: float) -> float:
    """The least worth from which the student answers: of the questions from there on, the share `target` is expected to
    get a good reply. The worth of a question is a calibrated chance (bot/worth.py), so its mean is that share. With
    nothing to calibrate on, one that no question reaches; where none reaches the target, the best question's.
    """
    ranked = sorted((row.worth for row in judged if (row.split, row.standing) == ("validation", "known")), reverse=True)
    if not ranked:
        return 1.0
    means = (total / count for count, total in enumerate(accumulate(ranked), 1))
    return min((worth for worth, mean in zip(ranked, means, strict=True) if mean >= target), default=ranked[0])


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
