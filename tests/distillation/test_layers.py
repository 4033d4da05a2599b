"""Layers that were replaced give what peft's and transformers' own give, and the same gradients."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from bot.config import Training
from distillation import layers
from distillation.student import load_student
from tests.distillation.tiny import save_model

SETTINGS = Training(rank=4, dtype="float32")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(tmp_path_factory.mktemp("model"))


def inner(model: Path, quick: bool, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The first layer's MLP and norm, with adapters that do something."""
    if not quick:
        monkeypatch.setattr("distillation.student.quicken", lambda _: None)
    made = load_student(str(model), SETTINGS)
    torch.manual_seed(1)
    made.set({name: torch.randn_like(weight) for name, weight in made.weights.items()})
    return made.causal.model.layers[0]


def test_layers_and_gradients_are_the_same(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for quick in (True, False):
        layer = inner(model, quick, monkeypatch)
        assert ("forward" in vars(layer.mlp)) == ("forward" in vars(layer.input_layernorm)) == quick
        torch.manual_seed(2)
        x = torch.randn(1, 9, 64, requires_grad=True)
        y = layer.mlp(layer.input_layernorm(x))
        (y * torch.randn_like(y)).sum().backward()
        learned = [weight.grad for weight in layer.mlp.parameters() if weight.requires_grad]
        assert len(learned) == 6
        found.append([y, x.grad, *learned])
    for one, other in zip(*found, strict=True):
        assert (one - other).norm() <= 1e-5 * other.norm()


def test_adapters_that_changed_are_cast_anew(model: Path) -> None:
    made = load_student(str(model), SETTINGS)
    layer = made.causal.model.layers[0].mlp.up_proj
    x = torch.randn(3, 64)
    before = layer(x)
    layer(x).sum().backward()
    made.optimizer(0.1).step()
    after = layer(x)
    assert not torch.allclose(before, after, rtol=0.01)
    made.set({name: torch.zeros_like(weight) for name, weight in made.weights.items()})
    assert torch.allclose(layer(x), layer.base_layer(x))


def test_a_norm_that_does_something_else_keeps_its_own_code() -> None:
    class OneMoreRMSNorm(torch.nn.Module):
        def __init__(self, plus: float) -> None:
            super().__init__()
            self.weight, self.eps, self.plus = torch.nn.Parameter(torch.rand(8), requires_grad=False), 1e-6, plus

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.nn.functional.rms_norm(x, (8,), self.weight + self.plus, self.eps)

    norms = torch.nn.ModuleList([OneMoreRMSNorm(0.0), OneMoreRMSNorm(1.0)])
    layers.quicken(norms)
    assert ["forward" in vars(norm) for norm in norms] == [True, False]
