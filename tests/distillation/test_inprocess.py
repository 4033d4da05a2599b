"""A real model in vLLM, in a child of its own: its threads and warnings stay out of the other tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from bot import weights
from bot.answering import Job
from bot.config import Model
from bot.launch import identity
from data.records import Answer
from data.workspace import Workspace
from distillation.rows import end_token, render
from distillation.softlabels import CAP, SoftLabels

if TYPE_CHECKING:
    from distillation.inprocess import Teacher

pytestmark = pytest.mark.slow
CONTEXT, TOKENS = 256, 12
QUESTIONS = ("How do I descale a kettle?", "What does postage cost?", "Say yes.")
HELD: dict[str, Teacher] = {}
Taught = list[tuple[Job, Answer, SoftLabels | None]]


def job(number: int, seed: int = 0, tokens: int = TOKENS) -> Job:
    messages = [{"role": "system", "content": "You help."}, {"role": "user", "content": QUESTIONS[number]}]
    return Job(f"e{number}", "teacher", messages, ("a1",), tokens, 0.7, seed)


def load(folder: str) -> None:
    import llvmlite.binding  # noqa: F401  search brings it, and vLLM stumbled over it

    from distillation.inprocess import Teacher

    os.environ |= {
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",
        "OMP_NUM_THREADS": "1",
    }  # two wait for each other on a busy machine
    HELD["teacher"] = Teacher(Model(name="starter-student", context=CONTEXT, parallel=4), folder)


def answer(jobs: list[Job], most: int | None = None) -> Taught:
    return list(islice(HELD["teacher"].answer(jobs), most))


def score(prompts: list[list[int]], answers: list[list[int]]) -> list[SoftLabels]:
    return HELD["teacher"].score_ids(prompts, answers)


def score_text(text: str) -> SoftLabels:
    return HELD["teacher"].score([job(0).messages], [text])[0]


@pytest.fixture(scope="module")
def folder(starter_workspace: Workspace) -> str:
    return weights.resolve("starter-student", starter_workspace, "hf")


@pytest.fixture(scope="module")
def teacher(folder: str) -> Iterator[ProcessPoolExecutor]:
    with ProcessPoolExecutor(1, get_context("spawn"), load, (folder,)) as child:
        yield child


@pytest.fixture(scope="module")
def tokenizer(folder: str) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder)


@pytest.fixture(scope="module")
def taught(teacher: ProcessPoolExecutor) -> Taught:
    jobs = [*(job(number) for number in range(3)), *(job(0, seed) for seed in (1, 2))]
    return teacher.submit(answer, jobs).result()


@pytest.fixture(scope="module")
def logprobs(taught: Taught, folder: str, tokenizer: Any) -> list[Any]:
    """[T, V] of every answer by transformers in float32, from the prompt as training renders it."""
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(Path(folder), dtype=torch.float32)
    found = []
    for asked, _, labels in taught:
        assert labels is not None
        prompt = render(tokenizer, asked.messages)
        with torch.no_grad():
            logits = model(torch.tensor([[*prompt, *labels.tokens_T.tolist()]])).logits[0, len(prompt) - 1 : -1]
        found.append(logits.log_softmax(-1).numpy())
    return found


def test_every_job_is_answered_once_and_samples_of_one_prompt_stay_apart(taught: Taught, tokenizer: Any) -> None:
    assert sorted(answer.exchange_id for _, answer, _ in taught) == ["e0", "e0", "e0", "e1", "e2"]
    assert len({answer.sample_id for _, answer, _ in taught}) == 5
    assert len({answer.text for _, answer, _ in taught if answer.exchange_id == "e0"}) > 1
    for asked, answer, labels in taught:
        assert answer.sample_id == asked.sample_id(identity(Model(name="starter-student")))
        assert answer.prompt_tokens == len(render(tokenizer, asked.messages))
        assert labels
        assert len(labels.tokens_T) == len(labels.counts_T) == answer.completion_tokens
        assert answer.text == tokenizer.decode(labels.tokens_T, skip_special_tokens=True).strip()
        assert (labels.tokens_T[-1] == end_token(tokenizer)) == (answer.finish == "stop")
        assert int(labels.counts_T.max()) <= CAP


def test_soft_labels_are_what_transformers_computes_at_the_same_places(taught: Taught, logprobs: list[Any]) -> None:
    """Shifted by one place they are far off, so the agreement is not a chance."""
    near, shifted = [], []
    for (_, answer, labels), wanted_TV in zip(taught, logprobs, strict=True):
        assert labels
        place_E = np.repeat(np.arange(len(labels.counts_T)), labels.counts_T)
        near.append(np.abs(wanted_TV[place_E, labels.ids_E] - labels.logprobs_E))
        shifted.append(np.abs(np.roll(wanted_TV, 1, 0)[place_E, labels.ids_E] - labels.logprobs_E))
        said = wanted_TV[np.arange(len(labels.tokens_T)), labels.tokens_T]
        assert answer.logprob == pytest.approx(said.mean(), abs=0.1)
        assert labels.mass() == pytest.approx(
            [np.exp(row[ids]).sum() for row, ids in _kept(wanted_TV, labels)], abs=0.1
        )
    assert np.concatenate(near).mean() < 0.1
    assert np.concatenate(shifted).mean() > 1


def _kept(wanted_TV: Any, labels: SoftLabels) -> Iterator[tuple[Any, Any]]:
    yield from zip(wanted_TV, np.split(labels.ids_E, np.cumsum(labels.counts_T)[:-1]), strict=True)


def test_scored_afterwards_an_answer_has_the_same_soft_labels(
    teacher: ProcessPoolExecutor, taught: Taught, tokenizer: Any
) -> None:
    prompts = [render(tokenizer, asked.messages) for asked, _, _ in taught]
    captured = [labels for _, _, labels in taught if labels]
    again = teacher.submit(score, prompts, [labels.tokens_T.tolist() for labels in captured]).result()
    for one, other in zip(captured, again, strict=True):
        assert np.array_equal(one.tokens_T, other.tokens_T)
        assert one.mass() == pytest.approx(other.mass(), abs=0.1)
        likeliest = [labels.ids_E[np.cumsum(labels.counts_T) - labels.counts_T] for labels in (one, other)]
        assert (likeliest[0] == likeliest[1]).mean() > 0.8


def test_text_that_it_did_not_write_is_scored_with_its_end(teacher: ProcessPoolExecutor, tokenizer: Any) -> None:
    labels = teacher.submit(score_text, "Descale it with one sachet.").result()
    ids = tokenizer("Descale it with one sachet.", add_special_tokens=False)["input_ids"]
    assert labels.tokens_T.tolist() == [*ids, end_token(tokenizer)]
    assert (labels.counts_T > 0).all()


def test_loop_that_is_left_leaves_nothing_behind(teacher: ProcessPoolExecutor) -> None:
    assert len(teacher.submit(answer, [job(number % 3, number) for number in range(8)], 1).result()) == 1
    assert [taken.exchange_id for _, taken, _ in teacher.submit(answer, [job(2, tokens=4)]).result()] == ["e2"]


def test_prompt_that_does_not_fit_is_left_out(teacher: ProcessPoolExecutor) -> None:
    long = Job("e", "teacher", [{"role": "user", "content": "kettle " * CONTEXT}], (), 4)
    given = teacher.submit(answer, [long, job(2, tokens=4)]).result()
    assert [each.exchange_id for _, each, _ in given] == ["e2"]
