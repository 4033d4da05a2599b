"""The teacher is asked: first about a few exchanges spread over all of them, and about the others once somebody has
agreed to what that will take.

Nothing is asked twice: an answer is in the journal the moment it is whole, and what is missing there is a difference
of two sets of sample ids.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bot.answering import Job
from bot.config import Config, Teaching
from bot.desk import Desk
from bot.journal import Journal
from bot.launch import identity
from bot.ledger import Ledger, paid
from data.errors import DeskmateError
from data.records import Answer, Exchange, Source
from data.text import support
from data.workspace import Workspace
from distillation.capturing import Plan
from distillation.forecast import Forecast, forecast
from distillation.label_journal import LabelJournal
from distillation.voices import Load, Say, here, many, served

TRIAL = 16
PREAMBLE = re.compile(
    r"^(?:sure|certainly|of course|here(?:'s| is))\b[^\n]{0,80}:\s*\n+(?:-{3,}\s*\n+)?", re.IGNORECASE
)
QUOTED = re.compile(r'"([^"]*)"')
Agree = Callable[[Forecast], bool]


async def asked(
    workspace: Workspace, config: Config, desk: Desk, journal: Journal, labels: LabelJournal, source: Plan, load: Load,
    agree: Agree,
) -> list[Answer]:  # fmt: skip
    """The teacher's answers, asked once in a workspace's life: choosing differently among them costs nothing.

    Raises DeskmateError where `agree` says no or nothing of the trial passes, and EngineError.
    """
    teacher = identity(config.teacher)
    exchanges = answerable(desk, config.teaching.limit)
    jobs = {job.sample_id(teacher): job for exchange in exchanges for job in jobs_for(desk, exchange, config.teaching)}
    if not jobs.keys() <= {answer.sample_id for answer in journal.answers}:
        if source.how != "api":  # which is asked first what it tells
            said(source.words)
        with paid(journal, config.teacher.euros_per_hour) as ledger:
            session = Session(desk, config, journal, ledger, jobs, source.how != "none")
            if config.teacher.replicas > 1:
                heard = labels if source.how == "here" else None
                say = many(workspace, config.teacher, heard, journal.path.with_suffix(".fleet"))
                await session.ask(say, exchanges, agree)
            elif source.how == "here":
                await session.ask(here(load, labels), exchanges, agree)
            else:
                async with served(workspace, config, labels if source.how == "api" else None, said) as say:
                    await session.ask(say, exchanges, agree)
    return [plain(answer) for answer in journal.answers if answer.sample_id in jobs]


def said(words: str) -> None:
    """A line for whoever looks on, apart from what a command gives out."""
    print(words, file=sys.stderr)


@dataclass(slots=True)
class Session:
    """One stretch of asking. `jobs` by sample id, the samples of an exchange side by side."""

    desk: Desk
    config: Config
    journal: Journal
    ledger: Ledger
    jobs: dict[str, Job]
    soft: bool

    async def ask(self, say: Say, exchanges: Sequence[Exchange], agree: Agree) -> None:
        trial = {exchange.id for exchange in spaced(exchanges, TRIAL)}
        await say([job for job in self.jobs.values() if job.exchange_id in trial], self._done(), self._keep)
        done = self._done()
        if missing := [job.exchange_id for name, job in self.jobs.items() if name not in done]:
            self._weigh(missing, agree)
            await say(list(self.jobs.values()), done, self._keep)

    def _weigh(self, missing: Sequence[str], agree: Agree) -> None:
        """Raises DeskmateError unless a long job promises something and is agreed to."""
        given = [plain(answer) for answer in self.journal.answers if answer.sample_id in self.jobs]
        at_once = min(self.config.teacher.parallel, TRIAL)
        told = forecast(given, missing, self.desk, self.config, at_once=at_once, soft=self.soft)
        if not told.long:
            return
        if not told.passed:
            raise DeskmateError(
                f"none of the teacher's first {told.checked} answers may be taught ({told.turned_away}): choose a "
                "better teacher or other [teaching] settings; teaching.limit=10 teaches mostly from agents and notes"
            )
        if not agree(told):
            raise DeskmateError("stopped before the long part; the answers so far are kept, run it again to go on")

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
    text = PREAMBLE.sub("", answer.text).strip()
    return answer.model_copy(update={"text": quoted[1].strip() if (quoted := QUOTED.fullmatch(text)) else text})


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
