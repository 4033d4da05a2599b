"""Loss and gradient are those of the formulas, whatever the chunks and the head; nothing becomes NaN."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
import torch

from data.errors import ConfigError
from distillation.losses import SoftRows, completion_loss, output_head

N, H, V, K, ALPHA = 13, 8, 40, 6, 0.2


class Case(NamedTuple):
    hidden_NH: torch.Tensor
    head: torch.nn.Linear
    targets_N: torch.Tensor
    weights_N: torch.Tensor
    soft: SoftRows


def case(dtype: Any = torch.float32, spread: float = 1.0, *, frozen: bool = True, bias: bool = False) -> Case:
    """Places 0 to 3 have no soft labels; the others have one to K entries of a random teacher."""
    torch.manual_seed(0)
    head = torch.nn.Linear(H, V, bias=bias).double()
    torch.nn.init.normal_(head.weight, std=spread)
    hidden = torch.randn(N, H, dtype=torch.float64)
    top = torch.randn(N, V, dtype=torch.float64).mul(3).log_softmax(-1).topk(K)
    ids, logprobs = top.indices.int(), top.values
    for place in range(N):
        count = 0 if place < 4 else 1 + place % K
        ids[place, count:], logprobs[place, count:] = -1, -torch.inf
    head.requires_grad_(not frozen)
    soft = SoftRows(ids, logprobs.to(torch.promote_types(dtype, torch.float32)))
    return Case(
        hidden.to(dtype).requires_grad_(), head.to(dtype), torch.randint(V, (N,)), torch.rand(N).to(dtype) + 0.5, soft
    )


def dense(made: Case, alpha: float = ALPHA) -> tuple[Any, Any, Any]:
    """The formulas, place by place over the whole vocabulary, in float64."""
    weight, hidden = made.head.weight.double().detach(), made.hidden_NH.double().detach()
    weight, hidden = weight.requires_grad_(), hidden.requires_grad_()
    total = torch.zeros((), dtype=torch.float64)
    for place in range(N):
        logq = (hidden[place] @ weight.T).log_softmax(-1)
        ce = -logq[made.targets_N[place]]
        kept = [int(entry) for entry in made.soft.ids_NK[place] if 0 <= entry < V]
        loss = ce
        if kept:
            logp = made.soft.logprobs_NK[place, : len(kept)].double()
            tail = 1 - logp.exp().sum()
            q = logq.exp()
            rest = torch.stack([q[token] for token in range(V) if token not in kept]).sum()
            kd = sum(logp[at].exp() * (logp[at] - logq[token]) for at, token in enumerate(kept))
            loss = alpha * ce + (1 - alpha) * (kd + tail * (tail.log() - rest.log()))
        total = total + float(made.weights_N[place]) * loss
    total.backward()
    return total.detach(), hidden.grad, weight.grad


def close(found: Any, wanted: Any) -> bool:
    return bool((found.double() - wanted).abs().max() <= 1e-5 * wanted.abs().max())


@pytest.mark.parametrize("frozen", [True, False])
@pytest.mark.parametrize("alpha", [0.0, ALPHA, 1.0])
def test_loss_and_gradient_are_those_of_a_dense_float64_reference(alpha: float, frozen: bool) -> None:
    made = case(frozen=frozen)
    found = completion_loss(made.hidden_NH, *made[1:], alpha=alpha)
    found.total.backward()
    total, hidden, weight = dense(made, alpha)
    assert close(found.total.detach(), total)
    assert close(made.hidden_NH.grad, hidden)
    assert made.head.weight.grad is None if frozen else close(made.head.weight.grad, weight)


def test_gradient_is_the_derivative_of_the_loss() -> None:
    made = case(torch.float64, frozen=False, bias=True)
    few = torch.tensor([0, 5, 9])
    soft = SoftRows(*(each[few] for each in made.soft))
    hidden = made.hidden_NH.detach()[few].requires_grad_()

    def loss(hidden: Any, weight: Any, bias: Any) -> Any:
        head = torch.nn.Linear(H, V)
        del head.weight, head.bias
        head.weight, head.bias = weight, bias
        return completion_loss(hidden, head, made.targets_N[few], made.weights_N[few], soft, ALPHA, 2 * V).total

    assert torch.autograd.gradcheck(loss, (hidden, made.head.weight, made.head.bias))


def test_chunks_change_nothing() -> None:
    seen = []
    for elements in (V, 3 * V, 1000 * V):
        made = case()
        found = completion_loss(*made, alpha=ALPHA, elements=elements)
        found.total.backward()
        seen.append([found.total, found.ce, found.kd, *found.norms, made.hidden_NH.grad])
    for other in seen[1:]:
        assert all(torch.allclose(a, b, rtol=1e-5) for a, b in zip(seen[0], other, strict=True))


def test_rows_without_soft_labels_learn_by_cross_entropy_alone() -> None:
    made = case()
    plain = completion_loss(*made[:4])
    plain.total.backward()
    wanted, made.hidden_NH.grad = made.hidden_NH.grad, None
    completion_loss(*made, alpha=ALPHA).total.backward()
    assert torch.allclose(made.hidden_NH.grad[:4], wanted[:4])
    assert not torch.allclose(made.hidden_NH.grad[4:], wanted[4:], rtol=0.05)
    assert plain.kd == 0 and plain.norms[1] == 0
    each_N = torch.nn.functional.cross_entropy(made.head(made.hidden_NH), made.targets_N, reduction="none")
    assert torch.allclose(plain.total, each_N @ made.weights_N)


def test_1_teacher_is_student_gives_no_divergence_and_shifted_by_one_does() -> None:
    made = case(spread=3.0)
    top = made.head(made.hidden_NH).log_softmax(-1).detach().topk(K)
    soft = SoftRows(top.indices, top.values)
    shifted = SoftRows(top.indices.roll(1, 0), top.values.roll(1, 0))
    kd = [float(completion_loss(*made[:4], each).kd) / N for each in (soft, shifted)]
    assert abs(kd[0]) < 1e-5
    assert kd[1] > 0.1


def test_7_the_share_of_soft_labels_changes_gradients_and_both_norms_are_known() -> None:
    gradients, norms = [], []
    for alpha in (0.0, 1.0):
        made = case()
        found = completion_loss(*made, alpha=alpha)
        found.total.backward()
        gradients.append(made.hidden_NH.grad)
        norms.append(found.norms)
    assert not torch.allclose(*gradients)
    assert norms[0][1] > 0 and norms[1][0] > 0 and norms[1][1] == 0
    assert norms[1][0] == pytest.approx(float(gradients[1].square().sum()), rel=1e-5)


def test_11_teacher_entries_beyond_the_students_head_go_to_the_tail() -> None:
    made = case()
    extra = SoftRows(made.soft.ids_NK.clone(), made.soft.logprobs_NK.clone())
    extra.ids_NK[6, 0] = V + 3
    dropped = SoftRows(made.soft.ids_NK.clone(), made.soft.logprobs_NK.clone())
    dropped.ids_NK[6] = dropped.ids_NK[6].roll(-1)
    dropped.logprobs_NK[6] = dropped.logprobs_NK[6].roll(-1)
    dropped.ids_NK[6, -1] = -1
    found, wanted = (completion_loss(*made[:4], each).total for each in (extra, dropped))
    assert torch.allclose(found, wanted)
    assert not torch.allclose(found, completion_loss(*made).total)


def test_11_students_padded_rows_are_in_the_tail() -> None:
    made = case()
    padded = torch.nn.Linear(H, V + 5, bias=False)
    padded.weight = torch.nn.Parameter(torch.cat([made.head.weight, torch.full((5, H), 0.0)]), requires_grad=False)
    found = completion_loss(made.hidden_NH, padded, *made[2:])
    found.total.backward()
    assert torch.isfinite(made.hidden_NH.grad).all()
    assert found.kd > completion_loss(*made).kd - 1  # finite, and of the same order
    assert found.ce > completion_loss(*made).ce


@pytest.mark.parametrize("spread", [0.0, 1.0, 200.0])
def test_12_nothing_becomes_nan(spread: float) -> None:
    """-inf among the entries, a teacher without tail, a student sure of itself or of nothing."""
    made = case(spread=spread)
    made.soft.logprobs_NK[5, 0] = -torch.inf
    made.soft.logprobs_NK[6:8] = -torch.inf
    made.soft.logprobs_NK[6:8, 0] = 0.0
    made.soft.logprobs_NK[8, :2] = -0.69  # float16 may round a sum above one
    found = completion_loss(*made, alpha=ALPHA)
    found.total.backward()
    assert torch.isfinite(made.hidden_NH.grad).all()
    assert all(bool(torch.isfinite(each).all()) for each in found)


def test_bfloat16_hidden_states_are_close_to_exact() -> None:
    made = case(torch.bfloat16)
    total, hidden, _ = dense(made)
    found = completion_loss(*made, alpha=ALPHA)
    found.total.backward()
    assert float(found.total.detach()) == pytest.approx(float(total), rel=1e-2)
    assert (made.hidden_NH.grad.double() - hidden).norm() <= 2e-2 * hidden.norm()


def test_no_gradient_is_made_where_none_is_wanted() -> None:
    made = case()
    with torch.no_grad():
        found = completion_loss(*made)
    assert not found.total.requires_grad
    assert not found.norms.any()
    assert torch.allclose(found.total, completion_loss(*made).total)


def test_heads_that_scale_their_scores_are_refused() -> None:
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=32, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2,
        num_key_value_heads=2,
    )  # fmt: skip
    model = LlamaForCausalLM(config)
    assert output_head(model) is model.lm_head
    config.final_logit_softcapping = 30.0
    with pytest.raises(ConfigError, match="scales its output scores"):
        output_head(LlamaForCausalLM(config))
