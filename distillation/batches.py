"""Batches of packed rows under a token budget: answers of one prompt share it, and nothing is padded.

Which rows share a batch is fixed by the seed; the order of the batches changes every epoch. A run that was
killed therefore finds the same batches again from the seed, the epoch and the number of steps alone.
"""

from __future__ import annotations

import random
from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from distillation.rows import Example

if TYPE_CHECKING:
    from distillation.attention import Layout
    from distillation.losses import SoftRows

SHARED = 8  # answers behind one prompt, at most
ROUNDED = 256  # on a CPU: oneDNN keeps what it made for each shape it met, and new ones split the free memory up


class Batches:
    """Groups of rows; a row is the examples of one prompt. Each group is one step's, or one of several."""

    def __init__(self, examples: Sequence[Example], budget: int, seed: int) -> None:
        self.rows = share(examples)
        self.groups = bucket([length(row) for row in self.rows], budget, seed)
        self.seed = seed

    def order(self, epoch: int) -> list[list[int]]:
        groups = list(self.groups)
        random.Random(f"{self.seed}/{epoch}").shuffle(groups)
        return groups

    def places(self, groups: Sequence[Sequence[int]]) -> int:
        """How many tokens are learned in these groups."""
        rows = [self.rows[number] for group in groups for number in group]
        return sum(len(example.ids) - example.prompt for row in rows for example in row)

    def batch(self, group: Sequence[int]) -> Batch:
        import torch

        return collate([self.rows[number] for number in group], 1 if torch.cuda.is_available() else ROUNDED)


def share(examples: Sequence[Example]) -> list[tuple[Example, ...]]:
    """Examples of the same prompt together, in the order in which prompts are first met."""
    by_prompt: dict[tuple[int, ...], list[Example]] = {}
    for example in examples:
        by_prompt.setdefault(example.ids[: example.prompt], []).append(example)
    groups = by_prompt.values()
    return [tuple(each[at : at + SHARED]) for each in groups for at in range(0, len(each), SHARED)]


def length(row: Sequence[Example]) -> int:
    """Tokens of a row: an answer's last token is learned, and nothing is learned from it."""
    return row[0].prompt + sum(len(example.ids) - example.prompt - 1 for example in row)


def bucket(lengths: Sequence[int], budget: int, seed: int) -> list[list[int]]:
    """Row numbers grouped so that their lengths sum to `budget` at most (a longer row gets a batch of its own)."""
    shuffled = list(range(len(lengths)))
    random.Random(seed).shuffle(shuffled)
    groups: list[list[int]] = []
    left: list[tuple[int, int]] = []  # room and group, by room: the longest rows first, each where it fits best
    for row in sorted(shuffled, key=lambda number: -lengths[number]):
        place = bisect_left(left, (lengths[row], 0))
        if place < len(left):
            room, group = left.pop(place)
            groups[group].append(row)
        else:
            room, group = budget, len(groups)
            groups.append([row])
        insort(left, (room - lengths[row], group))
    return groups


@dataclass(slots=True)
class Batch:
    """Packed rows as tensors. The hidden state at place n of `places_N` is what predicts `targets_N[n]`."""

    ids_T: Any
    positions_T: Any
    places_N: Any
    targets_N: Any
    weights_N: Any
    soft: SoftRows | None
    layout: Layout
    answers: int
    tokens: int

    def to(self, device: Any) -> Batch:
        names = ("ids_T", "positions_T", "places_N", "targets_N", "weights_N")
        moved = {name: getattr(self, name).to(device) for name in names}
        soft = type(self.soft)(*(each.to(device) for each in self.soft)) if self.soft else None
        return Batch(**moved, soft=soft, layout=self.layout, answers=self.answers, tokens=self.tokens)


def collate(rows: Sequence[Sequence[Example]], multiple: int = 1) -> Batch:
    """Pack rows one after the other. A prompt's last token predicts the first token of each of its answers. Up to a
    `multiple` of tokens, zeros follow that no row sees and nothing is learned from; `tokens` does not count them."""
    import torch

    from distillation.attention import Layout

    lengths = [(row[0].prompt, [len(each.ids) - each.prompt - 1 for each in row]) for row in rows]
    tokens = sum(prompt + sum(answers) for prompt, answers in lengths)
    spare = -tokens % multiple
    layout = Layout([*lengths, (spare, [])] if spare else lengths)
    ids: list[int] = []
    places: list[int] = []
    for row in rows:
        prompt_end = len(ids) + row[0].prompt
        ids += row[0].ids[: row[0].prompt]
        for example in row:
            places += [prompt_end - 1, *range(len(ids), len(ids) + len(example.ids) - example.prompt - 1)]
            ids += example.ids[example.prompt : -1]
    ids += [0] * spare
    examples = [example for row in rows for example in row]
    taught = [len(example.ids) - example.prompt for example in examples]
    return Batch(
        ids_T=torch.tensor(ids), positions_T=torch.tensor(layout.positions()), places_N=torch.tensor(places),
        targets_N=torch.tensor([token for each in examples for token in each.ids[each.prompt :]]),
        weights_N=torch.tensor([each.weight for each in examples]).repeat_interleave(torch.tensor(taught)),
        soft=_soft(examples), layout=layout, answers=len(examples), tokens=tokens,
    )  # fmt: skip


def _soft(examples: Sequence[Example]) -> SoftRows | None:
    """The soft labels of a batch's places, in their order; None where no example has any."""
    import numpy as np
    import torch

    from distillation.losses import SoftRows

    if all(example.soft is None for example in examples):
        return None
    counts, ids, logprobs = [], [], []
    for example in examples:
        if example.soft is None:
            counts.append(np.zeros(len(example.ids) - example.prompt, np.int64))
        else:
            counts.append(example.soft.counts_T.astype(np.int64))
            ids.append(example.soft.ids_E)
            logprobs.append(example.soft.logprobs_E)
    counts_N = np.concatenate(counts)
    kept_NK = np.arange(max(int(counts_N.max(initial=0)), 1)) < counts_N[:, None]
    ids_NK, logprobs_NK = np.full(kept_NK.shape, -1, np.int32), np.full(kept_NK.shape, -np.inf, np.float32)
    ids_NK[kept_NK], logprobs_NK[kept_NK] = np.concatenate(ids), np.concatenate(logprobs)
    return SoftRows(torch.from_numpy(ids_NK), torch.from_numpy(logprobs_NK))
