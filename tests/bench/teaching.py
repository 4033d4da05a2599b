"""Teaching beside raw vLLM, and what soft labels weigh: `make bench-teaching` after `deskmate import`.

One engine in this process answers the same prompts, alternately as `vllm.LLM.generate` does by itself and as teaching
does, with soft labels captured and both journals synced to disk. Then what was captured is stored, and transformers
computes the whole distributions of a few of the answers, from which each way to store them is measured: ours, and the
two layouts that DistillKit's README recommends, rebuilt here from its description (not its code, nor its own figures).
KL is of the whole distribution to the stored one, whose missing probability is spread evenly over all other tokens.
"""

from __future__ import annotations

import argparse
import gc
import math
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from bot import weights
from bot.answering import Job
from bot.config import Config, load
from bot.desk import gather
from bot.journal import Journal
from data.workspace import Workspace
from distillation.asking import answerable, jobs_for
from distillation.inprocess import Teacher
from distillation.inprocess import load as loaded
from distillation.label_journal import LabelJournal
from distillation.rows import render
from distillation.softlabels import CAP, SoftLabels, encoded, truncate

Floats = Any  # [T, V] or [V]
Captured = list[tuple[Job, SoftLabels]]
Figures = tuple[int, float, float]  # tokens, seconds by the clock, seconds of work


class Watch:
    """Seconds by the clock and of this process's work: on a busy machine the second is the truer comparison."""

    def __init__(self) -> None:
        self.began = time.perf_counter(), time.process_time()

    def read(self) -> tuple[float, float]:
        return time.perf_counter() - self.began[0], time.process_time() - self.began[1]


def raw(teacher: Teacher, jobs: Sequence[Job]) -> Figures:
    """vLLM by itself: no soft labels, nothing stored, text made by vLLM."""
    from vllm import TokensPrompt

    asked = [teacher.sampling(job, soft=False) for job in jobs]
    for params in asked:
        params.detokenize = True
    teacher.llm.reset_prefix_cache()
    watch = Watch()
    prompts = [TokensPrompt(prompt_token_ids=render(teacher.tokenizer, job.messages)) for job in jobs]
    made = teacher.llm.generate(prompts, asked, use_tqdm=False)
    return (sum(len(each.outputs[0].token_ids) for each in made), *watch.read())


def taught(teacher: Teacher, jobs: Sequence[Job]) -> tuple[Figures, Captured]:
    """Teaching, and what it captured."""
    captured: Captured = []
    teacher.llm.reset_prefix_cache()
    with tempfile.TemporaryDirectory() as folder:
        answers, labels = Journal(Path(folder, "a.jsonl")), LabelJournal(Path(folder, "a.labels"))
        watch = Watch()
        for job, answer, found in teacher.answer(jobs):
            assert found
            labels.add(answer.sample_id, found)
            answers.add(answer)
            captured.append((job, found))
        figures = sum(answer.completion_tokens for answer in answers.answers), *watch.read()
    return figures, captured


def race(teacher: Teacher, jobs: Sequence[Job], rounds: int) -> Captured:
    """The last round's soft labels."""
    few = [replace(job, max_tokens=8) for job in jobs[: teacher.parallel]]
    raw(teacher, few)
    taught(teacher, few)
    alone: list[Figures] = []
    beside: list[Figures] = []
    for number in range(rounds):
        alone.append(raw(teacher, jobs))
        figures, captured = taught(teacher, jobs)
        beside.append(figures)
        print(f"round {number + 1}: {compared(alone[-1:], beside[-1:])}", flush=True)
    print(f"all rounds: {compared(alone, beside)}\n", flush=True)
    return captured


def compared(alone: Sequence[Figures], beside: Sequence[Figures]) -> str:
    (told, seconds, work), (other, others, worked) = (map(sum, zip(*each, strict=True)) for each in (alone, beside))
    return (
        f"raw {told / seconds:.1f}, teaching {other / others:.1f} tokens/s: {other / others / (told / seconds):.1%} "
        f"({other / worked / (told / work):.1%} by tokens a second of work)"
    )


def whole(folder: str, captured: Captured) -> Iterator[Floats]:
    """logprobs_TV of each answer, by transformers."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16)
    for job, labels in captured:
        prompt = render(tokenizer, job.messages)
        with torch.inference_mode():
            ids = torch.tensor([[*prompt, *labels.tokens_T.tolist()]])
            logits = model(ids, logits_to_keep=len(labels.tokens_T) + 1).logits[0, :-1]
        yield logits.float().log_softmax(-1).numpy()


def top(logprobs_TV: Floats, most: int) -> tuple[Floats, Floats]:
    ids = np.argsort(-logprobs_TV, -1)[:, :most]
    return ids, np.take_along_axis(logprobs_TV, ids, -1)


def bent(logprobs_TK: Floats, exact: int, powers: Sequence[float]) -> Floats:
    """The first `exact` as they are, the others by least squares over powers of their place."""
    place = np.arange(logprobs_TK.shape[1] - exact, dtype=np.float64)
    terms = np.stack([place**power for power in powers], -1)
    fitted = (terms @ np.linalg.lstsq(terms, logprobs_TK[:, exact:].T, rcond=None)[0]).T
    return np.concatenate([logprobs_TK[:, :exact], fitted], -1)


def divergence(logprobs_TV: Floats, place_E: Floats, ids_E: Floats, stored_E: Floats) -> Floats:
    """[T]: KL of the whole distribution to the stored one."""
    places, vocabulary = logprobs_TV.shape
    held = np.bincount(place_E, np.exp(stored_E), places)
    excess = np.log(np.maximum(held, 1.0))  # an approximation may promise more than 1
    counts = np.bincount(place_E, minlength=places)
    rest = np.log(np.maximum(1 - held, 1e-6) / (vocabulary - counts))
    told_TV = np.repeat(rest[:, None], vocabulary, 1)
    told_TV[place_E, ids_E] = stored_E - excess[place_E]
    return (np.exp(logprobs_TV) * (logprobs_TV - told_TV)).sum(-1)


def layouts(logprobs_TV: Floats) -> dict[str, tuple[float, Floats]]:
    """By name: bytes a token (0: measured below), and the KL of every place."""
    places, vocabulary = logprobs_TV.shape
    bits = math.ceil(math.log2(vocabulary))
    found = {}
    for name, most, exact, powers in (
        ("DistillKit's recommended layout", 128, 16, (0, 1, 2, 3, 4, 0.5)),
        ("DistillKit's budget layout", 50, 1, (0, 1, 0.5)),
        ("the likeliest 32 in bfloat16", 32, 32, ()),
    ):
        ids, logprobs = top(logprobs_TV, most)
        told = bent(logprobs, exact, powers) if powers else logprobs
        place = np.repeat(np.arange(places), most)
        size = most * bits / 8 + exact * 2 + len(powers) * 4
        found[name] = size, divergence(logprobs_TV, place, ids.ravel(), told.ravel())
    counts, ids_E, logprobs_E = truncate(*top(logprobs_TV, CAP))
    found["ours"] = 0.0, divergence(logprobs_TV, np.repeat(np.arange(places), counts), ids_E, logprobs_E)
    return found


def weigh(captured: Captured, folder: str, few: int) -> None:
    labels = [each for _, each in captured]
    tokens = sum(len(each.tokens_T) for each in labels)
    size = len(encoded([str(number) for number in range(len(labels))], labels)) / tokens
    mass = float(np.concatenate([each.mass() for each in labels]).mean())
    entries = sum(len(each.ids_E) for each in labels) / tokens
    print(f"captured: {len(labels)} answers, {tokens} tokens, {entries:.1f} entries and {size:.1f} bytes a token, "
          f"holding {mass:.4f} of the probability\n")  # fmt: skip
    told = [layouts(logprobs_TV) for logprobs_TV in whole(folder, captured[:few])]
    print(f"{'on ' + str(few) + ' of the answers':34} bytes/token    KL")
    for name in told[0]:
        each = np.concatenate([found[name][1] for found in told])
        print(f"{name:34} {told[0][name][0] or size:11.1f} {each.mean():.4f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--set", action="append", default=[], dest="overrides")
    parser.add_argument("--exchanges", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--whole", type=int, default=6, help="answers whose whole distributions are computed")
    options = parser.parse_args()
    config: Config = load(None, options.overrides)
    workspace = Workspace(config.workspace)
    desk = gather(workspace, workspace.latest("tickets"), config, ("train",))
    jobs = [job for e in answerable(desk, options.exchanges) for job in jobs_for(desk, e, config.teaching)]
    teacher = loaded(config.teacher, workspace)
    print(f"{config.teacher.name}: {len(jobs)} answers to {options.exchanges} exchanges, {teacher.parallel} in flight")
    captured = race(teacher, jobs, options.rounds)
    teacher.close()
    del teacher
    gc.collect()
    weigh(captured, weights.resolve(config.teacher.name, workspace, "hf"), options.whole)


if __name__ == "__main__":
    main()
