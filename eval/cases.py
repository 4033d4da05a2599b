"""One exchange, everybody's reply to it and their scores: a row of cases.parquet, a card in the report."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

from pydantic import Field, field_validator

from bot.desk import context
from data.errors import BadInput
from data.records import Answer, Exchange, Passage, Record, Turn
from data.text import unsupported
from eval.metrics import WEAK_EVIDENCE, Metrics, evidence_reach, measure

System = Literal["teacher", "notes", "base", "student", "human"]
Outcome = Literal["fine", "deferral", "evasion", "unsupported", "broken"]
SYSTEMS: tuple[System, ...] = get_args(System)


class Evidence(Record):
    title: str
    text: str
    kind: str = "article"


class Reply(Record):
    """`seconds` from request to last token; `logprob` is the mean per token, None where it is unknown."""

    text: str
    seconds: float = 0.0
    first_token_seconds: float = 0.0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    logprob: float | None = None
    finish: str = "stop"
    metrics: Metrics = Field(default_factory=dict)
    unsupported: tuple[str, ...] = ()

    @property
    def outcome(self) -> Outcome:
        """The one thing to know first; 'fine' means no check flagged it, not that a person approved it."""
        if self.metrics.get("evasion"):
            return "evasion"
        if self.metrics.get("repetitive"):
            return "broken"
        if self.metrics.get("deferral"):
            return "deferral"
        return "unsupported" if self.unsupported else "fine"


class Case(Record):
    exchange_id: str
    ticket_id: str
    topic: str
    subject: str
    question: str
    turns: tuple[Turn, ...]
    human_reply: str
    evidence: tuple[Evidence, ...]
    reach: float
    replies: dict[System, Reply]

    @field_validator("replies", mode="before")
    @classmethod
    def _present(cls, value: Any) -> Any:
        """Parquet fills a system that answered nothing with null."""
        return {key: reply for key, reply in value.items() if reply} if isinstance(value, dict) else value

    @property
    def weak_evidence(self) -> bool:
        """Ticket and evidence hold too little of what our agent said for anybody to answer from them."""
        return self.reach < WEAK_EVIDENCE

    def metric(self, system: System, name: str) -> float:
        """A metric as a float, nan where it does not apply."""
        reply = self.replies.get(system)
        value = None if reply is None else reply.metrics.get(name)
        return math.nan if value is None else value


def build_cases(
    exchanges: Sequence[Exchange], evidence: Mapping[str, Sequence[Passage]], answers: Sequence[Answer]
) -> list[Case]:
    """A case for every exchange that each system in `answers` answered; BadInput when there is none."""
    given = {(answer.exchange_id, answer.source): answer for answer in answers}
    sources = {answer.source for answer in answers}
    if not {"teacher", "student"} <= sources:
        raise BadInput("evaluation needs answers of both teacher and student; run `deskmate evaluate` again")
    used = [source for source in ("teacher", "notes", "base", "student") if source in sources]
    complete = [exchange for exchange in exchanges if all((exchange.id, source) in given for source in used)]
    if not complete:
        raise BadInput("no exchange was answered by every model; run `deskmate evaluate` again to finish it")
    return [
        _case(exchange, evidence.get(exchange.id, ()), {name: given[exchange.id, name] for name in used})
        for exchange in complete
    ]


def _case(exchange: Exchange, passages: Sequence[Passage], answers: Mapping[str, Answer]) -> Case:
    seen = context(exchange, passages)
    teacher, human = answers["teacher"].text, exchange.human_reply
    replies: dict[System, Reply] = {}
    for system in SYSTEMS:
        if system == "human":
            drawn = Answer(sample_id="", exchange_id=exchange.id, source="human", text=human)
        elif system in answers:
            drawn = answers[system]
        else:
            continue
        scores = measure(
            drawn.text, exchange.question, seen,
            teacher=None if system == "teacher" else teacher, human=None if system == "human" else human,
        )  # fmt: skip
        replies[system] = _reply(drawn, scores, seen)
    return Case(
        exchange_id=exchange.id, ticket_id=exchange.ticket_id, topic=exchange.topic, subject=exchange.subject,
        question=exchange.question, turns=exchange.turns, human_reply=human,
        evidence=tuple(Evidence(title=p.title, text=p.text, kind=p.kind) for p in passages),
        reach=evidence_reach(human, seen), replies=replies,
    )  # fmt: skip


def _reply(answer: Answer, scores: Metrics, seen: str) -> Reply:
    return Reply(
        text=answer.text, seconds=answer.seconds, first_token_seconds=answer.first_token_seconds,
        prompt_tokens=answer.prompt_tokens, completion_tokens=answer.completion_tokens,
        logprob=answer.logprob, finish=answer.finish,
        metrics=scores, unsupported=tuple(unsupported(answer.text, seen)),
    )  # fmt: skip
