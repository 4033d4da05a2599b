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
STEP = 64
Range = tuple[int, int]


class Block(NamedTuple):
    """Queries `first:last`, computed within the window `queries`, and the windows of the keys they see.

    Windows are whole multiples of STEP: oneDNN makes code for each shape it meets, and keeps it. `mask_nm` is added to
    the scores from column `masked` on.
    """

    first: int
    last: int
    queries: Range
    keys: tuple[Range, ...]
    mask_nm: torch.Tensor
    masked: int


class Layout:
    """Where rows lie in a packed sequence. A row is the length of its prompt and those of its answers."""

    def __init__(self, rows: Sequence[tuple[int, Sequence[int]]]) -> None:
        self.rows = rows
        self.made: tuple[torch.Tensor, ...] = ()
        self.tokens = sum(prompt + sum(answers) for prompt, answers in rows)
        self.longest = max(prompt + max(answers, default=0) for prompt, answers in rows)

    def parts(self) -> list[tuple[Range, Range]]:
        """Every prompt and answer: where it lies, and where the prompt lies that it sees (a prompt: nothing). An only
        answer is part of its prompt."""
        found, at = [], 0
        for length, answers in self.rows:
            whole, others = (length + answers[0], ()) if len(answers) == 1 else (length, answers)
            prompt = (at, at + whole)
            found.append((prompt, (at, at)))
            at += whole
            for answer in others:
                found.append(((at, at + answer), prompt))
                at += answer
        return found

    def positions(self) -> list[int]:
        """Of every token in what it sees: an answer goes on from its prompt's end."""
        return [place - own[0] + seen[1] - seen[0] for own, seen in self.parts() for place in range(*own)]

    @cached_property
    def blocks(self) -> list[Block]:
        return [
            self._block(first, min(first + QUERIES, end), start, prompt)
            for (start, end), prompt in self.parts() for first in range(start, end, QUERIES)
        ]  # fmt: skip

    def _block(self, first: int, last: int, start: int, prompt: Range) -> Block:
        """Of the part that begins at `start` and sees `prompt`."""
        ranges = [prompt, (start, last)] if prompt[0] < prompt[1] else [(start, last)]
        queries, keys = self._window((first, last)), tuple(self._window(each) for each in ranges)
        place_n = torch.arange(*queries)[:, None]
        seen = []
        for (begin, end), window in zip(ranges, keys, strict=True):
            place_m = torch.arange(*window)
            seen.append((place_m >= begin) & (place_m < end) & (place_m <= place_n))
        seen_nm = torch.cat(seen, 1) | (place_n < first) | (place_n >= last)
        blind_m = (~seen_nm).any(0).nonzero()
        mask_nm = torch.zeros(seen_nm.shape, dtype=torch.bfloat16).masked_fill_(~seen_nm, -torch.inf)
        return Block(first, last, queries, keys, mask_nm, int(blind_m[0]) if len(blind_m) else seen_nm.shape[1])

    def _window(self, of: Range) -> Range:
        size = min(-(-(of[1] - of[0]) // STEP) * STEP, self.tokens)
        begin = min(of[0], self.tokens - size)
        return begin, begin + size

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
        probs = []
        for block in blocks:
            begin, end = block.queries
            own = slice(block.first - begin, block.last - begin)
            scores = query_hgTd[:, :, begin:end].flatten(1, 2) @ _seen(key_hTd, block).transpose(1, 2)
            scores.view(h, -1, end - begin, scores.shape[-1])[..., block.masked :] += block.mask_nm[:, block.masked :]
            weights = scores.softmax(-1)
            out = (weights @ _seen(value_hTd, block)).view(h, -1, end - begin, d)
            out_TH[block.first : block.last] = out[:, :, own].permute(2, 0, 1, 3)
            for other in (slice(0, own.start), slice(own.stop, None)):  # of other blocks: nothing comes back from them
                weights.view(h, -1, end - begin, scores.shape[-1])[:, :, other] = 0
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
            begin, end = block.queries
            grad = grad_hgTd[:, :, begin:end].flatten(1, 2)
            queries = query_hgTd[:, :, begin:end].flatten(1, 2)
            wanted = grad @ _seen(value_hTd, block).transpose(1, 2)
            scores = torch._softmax_backward_data(wanted, weights, -1, weights.dtype)
            found = (scores @ _seen(key_hTd, block)).view(h, g, -1, d)
            query_grad[:, :, block.first : block.last] = found[:, :, block.first - begin : block.last - begin]
            _add(key_grad, scores.transpose(1, 2) @ queries, block)
            _add(value_grad, weights.transpose(1, 2) @ grad, block)
        query_grad *= ctx.scaling
        kept = key_hTd.dtype
        return query_grad.view(-1, T, d), key_grad.to(kept), value_grad.to(kept), None, None


def _seen(of_hTd: Any, block: Block) -> Any:
    parts = [of_hTd[:, start:end] for start, end in block.keys]
    return parts[0] if len(parts) == 1 else torch.cat(parts, 1)


def _add(to_hTd: Any, grad: Any, block: Block) -> None:
    at = 0
    for start, end in block.keys:
        to_hTd[:, start:end] += grad[:, at : at + end - start]
        at += end - start
