"""The teacher is asked: first about a few exchanges spread over all of them, and about the others once somebody has
agreed to what that will take.

Nothing is asked twice: an answer is in the journal the moment it is whole, and what is missing there is a difference
of two sets of sample ids.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bot.answering import Ask, Job, answer_all
from bot.config import Config, Teaching
from bot.desk import Desk
from bot.engine import Engine
from bot.journal import Journal, Lines, alone, journal_of
from bot.launch import identity, running
from bot.ledger import Ledger, Run, beside
from data.errors import DeskmateError
from data.records import Answer, Exchange, Source
from data.text import support
from data.workspace import Workspace
from distillation.forecast import Forecast, forecast

TRIAL = 16
PREAMBLE = re.compile(
    r"^(?:sure|certainly|of course|here(?:'s| is))\b[^\n]{0,80}:\s*\n+(?:-{3,}\s*\n+)?", re.IGNORECASE
)
Agree = Callable[[Forecast], bool]


async def asked(workspace: Workspace, config: Config, desk: Desk, agree: Agree) -> list[Answer]:
    """The teacher's answers, asked once in a workspace's life: choosing differently among them costs nothing.

    Raises DeskmateError where `agree` says no or nothing of the trial passes, EngineError, and Busy.
    """
    teacher = identity(config.teacher)
    path = journal_of(workspace, teacher)
    exchanges = answerable(desk, config.teaching.limit)
    jobs = {job.sample_id(teacher): job for exchange in exchanges for job in jobs_for(desk, exchange, config.teaching)}
    with alone(path):
        journal = Journal(path)
        if not jobs.keys() <= {answer.sample_id for answer in journal.answers}:
            ledger = Ledger(Lines(beside(path), Run), len(journal.answers), config.teacher.euros_per_hour)
            try:
                async with running(config.teacher, workspace) as engine:
                    engine.logprobs = False
                    await Session(desk, config, teacher, engine, journal, ledger, jobs).ask(exchanges, agree)
            finally:
                ledger.write()
    return [plain(answer) for answer in journal.answers if answer.sample_id in jobs]


@dataclass(slots=True)
class Session:
    """One stretch of asking. `jobs` by sample id, the samples of an exchange side by side."""

    desk: Desk
    config: Config
    teacher: str
    engine: Engine
    journal: Journal
    ledger: Ledger
    jobs: dict[str, Job]

    async def ask(self, exchanges: Sequence[Exchange], agree: Agree) -> None:
        trial = {exchange.id for exchange in spaced(exchanges, TRIAL)}
        await self._answer([job for job in self.jobs.values() if job.exchange_id in trial])
        if missing := [job.exchange_id for name, job in self.jobs.items() if name not in self._done()]:
            self._weigh(missing, agree)
            await self._answer(list(self.jobs.values()))

    def _weigh(self, missing: Sequence[str], agree: Agree) -> None:
        """Raises DeskmateError unless a long job promises something and is agreed to."""
        given = [plain(answer) for answer in self.journal.answers if answer.sample_id in self.jobs]
        told = forecast(given, missing, self.desk, self.config, min(self.config.teacher.parallel, TRIAL))
        if not told.long:
            return
        if not told.passed:
            raise DeskmateError(
                f"none of the teacher's first {told.checked} answers may be taught ({told.turned_away}): choose a "
                "better teacher or other [teaching] settings; teaching.limit=10 teaches mostly from agents and notes"
            )
        if not agree(told):
            raise DeskmateError("stopped before the long part; the answers so far are kept, run it again to go on")

    async def _answer(self, jobs: Sequence[Job]) -> None:
        asks = [Ask(self.engine, self.teacher, job) for job in jobs]
        parallel = self.config.teacher.parallel
        await answer_all(asks, parallel=parallel, sink=self._keep, label="teaching", done=self._done())

    def _keep(self, answer: Answer) -> None:
        self.journal.add(answer)
        self.ledger.tick()

    def _done(self) -> set[str]:
        return {answer.sample_id for answer in self.journal.answers}


def answerable(desk: Desk, limit: int) -> list[Exchange]:
    """The train exchanges whose evidence is worth most and holds most of what our agent said: the teacher's time goes
    where its answer can be taught. All of them for a `limit` of 0."""
    best = sorted(desk.part("train"), key=lambda e: (-support(e.human_reply, desk.context(e)) - desk.worth(e), e.id))
    return best[:limit] if limit else best


def spaced(exchanges: Sequence[Exchange], most: int) -> list[Exchange]:
    """At most `most` of them, the best supported and the others alike: what they cost tells what all of them cost."""
    places = {place * len(exchanges) // most for place in range(most)}
    return [exchanges[place] for place in sorted(places) if place < len(exchanges)]


def plain(answer: Answer) -> Answer:
    """The reply alone: without "Sure, here is the advice:" before it or quotation marks around it."""
    return answer.model_copy(update={"text": PREAMBLE.sub("", answer.text).strip().strip('"')})


def jobs_for(desk: Desk, exchange: Exchange, teaching: Teaching) -> list[Job]:
    """One a sample."""
    source: Source = "hindsight" if teaching.hindsight else "teacher"
    return [
        desk.job(
            exchange, source, max_tokens=teaching.max_tokens, temperature=teaching.temperature, top_p=teaching.top_p,
            sample=sample,
        )
        for sample in range(teaching.samples)
    ]  # fmt: skip
