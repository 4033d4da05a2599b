"""How near each thing the desk knows is to a question: by meaning, by words, and by what colleagues linked before.

Suffixes name shapes: P passages, C pieces of articles, A articles, L links, D dimensions.

Past tickets: cosine, and WORDS times BM25 (Robertson & Zaragoza 2009) scaled to its best. Articles: the log of an
article's share in what the NEIGHBOURS nearest past questions were answered with, its best piece's cosine and BM25, and
how often it was linked at all. The weights were fitted (softmax regression) on the real desk's first 2,476 linked
threads, and judged on the 620 after them: `make bench-retrieval`.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bot.cosines import Cosines, Floats, cosines_with
from bot.encoder import Vectors
from bot.links import Links
from data.text import content_words

WORDS = 0.3
NEIGHBOURS = 100
NEAR = 0.07  # a past question counts exp((cosine - 1) / NEAR)
NOBODY = 0.05  # what stands against the neighbours' votes: few or far ones say little
FLOOR = 1e-3
COSINE, COUNT, POPULAR = 3.2, 1.8, 0.13


@dataclass(frozen=True, slots=True)
class Words:
    """BM25 over the passages' content words."""

    index: Any

    def counts(self, text: str) -> Floats:
        """BM25 of every passage: [P]."""
        said = [word for word in content_words(text) if word in self.index.vocab_dict]
        if not said:
            return np.zeros(self.index.scores["num_docs"], np.float32)
        found: Floats = self.index.get_scores(said)
        return found


def load_words(folder: Path, texts: Sequence[str]) -> Words | None:
    """The index over `texts`, from `folder` or made there; None where no text has a content word."""
    import bm25s

    logging.getLogger("bm25s").setLevel(logging.WARNING)
    if not folder.is_dir():
        said = [content_words(text) for text in texts]
        if not any(said):
            return None
        index = bm25s.BM25()
        index.index(said, show_progress=False)
        built = folder.with_name(f".partial-{folder.name}")
        shutil.rmtree(built, ignore_errors=True)
        index.save(built, show_progress=False)
        built.replace(folder)
    index = bm25s.BM25.load(folder, mmap=True)
    plain = {name: np.asarray(held) if isinstance(held, np.memmap) else held for name, held in index.scores.items()}
    index.scores = plain  # the same memory; a piece of a memmap takes longer to make than to add
    return Words(index)


@dataclass(frozen=True)
class Ranking:
    """`first_A`: where each article's pieces begin among the pieces `piece_C`, which are places of passages."""

    vectors_PD: Vectors
    piece_C: npt.NDArray[np.intp]
    first_A: npt.NDArray[np.intp]
    links: Links
    words: Words | None = None

    @cached_property
    def cosines(self) -> Cosines:
        return cosines_with(self.vectors_PD)

    def counts(self, text: str) -> Floats:
        return np.zeros(len(self.vectors_PD), np.float32) if self.words is None else self.words.counts(text)

    def articles(self, vector: Vectors, counts_P: Floats, before: float = np.inf) -> Floats:
        """How near each article's nearest piece is: [A]."""
        if not len(self.first_A):
            return np.zeros(0, np.float32)
        near_C = self.pieces(self.cosines(vector), counts_P, self.shares(vector, before), before)
        near_A: Floats = np.maximum.reduceat(near_C, self.first_A)
        return near_A

    def pieces(self, cosines_P: Floats, counts_P: Floats, shares_A: Floats, before: float = np.inf) -> Floats:
        """How near each piece is, its article's links until `before` (epoch seconds) included: [C]."""
        if not len(self.first_A):
            return np.zeros(0, np.float32)
        near_C = COSINE * cosines_P[self.piece_C] + COUNT * scaled(counts_P[self.piece_C])
        linked_A = np.log(shares_A + FLOOR) + POPULAR * np.log1p(self.links.often(before))
        made: Floats = near_C + np.repeat(linked_A.astype(np.float32), self.sizes)
        return made

    @property
    def sizes(self) -> npt.NDArray[np.intp]:
        """How many pieces each article has: [A]."""
        return np.diff(self.first_A, append=len(self.piece_C))

    def shares(self, vector: Vectors, before: float = np.inf) -> Floats:
        """Each article's share in what the nearest past questions were answered with: [A], in [0, 1]."""
        first = self.links.until(before)
        votes_L = self.links.weight_L[:first] * np.exp((self.links.vectors_LD[:first] @ vector - 1) / NEAR)
        best_N = best(votes_L, NEIGHBOURS)
        votes_A = votes_L[best_N] @ self.links.linked_LA[best_N].astype(np.float32)
        share_A: Floats = votes_A / (votes_A.sum() + NOBODY)
        return share_A


def best(scores: npt.NDArray[Any], count: int) -> npt.NDArray[np.intp]:
    """Places of the best `count` scores, best first; of equal ones the first."""
    enough = 0 < count < len(scores)
    places = np.flatnonzero(scores >= np.partition(scores, -count)[-count]) if enough else np.arange(len(scores))
    return places[np.argsort(-scores[places], kind="stable")][: max(count, 0)]


def nearness(cosines: Floats, counts: Floats) -> Floats:
    """By meaning and by words, for those that are compared."""
    made: Floats = cosines + WORDS * scaled(counts)
    return made


def scaled(counts: Floats) -> Floats:
    best = counts.max(initial=0.0)
    return counts / best if best > 0 else np.zeros_like(counts)
