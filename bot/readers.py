"""How passages fared with readers: what a support team said of each as a reply to other questions (data/reviews.py).

A passage that misled one customer misleads others: on the real desk this one figure raises the AUC with which wrong
replies are told from .61 to .74 (tests/bench/worth.py). Suffixes name shapes: P passages, K candidates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bot.cosines import Floats
from data.records import Review

USUAL = 2.0  # reviews of the usual outcome that every passage begins with, so that one opinion does not decide
LEAST = 3  # the score from which a reply is a good one
Counts = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Readers:
    """`counts_P3`: how often each passage was read, was a good reply, was a wrong one; `own`: of these, what was said
    of which passages in reviews of a ticket itself."""

    counts_P3: Counts
    own: Mapping[str, tuple[tuple[int, Counts], ...]]

    def records(self, places_K: npt.NDArray[np.integer], ticket: str) -> Floats:
        """Log odds of good and of wrong, over those of any reviewed passage: [K, 2]; 0 where nobody read. What was
        said of the ticket at hand, the very thing to be foretold, is left out."""
        count_K3 = self.counts_P3[places_K].copy()
        for place, said in self.own.get(ticket, ()):
            count_K3[places_K == place] -= said
        read, *outcomes = self.counts_P3.sum(axis=0)
        usual = (np.array(outcomes) + 1) / (read + 2)
        share_K2 = (count_K3[:, 1:] + USUAL * usual) / (count_K3[:, :1] + USUAL)
        made: Floats = (_odds(share_K2) - _odds(usual)).astype(np.float32)
        return made


def readers_of(reviews: Sequence[Review], passages: Sequence[str]) -> Readers:
    """`passages`: the ids of all that there are."""
    places = {name: place for place, name in enumerate(passages)}
    counts_P3 = np.zeros((len(places), 3), np.float32)
    own: dict[str, tuple[tuple[int, Counts], ...]] = {}
    for review in reviews:
        place, ticket = places[review.passage], review.exchange.rpartition("-")[0]
        said = np.array([1, review.score >= LEAST, review.wrong], np.float32)
        counts_P3[place] += said
        own[ticket] = (*own.get(ticket, ()), (place, said))
    return Readers(counts_P3, own)


def _odds(share: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    made: npt.NDArray[np.floating] = np.log(share / (1 - share))
    return made
