"""Many exchanges answered, some in flight together: the loop of teaching and of evaluation.

An engine batches continuously; this keeps it full, hands each answer over the moment it is whole, and shows a
bar with tokens per second.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby

from tqdm import tqdm

from bot.engine import Completion, Engine
from bot.prompt import ChatMessage
from data.errors import DeskmateError, Overloaded, Refused
from data.records import Answer, Source
from data.workspace import digest

WAITS = (2.0, 8.0, 30.0, 60.0)  # seconds, before an engine that has too much to do is asked again


@dataclass(frozen=True, slots=True)
class Job:
    """One answer to be made. `seed`, `temperature` and `top_p` are sent to the engine; `evidence` are passage ids;
    `opening` as in Engine.stream."""

    exchange_id: str
    source: Source
    messages: list[ChatMessage]
    evidence: tuple[str, ...]
    max_tokens: int
    temperature: float = 0.0
    seed: int = 0
    opening: str = ""
    top_p: float | None = None

    def sample_id(self, model: str) -> str:
        """Hash of everything that decides the answer: exchange, prompt, sampling and model."""
        parts = [
            self.exchange_id,
            self.source,
            self.messages,
            self.max_tokens,
            self.temperature,
            self.top_p,
            self.seed,
            model,
            self.opening,
        ]
        return digest(parts)


@dataclass(frozen=True, slots=True)
class Ask:
    """A job put to one engine; `model` is the name that goes into its sample id. `capture` gets the sample id and all
    that the engine said, before the answer is handed over."""

    engine: Engine
    model: str
    job: Job
    capture: Callable[[str, Completion], None] | None = None

    @property
    def sample_id(self) -> str:
        return self.job.sample_id(self.model)


async def answer_all(
    asks: Sequence[Ask], *, parallel: int, sink: Callable[[Answer], None], label: str,
    done: Iterable[str] = (), lenient: bool = False,
) -> list[Refused]:  # fmt: skip
    """Answer, in their order, all whose sample id is not in `done`; those of one exchange never at once, so that an
    engine reads their prompt once. `sink` gets each answer once, in the order they finish.

    Raises EngineError when an engine fails; what the sink has stored by then stays. `lenient`: a request that is
    refused is left out and returned, unless all of `asks` were. An overloaded engine is asked again (WAITS) anyway.
    """
    refused: list[Refused] = []
    known = set(done)
    waiting = [ask for ask in asks if ask.sample_id not in known]
    groups = [list(asks) for _, asks in groupby(waiting, key=lambda ask: ask.job.exchange_id)]
    queue = iter(groups)
    with progress(len(asks), len(asks) - len(waiting), label) as told:

        async def worker() -> None:
            for ask in (ask for group in queue for ask in group):
                try:
                    answer = await _patiently(ask)
                except Refused as error:
                    refused.append(error)
                    if not lenient or len(refused) == len(asks):
                        raise
                    continue
                sink(answer)
                told(answer)

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(max(1, min(parallel, len(groups)))):
                    group.create_task(worker())
        except* DeskmateError as failed:
            raise failed.exceptions[0] from None
    return refused


async def _patiently(ask: Ask) -> Answer:
    for seconds in WAITS:
        try:
            return await _answer(ask)
        except Overloaded:
            await asyncio.sleep(seconds)
    return await _answer(ask)


@contextmanager
def progress(total: int, done: int, label: str) -> Iterator[Callable[[Answer], None]]:
    """A bar that is told of every answer, and shows tokens per second."""
    with tqdm(total=total, initial=done, desc=label, unit="reply", disable=None) as bar:
        tokens = 0

        def told(answer: Answer) -> None:
            nonlocal tokens
            tokens += answer.completion_tokens
            bar.update()
            bar.set_postfix_str(f"{tokens / max(bar.format_dict['elapsed'], 0.1):.0f} tokens/s")

        yield told


async def _answer(ask: Ask) -> Answer:
    job = ask.job
    made = await ask.engine.complete(
        job.messages, max_tokens=job.max_tokens, temperature=job.temperature, seed=job.seed, opening=job.opening,
        top_p=job.top_p,
    )  # fmt: skip
    if ask.capture is not None:
        ask.capture(ask.sample_id, made)
    mean = sum(made.logprobs) / len(made.logprobs) if made.logprobs else None
    return Answer(
        sample_id=ask.sample_id, exchange_id=job.exchange_id, source=job.source, text=made.text.strip(),
        finish=made.finish, evidence=job.evidence, prompt_tokens=made.prompt_tokens,
        completion_tokens=made.completion_tokens, seconds=made.seconds,
        first_token_seconds=made.first_token_seconds, logprob=mean,
        confidence=math.exp(made.logprobs[0]) if made.logprobs else 0.0,
    )  # fmt: skip
