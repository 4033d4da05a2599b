"""Training computes on a GPU what it computes on a CPU: losses, attention, whole runs, answers, stage C.

`python -m pytest tests/gpu` on a machine with a GPU; needs neither vLLM nor weights.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from data.workspace import Workspace, manifest_of
from distillation.attention import Layout, attend
from distillation.losses import SoftRows, completion_loss
from tests.distillation import test_attention as attention
from tests.distillation import test_losses as losses
from tests.distillation import test_onpolicy as onpolicy
from tests.distillation import test_train as training
from tests.distillation.tiny import rows, save_corpus, save_model, save_shaken

pytestmark = pytest.mark.gpu


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(tmp_path_factory.mktemp("model"))


@pytest.mark.parametrize("alpha", [0.0, 0.2, 1.0])
def test_loss_and_gradient_are_those_of_a_float64_reference(alpha: float) -> None:
    made = losses.case()
    hidden = made.hidden_NH.detach().cuda().requires_grad_()
    soft = SoftRows(*(each.cuda() for each in made.soft))
    found = completion_loss(hidden, made.head.cuda(), made.targets_N.cuda(), made.weights_N.cuda(), soft, alpha)
    found.total.backward()
    total, wanted, _ = losses.dense(made._replace(head=made.head.cpu()), alpha)
    assert losses.close(found.total.detach().cpu(), total)
    assert hidden.grad is not None and losses.close(hidden.grad.cpu(), wanted)


def test_packed_rows_attend_as_if_apart() -> None:
    layout = Layout(attention.ROWS)
    q, k, v = attention.inputs(layout)
    wanted = attention.alone(q, k, v, layout)
    here = [each.detach().cuda().requires_grad_() for each in (q, k, v)]
    found = attend(None, *here, scaling=attention.SCALE, layout=layout)[0]
    assert torch.allclose(found.cpu(), wanted, atol=1e-10)
    pull = torch.randn_like(wanted)
    theirs = torch.autograd.grad(wanted, (q, k, v), pull)
    mine = torch.autograd.grad(found, here, pull.cuda())
    assert all(torch.allclose(a.cpu(), b, atol=1e-10) for a, b in zip(mine, theirs, strict=True))


def trainer(model: Path, folder: Path, device: str, **settings: Any) -> Any:
    from distillation.batches import Batches
    from distillation.student import load_student
    from distillation.trainer import Stage, Trainer

    values = training.SETTINGS.model_copy(update={"batch_tokens": 400, **settings})
    chosen = training.examples(model)
    batches = Batches(chosen, values.batch_tokens, values.seed)
    return Trainer(load_student(str(model), values, device), batches, batches, values, Stage("A", 1.0), folder)


def test_a_run_has_the_losses_it_has_on_a_cpu(model: Path, tmp_path: Path) -> None:
    lines = {device: trainer(model, tmp_path / device, device).run() for device in ("cpu", "cuda")}
    for name in ("loss", "eval_loss", "gradient_norm"):
        cpu, cuda = ([line[name] for line in lines[device] if name in line] for device in ("cpu", "cuda"))
        assert cuda == pytest.approx(cpu, rel=2e-3), name


def test_a_killed_run_goes_on_to_the_same_losses(model: Path, tmp_path: Path) -> None:
    whole = trainer(model, tmp_path / "whole", "cuda").run()

    class Killed(Exception):
        pass

    def kill(made: Any) -> None:
        if made.step == 3:
            raise Killed

    killed = trainer(model, tmp_path / "killed", "cuda")
    killed.after_step = kill
    with pytest.raises(Killed):
        killed.run()
    again = trainer(model, tmp_path / "killed", "cuda").run()
    assert [line["step"] for line in again] == [line["step"] for line in whole]
    last = [[line["eval_loss"] for line in lines if "eval_loss" in line][-1] for lines in (again, whole)]
    assert last[0] == pytest.approx(last[1], rel=1e-4)


def test_train_runs_on_the_gpu_and_its_student_answers(model: Path, tmp_path: Path) -> None:
    from distillation.sampling import sample
    from distillation.student import load_student
    from distillation.train import train

    workspace = Workspace(tmp_path / "workspace")
    corpus = save_corpus(workspace, rows(12), rows(4, 12))
    settings = training.SETTINGS.model_copy(update={"epochs": 3})
    torch.cuda.reset_peak_memory_stats()
    made = train(workspace, corpus, str(model), settings)
    assert torch.cuda.max_memory_allocated() > 0
    counts = manifest_of(made).counts
    assert counts["validation_loss"] < counts["validation_loss_before"]
    prompts = [example.ids[: example.prompt] for example in training.examples(model, 4)]
    said = []
    for device in ("cpu", "cuda"):
        student = load_student(str(model), settings, device)
        student.load(made / "adapter")
        said.append([each.tokens for each in sample(student, prompts, 8, 0, 1 << 30, None)])
    assert said[0] == said[1]


def test_stage_c_learns_what_its_teacher_would_say(model: Path, tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    from distillation.onpolicy import OnPolicy, Pair
    from distillation.rows import end_token
    from distillation.scorer import Reader
    from distillation.student import load_student

    teacher = save_shaken(model, tmp_path / "teacher")
    tokenizer = AutoTokenizer.from_pretrained(model)
    pair = Pair(Reader(str(teacher), torch.float32, "cuda"), len(tokenizer), end_token(tokenizer))
    chosen = training.examples(model, 12)
    student = load_student(str(model), onpolicy.SETTINGS, "cuda")
    lines = OnPolicy(student, chosen, chosen[:4], pair, onpolicy.SETTINGS, tmp_path / "run").run()
    kd = [line["kd"] for line in lines if "kd" in line]
    assert np.mean(kd[-4:]) < 0.85 * np.mean(kd[:4])
    assert lines[-1]["eval_kd"] < lines[0]["eval_kd"]
