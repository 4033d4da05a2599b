"""Train, validation and held-out by time: a desk is asked tomorrow's questions with yesterday's knowledge.

Whole tickets move together, everything held out was opened later than everything trained on, and a training
question that says nearly the same as a held-out one is dropped, with the record it matched named.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from data.errors import BadInput
from data.exchanges import GOOD
from data.records import Exchange, Split

SHINGLE = 5
NEAR = 0.6
BOILERPLATE = 3
FITTING_WORDS = range(15, 161)


@dataclass(frozen=True, slots=True)
class Parts:
    """The kept exchanges with their split, oldest first; `near_duplicates` pairs (dropped, held-out) ids."""

    exchanges: list[Exchange]
    near_duplicates: list[tuple[str, str]]
    first_heldout: datetime
    passed_over: int


def divide(exchanges: Iterable[Exchange], heldout: int, validation: int, limit_train: int = 0) -> Parts:
    """Raises BadInput where too few exchanges, or dates too alike, leave none for training."""
    ordered = sorted(exchanges, key=lambda exchange: (exchange.created, exchange.id))
    rest, held = _newest(ordered, heldout)
    train, valid = _newest(rest, validation)
    if not train or not held:
        raise BadInput(
            f"{len(ordered)} usable exchanges leave none to train on after {heldout} held out "
            f"and {validation} to validate; lower desk.heldout and desk.validation, or import more tickets"
        )
    near = near_duplicates(train, held)
    apart = [exchange for exchange in train if exchange.id not in near]
    kept = prefer(apart, limit_train, boilerplate(ordered)) if 0 < limit_train < len(apart) else apart
    return Parts(
        [*_as(kept, "train"), *_as(valid, "validation"), *_as(held, "heldout")],
        list(near.items()), held[0].created, len(apart) - len(kept),
    )  # fmt: skip


def _newest(ordered: Sequence[Exchange], count: int) -> tuple[list[Exchange], list[Exchange]]:
    """Split off at least `count` of the newest, never between tickets opened at the same moment."""
    place = len(ordered)
    if count > 0:
        place = max(0, place - count)
        while 0 < place < len(ordered) and ordered[place - 1].created == ordered[place].created:
            place -= 1
    return list(ordered[:place]), list(ordered[place:])


def _as(exchanges: Iterable[Exchange], split: Split) -> list[Exchange]:
    return [exchange.model_copy(update={"split": split}) for exchange in exchanges]


def near_duplicates(train: Sequence[Exchange], held: Sequence[Exchange]) -> dict[str, str]:
    """Train ids whose question is nearly a held-out one's (Jaccard of 5-word shingles), and its id."""
    shingled = [(exchange.id, shingles(exchange.question)) for exchange in held]
    holders: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for number, (_, grams) in enumerate(shingled):
        for gram in grams:
            holders[gram].append(number)
    near: dict[str, str] = {}
    for exchange in train:
        grams = shingles(exchange.question)
        shared = Counter(number for gram in grams for number in holders.get(gram, ()))
        for number, count in shared.most_common(1):
            name, others = shingled[number]
            if count / (len(grams) + len(others) - count) >= NEAR:
                near[exchange.id] = name
    return near


def shingles(text: str) -> frozenset[tuple[str, ...]]:
    words = re.findall(r"\w+", text.casefold())
    return frozenset(tuple(words[n : n + SHINGLE]) for n in range(max(1, len(words) - SHINGLE + 1)))


def boilerplate(exchanges: Iterable[Exchange]) -> frozenset[str]:
    """Reply texts given three times or more, in the form `same_words` makes."""
    texts = Counter(same_words(exchange.human_reply) for exchange in exchanges)
    return frozenset(text for text, count in texts.items() if count >= BOILERPLATE)


def same_words(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))


def prefer(train: Sequence[Exchange], limit: int, stock: frozenset[str]) -> list[Exchange]:
    """The `limit` best to learn from: well taken, of fitting length, in own words; then the newest."""

    def merit(exchange: Exchange) -> tuple[int, datetime, str]:
        own = same_words(exchange.human_reply) not in stock
        fits = own and len(exchange.human_reply.split()) in FITTING_WORDS
        return (exchange.reaction in GOOD) + fits, exchange.created, exchange.id

    chosen = sorted(train, key=merit, reverse=True)[:limit]
    return sorted(chosen, key=lambda exchange: (exchange.created, exchange.id))
