"""The teacher answers past tickets, and the best answers become the corpus the student learns from.

    exchanges ──retrieve──▶ prompts ──teacher (all in flight)──▶ journal ──select──▶ rows.parquet, rejected.parquet

Draws a corpus directory:

    corpora/<id>/  manifest.json      lineage, what the teacher cost
                   rows.parquet       one prompt and answer a row, taught
                   validation.parquet the same for the validation exchanges, without the teacher's; never taught
                   answers.parquet    every kept answer with its source
                   rejected.parquet   every other answer with the reason
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from bot import prompt
from bot.answering import Ask, answer_all
from bot.config import Config, Teaching
from bot.desk import Desk, gather
from bot.journal import Journal
from bot.launch import running
from data.parquet import write_rows
from data.records import Answer, Exchange, Source
from data.text import support
from data.workspace import Draft, Workspace, digest, manifest_of
from distillation.extract import extract
from distillation.rows import TrainingRow
from distillation.select import Rules, reasons, select

SELECTION = "6"
PREAMBLE = re.compile(
    r"^(?:sure|certainly|of course|here(?:'s| is))\b[^\n]{0,80}:\s*\n+(?:-{3,}\s*\n+)?", re.IGNORECASE
)


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
    desk = gather(workspace, tickets, config, ("train", "validation"))
    answers = await _ask(workspace, config, desk)
    return _store(draft, desk, [plain(answer) for answer in answers], config)


async def _ask(workspace: Workspace, config: Config, desk: Desk) -> list[Answer]:
    """The teacher's answers, asked once in a workspace's life: choosing differently among them costs nothing."""
    journal = Journal(workspace.root / "answers" / f"{digest(config.teacher.name)}.jsonl")
    teaching = config.teaching
    source: Source = "hindsight" if teaching.hindsight else "teacher"
    jobs = [
        desk.job(exchange, source, max_tokens=teaching.max_tokens, temperature=teaching.temperature)
        for exchange in answerable(desk, teaching.limit)
    ]
    done = {answer.sample_id for answer in journal.answers}
    wanted = {job.sample_id(config.teacher.name) for job in jobs}
    if wanted <= done:
        return [answer for answer in journal.answers if answer.sample_id in wanted]
    async with running(config.teacher, workspace) as engine:
        engine.logprobs = False
        asks = [Ask(engine, config.teacher.name, job) for job in jobs]
        await answer_all(asks, parallel=config.teacher.parallel, sink=journal.add, label="teaching", done=done)
    return [answer for answer in journal.answers if answer.sample_id in wanted]


def answerable(desk: Desk, limit: int) -> list[Exchange]:
    """The train exchanges whose evidence holds most of what our agent said: the teacher's time goes where its answer
    can be taught. All of them for a `limit` of 0."""
    best = sorted(desk.part("train"), key=lambda e: (-support(e.human_reply, desk.context(e)), e.id))
    return best[:limit] if limit else best


def plain(answer: Answer) -> Answer:
    """The reply alone: without "Sure, here is the advice:" before it or quotation marks around it."""
    return answer.model_copy(update={"text": PREAMBLE.sub("", answer.text).strip().strip('"')})


def _candidates(exchanges: Sequence[Exchange], desk: Desk, teaching: Teaching) -> list[Answer]:
    """What may be taught without asking a model: our agents' own replies, and the notes' own sentences."""
    human = [_given(e, "human", e.human_reply, desk) for e in exchanges] if teaching.human else []
    extracts = [(e, extract(e, desk.evidence[e.id])) for e in exchanges] if teaching.extract else []
    return [*human, *(_given(exchange, "extract", text, desk) for exchange, text in extracts if text)]


def _given(exchange: Exchange, source: Source, text: str, desk: Desk) -> Answer:
    return Answer(
        sample_id=digest([exchange.id, source, text]), exchange_id=exchange.id, source=source, text=text,
        evidence=tuple(passage.id for passage in desk.evidence[exchange.id]),
    )  # fmt: skip


def _store(draft: Draft, desk: Desk, taught: Sequence[Answer], config: Config) -> Path:
    rules = Rules(config.teaching.min_support, config.teaching.deferral_share, config.teaching.rows)
    train, validation = desk.part("train"), desk.part("validation")
    kept, rejected = select([*taught, *_candidates(train, desk, config.teaching)], train, desk.evidence, rules)
    given = _candidates(validation, desk, config.teaching)
    checked, _ = select(given, validation, desk.evidence, replace(rules, most=0))
    exchanges = {exchange.id: exchange for exchange in desk.exchanges}
    for name, answers in (("rows", kept), ("validation", checked)):
        rows = [_row(answer, exchanges[answer.exchange_id], desk) for answer in answers]
        write_rows(draft.path / f"{name}.parquet", rows, TrainingRow)
    write_rows(draft.path / "answers.parquet", kept, Answer)
    write_rows(draft.path / "rejected.parquet", rejected, Answer)
    return draft.finish(_counts(kept, rejected, taught))


def _row(answer: Answer, exchange: Exchange, desk: Desk) -> TrainingRow:
    shown = desk.messages(exchange)
    return TrainingRow(sample_id=answer.sample_id, exchange_id=exchange.id, messages=shown, answer=answer.text)


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
