"""Layers of a frozen student with adapters, computed with the gradients that are needed and no others.

peft keeps configuring, saving and loading the adapters; only how they are computed is replaced. Its layers cast what
flows through them to the adapters' float32 and back, and autograd remembers every step of a norm. Here adapters are
float32 for the optimizer, and cast once a step for the products. Whatever is replaced is tried first on random
numbers: a layer that does something else keeps its own code.

Suffixes name shapes: T tokens, I and O a layer's inputs and outputs, R the rank, S the ranks of several layers.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from types import MethodType
from typing import Any

import torch
from peft.tuners.lora import Linear as LoraLinear
from torch.autograd.function import once_differentiable
from torch.nn.functional import linear, silu

ADAPTER = "default"


class _Adapted(torch.autograd.Function):  # type: ignore[misc]
    """Of each layer x W' + s x A' B', for layers that see the same x. `cast`: A and s B of each in x's precision;
    gradients go to the `adapters` A, B, A, B … themselves.

    One product makes all inner values, and what comes back for x is added up in place.
    """

    @staticmethod
    def forward(ctx: Any, x_TI: Any, layers: Sequence[Any], cast: Sequence[Any], scales: Any, *adapters: Any) -> Any:
        down_SI = cast[0][0] if len(cast) == 1 else torch.cat([down_RI for down_RI, _ in cast])
        inner_TS = x_TI @ down_SI.T
        parts = inner_TS.split([len(down_RI) for down_RI, _ in cast], 1)
        made = tuple(
            linear(x_TI, layer.weight, layer.bias).addmm_(inner_TR, up_OR.T)
            for layer, inner_TR, (_, up_OR) in zip(layers, parts, cast, strict=True)
        )
        ctx.save_for_backward(x_TI, inner_TS, down_SI, *(up_OR for _, up_OR in cast), *(each.weight for each in layers))
        ctx.scales, ctx.ranks = scales, [len(down_RI) for down_RI, _ in cast]
        return made

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, *grads: Any) -> Any:
        x_TI, inner_TS, down_SI, *others = ctx.saved_tensors
        ups, weights = others[: len(grads)], others[len(grads) :]
        outers = [grad_TO @ up_OR for grad_TO, up_OR in zip(grads, ups, strict=True)]
        outer_TS = outers[0] if len(outers) == 1 else torch.cat(outers, 1)
        grad_TI = None
        if ctx.needs_input_grad[0]:
            grad_TI = outer_TS @ down_SI
            for grad_TO, weight_OI in zip(grads, weights, strict=True):
                grad_TI.addmm_(grad_TO, weight_OI)
        exact = torch.promote_types(x_TI.dtype, torch.float32)
        downs = (outer_TS.T @ x_TI).to(exact).split(ctx.ranks)
        found = []
        for down, inner_TR, grad_TO, scale in zip(downs, inner_TS.split(ctx.ranks, 1), grads, ctx.scales, strict=True):
            found += [down, (inner_TR.T @ grad_TO).T.to(exact) * scale]
        return grad_TI, None, None, None, *found


class _Norm(torch.autograd.Function):  # type: ignore[misc]
    """Root-mean-square norm with fixed weights."""

    @staticmethod
    def forward(ctx: Any, x: Any, weight: Any, epsilon: float) -> Any:
        exact = x.to(torch.promote_types(x.dtype, torch.float32))
        inverse = exact.square().mean(-1, keepdim=True).add_(epsilon).rsqrt_()
        ctx.save_for_backward(x, weight, inverse)
        return (exact * inverse).to(x.dtype).mul_(weight)

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, grad: Any) -> Any:
        x, weight, inverse = ctx.saved_tensors
        exact, scaled = x.to(inverse.dtype), (grad * weight).to(inverse.dtype)
        pull = torch.einsum("...h,...h->...", scaled, exact)[..., None]
        factor = pull.mul_(inverse.pow(3)).div_(-x.shape[-1])
        return scaled.mul_(inverse).addcmul_(exact, factor).to(x.dtype), None, None


class _Gated(torch.autograd.Function):  # type: ignore[misc]
    """silu(gate) * up."""

    @staticmethod
    def forward(ctx: Any, gate: Any, up: Any) -> Any:
        ctx.save_for_backward(gate, up)
        return silu(gate).mul_(up)

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, grad: Any) -> Any:
        gate, up = ctx.saved_tensors
        return torch.ops.aten.silu_backward(grad * up, gate), silu(gate).mul_(grad)


class _Alike:
    """Adapted layers that are called one after the other with the same input: the first call computes all of them."""

    def __init__(self, layers: Sequence[Any]) -> None:
        self._layers = layers
        self._x: Any = None
        self._made: list[Any] = []

    def of(self, place: int, x: Any) -> Any:
        if self._x is not x or self._made[place] is None:
            self._x, self._made = x, list(_adapted(self._layers, x))
        found, self._made[place] = self._made[place], None
        if all(made is None for made in self._made):
            self._x = None
        return found


def quicken(model: Any) -> None:
    """Replace how a student's layers are computed, where that is known to give the same."""
    for layer in model.modules():
        if _adapts(layer) and "forward" not in vars(layer):
            _bind([layer])
        elif type(layer).__name__.endswith("RMSNorm") and not layer.weight.requires_grad:
            _try(layer, _norm, layer.weight.shape[0])
        elif _has(layer, "gate_proj", "up_proj", "down_proj", "act_fn"):
            _try(layer, _gated, layer.gate_proj.in_features)
            _bind([layer.gate_proj, layer.up_proj])
        elif _has(layer, "q_proj", "k_proj", "v_proj"):
            _bind([layer.q_proj, layer.k_proj, layer.v_proj])


def _adapts(layer: Any) -> bool:
    """Whether adapters, and they alone, learn in it as plain LoRA has it."""
    return isinstance(layer, LoraLinear) and not layer.lora_variant and not layer.base_layer.weight.requires_grad


def _has(layer: Any, *names: str) -> bool:
    return all(hasattr(layer, name) for name in names)


def _bind(layers: Sequence[Any]) -> None:
    """Let adapted layers of one input be computed together."""
    if all(_adapts(layer) for layer in layers):
        alike = _Alike(layers)
        for place, layer in enumerate(layers):
            layer.forward = partial(alike.of, place)


def _try(layer: Any, other: Any, width: int) -> None:
    """Bind `other` as the layer's forward if both give the same."""
    kind = layer.weight if hasattr(layer, "weight") else layer.gate_proj.weight
    x_TI = torch.randn(8, width, generator=torch.Generator().manual_seed(0)).to(kind)
    tolerance = 1e-4 if kind.dtype == torch.float32 else 3e-2
    with torch.no_grad():
        wanted = layer(x_TI)
        if (wanted - other(layer, x_TI)).norm() <= tolerance * wanted.norm():
            layer.forward = MethodType(other, layer)


def refresh(model: Any) -> None:
    """To be called when adapters have changed: they are cast anew when they are next needed."""
    for layer in model.modules():
        if hasattr(layer, "cast"):
            layer.cast = ()


def _adapted(layers: Sequence[Any], x: Any) -> tuple[Any, ...]:
    adapters = [each for layer in layers for each in (layer.lora_A[ADAPTER].weight, layer.lora_B[ADAPTER].weight)]
    for layer in layers:
        if not getattr(layer, "cast", ()):
            down, up = layer.lora_A[ADAPTER].weight.detach(), layer.lora_B[ADAPTER].weight.detach()
            layer.cast = (down.to(x.dtype), (up * layer.scaling[ADAPTER]).to(x.dtype))
    found = _Adapted.apply(
        x.flatten(0, -2), [layer.base_layer for layer in layers], [layer.cast for layer in layers],
        [layer.scaling[ADAPTER] for layer in layers], *adapters,
    )  # fmt: skip
    return tuple(made.view(*x.shape[:-1], -1) for made in found)


def _norm(layer: Any, x: Any) -> Any:
    return _Norm.apply(x, layer.weight, getattr(layer, "variance_epsilon", 0.0) or layer.eps)


def _gated(layer: Any, x: Any) -> Any:
    return layer.down_proj(_Gated.apply(layer.gate_proj(x), layer.up_proj(x)))
