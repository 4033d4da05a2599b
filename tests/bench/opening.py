"""What beginning with the notes' nearest sentence is worth, and prompt lookup: `make bench-opening` after `make demo`.

The newest student answers every validation and held-out exchange by itself and with an opening to fall back on; the
three nearest sentences of the notes stand beside, no model in them. Then the same again without prompt lookup. Prints
the content shared with our agents' replies, the replies that repeat themselves and the tokens made in a second. About
8 minutes.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean

from bot.answering import Job
from bot.confidence import UNSURE
from bot.config import Config, load
from bot.desk import Desk, gather
from bot.engine import Completion, Engine
from bot.launch import running
from data.text import is_repetitive, overlap
from data.workspace import Workspace


async def replies(engine: Engine, jobs: Sequence[Job]) -> list[Completion]:
    return [
        await engine.complete(job.messages, max_tokens=job.max_tokens, seed=job.seed, opening=job.opening)
        for job in jobs
    ]


def describe(name: str, desk: Desk, made: Sequence[Completion]) -> str:
    shared = [overlap(reply.text, e.human_reply) for reply, e in zip(made, desk.exchanges, strict=True)]
    repeats = sum(is_repetitive(reply.text) for reply in made)
    pace = sum(r.completion_tokens for r in made) / sum(r.seconds - r.first_token_seconds for r in made)
    return (
        f"{name:22} | {fmean(shared):5.3f} shared with the agent | {repeats} of {len(made)} repeat themselves | "
        f"{pace:3.0f} tokens/s"
    )


async def measure(workspace: Workspace, config: Config) -> None:
    desk = gather(workspace, workspace.latest("tickets"), config, ("validation", "heldout"), quotes=True)
    helped = [desk.job(exchange, "student", max_tokens=config.evaluation.max_tokens) for exchange in desk.exchanges]
    alone = [replace(job, opening="") for job in helped]
    notes = fmean(overlap(desk.excerpts[exchange.id], exchange.human_reply) for exchange in desk.exchanges)
    print(f"{'notes alone':22} | {notes:5.3f} shared with the agent", flush=True)
    path = workspace.latest("model") / "model.gguf"
    for lookup in (config.student.lookup, 0):
        model = config.student.model_copy(update={"parallel": 1, "lookup": lookup})
        async with running(model, workspace, path=path) as engine:
            by_itself, with_opening = await replies(engine, alone), await replies(engine, helped)
        print(describe(f"by itself, lookup {lookup}", desk, by_itself), flush=True)
        print(describe(f"with opening, lookup {lookup}", desk, with_opening), flush=True)
        unsure = [place for place, reply in enumerate(by_itself) if reply.logprobs and reply.logprobs[0] < UNSURE]
        for made, name in ((by_itself, "by itself"), (with_opening, "with opening")):
            shared = [overlap(made[place].text, desk.exchanges[place].human_reply) for place in unsure]
            print(f"  the {len(unsure)} unsure ones, {name}: {fmean(shared):.3f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--set", action="append", default=[], dest="overrides")
    config = load(None, parser.parse_args().overrides)
    asyncio.run(measure(Workspace(config.workspace), config))


if __name__ == "__main__":
    main()
