"""Which passages belong together, and which briefs most questions are answered from: arithmetic on unit vectors.

Suffixes name shapes: P passages, T past tickets, O older ones, C pieces of articles, B briefs, N passages of a brief,
D dimensions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from bot.ranking import Ranking, Vectors, nearness
from bot.reranking import CANDIDATES, Choose

Places = npt.NDArray[np.int32]
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
    briefs_BN = np.full((len(ticket_T) if tickets else 0, max(tickets + articles, 1)), -1, np.int32)
    for start in range(0, len(briefs_BN), ROWS):
        rows_R = ticket_T[start : start + ROWS]
        cosines_RT = vectors_PD[rows_R] @ vectors_PD[ticket_T].T
        for number, (row, cosines_T) in enumerate(zip(rows_R, cosines_RT, strict=True), start):
            counts_P = ranking.counts(texts[row])
            older_O = np.flatnonzero((opened_P[ticket_T] < opened_P[row]) & (owner_P[ticket_T] != owner_P[row]))
            near_O = nearness(cosines_T[older_O], counts_P[ticket_T[older_O]])
            past = [row, *ticket_T[older_O[best(near_O, tickets - 1)]]]
            near_C = ranking.pieces(vectors_PD[row], counts_P, np.nextafter(opened_P[row], np.inf))
            known = ranking.piece_C[best(near_C, articles)]
            briefs_BN[number, : len(past)] = past
            briefs_BN[number, tickets : tickets + len(known)] = known
    return np.concatenate([briefs_BN, _of_articles(ranking, tickets, articles)])


def _of_articles(ranking: Ranking, tickets: int, articles: int) -> Places:
    """A brief for each piece of an article: the piece and those nearest to it."""
    width, piece_C = max(tickets + articles, 1), ranking.piece_C
    near_CC = ranking.vectors_PD[piece_C] @ ranking.vectors_PD[piece_C].T
    np.fill_diagonal(near_CC, 3.0)
    briefs_BN = np.full((len(piece_C) if articles else 0, width), -1, np.int32)
    for brief_N, near_C in zip(briefs_BN, near_CC, strict=False):
        found = piece_C[best(near_C, min(width, articles + 1))]
        brief_N[: len(found)] = found
    return briefs_BN


def best(scores: npt.NDArray[Any], count: int) -> npt.NDArray[np.intp]:
    """Places of the best `count` scores, best first; of equal ones the first."""
    few = np.flatnonzero(scores >= np.partition(scores, -count)[-count]) if 0 < count < len(scores) else slice(None)
    places = np.arange(len(scores))[few]
    return places[np.argsort(-scores[places], kind="stable")][: max(count, 0)]


def matched(vectors_PD: Vectors, briefs_BN: Places) -> Vectors:
    """What a question is compared with, a vector a brief: the anchor's plus COMPANIONS times the others' mean."""
    others_BN = briefs_BN[:, 1:]
    there_BN = (others_BN >= 0).astype(np.float32)
    sums_BD = np.einsum("bn,bnd->bd", there_BN, vectors_PD[others_BN]) if others_BN.size else 0.0
    count_B1 = np.maximum(there_BN.sum(axis=1, keepdims=True), 1.0)
    made: Vectors = (vectors_PD[briefs_BN[:, 0]] + COMPANIONS * sums_BD / count_B1).astype(np.float32)
    return made


def asked(
    vectors_PD: Vectors, opened_P: npt.NDArray[np.float64], owner_P: npt.NDArray[np.intp], briefs_BN: Places,
    matched_BD: Vectors, texts: Sequence[str], choose: Choose,
) -> npt.NDArray[np.float32]:  # fmt: skip
    """For the newest ROWS past questions, the brief each would be answered from and its anchor's cosine: [R, 2].

    `texts` are what passages are searched by, [P].
    """
    anchor_B = briefs_BN[:, 0]
    found: list[tuple[float, float]] = []
    for place in np.flatnonzero(opened_P)[-ROWS:]:
        scores_B = matched_BD @ vectors_PD[place]
        scores_B[owner_P[anchor_B] == owner_P[place]] = -2.0
        near = [int(number) for number in best(scores_B, CANDIDATES) if scores_B[number] > -2.0]
        if near:
            number = choose(texts[place], near)
            found.append((number, float(vectors_PD[anchor_B[number]] @ vectors_PD[place])))
    return np.array(found, np.float32).reshape(-1, 2)


def most_asked(asked_R2: npt.NDArray[np.float32], briefs: int) -> Places:
    """The numbers of all briefs, those first that most questions are answered from."""
    wanted_B = np.bincount(asked_R2[:, 0].astype(np.int64), minlength=briefs)
    return np.argsort(-wanted_B, kind="stable").astype(np.int32)
