"""Who says the teacher's answers: a server that is asked over HTTP, or vLLM in this process, soft labels at hand, or in
several processes here or elsewhere (fleet.py)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from bot.answering import Ask, Job, answer_all, progress
from bot.commands import has_gpu
from bot.config import Config, Model
from bot.engine import Completion, Engine
from bot.launch import choose, identity, running
from data.errors import ConfigError
from data.records import Answer
from data.workspace import Workspace
from distillation import fleet
from distillation.capturing import tokenizer_of
from distillation.label_journal import LabelJournal
from distillation.overheard import listen
from distillation.softlabels import Origin, SoftLabels

if TYPE_CHECKING:
    from distillation.inprocess import Teacher

Keep = Callable[[Answer], None]
Load = Callable[[], "Teacher"]


class Say(Protocol):
    """Answers the jobs that are not in `done`, by sample id; `keep` gets each answer once it is whole."""

    def __call__(self, jobs: Sequence[Job], done: set[str], keep: Keep) -> Awaitable[None]: ...


@asynccontextmanager
async def served(
    workspace: Workspace, config: Config, labels: LabelJournal | None, tell: Callable[[str], None]
) -> AsyncIterator[Say]:
    """Over HTTP; `labels` gets what the API tells, which `tell` says in words, and is None where nobody wants it."""
    async with running(config.teacher, workspace) as engine:
        capture = await _capture(engine, workspace, config.teacher, labels, tell) if labels is not None else None
        engine.logprobs = capture is not None

        async def say(jobs: Sequence[Job], done: set[str], keep: Keep) -> None:
            asks = [Ask(engine, identity(config.teacher), job, capture) for job in jobs]
            parallel = config.teacher.parallel
            refused = await answer_all(asks, parallel=parallel, sink=keep, label="teaching", done=done, lenient=True)
            if refused:
                tell(f"{len(refused)} questions were refused and left out, the first: {refused[0]}")

        yield say


async def _capture(
    engine: Engine, workspace: Workspace, model: Model, labels: LabelJournal, tell: Callable[[str], None]
) -> Callable[[str, Completion], None] | None:
    heard = await listen(engine, tokenizer_of(workspace, model))
    tell(heard.words if heard.origin else f"soft labels, {heard.words}")
    if heard.origin is None:
        return None
    labels.begin(heard.origin)

    def capture(sample_id: str, made: Completion) -> None:
        if sample_id not in labels and (found := heard.labels(made)) is not None:
            labels.add(sample_id, found)

    return capture


def here(load: Load, labels: LabelJournal) -> Say:
    """In this process; soft labels are on disk before their answer is."""

    async def say(jobs: Sequence[Job], done: set[str], keep: Keep) -> None:
        teacher = load()
        labels.begin(teacher.origin)
        missing = [job for job in jobs if job.sample_id(teacher.identity) not in done]
        with progress(len(jobs), len(jobs) - len(missing), "teaching") as told:
            for _, answer, found in teacher.answer(missing):
                if found is not None and answer.sample_id not in labels:
                    labels.add(answer.sample_id, found)
                keep(answer)
                told(answer)
                await asyncio.sleep(0)  # where Ctrl-C takes hold

    return say


def many(workspace: Workspace, model: Model, labels: LabelJournal | None, folder: Path) -> Say:
    """Replicas of the teacher, as many as its settings say. Raises ConfigError for one that is served elsewhere."""
    if choose(model) != "vllm":
        raise ConfigError(f"teacher.replicas = {model.replicas} needs vLLM, and {model.name} is served otherwise")

    async def say(jobs: Sequence[Job], done: set[str], keep: Keep) -> None:
        def kept(answer: Answer, found: SoftLabels | None, origin: Origin | None) -> None:
            if labels is not None and found is not None and origin is not None and answer.sample_id not in labels:
                labels.begin(origin)
                labels.add(answer.sample_id, found)
            if answer.sample_id not in done:
                keep(answer)

        name = identity(model)
        missing = [job for job in jobs if job.sample_id(name) not in done]
        make = partial(fleet.in_process, model, workspace.root.resolve())
        gpus = 1.0 if has_gpu() else 0.0
        await asyncio.to_thread(fleet.teach, missing, folder, name, make, kept, replicas=model.replicas, gpus=gpus)

    return say


@contextmanager
def loadable(workspace: Workspace, model: Model) -> Iterator[Load]:
    """A function that loads the teacher into this process when it is first called; it is freed at the end."""
    held: list[Teacher] = []

    def load() -> Teacher:
        if not held:
            from distillation.inprocess import load as fetch

            held.append(fetch(model, workspace))
        return held[0]

    try:
        yield load
    finally:
        for teacher in held:
            teacher.close()
