"""A finished corpus as it lies on disk, for the page that shows it: every question with all the answers it was given.

Older corpora say less: what they do not hold is left out or said to be missing, never an error.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from bot.journal import journal_of
from bot.ledger import Cost, costs
from data.errors import NotFound
from data.parquet import read_rows
from data.records import Answer, Exchange, Kind, Manifest, Passage, Source
from data.workspace import Workspace, manifest_of
from eval.examples import Candidate, Example, brief, of_exchange, spread

MOST = 6  # examples of a count: each holds every answer to a question
CANDIDATES = 6
NOTE_WORDS = 40
SOURCES: dict[Source, str] = {
    "hindsight": "the teacher, having read our agent’s reply",
    "teacher": "the teacher",
    "human": "our agent’s own reply",
    "extract": "the notes’ own sentences",
    "student": "the student",
    "base": "the base student",
    "notes": "what was said the last time",
}
KINDS: dict[Kind, str] = {
    "answer": "answers the question",
    "clarify": "asks the customer back",
    "defer": "hands over to a colleague",
}


@dataclass(frozen=True)
class Taught:
    """`exchanges` and `passages` by id, as far as the import that they are from is still there."""

    manifest: Manifest
    kept: list[Answer]
    rejected: list[Answer]
    exchanges: dict[str, Exchange] = field(default_factory=dict)
    passages: dict[str, Passage] = field(default_factory=dict)
    costs: list[Cost] = field(default_factory=list)

    def count(self, name: str) -> float:
        return self.manifest.counts.get(name, 0.0)

    @cached_property
    def _given(self) -> dict[str, list[Answer]]:
        held: dict[str, list[Answer]] = defaultdict(list)
        for answer in [*self.kept, *self.rejected]:
            held[answer.exchange_id].append(answer)
        return held

    def asked(self) -> list[str]:
        """The exchanges that had any candidate, those that are taught first."""
        return list(self._given)

    def examples(self, answers: Iterable[Answer]) -> tuple[Example, ...]:
        """Of the questions that these answers are to."""
        names = list(dict.fromkeys(answer.exchange_id for answer in answers))
        return tuple(self.example(name) for name in spread(names, MOST))

    def example(self, exchange_id: str) -> Example:
        """One question: what was asked, the notes, our agent's reply, and every answer with its verdict."""
        given = self._given[exchange_id]
        candidates = [_taught(each) if each.kept else _turned_away(each) for each in given]
        ids = dict.fromkeys(name for each in given for name in each.evidence)
        shown = [self.passages[name] for name in ids if name in self.passages]
        exchange = self.exchanges.get(exchange_id)
        found = of_exchange(exchange) if exchange else Example(exchange_id, note="The import it is from is gone.")
        return Example(
            found.head, found.turns, found.note, candidates=tuple(candidates[:CANDIDATES]),
            more=max(0, len(candidates) - CANDIDATES),
            shown=tuple((brief(each.title, 20), brief(each.text, NOTE_WORDS)) for each in shown),
        )  # fmt: skip


def _taught(answer: Answer) -> Candidate:
    weight = "" if answer.weight == 1 else f", weight {answer.weight:.2g}"
    cut = ", cut back to what the notes hold" if answer.reason == "trimmed" else ""
    said = "" if kind(answer) == "answer" else f", {KINDS[kind(answer)]}"
    return Candidate(_source(answer), brief(answer.text), f"taught{said}{weight}{cut}", kept=True)


def _turned_away(answer: Answer) -> Candidate:
    return Candidate(_source(answer), brief(answer.text), answer.reason or "turned away", kept=False)


def _source(answer: Answer) -> str:
    name = SOURCES.get(answer.source, answer.source)
    return name[0].upper() + name[1:]


def load(workspace: Workspace, path: Path) -> Taught:
    """Raises NotFound or BadInput for what is missing or damaged in the corpus itself."""
    manifest = manifest_of(path)
    kept, rejected = (read_rows(path / f"{name}.parquet", Answer) for name in ("answers", "rejected"))
    exchanges, passages = _asked(workspace, manifest, [*kept, *rejected])
    runs = costs(journal_of(workspace, manifest.inputs.get("teacher", "")))
    return Taught(manifest, kept, rejected, exchanges, passages, runs)


def kind(answer: Answer) -> Kind:
    """What it teaches; corpora from before kinds tell handing over by its reason."""
    return "defer" if answer.reason == "deferral" else answer.kind


def _asked(
    workspace: Workspace, manifest: Manifest, answers: Sequence[Answer]
) -> tuple[dict[str, Exchange], dict[str, Passage]]:
    """The exchanges and notes that the answers name, from the import the corpus was made of."""
    wanted: dict[str, set[str]] = defaultdict(set)
    for answer in answers:
        wanted["exchanges"].add(answer.exchange_id)
        wanted["passages"] |= set(answer.evidence)
    try:
        tickets = workspace.find("tickets", manifest.inputs.get("tickets", ""))
        exchanges = read_rows(tickets / "exchanges.parquet", Exchange)
        passages = read_rows(tickets / "passages.parquet", Passage)
    except NotFound:
        return {}, {}
    return (
        {each.id: each for each in exchanges if each.id in wanted["exchanges"]},
        {each.id: each for each in passages if each.id in wanted["passages"]},
    )
