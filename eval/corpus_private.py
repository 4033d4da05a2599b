"""Which personal details became labels, counted in the stored texts and shown where they stood; originals are gone."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

from data.records import Exchange
from data.redact import LABEL
from eval.corpus import Corpus
from eval.examples import TERRA, Count, Example, Group, spread

AROUND = 12
REACH = 160
NAMES = {
    "PERSON": "names",
    "EMAIL": "e-mail addresses",
    "PHONE": "phone numbers",
    "LINK": "links with a secret",
    "CARD": "card numbers",
    "IBAN": "bank accounts (IBAN)",
}
KIND = re.compile(r"[A-Z]+")
Place = tuple[Exchange, str, int, int]


def redacted(corpus: Corpus) -> Group:
    """Labels of each kind in every ticket's last exchange, which holds the whole conversation."""
    held: dict[str, list[Place]] = defaultdict(list)
    for exchange in corpus.tickets:
        for text, start, end in _labels(exchange):
            kind = KIND.search(text, start)
            held[kind[0] if kind else ""].append((exchange, text, start, end))
    counts = [
        Count(f"label-{kind.lower()}", NAMES.get(kind, kind.lower()), len(places),
              tuple(_shown(*place) for place in spread(places)), colour=TERRA)
        for kind, places in sorted(held.items(), key=lambda item: -len(item[1]))
    ]  # fmt: skip
    return Group("Replaced by a label", tuple(counts), sum(map(len, held.values())))


def _labels(exchange: Exchange) -> Iterator[tuple[str, int, int]]:
    for text in (exchange.subject, *(turn.text for turn in exchange.turns), exchange.human_reply):
        for found in LABEL.finditer(text):
            yield text, found.start(), found.end()


def _shown(exchange: Exchange, text: str, start: int, end: int) -> Example:
    before = text[max(0, start - REACH) : start].split(" ")
    after = text[end : end + REACH].split(" ")
    head = f"{exchange.ticket_id}, {exchange.created:%d %b %Y}"
    return Example(
        head, marked=(" ".join(before[-AROUND:]), text[start:end], " ".join(after[:AROUND])),
    )  # fmt: skip
