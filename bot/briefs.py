"""Which passages belong together, and which briefs most questions are answered from: arithmetic on unit vectors.

Suffixes name shapes: P passages, T past tickets, O older ones, C pieces of articles, B briefs, N passages of a brief,
D dimensions.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from bot.cosines import Floats
from bot.encoder import Vectors
from bot.ranking import Ranking, best, nearness

Places = npt.NDArray[np.intp]
ROWS = 1024
COMPANIONS = 0.6  # what a brief's other passages count for, beside its anchor, when a question is matched


def gather_briefs(
    ranking: Ranking, texts: Sequence[str], opened_P: npt.NDArray[np.float64], owner_P: npt.NDArray[np.intp],
    tickets: int, articles: int,
) -> Places:  # fmt: skip
    """A brief [tickets + articles] for every past ticket, and one of articles alone for every piece of an article.

    `texts` are what passages are searched by, [P].
    """
    vectors_PD, ticket_T = ranking.vectors_PD, np.flatnonzero(opened_P)
    briefs_BN = np.full((len(ticket_T) if tickets else 0, max(tickets + articles, 1)), -1, np.intp)
    for start in range(0, len(briefs_BN), ROWS):
        rows_R = ticket_T[start : start + ROWS]
        cosines_RP = vectors_PD[rows_R] @ vectors_PD.T
        for number, (row, cosines_P) in enumerate(zip(rows_R, cosines_RP, strict=True), start):
            counts_P = ranking.counts(texts[row])
            older_O = np.flatnonzero((opened_P[ticket_T] < opened_P[row]) & (owner_P[ticket_T] != owner_P[row]))
            near_O = nearness(cosines_P[ticket_T[older_O]], counts_P[ticket_T[older_O]])
            past = [row, *ticket_T[older_O[best(near_O, tickets - 1)]]]
            then = np.nextafter(opened_P[row], np.inf)
            near_C = ranking.pieces(cosines_P, counts_P, ranking.shares(vectors_PD[row], then), then)
            known = ranking.piece_C[best(near_C, articles)]
            briefs_BN[number, : len(past)] = past
            briefs_BN[number, tickets : tickets + len(known)] = known
    return np.concatenate([briefs_BN, _of_articles(ranking, tickets, articles)])


def _of_articles(ranking: Ranking, tickets: int, articles: int) -> Places:
    """A brief for each piece of an article: the piece and those nearest to it."""
    width, piece_C = max(tickets + articles, 1), ranking.piece_C
    near_CC = ranking.vectors_PD[piece_C] @ ranking.vectors_PD[piece_C].T
    np.fill_diagonal(near_CC, 3.0)
    briefs_BN = np.full((len(piece_C) if articles else 0, width), -1, np.intp)
    for brief_N, near_C in zip(briefs_BN, near_CC, strict=False):
        found = piece_C[best(near_C, min(width, articles + 1))]
        brief_N[: len(found)] = found
    return briefs_BN


def shares_of(briefs_BN: Places) -> Floats:
    """What each passage's cosine counts for when a question is matched with a whole brief, [B, N]: the anchor's 1, and
    COMPANIONS divided among the others."""
    others_BN = (briefs_BN[:, 1:] >= 0).astype(np.float32)
    count_B1 = np.maximum(others_BN.sum(axis=1, keepdims=True), 1.0)
    made: Floats = np.hstack([np.ones_like(count_B1), COMPANIONS * others_BN / count_B1])
    return made


def matched(cosines_P: Floats, briefs_BN: Places, shares_BN: Floats) -> Floats:
    """How near a question is to each brief as a whole: [B]."""
    made: Floats = np.einsum("bn,bn->b", cosines_P.take(briefs_BN), shares_BN)
    return made


def nearest_past(
    asked_RD: Vectors, owner_R: npt.NDArray[np.intp], vectors_PD: Vectors, owner_P: npt.NDArray[np.intp],
    briefs_BN: Places,
) -> Floats:  # fmt: skip
    """For past questions, the cosine of the nearest brief's anchor, those of their own ticket apart; at most [R]."""
    anchor_B, shares_BN = briefs_BN[:, 0], shares_of(briefs_BN)
    found = []
    for asked_D, owner in zip(asked_RD, owner_R, strict=True):
        cosines_P = vectors_PD @ asked_D
        scores_B = np.where(owner_P[anchor_B] == owner, -np.inf, matched(cosines_P, briefs_BN, shares_BN))
        if np.isfinite(scores_B).any():
            found.append(cosines_P[anchor_B[scores_B.argmax()]])
    return np.array(found, np.float32)


def most_asked(answered_R: Places, briefs: int) -> Places:
    """The numbers of all briefs, those first that most questions are answered from; -1 is a question without."""
    wanted_B = np.bincount(answered_R[answered_R >= 0], minlength=briefs)
    return np.argsort(-wanted_B, kind="stable")
