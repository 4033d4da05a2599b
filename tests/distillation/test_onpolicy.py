"""Stage C: the student learns from its own answers what the teacher would have said, and stops when they collapse."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bot.config import OnPolicy, Training
from data.workspace import Workspace
from distillation.softlabels import SoftLabels
from tests.distillation.test_train import KILLED, examples, history
from tests.distillation.tiny import TEMPLATE, rows, save_corpus, save_model, save_shaken

POLICY = OnPolicy(steps=24, rows=6, given=0.0, max_tokens=12, learning_rate=1e-2)
SETTINGS = Training(
    rank=8, epochs=1, batch_tokens=400, checkpoint_steps=2, dtype="float32", stages=("A", "C"), on_policy=POLICY
)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def teacher(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_shaken(model, tmp_path_factory.mktemp("teacher"))


def trainer(student: Path, teacher: Path, folder: Path, **policy: Any) -> Any:
    import torch
    from transformers import AutoTokenizer

    from distillation.onpolicy import OnPolicy, Pair
    from distillation.rows import end_token
    from distillation.scorer import Reader
    from distillation.student import load_student

    settings = SETTINGS.model_copy(update={"on_policy": POLICY.model_copy(update=policy)})
    tokenizer = AutoTokenizer.from_pretrained(student)
    pair = Pair(Reader(str(teacher), torch.float32), len(tokenizer), end_token(tokenizer))
    chosen = examples(student, 12)
    return OnPolicy(load_student(str(student), settings), chosen, chosen[:4], pair, settings, folder)


def test_a_student_that_is_its_teacher_has_nothing_to_learn(model: Path, teacher: Path, tmp_path: Path) -> None:
    """Places of what is read and of what is learned are the same ones, whatever the lengths."""
    for read, least, most in ((model, 0, 1e-3), (teacher, 0.1, 99)):
        before, first = trainer(model, read, tmp_path / read.name, steps=1, given=0.5).run()[:2]
        assert least <= abs(before["eval_kd"]) <= most
        assert least <= abs(first["kd"]) <= most


def test_what_it_says_itself_comes_to_be_what_the_teacher_would_say(model: Path, teacher: Path, tmp_path: Path) -> None:
    made = trainer(model, teacher, tmp_path)
    lines = made.run()
    steps = [line for line in lines if "kd" in line]
    assert len(steps) == 24
    first, last = (np.mean([line["kd"] for line in some]) for some in (steps[:4], steps[-4:]))
    assert last < 0.85 * first
    assert lines[-1]["eval_kd"] < lines[0]["eval_kd"]
    assert all(0 < line["own_length"] <= 12 and 0 <= line["own_ended"] <= 1 for line in steps)
    assert all(line["own_entropy"] > 0 and line["seconds"] > line["answering_seconds"] > 0 for line in steps)
    assert made.best()[1] == 24


def test_answers_are_drawn_from_the_student_as_it_stands(model: Path, tmp_path: Path) -> None:
    """The most likely token comes first about as often as the probabilities say, padding or not."""
    import torch

    from distillation.sampling import sample

    made = trainer(model, model, tmp_path)
    prompts = [*made.prompts[:2]] * 200
    said = sample(made.student, prompts, 1, made.pair.end, made.pair.size, seed=3)
    for number, prompt in enumerate(prompts[:2]):
        with torch.no_grad():
            wanted = made.pair.scorer.model(input_ids=torch.tensor([prompt])).logits[0, -1].softmax(-1)
        drawn = [each.tokens[0] for each in said[number::2]]
        top = int(wanted.argmax())
        share, p = drawn.count(top) / len(drawn), float(wanted[top])
        assert abs(share - p) < 4 * (p * (1 - p) / len(drawn)) ** 0.5
        entropy = float(torch.distributions.Categorical(wanted).entropy())
        assert said[number].entropy == pytest.approx(entropy, rel=1e-4)


def test_ids_that_mean_nothing_to_the_teacher_are_not_said(model: Path, tmp_path: Path) -> None:
    from distillation.sampling import sample

    made = trainer(model, model, tmp_path)
    said = sample(made.student, made.prompts * 5, 8, made.pair.end, 40, seed=3)
    assert max(max(each.tokens) for each in said) < 40
    assert all(each.ended == (each.tokens[-1] == made.pair.end) for each in said)


def test_rows_of_the_corpus_are_mixed_in_with_their_own_soft_labels(model: Path, teacher: Path, tmp_path: Path) -> None:
    made = trainer(model, teacher, tmp_path, given=0.5)
    mine = SoftLabels(np.array([5]), np.array([1], np.uint8), np.array([5], np.int32), np.array([-0.1], np.float32))
    own = made.examples[0].__class__((1, 2, 5), 2, soft=mine)
    scored = made._scored([own, made.examples[1]])
    assert scored[0].soft is mine
    assert len(scored[1].soft.counts_T) == len(scored[1].ids) - scored[1].prompt
    made._learn()
    taught = [example for row in made.batches.rows for example in row]
    assert sum(example in made.examples for example in taught) == 3
    assert len(taught) == 6


def test_other_vocabularies_are_left_out_in_a_line(model: Path, teacher: Path, tmp_path: Path) -> None:
    from distillation.train import read_lessons

    corpus = save_corpus(Workspace(tmp_path), rows(4), rows(2, 50))
    other = save_model(tmp_path / "other", words=("sachet", "rinse"), template=TEMPLATE)
    for read, told in ((other, "the teacher has another tokenizer"), ("", "it needs the teacher here")):
        found, _ = read_lessons(corpus, str(model), SETTINGS, str(read))
        assert found.stages == ("A",)
        assert f"stage C is left out: {told}" in found.said
    found, _ = read_lessons(corpus, str(model), SETTINGS, str(teacher))
    assert found.stages == ("A", "C")
    assert "the teacher scores the student's tokens (same vocabulary); stages A, C" in found.said


@pytest.mark.parametrize(
    ("name", "values", "said"),
    [
        ("own_length", [40.0] * 10 + [3.0] * 10, "3 tokens of an answer, 40 at first"),
        ("own_entropy", [1.0] * 10 + [0.05] * 10, "0.05 nats of entropy a token, 1 at first"),
        ("own_ended", [0.8] * 10 + [0.2] * 10, "0.2 of answers ended, 0.8 at first"),
        ("own_ended", [0.1] * 10 + [0.0] * 10, ""),
        ("own_length", [40.0] * 10 + [20.0] * 10, ""),
        ("own_length", [40.0] * 9 + [3.0] * 10, ""),
    ],
)
def test_answers_that_collapse_are_noticed(name: str, values: list[float], said: str) -> None:
    from distillation.onpolicy import collapse

    healthy = {"own_length": 30.0, "own_entropy": 1.0, "own_ended": 0.8}
    assert collapse([{**healthy, name: value} for value in values]) == said


def test_a_collapse_ends_the_stage_with_the_best_weights_so_far(
    model: Path, teacher: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = trainer(model, teacher, tmp_path, steps=60)
    answers = made._answers
    made._answers = lambda prompts: [
        (prompt, each._replace(tokens=each.tokens[: 1 if made.step >= 12 else 12])) for prompt, each in answers(prompts)
    ]
    made.run()
    assert 20 <= made.step < 30
    assert f"stage C stopped at step {made.step} of 60, as answers collapsed:" in capsys.readouterr().err
    assert made.best()[1] == 20


def test_killed_in_stage_c_it_ends_as_if_it_had_not_been(model: Path, teacher: Path, tmp_path: Path) -> None:
    from distillation.train import train

    whole, killed = Workspace(tmp_path / "whole"), Workspace(tmp_path / "killed")
    corpora = [save_corpus(workspace, rows(12), rows(4, 50)) for workspace in (whole, killed)]
    settings = SETTINGS.model_copy(update={"on_policy": POLICY.model_copy(update={"given": 0.3, "steps": 8})})
    wanted = train(whole, corpora[0], str(model), settings, str(teacher))
    program = KILLED.replace("sys.argv[4])", "sys.argv[4]), sys.argv[5]")
    program = program.replace("self.step == 5", "self.stage.name == 'C' and self.step == 5")
    command = [sys.executable, "-c", program, killed.root, corpora[1], model, settings.model_dump_json(), teacher]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr[-2000:]
    assert list((killed.root / "students").glob(".partial-*/.checkpoints/C/checkpoint-4.pt"))
    found = train(killed, corpora[1], str(model), settings, str(teacher))
    curves = [[line["kd"] for line in history(path) if "own_length" in line] for path in (wanted, found)]
    assert found.name == wanted.name
    assert len(curves[0]) == 8
    assert curves[1] == pytest.approx(curves[0], rel=1e-5)
