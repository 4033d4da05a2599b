"""An imported desk as it lies on disk, read once for the page that shows it; what came in, and what was left out.

The manifest's counts are the truth; rows are their examples, as `rejected.parquet` may hold only some of each kind.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from data.parquet import read_any, read_rows
from data.records import Article, Exchange, Manifest, Passage, Rejected
from data.workspace import manifest_of
from eval.examples import Count, Example, Group, of_exchanges, of_rejected, of_texts, spread

DROPPED, LANGUAGE, CLEANED = "dropped: ", "language: ", "cleaned: "
TICKET_KINDS = ("unreadable", "again", "other_language", "merged", "no_answer")
EXCHANGE_KINDS = ("same_customer", "near_duplicate", "beyond_limit")
_LANGUAGES = """
    ar Arabic bg Bulgarian ca Catalan cs Czech da Danish de German el Greek en English es Spanish et Estonian fi Finnish
    fr French he Hebrew hi Hindi hr Croatian hu Hungarian id Indonesian it Italian ja Japanese ko Korean lt Lithuanian
    lv Latvian nb Norwegian nl Dutch no Norwegian pl Polish pt Portuguese ro Romanian ru Russian sk Slovak sl Slovenian
    sr Serbian sv Swedish th Thai tr Turkish uk Ukrainian vi Vietnamese zh Chinese
"""
LANGUAGES = dict(zip(_LANGUAGES.split()[::2], _LANGUAGES.split()[1::2], strict=True))
NOT_STORED = "What is taken out is not stored anywhere, so there is nothing to show."


@dataclass(frozen=True)
class Corpus:
    """`exchanges` oldest first; `evidence` holds every passage's (kind, id), `passages` only a few of each kind."""

    manifest: Manifest
    exchanges: list[Exchange]
    rejected: list[Rejected] = field(default_factory=list)
    articles: list[Article] = field(default_factory=list)
    passages: list[Passage] = field(default_factory=list)
    evidence: frozenset[tuple[str, str]] = frozenset()

    def count(self, name: str) -> int | None:
        """What the import counted; None where it did not."""
        found = self.manifest.counts.get(name)
        return None if found is None else int(found)

    def counts(self, prefix: str) -> dict[str, int]:
        """The counts whose names begin so, the largest first."""
        found = {
            name.removeprefix(prefix): int(n) for name, n in self.manifest.counts.items() if name.startswith(prefix)
        }
        return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))

    @cached_property
    def left_out(self) -> dict[str, list[Rejected]]:
        kinds: dict[str, list[Rejected]] = defaultdict(list)
        for row in self.rejected:
            kinds[row.kind].append(row)
        return kinds

    @cached_property
    def dropped(self) -> dict[str, int]:
        """How many were left out for each reason that left any out."""
        rows = {kind: len(rows) for kind, rows in self.left_out.items()}
        return {kind: count for kind, count in (rows | self.counts(DROPPED)).items() if count}

    @cached_property
    def tickets(self) -> list[Exchange]:
        """The last exchange of every ticket, which holds the whole of its conversation."""
        return list({exchange.ticket_id: exchange for exchange in self.exchanges}.values())


def load(path: Path) -> Corpus:
    """Of the passages only ids and kinds are read whole. Raises NotFound or BadInput for what is missing or damaged."""
    exchanges = sorted(read_rows(path / "exchanges.parquet", Exchange), key=lambda each: (each.created, each.id))
    passages, evidence = _passages(path / "passages.parquet")
    return Corpus(
        manifest_of(path), exchanges, read_any(path / "rejected.parquet", Rejected),
        read_any(path / "articles.parquet", Article), passages, evidence,
    )  # fmt: skip


def _passages(path: Path) -> tuple[list[Passage], frozenset[tuple[str, str]]]:
    import pyarrow.parquet as pq

    if not path.is_file():
        return [], frozenset()
    names = pq.read_table(path, columns=["kind", "id"]).to_pydict()
    pairs = list(zip(names["kind"], names["id"], strict=True))
    places = [
        place
        for kind in ("ticket", "article")
        for place in spread([place for place, pair in enumerate(pairs) if pair[0] == kind])
    ]
    rows = pq.read_table(path).take(places).to_pylist() if places else []
    return [Passage.model_validate(row) for row in rows], frozenset(pairs)


def came_in(corpus: Corpus) -> Group:
    """What was read, and what it was turned into."""
    tickets, pieces = corpus.count("tickets"), corpus.count("passages")
    past = corpus.count("past_tickets")
    found = [
        Count("in-tickets", "tickets", tickets or len(corpus.tickets), of_exchanges(corpus.tickets)),
        Count("in-exchanges", "answered questions", _answered(corpus), of_exchanges(corpus.exchanges)),
        Count("in-articles", "articles", corpus.count("articles") or len(corpus.articles),
              of_texts(spread(corpus.articles))),
    ]  # fmt: skip
    if past is not None:
        found.append(Count("in-past", "past replies to look up", past, _pieces(corpus, "ticket")))
    if pieces is not None:
        found.append(
            Count("in-pieces", "pieces of articles to look up", pieces - (past or 0), _pieces(corpus, "article"))
        )
    return Group("Read, cut and stored", tuple(found), bars=False)


def _answered(corpus: Corpus) -> int:
    return corpus.count("exchanges") or len(corpus.exchanges)


def _pieces(corpus: Corpus, kind: str) -> tuple[Example, ...]:
    return of_texts(each for each in corpus.passages if each.kind == kind)


def cleaned(corpus: Corpus) -> Group:
    """What was taken out of messages before anything was stored."""
    found = [
        Count(f"cleaned-{place}", what, count, none=NOT_STORED)
        for place, (what, count) in enumerate(corpus.counts(CLEANED).items())
    ]
    if notes := corpus.count("internal_notes_kept_out"):
        found.append(Count("cleaned-notes", "internal notes", notes, none=NOT_STORED))
    return Group("Taken out of messages", tuple(found), corpus.count("messages") or 0)


def languages(corpus: Corpus) -> Group:
    """Tickets per language. Examples in other languages come from what was left out for it."""
    found = corpus.counts(LANGUAGE)
    other = corpus.left_out.get("other_language", [])
    rows = tuple(
        Count(f"language-{place}", LANGUAGES.get(code.lower().split("-")[0], code), count, _spoken(corpus, code, other))
        for place, (code, count) in enumerate(found.items())
    )
    return Group("Tickets in each language", rows, sum(found.values()))


def _spoken(corpus: Corpus, code: str, other: Sequence[Rejected]) -> tuple[Example, ...]:
    if code.lower().startswith("en"):
        return of_exchanges(corpus.tickets)
    named = re.compile(rf"[(\"'‘“ ]{re.escape(code)}[)\"'’”.]*$|[(\"'‘“]{re.escape(code)}[)\"'’”]")
    return of_rejected([row for row in other if named.search(row.reason)])
