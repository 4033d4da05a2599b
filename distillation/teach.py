"""The teacher answers past tickets, and the best answers become the corpus the student learns from.

    exchanges ──retrieve──▶ prompts ──teacher (all in flight)──▶ journal ──select──▶ rows.parquet, rejected.parquet

Draws a corpus directory:

    corpora/<id>/  manifest.json      lineage, what the teacher cost
                   rows.parquet       one prompt and answer a row, taught
                   validation.parquet the same for the validation exchanges: the human's supported replies, never taught
                   answers.parquet    every kept answer with its source
                   rejected.parquet   every other answer with the reason
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bot import prompt
from bot.answering import Job, answer_all
from bot.config import Config
from bot.knowledge import Knowledge
from bot.knowledge import load as load_knowledge
from bot.launch import running
from data.records import Answer, Exchange, Passage
from data.workspace import Draft, Workspace, digest, manifest_of, read_rows, write_rows
from distillation.journal import Journal
from distillation.rows import TrainingRow
from distillation.select import Rules, reasons, select

Evidence = Mapping[str, Sequence[Passage]]
SELECTION = "1"


@dataclass(frozen=True, slots=True)
class Desk:
    """The imported exchanges with the evidence each is answered from."""

    exchanges: list[Exchange]
    evidence: Evidence

    def part(self, split: str) -> list[Exchange]:
        return [exchange for exchange in self.exchanges if exchange.split == split]


def gather(tickets: Path, knowledge: Knowledge, config: Config, splits: Sequence[str]) -> Desk:
    rows = read_rows(tickets / "exchanges.parquet", Exchange)
    wanted = [exchange for exchange in rows if exchange.split in splits]
    return Desk(wanted, {e.id: knowledge.evidence(e, config.retrieval) for e in wanted})


async def teach(workspace: Workspace, config: Config) -> Path:
    """Make, or go on making, the corpus of the newest imported desk; returns its folder."""
    tickets = workspace.latest("tickets")
    inputs = {"tickets": manifest_of(tickets).id, "teacher": config.teacher.name}
    settings: dict[str, object] = {
        "teaching": config.teaching.model_dump(), "retrieval": config.retrieval.model_dump(),
        "prompt": prompt.VERSION, "selection": SELECTION,
    }  # fmt: skip
    draft = workspace.draft("corpus", inputs, settings)
    if draft.done:
        return draft.path
    desk = gather(tickets, load_knowledge(workspace, tickets, config.retrieval.model), config, ("train", "validation"))
    journal = Journal(draft.path / ".answers.jsonl")
    await _ask(workspace, config, desk, journal)
    return _store(draft, desk, journal.answers, config)


async def _ask(workspace: Workspace, config: Config, desk: Desk, journal: Journal) -> None:
    jobs = [_job(exchange, desk.evidence, config) for exchange in chosen(desk.part("train"), config.teaching.limit)]
    done = {answer.sample_id for answer in journal.answers}
    if all(job.sample_id(config.teacher.name) in done for job in jobs):
        return
    async with running(config.teacher, workspace) as engine:
        await answer_all(
            engine, jobs, model=config.teacher.name, parallel=config.teacher.parallel,
            sink=journal.add, label="teaching", done=done,
        )  # fmt: skip


def chosen(exchanges: Sequence[Exchange], limit: int) -> list[Exchange]:
    """The train exchanges the teacher answers: all, or `limit` spread evenly over the topics, newest first."""
    newest = sorted(exchanges, key=lambda exchange: (exchange.created, exchange.id), reverse=True)
    place: Counter[str] = Counter()
    rank: dict[str, int] = {}
    for exchange in newest:
        rank[exchange.id] = place[exchange.topic]
        place[exchange.topic] += 1
    spread = sorted(newest, key=lambda exchange: rank[exchange.id])
    return spread[:limit] if limit else newest


def _job(exchange: Exchange, evidence: Evidence, config: Config) -> Job:
    teaching = config.teaching
    hindsight = exchange.human_reply if teaching.hindsight else ""
    return Job(
        exchange.id, "hindsight" if hindsight else "teacher",
        messages(exchange, evidence[exchange.id], config, hindsight),
        tuple(passage.id for passage in evidence[exchange.id]), teaching.max_tokens, teaching.temperature,
        int(digest(exchange.id), 16) % 2**31,
    )  # fmt: skip


def messages(
    exchange: Exchange, passages: Sequence[Passage], config: Config, hindsight: str = ""
) -> list[prompt.ChatMessage]:
    return prompt.build(
        config.desk.name, config.desk.about, exchange.turns, passages,
        subject=exchange.subject, words=config.retrieval.words, hindsight=hindsight,
    )  # fmt: skip


def _human(exchange: Exchange, evidence: Evidence) -> Answer:
    return Answer(
        sample_id=digest([exchange.id, "human", exchange.human_reply]), exchange_id=exchange.id, source="human",
        text=exchange.human_reply, evidence=tuple(passage.id for passage in evidence[exchange.id]),
    )  # fmt: skip


def _store(draft: Draft, desk: Desk, taught: Sequence[Answer], config: Config) -> Path:
    rules = Rules(config.teaching.min_support, config.teaching.deferral_share)
    train, validation = desk.part("train"), desk.part("validation")
    human = [_human(exchange, desk.evidence) for exchange in train] if config.teaching.human else []
    kept, rejected = select([*taught, *human], train, desk.evidence, rules)
    checked, _ = select([_human(e, desk.evidence) for e in validation], validation, desk.evidence, rules)
    exchanges = {exchange.id: exchange for exchange in desk.exchanges}
    for name, answers in (("rows", kept), ("validation", checked)):
        rows = [_row(answer, exchanges[answer.exchange_id], desk.evidence, config) for answer in answers]
        write_rows(draft.path / f"{name}.parquet", rows, TrainingRow)
    write_rows(draft.path / "answers.parquet", kept, Answer)
    write_rows(draft.path / "rejected.parquet", rejected, Answer)
    return draft.finish(_counts(kept, rejected, taught))


def _row(answer: Answer, exchange: Exchange, evidence: Evidence, config: Config) -> TrainingRow:
    shown = messages(exchange, evidence[exchange.id], config)
    return TrainingRow(sample_id=answer.sample_id, exchange_id=exchange.id, messages=tuple(shown), answer=answer.text)


def _counts(kept: Sequence[Answer], rejected: Sequence[Answer], taught: Sequence[Answer]) -> dict[str, float]:
    sources = Counter("deferral" if answer.reason == "deferral" else answer.source for answer in kept)
    return {
        "kept": len(kept), **{f"kept_{source}": count for source, count in sources.items()},
        "rejected": len(rejected), **{f"rejected: {why}": count for why, count in reasons(rejected).most_common()},
        "teacher_answers": len(taught),
        "teacher_prompt_tokens": sum(answer.prompt_tokens for answer in taught),
        "teacher_tokens": sum(answer.completion_tokens for answer in taught),
        "teacher_seconds": round(sum(answer.seconds for answer in taught), 1),
    }  # fmt: skip
