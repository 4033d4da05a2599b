"""The notes' own sentences that come nearest to what our agent said: a candidate answer nothing of which is invented.

The greedy oracle of extractive summarisation (Nallapati et al. 2017, arXiv:1611.04230), with overlap in content words
as the measure. It looks at the agent's reply to choose, as the teacher does with hindsight; the student learns which
sentences to say, from the notes alone. A small model copies far better than it writes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bot.quote import SAME, ended, quotable
from data.records import Exchange, Passage
from data.text import overlap

LEAST_GAIN = 0.03
MOST_PASSAGES = 2
MOST_SENTENCES = 4


def extract(exchange: Exchange, passages: Sequence[Passage]) -> str:
    """At most MOST_SENTENCES sentences from at most MOST_PASSAGES passages, in their order; empty when none has a word
    of the reply."""
    pool = {line: place for place, passage in enumerate(passages) for line in quotable(passage)}
    chosen: list[str] = []
    reached = 0.0
    while len(chosen) < MOST_SENTENCES:
        used = {pool[line] for line in chosen}
        near = used if len(used) == MOST_PASSAGES else set(pool.values())
        free = [line for line in pool if pool[line] in near and not any(overlap(line, c) > SAME for c in chosen)]
        tried = [(overlap(_told(pool, [*chosen, line]), exchange.human_reply), line) for line in free]
        value, line = max(tried, default=(0.0, ""), key=lambda pair: pair[0])
        if value < reached + LEAST_GAIN:
            break
        reached = value
        chosen.append(line)
    return _told(pool, chosen)


def _told(pool: Iterable[str], chosen: Sequence[str]) -> str:
    return " ".join(ended(line) for line in pool if line in chosen)
