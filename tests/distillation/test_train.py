"""The student's loss is the one that was meant, in whatever parts and processes, and a kill changes nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bot.config import Training
from bot.releases import TAUGHT_TEMPLATE
from data.workspace import Workspace, manifest_of
from distillation import softlabels
from distillation.rows import Example, encode_all
from distillation.softlabels import SoftLabels
from tests.distillation.tiny import TEMPLATE, rows, save_corpus, save_model

SETTINGS = Training(rank=4, epochs=2, batch_tokens=400, checkpoint_steps=2, dtype="float32", stages=("A",))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(tmp_path_factory.mktemp("model"))


def examples(model: Path, count: int = 8) -> list[Example]:
    from transformers import AutoTokenizer

    return encode_all(AutoTokenizer.from_pretrained(model), rows(count), 1000)[0]


def trainer(model: Path, folder: Path, chosen: Sequence[Example], alpha: float = 1.0, **settings: Any) -> Any:
    from distillation.batches import Batches
    from distillation.student import load_student
    from distillation.trainer import Stage, Trainer

    values = SETTINGS.model_copy(update={"batch_tokens": 4000, **settings})
    batches = Batches(chosen, values.batch_tokens // values.parts, values.seed)
    return Trainer(load_student(str(model), values), batches, batches, values, Stage("A", alpha), folder)


def held_out(made: Any) -> float:
    made._evaluate()
    return float(made.history[-1]["eval_loss"])


def plain_loss(model: Path, chosen: Sequence[Example]) -> float:
    """What the loss should be, the long way: one row at a time, all logits, shifted by hand."""
    import torch
    from transformers import AutoModelForCausalLM

    made = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
    total = 0.0
    for example in chosen:
        with torch.no_grad():
            logits = made(input_ids=torch.tensor([example.ids])).logits[0].log_softmax(-1)
        taught = range(example.prompt, len(example.ids))
        total -= example.weight * sum(float(logits[place - 1, example.ids[place]]) for place in taught)
    return total / sum(len(example.ids) - example.prompt for example in chosen)


def invented(example: Example, seed: int = 0) -> SoftLabels:
    """A teacher's six likeliest tokens at every place of an answer."""
    draw = np.random.default_rng(seed)
    said = np.array(example.ids[example.prompt :], np.int32)
    ids = np.stack([draw.permutation(200)[:6] for _ in said]).astype(np.int32)
    logprobs = np.log(draw.dirichlet(np.ones(7), len(said))[:, :6]).astype(np.float32)
    return SoftLabels(said, np.full(len(said), 6, np.uint8), ids.ravel(), logprobs.ravel())


def test_loss_is_shifted_by_one_weighted_and_the_same_in_any_packing(model: Path, tmp_path: Path) -> None:
    chosen = [replace(example, weight=0.5 + number) for number, example in enumerate(examples(model))]
    wanted = plain_loss(model, chosen)
    for tokens in (1, 400, 4000):  # a row at a time, some together, all together
        assert held_out(trainer(model, tmp_path, chosen, batch_tokens=tokens)) == pytest.approx(wanted, rel=1e-5)


def test_training_and_held_out_loss_are_one_path(model: Path, tmp_path: Path) -> None:
    history = trainer(model, tmp_path, examples(model), epochs=1).run()
    before, first = history[:2]
    assert first["loss"] == pytest.approx(before["eval_loss"], rel=1e-5)


def gradients(made: Any, groups: list[list[int]]) -> tuple[float, dict[str, Any]]:
    places = made.batches.places(groups)
    total = float(made._backward(groups, places)[0]) / places
    return total, {name: weight.grad.clone() for name, weight in made.student.weights.items()}


def test_four_batches_of_two_are_one_of_eight(model: Path, tmp_path: Path) -> None:
    whole = gradients(trainer(model, tmp_path, examples(model)), [list(range(8))])
    split = gradients(trainer(model, tmp_path, examples(model)), [[0, 1], [2, 3], [4, 5], [6, 7]])
    assert split[0] == pytest.approx(whole[0], rel=1e-5)
    assert all(split[1][name].allclose(whole[1][name], rtol=1e-3, atol=1e-6) for name in whole[1])


def test_parts_of_a_step_count_as_one(model: Path, tmp_path: Path) -> None:
    """What a run logs for its first step does not depend on how many parts it is computed in."""
    one, many = (trainer(model, tmp_path / str(parts), examples(model), epochs=1, parts=parts) for parts in (1, 3))
    many.batches.groups = [[0, 1], [2, 3, 4], [5, 6, 7]]
    assert (len(one.groups(0)), len(many.groups(0))) == (1, 3)
    assert many.run()[1]["loss"] == pytest.approx(one.run()[1]["loss"], rel=1e-5)


def test_answers_that_share_a_prompt_learn_as_apart(model: Path, tmp_path: Path) -> None:
    chosen = examples(model, 4)
    other = chosen[1].ids[chosen[1].prompt :], chosen[3].ids[chosen[3].prompt :]
    for more in other:
        ids = chosen[0].ids[: chosen[0].prompt] + more
        chosen.append(Example(ids, chosen[0].prompt, weight=0.7))
    chosen = [replace(each, soft=invented(each, number) if number % 2 else None) for number, each in enumerate(chosen)]
    made = trainer(model, tmp_path, chosen, alpha=0.3)
    assert sorted(map(len, made.batches.rows)) == [1, 1, 1, 3]
    shared = gradients(made, [list(range(4))])
    apart = trainer(model, tmp_path, chosen, alpha=0.3)
    apart.batches.rows = [(example,) for example in chosen]
    wanted = gradients(apart, [[number] for number in range(6)])
    assert shared[0] == pytest.approx(wanted[0], rel=1e-6)
    assert all(shared[1][name].allclose(wanted[1][name], rtol=1e-4, atol=1e-6) for name in wanted[1])


@pytest.mark.parametrize("settings", [{}, {"method": "rslora"}, {"method": "dora"}, {"checkpoint_activations": True}])
def test_adapters_sit_on_every_linear_layer_and_learn(model: Path, tmp_path: Path, settings: dict[str, Any]) -> None:
    made = trainer(model, tmp_path, examples(model), **settings)
    adapted = {name.split(".")[-4] for name in made.student.weights if "lora_A" in name}
    before = {name: weight.detach().clone() for name, weight in made.student.weights.items() if "lora_B" in name}
    assert adapted == {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}
    history = made.run()
    assert all(not weight.equal(before[name]) for name, weight in made.student.weights.items() if name in before)
    assert history[-1]["eval_loss"] < history[0]["eval_loss"]


def test_all_weights_learn_if_asked(model: Path, tmp_path: Path) -> None:
    made = trainer(model, tmp_path, examples(model), method="full", learning_rate=1e-4)
    assert "lm_head.weight" in made.student.weights or "model.embed_tokens.weight" in made.student.weights
    history = made.run()
    assert history[-1]["eval_loss"] < history[0]["eval_loss"]
    best, _ = made.best()
    again = trainer(model, tmp_path / "again", examples(model), method="full")
    again.student.load(best)
    assert held_out(again) == pytest.approx(min(line["eval_loss"] for line in history if "eval_loss" in line), rel=1e-5)


def test_stops_when_the_held_out_loss_no_longer_falls(model: Path, tmp_path: Path) -> None:
    made = trainer(model, tmp_path, examples(model), epochs=50, patience=2, learning_rate=1.0)
    losses = [line["eval_loss"] for line in made.run() if "eval_loss" in line][1:]
    best = losses.index(min(losses))
    assert len(losses) == best + 3 < 50
    assert made.best()[1] == (best + 1) * made.steps_per_epoch


def test_soft_labels_are_learned_in_stage_b_and_logged_apart(model: Path, tmp_path: Path) -> None:
    from distillation.train import train

    workspace = Workspace(tmp_path)
    corpus = save_corpus(workspace, rows(12), rows(4, 50))
    given = examples(model, 12)
    labels = {f"s{number}": invented(example, number) for number, example in enumerate(given) if number != 5}
    save_soft(model, corpus, labels)
    made = train(workspace, corpus, str(model), SETTINGS.model_copy(update={"stages": ("A", "B")}))
    assert (made / TAUGHT_TEMPLATE).read_text() == TEMPLATE
    lines = history(made)
    steps = {stage: [line for line in lines if line["stage"] == stage and "loss" in line] for stage in "AB"}
    assert len(steps["A"]) == len(steps["B"]) > 0
    assert all(line["loss"] == pytest.approx(line["ce"]) for line in steps["A"])
    assert all(line["kd"] > 0 and line["kd_gradient_norm"] > 0 and line["ce_gradient_norm"] > 0 for line in steps["B"])
    assert steps["B"][-1]["kd"] < steps["A"][0]["kd"]
    assert manifest_of(made).counts["soft_rows"] == 11
    assert "soft labels of teacher: the same tokenizer; stages A, B" in (made / "runs" / "train.log").read_text()
    assert list((made / "runs").glob("events*"))


def save_soft(model: Path, corpus: Path, labels: dict[str, SoftLabels], **changed: Any) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model)
    origin = softlabels.origin_of(tokenizer, teacher="teacher", revision="", vocabulary=len(tokenizer))
    softlabels.store(corpus, origin.model_copy(update=changed), labels)


@pytest.mark.parametrize(
    ("changed", "said", "stages"),
    [
        ({}, "the same tokenizer", ("A", "B")),
        ({"vocabulary": 300}, "ids are shared, all others are the tail", ("A", "B")),
        ({"tokenizer": "x", "ordinary": "y"}, "another tokenizer, so the answers alone", ("A",)),
    ],
)
def test_a_run_says_what_becomes_of_its_soft_labels(
    model: Path, tmp_path: Path, changed: dict[str, Any], said: str, stages: tuple[str, ...]
) -> None:
    from distillation.train import read_lessons

    corpus = save_corpus(Workspace(tmp_path), rows(4), rows(2, 50))
    save_soft(
        model, corpus, {f"s{number}": invented(each) for number, each in enumerate(examples(model, 4))}, **changed
    )
    found, _ = read_lessons(corpus, str(model), SETTINGS.model_copy(update={"stages": ("A", "B")}))
    assert said in found.said
    assert found.stages == stages
    alone, _ = read_lessons(corpus, str(model), SETTINGS.model_copy(update={"stages": Training().stages}))
    assert alone.stages == stages[-1:]
    assert all((example.soft is not None) == ("B" in stages) for example in found.train)


def test_checkpoint_cut_short_is_not_resumed(tmp_path: Path) -> None:
    from distillation.trainer import checkpoints

    for name in ("checkpoint-2.pt", "checkpoint-10.tmp", "checkpoint-9.pt", "checkpoint-10.pt"):
        (tmp_path / name).touch()
    assert [path.name for path in checkpoints(tmp_path)] == ["checkpoint-2.pt", "checkpoint-9.pt", "checkpoint-10.pt"]


KILLED = """
import os, signal, sys
from pathlib import Path
from bot.config import Training
from data.workspace import Workspace
from distillation import trainer
from distillation.train import train
learn = trainer.Trainer._learn
def dying(self):
    if self.step == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    learn(self)
trainer.Trainer._learn = dying
train(Workspace(Path(sys.argv[1])), Path(sys.argv[2]), sys.argv[3], Training.model_validate_json(sys.argv[4]))
"""


def test_killed_run_ends_as_if_it_had_not_been(model: Path, tmp_path: Path) -> None:
    from distillation.train import train

    whole, killed = Workspace(tmp_path / "whole"), Workspace(tmp_path / "killed")
    corpora = [save_corpus(workspace, rows(12), rows(4, 50)) for workspace in (whole, killed)]
    wanted = train(whole, corpora[0], str(model), SETTINGS)
    command = [sys.executable, "-c", KILLED, killed.root, corpora[1], model, SETTINGS.model_dump_json()]
    assert subprocess.run([str(part) for part in command], capture_output=True).returncode == -signal.SIGKILL
    assert list((killed.root / "students").glob(".partial-*/.checkpoints/A/checkpoint-4.pt"))
    found = train(killed, corpora[1], str(model), SETTINGS)
    curves = [[line["loss"] for line in history(path) if "loss" in line] for path in (wanted, found)]
    assert found.name == wanted.name
    assert curves[1] == pytest.approx(curves[0], rel=1e-6)
    counts = [manifest_of(path).counts for path in (wanted, found)]
    assert counts[1]["validation_loss"] == pytest.approx(counts[0]["validation_loss"], rel=1e-6)
    assert counts[1]["validation_loss_before"] == pytest.approx(counts[0]["validation_loss_before"], rel=1e-6)
    assert counts[0]["validation_loss"] < counts[0]["validation_loss_before"]
    assert not (found / ".checkpoints").exists()
    assert (found / "adapter" / "adapter_model.safetensors").is_file()
    assert train(killed, corpora[1], str(model), SETTINGS) == found


LAUNCHED = """
import sys
from pathlib import Path
from bot.config import Training
from data.workspace import Workspace
from distillation.train import train
train(Workspace(Path(sys.argv[1])), Path(sys.argv[2]), sys.argv[3], Training.model_validate_json(sys.argv[4]))
"""


def test_two_processes_learn_what_one_does(model: Path, tmp_path: Path) -> None:
    """Two processes without a GPU, each computing one of the two parts of every step."""
    from distillation.train import train

    settings = SETTINGS.model_copy(update={"parts": 2, "batch_tokens": 600})
    one, two = Workspace(tmp_path / "one"), Workspace(tmp_path / "two")
    corpora = [save_corpus(workspace, rows(12), rows(4, 50)) for workspace in (one, two)]
    wanted = train(one, corpora[0], str(model), settings)
    (tmp_path / "launched.py").write_text(LAUNCHED)
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node=2", "--standalone",
               tmp_path / "launched.py", two.root, corpora[1], model, settings.model_dump_json()]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd()), "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    found = two.latest("student")
    curves = [[line["loss"] for line in history(path) if "loss" in line] for path in (wanted, found)]
    assert curves[1] == pytest.approx(curves[0], rel=1e-4)
    assert manifest_of(found).counts["validation_loss"] == pytest.approx(
        manifest_of(wanted).counts["validation_loss"], rel=1e-4
    )


def history(student: Path) -> list[dict[str, Any]]:
    return list(json.loads((student / "training.json").read_text())["history"])
