"""Whether the test is fair: nothing that is asked in it may have been taught, and what was nearly the same is shown.

Counted anew from the stored rows, not taken from the import's word.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from data.duplicates import near_duplicates
from data.records import SPLITS, Exchange, Rejected, Split
from eval.corpus import Corpus
from eval.examples import MOST, Count, Example, brief, of_exchange, of_exchanges, spread

Held = dict[Split, list[Exchange]]


@dataclass(frozen=True, slots=True)
class SplitRow:
    """One part: its exchanges, tickets and customers (None where none are named), and the days they span."""

    split: Split
    exchanges: Count
    tickets: Count
    customers: Count | None
    days: str


@dataclass(frozen=True, slots=True)
class Check:
    """`found` is 0 where it is passed; None where the import did not record what it takes."""

    name: str
    found: Count | None

    @property
    def passed(self) -> bool:
        return self.found is None or self.found.count == 0


@dataclass(frozen=True, slots=True)
class Alike:
    """A question that was kept and those left out because they ask nearly the same."""

    kept: Example
    dropped: tuple[Example, ...]
    size: int


def parted(corpus: Corpus) -> Held:
    held: Held = {split: [] for split in SPLITS}
    for exchange in corpus.exchanges:
        held[exchange.split].append(exchange)
    return held


def split_rows(held: Held) -> list[SplitRow]:
    return [_split(split, exchanges) for split, exchanges in held.items()]


def _split(split: Split, exchanges: Sequence[Exchange]) -> SplitRow:
    tickets = list({each.ticket_id: each for each in exchanges}.values())
    people = list({each.customer: each for each in exchanges if each.customer}.values())
    days = f"{exchanges[0].created:%d %b %Y} to {exchanges[-1].created:%d %b %Y}" if exchanges else ""
    return SplitRow(
        split,
        Count(f"split-{split}", "answered questions", len(exchanges), of_exchanges(exchanges)),
        Count(f"split-{split}-tickets", "tickets", len(tickets), of_exchanges(tickets)),
        Count(f"split-{split}-customers", "customers", len(people), of_exchanges(people)) if people else None,
        days,
    )


def checks(corpus: Corpus, held: Held) -> list[Check]:
    """What would let the student pass the test by having seen it."""
    test, taught = held["heldout"], [*held["train"], *held["validation"]]
    tickets = {each.ticket_id for each in test}
    first = min((each.created for each in test), default=None)
    shown = [each for each in test if ("ticket", each.id) in corpus.evidence]
    return [
        _check("tickets", "Test tickets that are also learned from", [e for e in taught if e.ticket_id in tickets]),
        _check(
            "late",
            "Learned from, though opened after the test begins",
            [e for e in taught if first and e.created >= first],
        ),
        _check("evidence", "Test replies among the notes to look up", shown),
        _customers(test, taught),
        _near(held["train"], test),
    ]


def _check(key: str, name: str, found: Sequence[Exchange]) -> Check:
    return Check(name, Count(f"check-{key}", name, len(found), of_exchanges(found)))


def _customers(test: Sequence[Exchange], taught: Sequence[Exchange]) -> Check:
    name = "Customers who are in the test and learned from"
    people = {each.customer for each in test} - {""}
    if not people:
        return Check(name, None)
    both = list({each.customer: each for each in taught if each.customer in people}.values())
    return _check("customers", name, both)


def _near(train: Sequence[Exchange], test: Sequence[Exchange]) -> Check:
    """Found again with the rule of the import (data/duplicates.py)."""
    name = "Learned questions that are nearly a test question"
    near = near_duplicates(train, test)
    by_id = {each.id: each for each in (*train, *test)}
    pairs = spread(list(near.items()))
    examples = tuple(of_exchange(by_id[each]) for pair in pairs[:5] for each in pair)
    return Check(name, Count("check-near", name, len(near), examples))


def alike(corpus: Corpus, most: int = MOST, shown: int = 4) -> list[Alike]:
    """The largest groups of nearly the same questions, from the rows that the import left out for it."""
    rows = {row.record or f"{row.file}:{row.line}": row for row in corpus.left_out.get("near_duplicate", [])}
    groups: dict[str, list[Rejected]] = defaultdict(list)
    for row in rows.values():
        groups[_root(row, rows)].append(row)
    kept = {each.id: each for each in corpus.exchanges} | {each.ticket_id: each for each in corpus.tickets}
    ranked = sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))
    return [
        Alike(
            _question(kept[name]) if name in kept else Example(name, note="Not among what was kept."),
            tuple(map(_lost, group[:shown])),
            len(group),
        )
        for name, group in ranked[:most]
    ]


def _lost(row: Rejected) -> Example:
    return Example(row.record, (("customer", brief(row.text)),)) if row.text else Example(row.record, note=row.reason)


def _root(row: Rejected, rows: dict[str, Rejected]) -> str:
    """What was kept in the end, where a match was itself left out for another one."""
    seen = {row.record}
    while row.match in rows and row.match not in seen:
        seen.add(row.match)
        row = rows[row.match]
    return row.match


def _question(exchange: Exchange) -> Example:
    return Example(f"{exchange.id}, {exchange.created:%d %b %Y}", (("customer", brief(exchange.question)),))
