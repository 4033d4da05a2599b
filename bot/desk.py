"""An imported desk as models meet it: its exchanges, the evidence each is answered from, the prompt each becomes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bot import prompt
from bot.answering import Job
from bot.config import Config
from bot.loading import load
from bot.quote import quoted
from data.parquet import read_rows
from data.records import Exchange, Passage, Source, Standing
from data.workspace import Workspace, digest

Evidence = Mapping[str, Sequence[Passage]]


@dataclass(frozen=True, slots=True)
class Desk:
    """`evidence` by exchange id: what was known when the ticket was opened, cut to what is shown. `ready`: the briefs a
    server reads before anybody asks. `excerpts` by exchange id: the nearest sentences of its evidence, if asked for.
    `standings` by exchange id: whether a server would let a model answer from that evidence."""

    exchanges: list[Exchange]
    evidence: Evidence
    config: Config
    ready: Sequence[Sequence[Passage]] = ()
    excerpts: Mapping[str, str] = field(default_factory=dict)
    standings: Mapping[str, Standing] = field(default_factory=dict)

    def part(self, split: str) -> list[Exchange]:
        return [exchange for exchange in self.exchanges if exchange.split == split]

    def messages(self, exchange: Exchange, hindsight: str = "") -> list[prompt.ChatMessage]:
        desk = self.config.desk
        return prompt.build(
            desk.name, desk.about, exchange.turns, self.evidence[exchange.id],
            subject=exchange.subject, hindsight=hindsight,
        )  # fmt: skip

    def is_ready(self, exchange: Exchange) -> bool:
        """Whether the brief that answers an exchange is one a server has read."""
        return [passage.id for passage in self.evidence[exchange.id]] in [[p.id for p in brief] for brief in self.ready]

    def worth(self, exchange: Exchange) -> float:
        """The chance that what it is answered from holds a good reply (bot/worth.py)."""
        return max((passage.worth for passage in self.evidence[exchange.id]), default=0.0)

    def context(self, exchange: Exchange) -> str:
        return context(exchange, self.evidence[exchange.id])

    def job(
        self, exchange: Exchange, source: Source, *, max_tokens: int, temperature: float = 0.0,
        top_p: float | None = None, sample: int = 0,
    ) -> Job:  # fmt: skip
        """The request for one answer to an exchange; its seed comes from the exchange's id and the sample's number."""
        hindsight = exchange.human_reply if source == "hindsight" else ""
        return Job(
            exchange.id, source, self.messages(exchange, hindsight),
            tuple(passage.id for passage in self.evidence[exchange.id]), max_tokens, temperature,
            int(digest([exchange.id, sample] if sample else exchange.id), 16) % 2**31,
            quoted(self.evidence[exchange.id]) if source == "student" else "", top_p,
        )  # fmt: skip


def context(exchange: Exchange, evidence: Sequence[Passage]) -> str:
    """All the words an answer may rest on: the conversation, and the evidence as far as it is shown."""
    return prompt.seen(exchange.turns, evidence, exchange.subject)


def gather(
    workspace: Workspace, tickets: Path, config: Config, splits: Sequence[str], *, quotes: bool = False,
    only: Container[str] | None = None,
) -> Desk:  # fmt: skip
    """The exchanges of some splits of an imported desk (of those, `only` some ids), with their evidence; `quotes`: and
    its nearest sentences."""
    knowledge = load(workspace, tickets, config.retrieval)
    rows = read_rows(tickets / "exchanges.parquet", Exchange)
    wanted = [each for each in rows if each.split in splits and (only is None or each.id in only)]
    vectors_ED = knowledge.embed(wanted)
    found = knowledge.evidence(wanted, vectors_ED, quotes=quotes)
    evidence = {name: each.passages for name, each in found.items()}
    asked = dict(zip((exchange.id for exchange in wanted), vectors_ED, strict=True))
    excerpts = {name: knowledge.quotes.excerpt(evidence[name], asked[name]) for name in asked} if quotes else {}
    standings = {name: each.standing for name, each in found.items()}
    return Desk(wanted, evidence, config, knowledge.ready(), excerpts, standings)


def spread(exchanges: Sequence[Exchange], limit: int) -> list[Exchange]:
    """All exchanges, newest first, or `limit` of them spread evenly over the topics."""
    newest = sorted(exchanges, key=lambda exchange: (exchange.created, exchange.id), reverse=True)
    place: Counter[str] = Counter()
    rank: dict[str, int] = {}
    for exchange in newest:
        rank[exchange.id] = place[exchange.topic]
        place[exchange.topic] += 1
    spread = sorted(newest, key=lambda exchange: rank[exchange.id])
    return spread[:limit] if limit else newest
