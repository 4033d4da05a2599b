"""The teacher answers past tickets, and the best answers become the corpus the student learns from.

    exchanges ──retrieve──▶ prompts ──teacher (asking.py)──▶ journal ──select──▶ rows.parquet, rejected.parquet

Draws a corpus directory:

    corpora/<id>/  manifest.json      lineage, what the teacher cost
                   rows.parquet       one prompt and answer a row, taught
                   validation.parquet the same for the validation exchanges, without the teacher's; never taught
                   answers.parquet    every kept answer with its source
                   rejected.parquet   every other answer with the reason
                   softlabels*        of the taught answers, where the teacher told them (softlabels.py)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from bot import prompt
from bot.config import Config, Teaching
from bot.desk import Desk, gather
from bot.journal import Journal, alone, journal_of
from bot.knowledge import SEARCH
from bot.launch import identity
from bot.ledger import costs, paid, total
from bot.passages import read_on, spoken
from bot.prompt import ChatMessage
from data.parquet import write_rows
from data.records import Answer, Exchange, Passage, Source
from data.workspace import Draft, Workspace, digest, manifest_of
from distillation.asking import Agree, asked
from distillation.capturing import Plan, captured, plan, put, tokenizer_of
from distillation.extract import extract
from distillation.label_journal import LabelJournal
from distillation.rows import TrainingRow
from distillation.select import Rules, reasons, select
from distillation.voices import loadable

SELECTION = "8"


async def teach(workspace: Workspace, config: Config, agree: Agree = lambda _: True) -> Path:
    """Make, or go on making, the corpus of the newest imported desk; returns its folder. `agree` is asked before a long
    job, with what it will take. Raises as distillation.asking.asked does, and Busy."""
    tickets = workspace.latest("tickets")
    source = plan(workspace, config)
    inputs = {"tickets": manifest_of(tickets).id, "teacher": identity(config.teacher)}
    settings: dict[str, object] = {
        "teaching": config.teaching.model_dump(), "retrieval": config.retrieval.model_dump(),
        "prompt": prompt.VERSION, "desk": [config.desk.name, config.desk.about], "search": SEARCH,
        "selection": SELECTION, "soft_labels": source.how,
    }  # fmt: skip
    draft = workspace.draft("corpus", inputs, settings)
    if draft.done:
        return draft.path
    desk = gather(workspace, tickets, config, ("train", "validation"))
    return await fill(draft, workspace, desk, config, source, agree)


async def fill(
    draft: Draft, workspace: Workspace, desk: Desk, config: Config, source: Plan, agree: Agree
) -> Path:  # fmt: skip
    """The corpus of a desk with its evidence."""
    path = journal_of(workspace, identity(config.teacher))
    with alone(path), loadable(workspace, config.teacher) as load:
        journal, labels = Journal(path), LabelJournal(path.with_suffix(".labels"))
        answers = await asked(workspace, config, desk, journal, labels, source, load, agree)
        kept, counts = _store(draft, desk, answers, config)
        tokenizer = tokenizer_of(workspace, config.teacher) if source.how != "none" else None
        if tokenizer is not None:
            prompts = _prompts(kept, desk, config.teaching) if source.how == "here" else {}
            with paid(journal, config.teacher.euros_per_hour):
                counts |= put(draft.path, labels, captured(load, labels, kept, prompts, tokenizer))
    return draft.finish(counts | _spent(path))


def _prompts(kept: Sequence[Answer], desk: Desk, teaching: Teaching) -> dict[str, list[ChatMessage]]:
    """What the teacher is shown to score an answer: what it is shown to give one. Handing over is not the teacher's."""
    exchanges = {exchange.id: exchange for exchange in desk.exchanges}
    return {
        answer.sample_id: desk.messages(exchange, exchange.human_reply if teaching.hindsight else "")
        for answer in kept
        if answer.kind != "defer" and (exchange := exchanges[answer.exchange_id])
    }  # fmt: skip


def candidates(exchanges: Sequence[Exchange], desk: Desk, teaching: Teaching) -> list[Answer]:
    """What may be taught without asking a model: our agents' own replies, the first note whole, notes' sentences."""
    past = [_given(e, "notes", _first(desk.evidence[e.id][0]), desk) for e in exchanges if desk.evidence[e.id]]
    human = [_given(e, "human", e.human_reply, desk) for e in exchanges] if teaching.human else []
    extracts = [(e, extract(e, desk.evidence[e.id])) for e in exchanges] if teaching.extract else []
    return [
        *human,
        *(past if teaching.past else []),
        *(_given(exchange, "extract", text, desk) for exchange, text in extracts if text),
    ]


def _first(note: Passage) -> str:
    """The first of the notes as a reply: nothing in it is new to the student, and where an article goes on is said."""
    return "\n".join(part for part in (spoken(note), read_on(note)) if part)


def _given(exchange: Exchange, source: Source, text: str, desk: Desk) -> Answer:
    return Answer(
        sample_id=digest([exchange.id, source, text]), exchange_id=exchange.id, source=source, text=text,
        evidence=tuple(passage.id for passage in desk.evidence[exchange.id]),
    )  # fmt: skip


def _store(
    draft: Draft, desk: Desk, taught: Sequence[Answer], config: Config
) -> tuple[list[Answer], dict[str, float]]:  # fmt: skip
    """Writes all but soft labels and manifest; returns the kept answers and what the manifest counts."""
    teaching = config.teaching
    rules = Rules(teaching.min_support, teaching.deferral_share, teaching.rows, teaching.each)
    train, validation = desk.part("train"), desk.part("validation")
    kept, rejected = select([*taught, *candidates(train, desk, teaching)], train, desk.evidence, rules)
    given = candidates(validation, desk, teaching)
    checked, _ = select(given, validation, desk.evidence, replace(rules, most=0))
    exchanges = {exchange.id: exchange for exchange in desk.exchanges}
    for name, answers in (("rows", kept), ("validation", checked)):
        rows = [row_of(answer, exchanges[answer.exchange_id], desk) for answer in answers]
        write_rows(draft.path / f"{name}.parquet", rows, TrainingRow)
    write_rows(draft.path / "answers.parquet", kept, Answer)
    write_rows(draft.path / "rejected.parquet", rejected, Answer)
    return kept, _counts(kept, rejected, taught)


def row_of(answer: Answer, exchange: Exchange, desk: Desk) -> TrainingRow:
    shown = desk.messages(exchange)
    return TrainingRow(
        sample_id=answer.sample_id, exchange_id=exchange.id, messages=shown, answer=answer.text, weight=answer.weight,
        kind=answer.kind,
    )  # fmt: skip


def _spent(journal: Path) -> dict[str, float]:
    """What the teacher has cost this workspace so far, for this corpus and others."""
    runs = costs(journal)
    spent = total(runs)
    return {"teacher_runs": len(runs), "teacher_up_seconds": round(spent.seconds, 1), "teacher_euros": spent.euros}


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
