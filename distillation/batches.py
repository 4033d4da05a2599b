"""Batches of similar lengths under a token budget, so that a slow machine does not compute on padding.

Which rows share a batch is fixed by the seed; the order of the batches changes every epoch. A run that was
killed therefore finds the same batches again from the seed, the epoch and the number of steps alone.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Any

from distillation.rows import IGNORE, Example


def bucket(lengths: Sequence[int], budget: int, seed: int) -> list[list[int]]:
    """Row numbers grouped so that rows x longest row <= `budget` (a longer row gets a batch of its own)."""
    shuffled = list(range(len(lengths)))
    random.Random(seed).shuffle(shuffled)
    groups: list[list[int]] = []
    for row in sorted(shuffled, key=lambda number: -lengths[number]):
        longest = lengths[groups[-1][0]] if groups else 0
        if groups and (len(groups[-1]) + 1) * longest <= budget:
            groups[-1].append(row)
        else:
            groups.append([row])
    return groups


class Batches:
    """A batch sampler for torch's DataLoader, with the `set_epoch` that transformers' Trainer calls."""

    def __init__(self, examples: Sequence[Example], budget: int, seed: int, *, shuffle: bool = True) -> None:
        self.groups = bucket([len(example.ids) for example in examples], budget, seed)
        self.tokens = sum(len(example.ids) for example in examples)
        self.answer_tokens = sum(len(example.ids) - example.prompt for example in examples)
        self.seed = seed
        self.shuffle = shuffle
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.groups)

    def __iter__(self) -> Iterator[list[int]]:
        order = list(range(len(self.groups)))
        if self.shuffle:
            random.Random(f"{self.seed}/{self.epoch}").shuffle(order)
        return iter([self.groups[number] for number in order])


def collate(examples: Sequence[Example]) -> dict[str, Any]:
    """Pad on the right. It needs no attention mask: under causal attention no token sees what follows it."""
    import torch

    longest = max(len(example.ids) for example in examples)
    pad = [longest - len(example.ids) for example in examples]
    return {
        "input_ids": torch.tensor([[*e.ids, *[0] * n] for e, n in zip(examples, pad, strict=True)]),
        "labels": torch.tensor([[*e.labels, *[IGNORE] * n] for e, n in zip(examples, pad, strict=True)]),
        "weights": torch.tensor([e.weight for e in examples]),
        "lengths": torch.tensor([len(e.ids) for e in examples]),
    }
