"""Does the student's guessing ahead make its teacher faster here? The teacher answers the same questions both ways."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bot import commands, draft, launch
from bot.config import Config, Model
from bot.draft import Drafting
from bot.engine import AGAINST_LOOPS
from bot.launch import running
from data.errors import EngineError, NotFound
from data.parquet import read_rows
from data.workspace import Workspace, manifest_of, write_json
from distillation.rows import TrainingRow

REPLIES = 6
TOKENS = 64

Conversation = Sequence[dict[str, str]]


async def check(workspace: Workspace, config: Config, model: Path) -> str:
    """Measure, once, whether `model` helps the configured teacher; one line for people."""
    teacher = config.teacher
    choice = launch.choose(teacher)
    if choice == "remote" or teacher.draft == "none":
        return "not asked for"
    try:
        why = draft.unfit(launch.served(teacher, workspace, None, choice), model)
    except NotFound as error:
        why = str(error)
    if why:
        return f"none: {why}"
    kept = draft.record(workspace, model.name, teacher)
    if not kept.is_file():
        asked = questions(workspace, model)
        if not asked:
            return "none: no held-out question to measure it with"
        try:
            found = await measure(workspace, teacher, draft.form(workspace, model, choice), model.name, asked)
        except EngineError as error:
            return f"none: {error}"
        write_json(kept, found)
    return told(Drafting.model_validate_json(kept.read_text()))


def told(found: Drafting) -> str:
    verdict = "used" if found.pays else "not used"
    return (
        f"{verdict}: {found.tokens_per_second:.1f} tokens a second for {found.alone_tokens_per_second:.1f} without "
        f"({found.gain:.2f} times), {found.accepted:.0%} of the guesses kept, {found.same:.0%} of replies the same"
    )


def questions(workspace: Workspace, model: Path) -> Sequence[Conversation]:
    """What held-out customers asked, with its evidence, from the corpus that the model's student was taught."""
    try:
        student = workspace.find("student", manifest_of(model).inputs["student"])
        corpus = workspace.find("corpus", manifest_of(student).inputs["corpus"])
    except NotFound:
        return []
    rows = read_rows(corpus / "validation.parquet", TrainingRow)
    return list({row.exchange_id: row.messages for row in rows}.values())[:REPLIES]


async def measure(
    workspace: Workspace, teacher: Model, guess: Path, name: str, asked: Sequence[Conversation]
) -> Drafting:  # fmt: skip
    """Raises EngineError where the teacher cannot be served so."""
    alone = await _replies(workspace, teacher, None, asked)
    helped = await _replies(workspace, teacher, guess, asked)
    return Drafting(
        teacher=teacher.name, model=name, engine=launch.choose(teacher), ahead=commands.AHEAD,
        replies=len(asked), tokens=helped.tokens, alone_tokens_per_second=alone.pace,
        tokens_per_second=helped.pace, accepted=helped.kept / max(helped.guessed, 1),
        same=sum(a == b for a, b in zip(alone.texts, helped.texts, strict=True)) / len(asked),
    )  # fmt: skip


@dataclass(slots=True)
class Replies:
    """`seconds` are those of writing: the prompts had been read. `guessed` and `kept` count the draft's tokens."""

    texts: list[str] = field(default_factory=list)
    tokens: int = 0
    seconds: float = 0.0
    guessed: int = 0
    kept: int = 0

    @property
    def pace(self) -> float:
        return self.tokens / self.seconds


async def _replies(
    workspace: Workspace, teacher: Model, guess: Path | None, asked: Sequence[Conversation]
) -> Replies:  # fmt: skip
    """One greedy reply at a time, each asked for a first token before, so that its prompt is read."""
    made = Replies()
    async with running(teacher.model_copy(update={"parallel": 1}), workspace, draft=guess) as engine:
        body = {"model": engine.model, "temperature": 0, "frequency_penalty": AGAINST_LOOPS}
        for messages in asked:
            await asyncio.to_thread(_ask, engine.url, {**body, "messages": messages, "max_tokens": 1})
            began = time.perf_counter()
            reply = await asyncio.to_thread(_ask, engine.url, {**body, "messages": messages, "max_tokens": TOKENS})
            made.seconds += time.perf_counter() - began
            made.tokens += int(reply["usage"]["completion_tokens"])
            made.texts.append(str(reply["choices"][0]["message"]["content"]))
            timings = reply.get("timings", {})  # llama.cpp's
            made.guessed += int(timings.get("draft_n", 0))
            made.kept += int(timings.get("draft_n_accepted", 0))
        if launch.choose(teacher) == "vllm":
            made.guessed, made.kept = await asyncio.to_thread(_counters, engine.url)
    return made


def _ask(url: str, body: dict[str, Any]) -> dict[str, Any]:
    import httpx

    try:
        told = httpx.post(f"{url}/chat/completions", json=body, timeout=600, trust_env=False).raise_for_status()
        reply: dict[str, Any] = told.json()
    except (httpx.HTTPError, ValueError) as error:
        raise EngineError(f"the teacher did not answer ({error}); see its log") from error
    return reply


def _counters(url: str) -> tuple[int, int]:
    """Tokens guessed and kept, by vLLM's own count."""
    import httpx

    page = httpx.get(f"{url.removesuffix('/v1')}/metrics", timeout=60, trust_env=False).text
    counts = []
    for name in ("draft", "accepted"):
        found = re.findall(rf"^vllm:spec_decode_num_{name}_tokens_total\{{.*\}} (\S+)$", page, re.MULTILINE)
        counts.append(int(sum(map(float, found))))
    return counts[0], counts[1]
