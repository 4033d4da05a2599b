"""Layers of a frozen student with adapters, computed with the gradients that are needed and no others.

peft keeps configuring, saving and loading the adapters; only how they are computed is replaced. Its layers cast what
flows through them to the adapters' float32 and back, and autograd remembers every step of a norm. Here adapters are
float32 for the optimizer, and cast once a step for the products. Whatever is replaced is tried first on random
numbers: a layer that does something else keeps its own code.

Suffixes name shapes: T tokens, I and O a layer's inputs and outputs, R the rank.
"""

from __future__ import annotations

from types import MethodType
from typing import Any

import torch
from peft.tuners.lora import Linear as LoraLinear
from torch.autograd.function import once_differentiable
from torch.nn.functional import linear, silu

ADAPTER = "default"


class _Adapted(torch.autograd.Function):  # type: ignore[misc]
    """x W' + s x A' B'; `down` and `up` are A' and s B in x's precision, and gradients go to A and B themselves.

    What is multiplied with a long x lies in memory as it is read: transposed on the way it takes twice the time.
    """

    @staticmethod
    def forward(ctx: Any, x_TI: Any, A_RI: Any, B_OR: Any, down_IR: Any, up_OR: Any, layer: Any, scale: float) -> Any:
        inner_TR = x_TI @ down_IR
        y_TO = linear(x_TI, layer.weight, layer.bias).addmm_(inner_TR, up_OR.T)
        ctx.save_for_backward(x_TI, inner_TR, down_IR, up_OR, layer.weight)
        ctx.scale = scale
        return y_TO

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, grad_TO: Any) -> Any:
        x_TI, inner_TR, down_IR, up_OR, weight_OI = ctx.saved_tensors
        outer_TR = grad_TO @ up_OR
        grad_TI = (grad_TO @ weight_OI).addmm_(outer_TR, down_IR.T) if ctx.needs_input_grad[0] else None
        exact = torch.promote_types(x_TI.dtype, torch.float32)
        outer_RT, inner_RT = outer_TR.T.contiguous(), inner_TR.T.contiguous()
        down, up = (outer_RT @ x_TI).to(exact), (inner_RT @ grad_TO).T.to(exact) * ctx.scale
        return grad_TI, down, up, None, None, None, None


class _Norm(torch.autograd.Function):  # type: ignore[misc]
    """Root-mean-square norm with fixed weights."""

    @staticmethod
    def forward(ctx: Any, x: Any, weight: Any, epsilon: float) -> Any:
        exact = x.to(torch.promote_types(x.dtype, torch.float32), copy=True)
        inverse = torch.linalg.vector_norm(exact, dim=-1, keepdim=True).square_().div_(x.shape[-1])
        inverse.add_(epsilon).rsqrt_()
        ctx.save_for_backward(x, weight, inverse)
        return exact.mul_(inverse).to(x.dtype).mul_(weight)

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
        opened = silu(gate)
        ctx.save_for_backward(gate, up, opened)
        return opened * up

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, grad: Any) -> Any:
        gate, up, opened = ctx.saved_tensors
        return torch.ops.aten.silu_backward(grad * up, gate), opened * grad


def quicken(model: Any) -> None:
    """Replace how a student's layers are computed, where that is known to give the same."""
    for layer in model.modules():
        if isinstance(layer, LoraLinear):
            if not layer.lora_variant and not layer.base_layer.weight.requires_grad:
                layer.forward = MethodType(_adapted, layer)
        elif type(layer).__name__.endswith("RMSNorm") and not layer.weight.requires_grad:
            _try(layer, _norm, layer.weight.shape[0])
        elif all(hasattr(layer, name) for name in ("gate_proj", "up_proj", "down_proj", "act_fn")):
            _try(layer, _gated, layer.gate_proj.in_features)


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


def _adapted(layer: Any, x: Any) -> Any:
    down, up = layer.lora_A[ADAPTER].weight, layer.lora_B[ADAPTER].weight
    if not getattr(layer, "cast", ()):
        scaled = up.detach() * layer.scaling[ADAPTER]
        layer.cast = (down.detach().T.to(x.dtype).contiguous(), scaled.to(x.dtype))
    found = _Adapted.apply(x.flatten(0, -2), down, up, *layer.cast, layer.base_layer, layer.scaling[ADAPTER])
    return found.view(*x.shape[:-1], -1)


def _norm(layer: Any, x: Any) -> Any:
    return _Norm.apply(x, layer.weight, getattr(layer, "variance_epsilon", 0.0) or layer.eps)


def _gated(layer: Any, x: Any) -> Any:
    return layer.down_proj(_Gated.apply(layer.gate_proj(x), layer.up_proj(x)))
