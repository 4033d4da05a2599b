"""The notes' own sentences that come nearest to what our agent said: a candidate answer nothing of which is invented.

The greedy oracle of extractive summarisation (Nallapati et al. 2017, arXiv:1611.04230), with overlap in content words
as the measure. It looks at the agent's reply to choose, as the teacher does with hindsight; the student learns which
sentences to say, from the notes alone. A small model copies far better than it writes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from bot.knowledge import ANSWER
from data.parts import parts
from data.records import Exchange, Passage
from data.text import content_words, is_evasion, overlap
from distillation.trim import promises

LEAST_GAIN = 0.03
FEW_WORDS = 18  # below this one more sentence may cost a little: curt rows teach curt replies
MANY_WORDS = 50  # beyond this nothing is added: the customer waits for every word
LEAST_WORDS = 3
MOST_PASSAGES = 2
MOST_PARTS = 4
SAME = 0.6
ORDER = re.compile(r"\b[A-Z]{1,4}-?\d{4,}\b|#\d{4,}")


def extract(exchange: Exchange, passages: Sequence[Passage]) -> str:
    """At most MOST_PARTS sentences or procedures from at most MOST_PASSAGES passages, in the order of the notes; empty
    when none has a word of the reply."""
    pool = {part: place for place, passage in enumerate(passages) for part in usable(passage)}
    chosen: list[str] = []
    reached = 0.0
    while len(chosen) < MOST_PARTS:
        told = [_told(pool, [*chosen, part]) for part in _free(pool, chosen)]
        tried = [text for text in told if not chosen or len(text.split()) <= MANY_WORDS]
        best = max(tried, default="", key=lambda text: overlap(text, exchange.human_reply))
        value = overlap(best, exchange.human_reply)
        short = 0 < len(_told(pool, chosen).split()) < FEW_WORDS
        if not best or value <= 0 or value < reached + (-LEAST_GAIN if short else LEAST_GAIN):
            break
        reached = value
        chosen.append(next(part for part in _free(pool, chosen) if _told(pool, [*chosen, part]) == best))
    return _told(pool, chosen)


def _free(pool: dict[str, int], chosen: Sequence[str]) -> list[str]:
    """The parts that may still be added: new ones, of the passages already used once those are enough."""
    used = {pool[part] for part in chosen}
    near = used if len(used) == MOST_PASSAGES else set(pool.values())
    return [part for part in pool if pool[part] in near and not any(overlap(part, c) > SAME for c in chosen)]


def usable(passage: Passage) -> list[str]:
    """What of a passage may be said to another customer: whole sentences and whole procedures with content, and of a
    past reply nothing that was promised to that customer, asked of them or belongs to that order."""
    past = passage.kind == "ticket"
    shown = passage.text.partition(ANSWER)[2] if past else passage.text
    return [
        part for part in parts(shown)
        if len(content_words(part)) >= LEAST_WORDS and not part.endswith(("…", ":", "?")) and "|" not in part
        and not is_evasion(part) and not (past and (promises(part) or ORDER.search(part)))
    ]  # fmt: skip


def _told(pool: Iterable[str], chosen: Sequence[str]) -> str:
    told = ""
    for part in (part for part in pool if part in chosen):
        apart = "\n" if "\n" in part or "\n" in told.rpartition("\n\n")[2] else " "
        told += (apart if told else "") + (part if part[-1:] in ".!?" else f"{part}.")
    return told
