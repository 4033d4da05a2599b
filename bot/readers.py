"""How passages fared with readers: what a support team said of each as a reply to other questions (data/reviews.py).

A passage that misled one customer misleads others, and one that nobody read is more often wrong: on the real desk's
first 4,800 reviews a note's record raised the AUC with which wrong replies are foretold from .65 to .75
(tests/bench/worth.py). Suffixes name shapes: P passages, K candidates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bot.cosines import Floats
from data.records import Review

USUAL = 2.0  # reviews of the usual outcome that every passage begins with, so that one opinion does not decide
Counts = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Readers:
    """`counts_P3`: how often each passage was read, was a good reply, was a wrong one; `by_ticket`: the part of that
    which was said about replies to that ticket, with the passages' places; `usual_2`: the shares of all reviews that
    are good and wrong."""

    counts_P3: Counts
    usual_2: Counts
    by_ticket: Mapping[str, tuple[tuple[int, Counts], ...]]

    def records(self, places_K: npt.NDArray[np.integer], ticket: str) -> Floats:
        """Log odds of good and of wrong, over those of any reviewed passage, and whether anybody read it: [K, 3], 0
        where nobody did. What was said of the ticket at hand, the very thing to be foretold, is left out."""
        count_K3 = self.counts_P3[places_K].copy()
        for place, said in self.by_ticket.get(ticket, ()):
            count_K3[places_K == place] -= said
        share_K2 = (count_K3[:, 1:] + USUAL * self.usual_2) / (count_K3[:, :1] + USUAL)
        return np.column_stack([_odds(share_K2) - _odds(self.usual_2), count_K3[:, 0] > 0]).astype(np.float32)


def readers_of(reviews: Sequence[Review], passages: Sequence[str]) -> Readers:
    """`passages`: the ids of all that there are."""
    places = {name: place for place, name in enumerate(passages)}
    counts_P3 = np.zeros((len(places), 3), np.float32)
    by_ticket: dict[str, tuple[tuple[int, Counts], ...]] = {}
    for review in reviews:
        place, ticket = places[review.passage], review.exchange.rpartition("-")[0] or review.exchange
        said = np.array([1, review.good, review.wrong], np.float32)
        counts_P3[place] += said
        by_ticket[ticket] = (*by_ticket.get(ticket, ()), (place, said))
    read, *outcomes = counts_P3.sum(axis=0)
    return Readers(counts_P3, (np.array(outcomes) + 1) / (read + 2), by_ticket)


def _odds(share: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    made: npt.NDArray[np.floating] = np.log(share / (1 - share))
    return made
