"""On which answers the fallback threshold rests: the student's replies to the validation exchanges, judged.

Held-out exchanges are never used for it, so the report's figures stay honest about the release they describe.
"""

from __future__ import annotations

from collections.abc import Iterable

from bot.desk import Desk
from data.records import Answer, Exchange, Record
from data.text import is_deferral, is_evasion, is_repetitive, overlap, support, unsupported

LEAST_SUPPORT = 0.6
LEAST_OVERLAP = 0.25


class Judged(Record):
    """`confidence`: the router's score of the reply's first tokens; `good`: no check found a fault in the reply."""

    exchange_id: str
    confidence: float
    good: bool


def calibration(desk: Desk, answers: Iterable[Answer]) -> list[Judged]:
    """The student's validation answers with a verdict each."""
    exchanges = {exchange.id: exchange for exchange in desk.part("validation")}
    return [
        Judged(
            exchange_id=answer.exchange_id, confidence=answer.confidence,
            good=is_good(answer, exchanges[answer.exchange_id], desk.context(exchanges[answer.exchange_id])),
        )
        for answer in answers
        if answer.source == "student" and answer.exchange_id in exchanges
    ]  # fmt: skip


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
