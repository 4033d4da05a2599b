"""What stands behind a count: a few records, spread over all that were counted, cut to what is read at a glance.

Every number on the corpus page is a `Count`, so that none can be shown without its examples.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

from data.clean import cap_words
from data.records import Article, Exchange, Passage, Rejected, Role

T = TypeVar("T")
MOST = 9
WORDS = 60
CHARACTERS = 600
SAGE, TERRA, OCHRE, CLAY, STONE, MOSS, RUST = (
    "#7d8f69", "#b5654a", "#c9973f", "#cdb79a", "#a3a08c", "#4c5c39", "#8a4630",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Candidate:
    """One answer that could have been taught: whose it is, its words, and whether it is taught or why not."""

    source: str
    text: str
    verdict: str
    kept: bool


@dataclass(frozen=True, slots=True)
class Example:
    """One record: where it stands, who said what, a remark. `marked`: a label with the words before and after it;
    `shown`: titles and words of the notes; `more`: how many candidates are left out."""

    head: str
    turns: tuple[tuple[Role, str], ...] = ()
    note: str = ""
    marked: tuple[str, str, str] | None = None
    shown: tuple[tuple[str, str], ...] = ()
    candidates: tuple[Candidate, ...] = ()
    more: int = 0


@dataclass(frozen=True, slots=True)
class Count:
    """A number with what it counts; `key` is unique on the page. `none` is said where no examples were kept."""

    key: str
    label: str
    count: int
    examples: tuple[Example, ...] = ()
    hint: str = ""
    colour: str = SAGE
    none: str = "The import kept no examples of these."


@dataclass(frozen=True, slots=True)
class Group:
    """Counts under one heading. Shares are of `total`, none where it is 0; no `bars` where sizes do not compare."""

    title: str
    counts: tuple[Count, ...]
    total: int = 0
    hint: str = ""
    bars: bool = True

    @property
    def top(self) -> int:
        return max((count.count for count in self.counts), default=0)


def spread(items: Sequence[T], most: int = MOST) -> list[T]:
    """At most `most` of them, evenly spaced, the first and the last among them."""
    if len(items) <= most:
        return list(items)
    return [items[round(place * (len(items) - 1) / (most - 1))] for place in range(most)]


def brief(text: str, words: int = WORDS) -> str:
    """Its first words; a 'word' without end is cut too."""
    short = cap_words(text[: 4 * CHARACTERS], words)
    return short if len(short) <= CHARACTERS else short[:CHARACTERS].rstrip(" …") + " …"


def of_exchange(exchange: Exchange, note: str = "") -> Example:
    """The customer's last words and the reply."""
    head = [exchange.ticket_id, f"{exchange.created:%d %b %Y}", exchange.topic, exchange.subject]
    asked = exchange.turns[-1].text if exchange.turns else ""
    turns: tuple[tuple[Role, str], ...] = (("customer", brief(asked)), ("agent", brief(exchange.human_reply)))
    return Example(brief(", ".join(part for part in head if part), 20), turns, note)


def of_exchanges(exchanges: Sequence[Exchange]) -> tuple[Example, ...]:
    return tuple(of_exchange(exchange) for exchange in spread(exchanges))


def of_rejected(rejected: Sequence[Rejected]) -> tuple[Example, ...]:
    return tuple(_left_out(row) for row in spread(rejected))


def _left_out(row: Rejected) -> Example:
    where = f"{row.file}, line {row.line}" if row.line else row.file
    head = ", ".join(part for part in (row.record, where) if part)
    return Example(brief(head, 20), (("customer", brief(row.text)),) if row.text else (), brief(row.reason))


def histogram(
    key: str, title: str, items: Sequence[T], sizes: Sequence[int], edges: Sequence[int],
    shown: Callable[[Sequence[T]], tuple[Example, ...]],
) -> Group:  # fmt: skip
    """A bin is above one edge, up to the next; the last has no end."""
    held: list[list[T]] = [[] for _ in edges]
    for item, size in zip(items, sizes, strict=True):
        held[max(0, sum(size > edge for edge in edges) - 1)].append(item)
    names = [f"{low + 1} to {high}" if high > low + 1 else f"{high}" for low, high in pairwise(edges)]
    counts = [
        Count(f"{key}-{place}", name, len(each), shown(each))
        for place, (name, each) in enumerate(zip([*names, f"over {edges[-1]}"], held, strict=True))
    ]
    middle = sorted(sizes)[len(sizes) // 2] if sizes else 0
    return Group(title, tuple(counts), len(items), f"Half have {middle:,} or fewer.")


def of_texts(texts: Iterable[Article | Passage]) -> tuple[Example, ...]:
    return tuple(Example(brief(each.title, 20) or each.id, note=brief(each.text)) for each in texts)
