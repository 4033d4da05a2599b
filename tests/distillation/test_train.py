"""The student's loss is the one that was meant, and a kill changes nothing."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.config import Training
from data.errors import BadInput, DeskmateError
from data.workspace import Workspace, manifest_of
from distillation.rows import Example, encode_all
from tests.distillation.tiny import rows, save_corpus, save_model

SETTINGS = Training(rank=4, epochs=2, batch_tokens=400, checkpoint_steps=2, dtype="float32")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(tmp_path_factory.mktemp("model"))


def examples(model: Path, count: int = 8) -> list[Example]:
    from transformers import AutoTokenizer

    return encode_all(AutoTokenizer.from_pretrained(model), rows(count), 1000)[0]


def trainer(model: Path, folder: Path, chosen: list[Example], tokens: int = 4000, accumulation: int = 1) -> Any:
    from distillation.train import build_trainer

    settings = SETTINGS.model_copy(update={"batch_tokens": tokens})
    return build_trainer(str(model), settings, folder, chosen, chosen, accumulation)


def plain_loss(made: Any, chosen: list[Example]) -> float:
    """What the loss should be, the long way: one row at a time, all logits, shifted by hand."""
    import torch

    total = 0.0
    for example in chosen:
        with torch.no_grad():
            logits = made.model(input_ids=torch.tensor([example.ids])).logits[0].log_softmax(-1)
        taught = range(example.prompt, len(example.ids))
        total -= example.weight * sum(float(logits[place - 1, example.ids[place]]) for place in taught)
    return total / sum(len(example.ids) - example.prompt for example in chosen)


def test_loss_is_shifted_by_one_weighted_and_free_of_padding(model: Path, tmp_path: Path) -> None:
    chosen = [replace(example, weight=0.5 + number) for number, example in enumerate(examples(model))]
    wanted = plain_loss(trainer(model, tmp_path, chosen), chosen)
    for tokens in (1, 400, 4000):  # a row at a time, buckets, one padded batch
        assert trainer(model, tmp_path, chosen, tokens).evaluate()["eval_loss"] == pytest.approx(wanted, rel=1e-5)


def test_training_and_held_out_loss_are_one_path(model: Path, tmp_path: Path) -> None:
    made = trainer(model, tmp_path, examples(model))
    before = made.evaluate()["eval_loss"]
    made.train()
    assert made.state.log_history[0]["loss"] == pytest.approx(before, rel=1e-5)


def test_four_batches_of_two_are_one_of_eight(model: Path, tmp_path: Path) -> None:
    from transformers import TrainerCallback

    def gradients(groups: list[list[int]], accumulation: int) -> dict[str, Any]:
        made = trainer(model, tmp_path, examples(model), accumulation=accumulation)
        made.batches.groups, found = groups, {}

        class Keep(TrainerCallback):  # type: ignore[misc]
            def on_pre_optimizer_step(self, *_: Any, **rest: Any) -> None:
                for name, weight in rest["model"].named_parameters():
                    if weight.requires_grad:
                        found.setdefault(name, weight.grad.clone())

        made.args.max_grad_norm = 0.0
        made.add_callback(Keep())
        made.train()
        found["loss"] = made.state.log_history[0]["loss"]
        return found

    whole = gradients([list(range(8))], 1)
    split = gradients([[0, 1], [2, 3], [4, 5], [6, 7]], 4)
    assert split.pop("loss") == pytest.approx(whole.pop("loss"), rel=1e-5)
    assert all(split[name].allclose(whole[name], rtol=1e-3, atol=1e-6) for name in whole)


def test_adapters_sit_on_every_linear_layer_and_learn(model: Path, tmp_path: Path) -> None:
    from distillation.trainer import check_learnable

    made = trainer(model, tmp_path, examples(model))
    check_learnable(made)
    adapted = {name.split(".")[-4] for name, _ in made.model.named_parameters() if "lora_A" in name}
    before = {name: weight.clone() for name, weight in made.model.named_parameters() if "lora_B" in name}
    assert adapted == {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}
    made.train()
    assert all(not weight.equal(before[name]) for name, weight in made.model.named_parameters() if name in before)


def test_nothing_to_learn_aborts(model: Path, tmp_path: Path) -> None:
    from distillation.trainer import check_learnable

    chosen = examples(model)
    masked = [*chosen, Example(chosen[0].ids, len(chosen[0].ids))]
    with pytest.raises(BadInput, match="no answer tokens"):
        check_learnable(trainer(model, tmp_path, masked))
    frozen = trainer(model, tmp_path, chosen)
    frozen.model.requires_grad_(False)
    with pytest.raises(DeskmateError, match="gradient"):
        check_learnable(frozen)


def test_checkpoint_cut_short_is_not_resumed(tmp_path: Path) -> None:
    from distillation.train import newest_checkpoint
    from distillation.trainer import COMPLETE

    for step in (2, 10):
        (tmp_path / f"checkpoint-{step}").mkdir()
    (tmp_path / "checkpoint-2" / COMPLETE).touch()
    assert newest_checkpoint(tmp_path) == tmp_path / "checkpoint-2"
    assert not (tmp_path / "checkpoint-10").exists()


KILLED = """
import os, signal, sys
from pathlib import Path
from bot.config import Training
from data.workspace import Workspace
from distillation import trainer
from distillation.train import train
step = trainer.AnswerTrainer.training_step
def dying(self, *rest, **named):
    if self.state.global_step == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    return step(self, *rest, **named)
trainer.AnswerTrainer.training_step = dying
train(Workspace(Path(sys.argv[1])), Path(sys.argv[2]), sys.argv[3], Training.model_validate_json(sys.argv[4]))
"""


def test_killed_run_ends_as_if_it_had_not_been(model: Path, tmp_path: Path) -> None:
    from distillation.train import train

    whole, killed = Workspace(tmp_path / "whole"), Workspace(tmp_path / "killed")
    corpora = [save_corpus(workspace, rows(12), rows(4, 50)) for workspace in (whole, killed)]
    wanted = train(whole, corpora[0], str(model), SETTINGS)
    command = [sys.executable, "-c", KILLED, killed.root, corpora[1], model, SETTINGS.model_dump_json()]
    assert subprocess.run([str(part) for part in command], capture_output=True).returncode == -signal.SIGKILL
    assert list((killed.root / "students").glob(".partial-*/.checkpoints/checkpoint-4/complete"))
    found = train(killed, corpora[1], str(model), SETTINGS)
    curves = [[line["loss"] for line in history(path) if "loss" in line] for path in (wanted, found)]
    assert found.name == wanted.name
    assert curves[1] == pytest.approx(curves[0], rel=1e-4)
    counts = [manifest_of(path).counts for path in (wanted, found)]
    assert counts[1]["validation_loss"] == pytest.approx(counts[0]["validation_loss"], rel=1e-4)
    assert counts[1]["validation_loss_before"] == pytest.approx(counts[0]["validation_loss_before"], rel=1e-4)
    assert counts[0]["validation_loss"] < counts[0]["validation_loss_before"]
    assert not (found / ".checkpoints").exists()
    assert (found / "adapter" / "adapter_model.safetensors").is_file()
    assert train(killed, corpora[1], str(model), SETTINGS) == found


def history(student: Path) -> list[dict[str, Any]]:
    return list(json.loads((student / "training.json").read_text())["history"])
