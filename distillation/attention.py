"""Attention within packed rows: every answer sees its prompt and itself, and no row sees another.

    [prompt | answer | answer] [prompt | answer] …   one sequence of T tokens, no padding
       ▲________│       │
       ▲________________┘                            answers of one prompt share what was computed for it

On a CPU blocks of queries are multiplied with the keys they see, those of like sizes at once: torch's own backward
pass took ten times as long there in bfloat16. Elsewhere rows are padded for torch's fused attention and packed again.

Suffixes name shapes: T tokens, B rows, L the longest, h heads of keys, g heads of queries for each, H of queries, d of
a head; b parts of a block, n queries and m keys of each.
"""

from __future__ import annotations

from collections import defaultdict
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
    """Queries of b parts and the keys they see, by their places; T, a token of zeros, fills up what is shorter.

    Sizes are whole multiples of STEP: oneDNN makes code for each shape it meets, and keeps it. `mask_bnm` is added to
    the scores from column `masked` on. `ranges`: where the keys of each part lie.
    """

    queries_bn: torch.Tensor
    keys_bm: torch.Tensor
    mask_bnm: torch.Tensor
    masked: int
    ranges: tuple[tuple[Range, ...], ...]


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
        alike: dict[tuple[int, int], list[tuple[Range, tuple[Range, ...]]]] = defaultdict(list)
        for (start, end), prompt in self.parts():
            for first in range(start, end, QUERIES):
                own = (first, min(first + QUERIES, end))
                keys = (prompt, (start, own[1])) if prompt[0] < prompt[1] else ((start, own[1]),)
                alike[_size([own]), _size(keys)].append((own, keys))
        return [self._block(*sizes, parts) for sizes, parts in alike.items()]

    def _block(self, n: int, m: int, parts: Sequence[tuple[Range, tuple[Range, ...]]]) -> Block:
        queries_bn = torch.full((len(parts), n), self.tokens)
        keys_bm = torch.full((len(parts), m), self.tokens)
        for query_n, key_m, (own, keys) in zip(queries_bn, keys_bm, parts, strict=True):
            query_n[: own[1] - own[0]] = torch.arange(*own)
            places = [torch.arange(*each) for each in keys]
            key_m[: sum(map(len, places))] = torch.cat(places)
        blind_bnm = keys_bm[:, None] > queries_bn[:, :, None]  # the prompt and what comes before in the answer are seen
        mask_bnm = torch.zeros(blind_bnm.shape, dtype=torch.bfloat16).masked_fill_(blind_bnm, -torch.inf)
        blind_m = blind_bnm.flatten(0, 1).any(0).nonzero()
        masked = int(blind_m[0]) if len(blind_m) else m
        return Block(queries_bn, keys_bm, mask_bnm, masked, tuple(keys for _, keys in parts))

    @cached_property
    def back(self) -> torch.Tensor:
        """Where each token is among the queries of all blocks, one after the other."""
        places = torch.cat([block.queries_bn.flatten() for block in self.blocks])
        back = torch.empty(self.tokens + 1, dtype=torch.long)
        back[places] = torch.arange(len(places))
        return back[:-1]

    def padded(self, device: Any) -> tuple[torch.Tensor, ...]:
        """index_BL into the packed tokens, mask_BLL of what each sees, and back from B x L to the packed ones.

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
        return _Blocks.apply(query_1HTd[0], key_1hTd[0], value_1hTd[0], layout, scaling), None
    return fused(query_1HTd, key_1hTd, value_1hTd, layout, scaling), None


def fused(query_1HTd: Any, key_1hTd: Any, value_1hTd: Any, layout: Layout, scaling: float) -> Any:
    """Rows padded, torch's fused attention, rows packed again: [1, T, H, d]."""
    index_BL, mask_BLL, back = layout.padded(query_1HTd.device)
    padded = [each[0][:, index_BL].transpose(0, 1) for each in (query_1HTd, key_1hTd, value_1hTd)]
    group = padded[0].shape[1] // padded[1].shape[1]
    key, value = (each.repeat_interleave(group, 1) for each in padded[1:])
    out_BHLd = scaled_dot_product_attention(padded[0], key, value, attn_mask=mask_BLL[:, None], scale=scaling)
    return out_BHLd.transpose(1, 2).flatten(0, 1)[back][None]


class _Blocks(torch.autograd.Function):  # type: ignore[misc]
    @staticmethod
    def forward(ctx: Any, query_HTd: Any, key_hTd: Any, value_hTd: Any, layout: Layout, scaling: float) -> Any:
        h = len(key_hTd)
        query_THd, pair_ThKd = _ended(query_HTd * scaling), _ended(torch.stack([key_hTd, value_hTd], 1).flatten(0, 1))
        outs, kept = [], []
        for block in layout.blocks:
            query = _queries(query_THd, block, h)
            pair = _gathered(pair_ThKd, block.keys_bm).unflatten(2, (h, 2)).permute(3, 0, 2, 1, 4).flatten(1, 2)
            key, value = pair.contiguous()
            scores = query @ key.transpose(1, 2)
            apart = scores.view(len(block.ranges), h, block.queries_bn.shape[1], -1, scores.shape[-1])
            apart[..., block.masked :] += block.mask_bnm[:, None, :, None, block.masked :]
            weights = scores.softmax(-1)
            outs.append(_rows(weights @ value, block, h))
            kept += [query, key, value, weights]
        ctx.save_for_backward(*kept)
        ctx.layout, ctx.scaling = layout, scaling
        return torch.cat(outs)[layout.back][None]

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, grad_1THd: Any) -> Any:
        layout, kept, grad_THd = ctx.layout, ctx.saved_tensors, _ended(grad_1THd[0].transpose(0, 1))
        h, d = len(kept[1]) // len(layout.blocks[0].ranges), grad_THd.shape[-1]
        exact = torch.promote_types(grad_THd.dtype, torch.float32)
        pair_grad = torch.zeros(2, h, layout.tokens, d, dtype=exact)
        found = []
        for number, block in enumerate(layout.blocks):
            query, key, value, weights = kept[4 * number : 4 * number + 4]
            grad = _queries(grad_THd, block, h)
            wanted = grad @ value.transpose(1, 2)
            scores = torch._softmax_backward_data(wanted, weights, -1, weights.dtype)
            found.append(_rows(scores @ key, block, h))
            pair = key.new_empty(2, *key.shape)
            torch.bmm(scores.transpose(1, 2), query, out=pair[0])
            torch.bmm(weights.transpose(1, 2), grad, out=pair[1])
            _add(pair_grad, pair.unflatten(1, (-1, h)), block)
        query_grad = torch.cat(found)[layout.back].mul_(ctx.scaling).transpose(0, 1)
        return query_grad, *pair_grad.to(grad_THd.dtype), None, None


def _size(of: Sequence[Range]) -> int:
    """What the ranges hold, in whole multiples of STEP."""
    return -(-sum(end - begin for begin, end in of) // STEP) * STEP


def _ended(of_HTd: Any) -> Any:
    """[T + 1, H, d]; the last token is of zeros."""
    H, T, d = of_HTd.shape
    made = of_HTd.new_empty(T + 1, H, d)
    made[:T] = of_HTd.transpose(0, 1)
    made[T] = 0
    return made


def _gathered(of_THd: Any, places_bn: Any) -> Any:
    """[b, n, H, d]"""
    return of_THd.index_select(0, places_bn.flatten()).unflatten(0, places_bn.shape)


def _queries(of_THd: Any, block: Block, h: int) -> Any:
    """[b * h, n * g, d]"""
    apart_bhngd = _gathered(of_THd, block.queries_bn).unflatten(2, (h, -1)).transpose(1, 2)
    return apart_bhngd.flatten(0, 1).flatten(1, 2)


def _rows(of: Any, block: Block, h: int) -> Any:
    """[b * n, H, d] of what `_queries` gives."""
    b, n = block.queries_bn.shape
    return of.view(b, h, n, -1, of.shape[-1]).transpose(1, 2).flatten(2, 3).flatten(0, 1)


def _add(to_2hTd: Any, grad_2bhmd: Any, block: Block) -> None:
    for number, ranges in enumerate(block.ranges):
        at = 0
        for start, end in ranges:
            to_2hTd[:, :, start:end] += grad_2bhmd[:, number, :, at : at + end - start]
            at += end - start
