"""What articles past questions were answered with: those that colleagues linked, and those that say what they said.

Few desks' agents link articles. A reply that says what an article says tells as much, only less surely: that article
counts HEARD of a link. On the real desk with all links hidden, recall where a helper linked an article is .30, .55, .66
at 1, 5, 10 with such replies and .23, .45, .54 without; beside 100 links .31, .61, .72 for .22, .48, .61; beside 800
the same either way (`make bench-retrieval`). Beside ENOUGH they are not looked for.

Suffixes name shapes: L links, A articles, C pieces of articles, P passages, T past tickets, D dimensions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from bot.cosines import Floats
from bot.encoder import Vectors
from data.records import Link

ENOUGH = 1000
HEARD = 0.05
ALIKE = 0.45  # cosine of a reply with what an article says
NEWEST = 10_000  # past tickets that are looked at

Opened = npt.NDArray[np.float64]
Places = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Links:
    """Past questions with the articles that answered them, the oldest first: `linked_LA` says which, `weight_L` is 1
    where a colleague linked them."""

    vectors_LD: Vectors
    opened_L: Opened
    linked_LA: npt.NDArray[np.bool_]
    weight_L: Floats

    def until(self, before: float) -> int:
        """How many of them were opened before (epoch seconds)."""
        return int(np.searchsorted(self.opened_L, before))

    def often(self, before: float) -> npt.NDArray[np.int32]:
        """How often each article was linked by a colleague until then: [A]."""
        return self._always if before == np.inf else self._often(self.until(before))

    @cached_property
    def _always(self) -> npt.NDArray[np.int32]:
        return self._often(len(self.opened_L))

    @cached_property
    def _given(self) -> npt.NDArray[np.bool_]:
        made_LA: npt.NDArray[np.bool_] = self.linked_LA & (self.weight_L == 1)[:, None]
        return made_LA

    def _often(self, first: int) -> npt.NDArray[np.int32]:
        given_LA = self._given[:first].view(np.uint8)
        often_A: npt.NDArray[np.int32] = given_LA.sum(axis=0, dtype=np.int32)  # a third of count_nonzero's time
        return often_A


def linked(links: Sequence[Link], vectors_LD: Vectors, articles: Sequence[str]) -> Links:
    """What colleagues linked, of the desk's `articles`, by id."""
    number = {article: place for place, article in enumerate(articles)}
    linked_LA = np.zeros((len(links), len(articles)), np.bool_)
    for row_A, link in zip(linked_LA, links, strict=True):
        row_A[[number[article] for article in link.articles if article in number]] = True
    opened_L = np.array([link.created.timestamp() for link in links])
    return _ordered(Links(vectors_LD, opened_L, linked_LA, np.ones(len(links), np.float32)))


def alike(said_TD: Vectors, said_CD: Vectors, first_A: Places) -> Places:
    """The article one piece of which says what each past reply says, -1 for none: [T]."""
    near_TA = np.maximum.reduceat(said_TD @ said_CD.T, first_A, axis=1)
    return np.where(near_TA.max(axis=1, initial=-1.0) > ALIKE, near_TA.argmax(axis=1), -1)


def heard(given: Links, asked_TD: Vectors, opened_T: Opened, article_T: Places) -> Links:
    """`given`, and past questions whose replies say what an article says (`alike`)."""
    known_T = article_T >= 0
    linked_LA = np.zeros((int(known_T.sum()), given.linked_LA.shape[1]), np.bool_)
    np.put_along_axis(linked_LA, article_T[known_T][:, None], True, axis=1)
    return _ordered(Links(
        np.concatenate([given.vectors_LD, asked_TD[known_T]]), np.concatenate([given.opened_L, opened_T[known_T]]),
        np.concatenate([given.linked_LA, linked_LA]),
        np.concatenate([given.weight_L, np.full(len(linked_LA), HEARD, np.float32)]),
    ))  # fmt: skip


def _ordered(links: Links) -> Links:
    order = np.argsort(links.opened_L, kind="stable")
    return Links(links.vectors_LD[order], links.opened_L[order], links.linked_LA[order], links.weight_L[order])
