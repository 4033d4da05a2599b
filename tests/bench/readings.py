"""What readers say of replies, blind and shuffled: sheets in the form of `deskmate review`, and what fills them in.

A sheet names a reply by its exchange and its words, not by who said it: the same words by two students are read once.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

from data.errors import BadInput
from data.records import Exchange
from data.reviews import BETWEEN, fault, read_sheet, review_of, write_sheet
from data.text import is_deferral
from data.workspace import digest

SEED = 7  # of the order in which replies are read


class Reading(NamedTuple):
    """Means over the readers of one reply: of their scores, of how many found it good, and misleading."""

    score: float
    good: float
    wrong: float


Readings = dict[str, Reading]
HANDED_OVER = Reading(0.0, 0.0, 0.0)


def key(exchange: Exchange, reply: str) -> str:
    """What a sheet calls a reply."""
    return BETWEEN.join([exchange.id, "reply", digest(reply)])


def readings_of(paths: Iterable[Path]) -> Readings:
    """By `key`; every sheet is a reader's, a row without a score is of nobody. Raises BadInput for one that cannot be
    read."""
    said: dict[str, list[Reading]] = defaultdict(list)
    for path in paths:
        for line, row in enumerate(read_sheet(path).rows, 2):
            if not row["score"] and not row["wrong"]:
                continue
            if why := fault(row):
                raise BadInput(f"{path}, line {line}: {why}")
            review = review_of(row)
            said[row["id"]].append(Reading(review.score, review.good, review.wrong))
    return {name: Reading(*map(fmean, zip(*rows, strict=True))) for name, rows in said.items()}


def reading(readings: Readings, exchange: Exchange, reply: str) -> Reading | None:
    """None where nobody has read it; what hands over is neither good nor wrong."""
    return HANDED_OVER if is_deferral(reply) else readings.get(key(exchange, reply))


def write_unread(path: Path, replies: Iterable[tuple[Exchange, str]], readings: Readings) -> int:
    """A sheet of the replies that nobody has read, for readers who do not know whose they are; returns how many.
    Raises BadInput where the file is there: readers may be filling it in."""
    if path.exists():
        raise BadInput(f"{path} is there already; pass it as --readings, and name a new --sheet")
    unread = {
        key(exchange, reply): {"question": exchange.question, "reply": reply, "id": key(exchange, reply)}
        for exchange, reply in replies
        if reading(readings, exchange, reply) is None
    }
    rows = [unread[name] for name in sorted(unread)]
    random.Random(SEED).shuffle(rows)
    write_sheet(path, rows)
    return len(rows)
