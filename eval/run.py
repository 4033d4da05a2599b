"""Teacher, base student and distilled student answer the same held-out exchanges, one reply in flight.

So seconds per reply are what a lone customer waits. Student and teacher are up together, as when they serve, and take
turns at each exchange: a machine that is busy for a while slows both. The base student goes first, alone. The student
also answers the validation exchanges: that is where its fallback threshold is calibrated.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from bot import prompt
from bot.answering import Ask, answer_all
from bot.confidence import UNSURE
from bot.config import Config, Model
from bot.desk import Desk, gather, spread
from bot.engine import Engine
from bot.journal import Journal
from bot.knowledge import SEARCH
from bot.launch import choose, identity, running, start
from bot.weights import SOURCES, resolve
from data.parquet import write_rows
from data.records import Answer, Exchange
from data.workspace import Workspace, manifest_of
from eval.calibration import LEAST_OVERLAP, LEAST_SUPPORT, Judged, checked, reviewed
from eval.costs import Machine, TeachCost
from eval.evaluate import RunFacts, build_report

Name = Literal["teacher", "base", "student"]
COMMANDS = ("deskmate evaluate",)
CODE = "evaluate-6"  # raised when the same models would answer, or be judged, otherwise


@dataclass(slots=True)
class System:
    """One contestant: what serves it, and the name that goes into its sample ids."""

    name: Name
    model: Model
    id: str
    path: Path | None = None
    machine: Machine = field(default_factory=Machine)


async def evaluate(workspace: Workspace, config: Config) -> Path:
    """Make, or go on making, the report on the newest model; returns its folder."""
    tickets, model = workspace.latest("tickets"), workspace.latest("model")
    inputs = {"tickets": tickets.name, "model": model.name, "teacher": identity(config.teacher)}
    settings: dict[str, object] = {
        "code": CODE, "evaluation": config.evaluation.model_dump(), "retrieval": config.retrieval.model_dump(),
        "prompt": prompt.VERSION, "desk": [config.desk.name, config.desk.about], "search": SEARCH,
        "base": config.student.name, "unsure": UNSURE,
        "hold_tokens": config.serving.hold_tokens, "good": [LEAST_SUPPORT, LEAST_OVERLAP],
    }  # fmt: skip
    draft = workspace.draft("report", inputs, settings)
    if draft.done:
        return draft.path
    desk = gather(workspace, tickets, config, ("validation", "heldout"), quotes=True)
    heldout = spread(desk.part("heldout"), config.evaluation.limit)
    contest = Contest(workspace, desk, Journal(draft.path / ".answers.jsonl"))
    contestants = _contestants(config, model)
    await contest.hold(contestants, heldout)
    judged = {exchange.id for exchange in heldout}
    given = contest.journal.answers
    judgements = [*checked(desk, given), *reviewed(workspace, tickets, config)]
    write_rows(draft.path / "calibration.parquet", judgements, Judged)
    facts = _facts(workspace, config, contestants, inputs)
    answers = [answer for answer in given if answer.exchange_id in judged]
    answers += [_excerpt(exchange, desk) for exchange in heldout]
    return build_report(workspace, draft, heldout, desk.evidence, answers, facts, config.evaluation)


def _excerpt(exchange: Exchange, desk: Desk) -> Answer:
    """What the search alone would say: the student is worth its while where it does better."""
    return Answer(sample_id="", exchange_id=exchange.id, source="notes", text=desk.excerpts[exchange.id])


def _contestants(config: Config, model: Path) -> list[System]:
    """The base student in the student's engine, where its weights come for that too: so that seconds compare."""
    student = System("student", config.student, model.name, model / "model.gguf")
    base = config.student
    if base.name in SOURCES and choose(base) != "remote":
        base = base.model_copy(update={"engine": choose(base, student.path)})
    return [student, System("base", base, base.name), System("teacher", config.teacher, identity(config.teacher))]


@dataclass(frozen=True, slots=True)
class Contest:
    """Who answers what, and when; every answer goes to the journal the moment it is whole."""

    workspace: Workspace
    desk: Desk
    journal: Journal

    async def hold(self, contestants: Sequence[System], heldout: Sequence[Exchange]) -> None:
        student, base, teacher = contestants
        async with _served(self.workspace, base) as engine:
            await self._ask([(base, engine)], heldout, "base student answers")
        async with _served(self.workspace, student) as quick, _served(self.workspace, teacher) as slow:
            await self._ask([(student, quick)], self.desk.part("validation"), "student, for its threshold")
            await self._ask([(student, quick), (teacher, slow)], heldout, "student and teacher in turn")

    async def _ask(self, seats: Sequence[tuple[System, Engine]], exchanges: Sequence[Exchange], label: str) -> None:
        """Each exchange goes to every seat before the next one does."""
        config, done = self.desk.config, {answer.sample_id for answer in self.journal.answers}
        asks = [
            Ask(engine, system.id, self.desk.job(exchange, system.name, max_tokens=config.evaluation.max_tokens))
            for exchange in exchanges
            for system, engine in seats
        ]
        unfinished = any(ask.sample_id not in done for ask in asks)
        for system, engine in seats:
            engine.logprobs = system.name == "student"  # its router reads them; it is timed as it serves
            if unfinished and system.name != "teacher":
                await _read_ahead(engine, self.desk, exchanges)
        await answer_all(asks, parallel=1, sink=self.journal.add, label=label, done=done)


async def _read_ahead(engine: Engine, desk: Desk, exchanges: Sequence[Exchange]) -> None:
    """What a server of the student has read before customers come (serving/ahead.py), as far as asked for here."""
    settings = desk.config.desk
    asked = [desk.evidence[exchange.id] for exchange in exchanges if desk.is_ready(exchange)]
    for brief in {tuple(passage.id for passage in passages): passages for passages in asked}.values():
        await engine.complete(prompt.unasked(settings.name, settings.about, brief), max_tokens=1)


@asynccontextmanager
async def _served(workspace: Workspace, system: System) -> AsyncIterator[Engine]:
    """The system's engine with one slot; on leaving, how much memory it took and how large its file is."""
    model = system.model.model_copy(update={"parallel": 1})
    if choose(model, system.path) == "remote":
        async with running(model, workspace) as engine:
            yield engine
        return
    server = await start(model, workspace, path=system.path)
    try:
        yield server.engine
        system.machine = Machine(
            model=system.id, euros_per_hour=model.euros_per_hour, memory_bytes=server.rss_bytes(),
            disk_bytes=_size(workspace, system),
        )  # fmt: skip
    finally:
        await server.stop()


def _size(workspace: Workspace, system: System) -> int:
    form: Literal["gguf", "hf"] = "gguf" if choose(system.model, system.path) == "llamacpp" else "hf"
    path = system.path or Path(resolve(system.model.name, workspace, form))
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files)


def _facts(workspace: Workspace, config: Config, systems: Sequence[System], inputs: dict[str, str]) -> RunFacts:
    student = workspace.find("student", manifest_of(workspace.find("model", inputs["model"])).inputs["student"])
    corpus = workspace.find("corpus", manifest_of(student).inputs["corpus"])
    counts = manifest_of(corpus).counts
    seconds = counts["teacher_seconds"] / max(1, config.teacher.parallel)
    cost = TeachCost(
        answers=int(counts["teacher_answers"]), tokens=int(counts["teacher_tokens"]), seconds=seconds,
        euros=seconds / 3600 * config.teacher.euros_per_hour,
    )  # fmt: skip
    return RunFacts(
        desk=config.desk.name, machines={system.name: system.machine for system in systems}, teaching=cost,
        ids={**inputs, "corpus": corpus.name}, commands=COMMANDS,
    )  # fmt: skip
