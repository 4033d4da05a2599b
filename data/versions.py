"""What changed in the articles since an earlier import, and which taught answers rested on the words that are gone.

    tickets/<earlier>/  articles.parquet, passages.parquet ─┐
    tickets/<later>/    articles.parquet, passages.parquet ─┴─▶ Change[]
    corpora/<id>/       answers.parquet (taught from the earlier) ──▶ the exchanges to look at

Compared piece by piece and wherever it stands: a typo mended in one section says nothing about the answers that rested
on another, and a section that moved, or an article that has a new name, still says what it said.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from data.errors import NotFound
from data.parquet import read_rows
from data.records import Answer, Article, Passage
from data.workspace import Workspace, manifest_of

Kind = Literal["changed", "new", "removed"]
Words = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Change:
    """`gone`: the earlier import's passages whose heading or text is nowhere any more. `exchanges`: whose taught answer
    rested on one of them."""

    kind: Kind
    id: str
    title: str
    gone: frozenset[str] = frozenset()
    exchanges: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Difference:
    """`since`: the earlier import. `corpus`: the latest corpus, if it was taught from that import."""

    since: str
    corpus: str
    changes: list[Change]

    @property
    def exchanges(self) -> set[str]:
        return {name for change in self.changes for name in change.exchanges}

    @property
    def told(self) -> str:
        """'4 answers of corpus-20261120-…'."""
        return f"{f'{len(self.exchanges):,} answers' if self.exchanges else 'no answer'} of {self.corpus}"


def difference(workspace: Workspace, tickets: Path) -> Difference | None:
    """Compares an import with the one that the latest corpus was taught from, or, without a corpus, with the one before
    it. None where there is neither."""
    finished = workspace.finished("tickets")
    try:
        corpus = workspace.latest("corpus")
        taught = workspace.find("tickets", manifest_of(corpus).inputs.get("tickets", ""))
    except NotFound:
        earlier = finished[: finished.index(tickets)]
        return Difference(earlier[-1].name, "", compare(earlier[-1], tickets)) if earlier else None
    changes = [] if taught == tickets else list(_resting(corpus, compare(taught, tickets)))
    return Difference(taught.name, corpus.name, changes)


def compare(before: Path, after: Path) -> list[Change]:
    """In the order of titles."""
    old = {each.id: each for each in read_rows(before / "articles.parquet", Article)}
    new = {each.id: each for each in read_rows(after / "articles.parquet", Article)}
    kinds: dict[str, Kind] = {
        name: "new" if name not in old else "removed" if name not in new else "changed"
        for name in old | new
        if name not in old or name not in new or old[name].version != new[name].version
    }
    if not kinds:
        return []
    still = {words for _, _, words in _pieces(after, new)}
    gone: dict[str, set[str]] = {}
    for owner, piece, words in _pieces(before, old):
        if words not in still:
            gone.setdefault(owner, set()).add(piece)
    changes = [
        Change(kind, name, (new.get(name) or old[name]).title, frozenset(gone.get(name, ())))
        for name, kind in kinds.items()
    ]
    return sorted(changes, key=lambda change: (change.title, change.id))


def _pieces(tickets: Path, articles: dict[str, Article]) -> Iterator[tuple[str, str, Words]]:
    """Article, passage, and its heading and text."""
    for passage in read_rows(tickets / "passages.parquet", Passage):
        owner = passage.id.rpartition("#")[0]
        if passage.kind == "article" and owner in articles:
            yield owner, passage.id, (passage.title.removeprefix(articles[owner].title), passage.text)


def _resting(corpus: Path, changes: list[Change]) -> Iterator[Change]:
    answers = read_rows(corpus / "answers.parquet", Answer)
    for change in changes:
        rested = {answer.exchange_id for answer in answers if not change.gone.isdisjoint(answer.evidence)}
        yield replace(change, exchanges=tuple(sorted(rested)))


def summary(found: Difference | None) -> list[str]:
    """What `deskmate import` says of it; nothing where no article changed."""
    if found is None or not found.changes:
        return []
    kinds = Counter(change.kind for change in found.changes)
    told = ", ".join(f"{kinds[kind]:,} {kind}" for kind in ("changed", "new", "removed") if kinds[kind])
    lines = [f"articles: {told} since {found.since}"]
    if found.corpus:
        lines.append(f"{found.told} rested on words that are gone; see `deskmate articles`")
    return lines
