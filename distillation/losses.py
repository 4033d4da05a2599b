"""The loss of stages A, B and C, fused with the output head: its gradient is known, so no [N, V] outlives a chunk.

    L = Σ w [a CE + (1 - a) KD],   a = alpha where a place has soft labels, 1 elsewhere
    KD = Σ_K p (log p - log q) + t (log t - log(1 - Q)),   t = 1 - Σ_K p,  Q = Σ_K q

K are the teacher's kept tokens; all others are one bucket, the tail. Temperature is 1. With m = q W (W: the head),

    ∂CE/∂h = m - W_target        ∂KD/∂h = c m + Σ_K (s q - p) W_K,   s = t / (1 - Q),  c = Σ_K p + t - s

so one product over the vocabulary serves both, and their norms are known apart at no cost.

Suffixes name shapes: N completion places, n of them in a chunk, V the head's rows, H hidden, K kept entries.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch.autograd.function import once_differentiable
from torch.nn.functional import linear

from data.errors import ConfigError

SCALED = ("final_logit_softcapping", "logits_scaling", "logit_scale")
FLOOR = 1e-6  # of a tail's probability
LOG_FLOOR = -1e4
ELEMENTS = {"cpu": 1 << 22, "cuda": 1 << 26}  # of one chunk's [n, V]


class SoftRows(NamedTuple):
    """Soft labels of N places, padded to K entries with id -1; a place without entries has none."""

    ids_NK: torch.Tensor
    logprobs_NK: torch.Tensor


class Losses(NamedTuple):
    """Sums over the places. Only `total` has a gradient; `norms` are of the hidden rows' gradients, which CE and KD
    add to `total`'s, squared: cheap to know, and what every layer below is taught by."""

    total: torch.Tensor
    ce: torch.Tensor
    kd: torch.Tensor
    norms: torch.Tensor


def output_head(model: Any) -> torch.nn.Linear:
    """The model's output head. Raises ConfigError where its scores are not simply hidden states times weights."""
    head = model.get_output_embeddings()
    if type(head) is not torch.nn.Linear or any(getattr(model.config, name, None) for name in SCALED):
        name = getattr(model.config, "_name_or_path", "") or type(model).__name__
        raise ConfigError(f"{name} scales its output scores, which training does not handle; choose another student")
    return head


def completion_loss(
    hidden_NH: torch.Tensor, head: torch.nn.Linear, targets_N: torch.Tensor, weights_N: torch.Tensor,
    soft: SoftRows | None = None, alpha: float = 0.2, elements: int = 0,
) -> Losses:  # fmt: skip
    """Weighted sums over completion places; divide by the step's. `alpha` is CE's share where there are soft labels.

    `elements` bounds a chunk's scores (0: what suits the device).
    """
    rows = max(1, (elements or ELEMENTS.get(hidden_NH.device.type, 1 << 24)) // head.out_features)
    learned: tuple[Any, ...] = (hidden_NH, head.weight, head.bias)
    if not torch.is_grad_enabled():
        learned = tuple(None if each is None else each.detach() for each in learned)
    total, sums = _Fused.apply(*learned, targets_N, weights_N, soft, alpha, rows)
    return Losses(total, sums[0], sums[1], sums[2:])


class _Fused(torch.autograd.Function):  # type: ignore[misc]
    @staticmethod
    def forward(
        ctx: Any, hidden_NH: Any, weight_VH: Any, bias_V: Any, targets_N: Any, weights_N: Any,
        soft: SoftRows | None, alpha: float, rows: int,
    ) -> Any:  # fmt: skip
        wanted = any(ctx.needs_input_grad[:3])
        exact = torch.promote_types(hidden_NH.dtype, torch.float32)
        grad_NH = torch.empty_like(hidden_NH) if wanted else None
        grad_VH = torch.zeros_like(weight_VH, dtype=exact) if ctx.needs_input_grad[1] else None
        grad_V = torch.zeros_like(bias_V, dtype=exact) if ctx.needs_input_grad[2] else None
        total, sums = hidden_NH.new_zeros((), dtype=exact), hidden_NH.new_zeros(4, dtype=exact)
        for start in range(0, len(hidden_NH), rows):
            part = slice(start, start + rows)
            chunk = _Chunk(hidden_NH[part], weight_VH, bias_V, targets_N[part], weights_N[part].to(exact))
            chunk.teach(SoftRows(*(each[part] for each in soft)) if soft else None, alpha)
            total += chunk.total
            sums[:2] += chunk.sums
            if grad_NH is not None:
                ce_nH, kd_nH = chunk.gradients()
                sums[2:] += torch.stack([ce_nH.square().sum(), kd_nH.square().sum()])
                grad_NH[part] = ce_nH + kd_nH
            if grad_VH is not None or grad_V is not None:
                scores_nV = chunk.score_gradients()
                if grad_VH is not None:
                    grad_VH += scores_nV.T.to(weight_VH.dtype) @ hidden_NH[part]
                if grad_V is not None:
                    grad_V += scores_nV.sum(0)
        ctx.save_for_backward(grad_NH, grad_VH, grad_V)
        ctx.mark_non_differentiable(sums)
        return total, sums

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, grad: Any, _: Any) -> Any:
        hidden, weight, bias = [None if each is None else each * grad.to(each.dtype) for each in ctx.saved_tensors]
        return hidden, weight, bias, None, None, None, None, None


class _Chunk:
    """The student's probabilities of n places, and what they are taught."""

    def __init__(self, hidden_nH: Any, weight_VH: Any, bias_V: Any, targets_n: Any, weights_n: Any) -> None:
        self.weight_VH, self.targets_n1, self.weights_n1 = weight_VH, targets_n[:, None], weights_n[:, None]
        scores_nV = linear(hidden_nH, weight_VH, bias_V)
        self.probs_nV = scores_nV.log_softmax(-1, dtype=weights_n.dtype)
        self.ce_n1 = -self.probs_nV.gather(1, self.targets_n1)

    def teach(self, soft: SoftRows | None, alpha: float) -> None:
        """The losses. Turns log-probabilities into probabilities in place."""
        self.soft = soft is not None
        if soft is None:
            self.probs_nV.exp_()
            self.ce_share_n1, self.keep_n1 = self.weights_n1, torch.zeros_like(self.weights_n1)
            self.total = (self.weights_n1 * self.ce_n1).sum()
            self.sums = torch.stack([self.total, torch.zeros_like(self.total)])
            return
        kept_nK = (soft.ids_NK >= 0) & (soft.ids_NK < self.probs_nV.shape[1])  # a padded vocabulary's go to the tail
        self.ids_nK = soft.ids_NK.long().masked_fill(~kept_nK, 0)
        taught_n1 = kept_nK.any(1, keepdim=True)
        logq_nK = self.probs_nV.gather(1, self.ids_nK)
        self.probs_nV.exp_()
        logp_nK = soft.logprobs_NK.to(logq_nK.dtype)
        p_nK = logp_nK.exp().masked_fill(~kept_nK, 0)
        q_nK = logq_nK.exp().masked_fill(~kept_nK, 0)
        each_nK = p_nK * (logp_nK.clamp_min(LOG_FLOOR) - logq_nK.clamp_min(LOG_FLOOR))
        mass_n1, Q_n1 = p_nK.sum(1, keepdim=True), q_nK.sum(1, keepdim=True)
        t_n1 = (1 - mass_n1).clamp_min(FLOOR)
        top = 1 - FLOOR
        tail_n1 = t_n1 * (t_n1.log() - torch.log1p(-Q_n1.clamp_max(top)))
        kd_n1 = (each_nK.sum(1, keepdim=True) + tail_n1) * taught_n1
        s_n1 = torch.where(Q_n1 < top, t_n1 / (1 - Q_n1.clamp_max(top)), 0)  # clamped: the tail pulls no more
        c_n1 = torch.where(Q_n1 < top, mass_n1 + t_n1 - s_n1, mass_n1)
        self.ce_share_n1 = self.weights_n1 * torch.where(taught_n1, alpha, 1.0)
        kd_share_n1 = (self.weights_n1 - self.ce_share_n1) * taught_n1
        self.keep_n1, self.pull_nK = kd_share_n1 * c_n1, kd_share_n1 * (s_n1 * q_nK - p_nK)
        self.total = (self.ce_share_n1 * self.ce_n1 + kd_share_n1 * kd_n1).sum()
        self.sums = torch.stack([(self.weights_n1 * self.ce_n1).sum(), (self.weights_n1 * kd_n1).sum()])

    def gradients(self) -> tuple[Any, Any]:
        """What CE and KD want of the hidden states."""
        m_nH = (self.probs_nV.to(self.weight_VH.dtype) @ self.weight_VH).to(self.weights_n1.dtype)
        ce_nH = self.ce_share_n1 * (m_nH - self.weight_VH[self.targets_n1[:, 0]])
        kd_nH = self.keep_n1 * m_nH
        if self.soft:
            kd_nH += torch.einsum("nk,nkh->nh", self.pull_nK, self.weight_VH[self.ids_nK].to(m_nH.dtype))
        return ce_nH, kd_nH

    def score_gradients(self) -> Any:
        """∂L/∂scores, for a head that learns too. Uses the probabilities up."""
        grad_nV = self.probs_nV.mul_(self.ce_share_n1 + self.keep_n1)
        grad_nV.scatter_add_(1, self.targets_n1, -self.ce_share_n1)
        if self.soft:
            grad_nV.scatter_add_(1, self.ids_nK, self.pull_nK)
        return grad_nV
