"""Packed rows attend as if each answer stood alone behind its prompt; the blocks and the fused path agree."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention

from data.errors import ConfigError
from distillation import attention
from distillation.attention import Layout, attend, fused

SCALE, HEADS, GROUPS, WIDTH = 0.3, 2, 3, 8
ROWS = [(50, [7, 9]), (30, [0]), (300, [20, 250, 4]), (5, [])]


def inputs(layout: Layout) -> list[torch.Tensor]:
    torch.manual_seed(0)
    heads = (HEADS * GROUPS, HEADS, HEADS)
    return [torch.randn(1, h, layout.tokens, WIDTH, dtype=torch.float64, requires_grad=True) for h in heads]


def alone(query: Any, key: Any, value: Any, layout: Layout) -> torch.Tensor:
    """Every answer by itself behind its prompt: [1, T, H, d]."""
    out = torch.zeros(1, layout.tokens, HEADS * GROUPS, WIDTH, dtype=torch.float64)
    for own, prompt in layout.parts():
        places = torch.tensor([*range(*prompt), *range(*own)])
        q, k, v = query[:, :, places], *(x[:, :, places].repeat_interleave(GROUPS, 1) for x in (key, value))
        found = scaled_dot_product_attention(q, k, v, is_causal=True, scale=SCALE).transpose(1, 2)
        out[:, own[0] : own[1]] = found[:, prompt[1] - prompt[0] :]
    return out


@pytest.mark.parametrize("way", ["blocks", "fused"])
def test_5_packed_rows_attend_as_if_apart(way: str) -> None:
    layout = Layout(ROWS)
    q, k, v = inputs(layout)
    found = fused(q, k, v, layout, SCALE) if way == "fused" else attend(None, q, k, v, scaling=SCALE, layout=layout)[0]
    wanted = alone(q, k, v, layout)
    assert torch.allclose(found, wanted, atol=1e-12)
    pull = torch.randn_like(found)
    gradients = [torch.autograd.grad(out, (q, k, v), pull, retain_graph=True) for out in (found, wanted)]
    assert all(torch.allclose(a, b, atol=1e-12) for a, b in zip(*gradients, strict=True))


def test_blocks_gradient_is_the_derivative(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attention, "QUERIES", 3)
    layout = Layout([(4, [2, 3])])
    q, k, v = inputs(layout)
    few = [each.detach()[..., :2].requires_grad_() for each in (q, k, v)]
    assert torch.autograd.gradcheck(lambda *x: attend(None, *x, scaling=SCALE, layout=layout)[0], few, fast_mode=True)


def test_answers_go_on_from_their_prompt() -> None:
    assert Layout([(3, [2, 1]), (2, [1])]).positions() == [0, 1, 2, 3, 4, 3, 0, 1, 2]


def test_windows_and_caps_are_refused() -> None:
    layout = Layout(ROWS)
    for wrong in ({"softcap": 30.0}, {"sliding_window": 100}):
        with pytest.raises(ConfigError, match="caps or windows"):
            attend(None, *inputs(layout), scaling=SCALE, layout=layout, **wrong)  # type: ignore[arg-type]
    assert attend(None, *inputs(layout), scaling=SCALE, layout=layout, sliding_window=600)[0] is not None
