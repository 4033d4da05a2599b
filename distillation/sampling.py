"""The student answers as it stands, in the midst of its training: sampled or greedily, a batch at a time.

Its packed attention knows no cache of keys and values; while it answers, torch's own attention takes its place.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from transformers import GenerationConfig, LogitsProcessor, LogitsProcessorList

from distillation import attention
from distillation.student import Student


class Said(NamedTuple):
    """An answer as it was drawn, its end token included if it came to one; `entropy` is the mean of its places."""

    tokens: tuple[int, ...]
    entropy: float
    ended: bool


class _Watch(LogitsProcessor):  # type: ignore[misc]
    """Notes the entropy of every place; ids from `size` on, which mean nothing to a teacher, are never said."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.entropies: list[torch.Tensor] = []

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        scores[:, self.size :] = -torch.inf
        self.entropies.append(torch.distributions.Categorical(logits=scores[:, : self.size]).entropy())
        return scores


def sample(
    student: Student, prompts: Sequence[Sequence[int]], tokens: int, end: int, size: int, seed: int | None
) -> list[Said]:
    """One answer of at most `tokens` tokens to each prompt; the same seed and weights give the same answers.

    Without a seed it is the likeliest token at every place.
    """
    if not prompts:
        return []
    longest = max(map(len, prompts))
    ids_BL = torch.tensor([[end] * (longest - len(prompt)) + list(prompt) for prompt in prompts])
    mask_BL = torch.tensor([[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in prompts])
    watch = _Watch(size)
    drawn = {} if seed is None else {"temperature": 1.0, "top_k": 0, "top_p": 1.0}
    asked = GenerationConfig(
        do_sample=seed is not None, repetition_penalty=1.0, max_new_tokens=tokens, eos_token_id=end, pad_token_id=end,
        **drawn,
    )  # fmt: skip
    with _answering(student), torch.no_grad(), torch.random.fork_rng():
        torch.manual_seed(seed or 0)
        made = student.causal.generate(
            input_ids=ids_BL.to(student.device), attention_mask=mask_BL.to(student.device), generation_config=asked,
            logits_processor=LogitsProcessorList([watch]),
        )  # fmt: skip
    entropies = torch.stack(watch.entropies, 1).tolist()
    return [_said(row[longest:], known, end) for row, known in zip(made.tolist(), entropies, strict=True)]


def _said(row: Sequence[int], entropies: Sequence[float], end: int) -> Said:
    ended = end in row
    length = row.index(end) + 1 if ended else len(row)
    return Said(tuple(row[:length]), sum(entropies[:length]) / length, ended)


@contextmanager
def _answering(student: Student) -> Iterator[None]:
    student.model.eval()
    student.causal.set_attn_implementation("sdpa")
    try:
        yield
    finally:
        student.causal.set_attn_implementation(attention.NAME)
        student.model.train()
