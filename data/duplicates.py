"""Questions that say nearly the same: Jaccard of 5-word shingles, exact, whoever is compared with whom.

Shingles are kept as 64-bit hashes, so that a million questions can be compared without their words. With the few that
are held out every question is compared, through the shingles that it shares with them. Among a million of the train
ones only those are compared that share a band of MinHash values, which 99 of 100 near-duplicates at the limit do
(Broder 1997; Leskovec, Rajaraman and Ullman, Mining of Massive Datasets, 3.4).
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import cache, lru_cache
from hashlib import blake2b
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from data.records import Exchange

if TYPE_CHECKING:
    from datasketch import MinHash

Grams = npt.NDArray[np.uint64]
SHINGLE = 5
NEAR = 0.6
BOILERPLATE = 3  # a reply given so often is a stock text
BANDS, VALUES = 20, 3
KEYS = BANDS + 1
COMPARED = 16  # with this many of a band at most, so that a desk where all begin alike takes no longer
FACTORS = np.random.default_rng(7).integers(1, 2**63, max(SHINGLE, VALUES), np.uint64) | np.uint64(1)


def grams(text: str) -> Grams:
    """Hashes of a text's 5-word shingles, sorted, each once; a shorter text is one shingle."""
    found = re.findall(r"\w+", text.casefold())
    words = np.fromiter(map(_word, found), np.uint64, len(found))
    size = min(SHINGLE, len(words))
    count = len(words) - size + 1
    summed = np.zeros(count, np.uint64)
    for place in range(size):
        summed += words[place : place + count] * FACTORS[place]
    return np.unique(summed)


@lru_cache(maxsize=1 << 16)
def _word(word: str) -> int:
    return int.from_bytes(blake2b(word.encode("utf-8", "replace"), digest_size=8).digest(), "little")


def keys(shingles: Grams) -> bytes:
    """KEYS 32-bit numbers: near-duplicates have one of them in common; the last one tells what is quite the same."""
    sketch = _unwritten().copy()
    sketch.update_batch((shingles & np.uint64(0xFFFFFFFF)).tolist())
    values_BV = sketch.digest().reshape(BANDS, VALUES).astype(np.uint64)
    bands_B = (values_BV * FACTORS[:VALUES]).sum(axis=1, dtype=np.uint64)
    return (np.append(bands_B, shingles.sum(dtype=np.uint64)) >> np.uint64(32)).astype(np.uint32).tobytes()


@cache
def _unwritten() -> MinHash:
    from datasketch import MinHash

    return MinHash(num_perm=BANDS * VALUES, hashfunc=int)


class Asked:
    """Questions that others are compared with, all of them, each with its ticket."""

    def __init__(self) -> None:
        self._held: list[tuple[int, int, int]] = []
        self._holders: dict[int, list[int]] = defaultdict(list)

    def add(self, number: int, ticket: int, shingles: Grams) -> None:
        for gram in shingles.tolist():
            self._holders[gram].append(len(self._held))
        self._held.append((number, ticket, len(shingles)))

    def nearest(self, ticket: int, shingles: Grams) -> int | None:
        """The number of the question most like this one, of another ticket, if it is nearly the same."""
        shared: Counter[int] = Counter()
        for gram in shingles.tolist():
            if gram in self._holders:
                shared.update(self._holders[gram])
        alike = [
            (count / (len(shingles) + size - count), number)
            for place, count in shared.items()
            for number, owner, size in [self._held[place]]
            if owner != ticket
        ]
        likeness, number = max(alike, default=(0.0, 0))
        return number if likeness >= NEAR else None


def near_duplicates(train: Sequence[Exchange], held: Sequence[Exchange]) -> dict[str, str]:
    """Train ids whose question is nearly a held-out one's, and the id of that."""
    tickets = {name: place for place, name in enumerate({each.ticket_id for each in held})}
    asked = Asked()
    for place, exchange in enumerate(held):
        asked.add(place, tickets[exchange.ticket_id], grams(exchange.question))
    found = ((each.id, asked.nearest(-1, grams(each.question))) for each in train)
    return {name: held[place].id for name, place in found if place is not None}


def repeats(
    keys_NK: npt.NDArray[np.uint32], tickets_N: npt.NDArray[np.int64], shingles: Callable[[int], Grams]
) -> Iterator[tuple[int, int]]:
    """(place left out, place kept that says nearly the same), for rows in the order in which they are preferred.

    Whatever is named as kept is kept. `shingles` gives those of the row at a place.
    """

    @lru_cache(maxsize=4096)
    def said(place: int) -> frozenset[int]:
        return frozenset(shingles(place).tolist())

    kept: dict[int, list[int]] = defaultdict(list)
    for place, groups in _grouped(keys_NK):
        alike = sorted({each for group in groups for each in kept[group] if tickets_N[each] != tickets_N[place]})
        match = next((each for each in alike if _near(said(each), said(place))), None)
        if match is not None:
            yield place, match
            continue
        for group in groups:
            if len(kept[group]) < COMPARED:
                kept[group].append(place)


def _grouped(keys_NK: npt.NDArray[np.uint32]) -> Iterator[tuple[int, list[int]]]:
    """Every row that shares a key with another one, in order, with the numbers of the groups that it is in."""
    members, groups, count = [], [], 0
    if not len(keys_NK):
        return
    for column in range(keys_NK.shape[1]):
        keys_N = keys_NK[:, column]
        order: npt.NDArray[np.int32] = np.argsort(keys_N, kind="stable").astype(np.int32)
        ordered = keys_N[order]
        begins = np.append(True, ordered[1:] != ordered[:-1])
        alone = begins & np.append(begins[1:], True)
        members.append(order[~alone])
        groups.append((count + np.cumsum(begins)[~alone]).astype(np.int32))
        count += int(begins.sum())
    every = np.concatenate(members)
    by_row = np.argsort(every, kind="stable")
    rows, starts = np.unique(every[by_row], return_index=True)
    numbers = np.concatenate(groups)[by_row]
    for row, (start, end) in zip(rows.tolist(), pairwise([*starts.tolist(), len(numbers)]), strict=True):
        yield row, numbers[start:end].tolist()


def _near(one: frozenset[int], other: frozenset[int]) -> bool:
    shared = len(one & other)
    return shared / (len(one) + len(other) - shared) >= NEAR


def same_words(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))


def number_of(text: str, key: bytes = b"") -> int:
    """64 bits that stand for a text, as SQLite stores them; whoever has no `key` cannot tell for which."""
    return int.from_bytes(
        blake2b(text.encode("utf-8", "replace"), digest_size=8, key=key).digest(), "little", signed=True
    )
