"""Attention within packed rows: every answer sees its prompt and itself, and no row sees another.

    [prompt | answer | answer] [prompt | answer] …   one sequence of T tokens, no padding
       ▲________│       │
       ▲________________┘                            answers of one prompt share what was computed for it

On a CPU it goes over blocks of queries and multiplies them with the keys they see: torch's own backward pass took
ten times as long there in bfloat16. Elsewhere rows are padded for torch's fused attention and packed again.

Suffixes name shapes: T tokens, B rows, L the longest, h heads of keys, g heads of queries for each, d of a head.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, NamedTuple

import torch
from torch.autograd.function import once_differentiable
from torch.nn.functional import scaled_dot_product_attention

from data.errors import ConfigError

NAME = "deskmate"
QUERIES = 192  # of one block
Range = tuple[int, int]


class Block(NamedTuple):
    """Queries `start:end`: they see the keys in `seen`, and themselves causally."""

    start: int
    end: int
    seen: tuple[Range, ...]


class Layout:
    """Where rows lie in a packed sequence. A row is the length of its prompt and those of its answers."""

    def __init__(self, rows: Sequence[tuple[int, Sequence[int]]]) -> None:
        self.rows = rows
        self.made: tuple[torch.Tensor, ...] = ()
        self.tokens = sum(prompt + sum(answers) for prompt, answers in rows)
        self.longest = max(prompt + max(answers, default=0) for prompt, answers in rows)

    def parts(self) -> list[tuple[Range, Range]]:
        """Every prompt and answer: where it lies, and where the prompt lies that it sees (a prompt: nothing)."""
        found, at = [], 0
        for length, answers in self.rows:
            prompt = (at, at + length)
            found.append((prompt, (at, at)))
            at += length
            for answer in answers:
                found.append(((at, at + answer), prompt))
                at += answer
        return found

    def positions(self) -> list[int]:
        """Of every token in what it sees: an answer goes on from its prompt's end."""
        return [place - own[0] + seen[1] - seen[0] for own, seen in self.parts() for place in range(*own)]

    @cached_property
    def blocks(self) -> list[Block]:
        made = []
        for (start, end), prompt in self.parts():
            for first in range(start, end, QUERIES):
                ranges = [prompt, (start, first)] if prompt[1] != start else [(prompt[0], first)]
                seen = tuple(each for each in ranges if each[0] < each[1])
                made.append(Block(first, min(first + QUERIES, end), seen))
        return made

    def padded(self, device: Any) -> tuple[torch.Tensor, ...]:
        """index_BL into the packed tokens, mask_BLL of what each sees, and back_T from B x L to the packed ones.

        Made for the first layer that asks.
        """
        if self.made:
            return self.made
        lengths = [prompt + sum(answers) for prompt, answers in self.rows]
        longest, at = max(lengths), 0
        index_BL = torch.zeros(len(lengths), longest, dtype=torch.long)
        part_BL = torch.full((len(lengths), longest), -1)
        back = []
        for row, (prompt, answers) in enumerate(self.rows):
            index_BL[row, : lengths[row]] = torch.arange(at, at + lengths[row])
            names = [0] * prompt + [number for number, size in enumerate(answers, 1) for _ in range(size)]
            part_BL[row, : lengths[row]] = torch.tensor(names)
            back.append(torch.arange(lengths[row]) + row * longest)
            at += lengths[row]
        same_BLL = (part_BL[:, :, None] == part_BL[:, None]) | (part_BL[:, None] == 0)
        mask_BLL = same_BLL & torch.ones(longest, longest, dtype=torch.bool).tril()
        self.made = (index_BL.to(device), mask_BLL.to(device), torch.cat(back).to(device))
        return self.made


def attend(
    module: Any, query_1HTd: Any, key_1hTd: Any, value_1hTd: Any, attention_mask: Any = None, *,
    scaling: float, layout: Layout, softcap: float | None = None, sliding_window: int | None = None, **_: Any,
) -> tuple[Any, None]:  # fmt: skip
    """What transformers calls in each layer (registered under NAME); `layout` comes with the decoder's arguments."""
    if softcap or (sliding_window and layout.longest > sliding_window):
        raise ConfigError("this student's attention caps or windows its scores; choose another one or shorter rows")
    if query_1HTd.device.type == "cpu":
        return _Blocks.apply(query_1HTd[0], key_1hTd[0], value_1hTd[0], layout.blocks, scaling), None
    return fused(query_1HTd, key_1hTd, value_1hTd, layout, scaling), None


def fused(query_1HTd: Any, key_1hTd: Any, value_1hTd: Any, layout: Layout, scaling: float) -> Any:
    """Rows padded, torch's fused attention, rows packed again: [1, T, H, d]."""
    index_BL, mask_BLL, back_T = layout.padded(query_1HTd.device)
    padded = [each[0][:, index_BL].transpose(0, 1) for each in (query_1HTd, key_1hTd, value_1hTd)]
    group = padded[0].shape[1] // padded[1].shape[1]
    key, value = (each.repeat_interleave(group, 1) for each in padded[1:])
    out_BHLd = scaled_dot_product_attention(padded[0], key, value, attn_mask=mask_BLL[:, None], scale=scaling)
    return out_BHLd.transpose(1, 2).flatten(0, 1)[back_T][None]


class _Blocks(torch.autograd.Function):  # type: ignore[misc]
    @staticmethod
    def forward(ctx: Any, query_HTd: Any, key_hTd: Any, value_hTd: Any, blocks: list[Block], scaling: float) -> Any:
        h, T, d = key_hTd.shape
        query_hgTd = (query_HTd * scaling).view(h, -1, T, d)
        out_TH = query_HTd.new_empty(T, h, query_hgTd.shape[1], d)
        future_QQ = torch.full((QUERIES, QUERIES), -torch.inf, dtype=query_HTd.dtype).triu(1)
        probs = []
        for block in blocks:
            n = block.end - block.start
            queries = query_hgTd[:, :, block.start : block.end].flatten(1, 2)
            scores = queries @ _seen(key_hTd, block).transpose(1, 2)
            scores.view(h, -1, n, scores.shape[-1])[..., -n:] += future_QQ[:n, :n]
            weights = scores.softmax(-1)
            out = weights @ _seen(value_hTd, block)
            out_TH[block.start : block.end] = out.view(h, -1, n, d).permute(2, 0, 1, 3)
            probs.append(weights)
        ctx.save_for_backward(query_hgTd, key_hTd, value_hTd, *probs)
        ctx.blocks, ctx.scaling = blocks, scaling
        return out_TH.view(1, T, -1, d)

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, grad_1THd: Any) -> Any:
        query_hgTd, key_hTd, value_hTd, *probs = ctx.saved_tensors
        h, g, T, d = query_hgTd.shape
        exact = torch.promote_types(key_hTd.dtype, torch.float32)
        grad_hgTd = grad_1THd.view(T, h, g, d).permute(1, 2, 0, 3)
        query_grad = torch.empty_like(query_hgTd)
        key_grad, value_grad = (torch.zeros(h, T, d, dtype=exact) for _ in range(2))
        for block, weights in zip(ctx.blocks, probs, strict=True):
            grad = grad_hgTd[:, :, block.start : block.end].flatten(1, 2)
            queries = query_hgTd[:, :, block.start : block.end].flatten(1, 2)
            wanted = grad @ _seen(value_hTd, block).transpose(1, 2)
            scores = torch._softmax_backward_data(wanted, weights, -1, weights.dtype)
            query_grad[:, :, block.start : block.end] = (scores @ _seen(key_hTd, block)).view(h, g, -1, d)
            _add(key_grad, scores.transpose(1, 2) @ queries, block)
            _add(value_grad, weights.transpose(1, 2) @ grad, block)
        query_grad *= ctx.scaling
        kept = key_hTd.dtype
        return query_grad.view(-1, T, d), key_grad.to(kept), value_grad.to(kept), None, None


def _ranges(block: Block) -> list[Range]:
    """What a block's queries see, neighbouring ranges joined."""
    if block.seen and block.seen[-1][1] == block.start:
        return [*block.seen[:-1], (block.seen[-1][0], block.end)]
    return [*block.seen, (block.start, block.end)]


def _seen(of_hTd: Any, block: Block) -> Any:
    parts = [of_hTd[:, start:end] for start, end in _ranges(block)]
    return parts[0] if len(parts) == 1 else torch.cat(parts, 1)


def _add(to_hTd: Any, grad: Any, block: Block) -> None:
    at = 0
    for start, end in _ranges(block):
        to_hTd[:, start:end] += grad[:, at : at + end - start]
        at += end - start
