"""Which passages belong together, and which briefs most questions are answered from: arithmetic on unit vectors.

Suffixes name shapes: P passages, T past tickets, A article passages, B briefs, N passages of a brief, D dimensions.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]
Places = npt.NDArray[np.int32]
ROWS = 1024
COMPANIONS = 0.6  # what a brief's other passages count for, beside its anchor, when a question is matched


def gather_briefs(
    vectors_PD: Vectors, opened_P: npt.NDArray[np.float64], owner_P: npt.NDArray[np.str_], tickets: int, articles: int
) -> Places:
    """A brief [tickets + articles] for every past ticket, and one of articles alone for every article passage."""
    article_A, ticket_T = np.flatnonzero(opened_P == 0), np.flatnonzero(opened_P)
    briefs: list[Places] = []
    width = max(tickets + articles, 1)
    for start in range(0, len(ticket_T) if tickets else 0, ROWS):
        rows_R = ticket_T[start : start + ROWS]
        older_RT = (opened_P[ticket_T][None] < opened_P[rows_R][:, None]) & (
            owner_P[ticket_T][None] != owner_P[rows_R][:, None]
        )
        near_RT = np.where(older_RT, vectors_PD[rows_R] @ vectors_PD[ticket_T].T, -2.0)
        near_RA = vectors_PD[rows_R] @ vectors_PD[article_A].T
        companions = _nearest(near_RT, ticket_T, tickets - 1), _nearest(near_RA, article_A, articles)
        briefs.append(np.concatenate([rows_R[:, None], *companions], axis=1).astype(np.int32))
    if articles:
        near_AA = vectors_PD[article_A] @ vectors_PD[article_A].T
        np.fill_diagonal(near_AA, 3.0)
        own = _nearest(near_AA, article_A, min(width, articles + 1))
        briefs.append(np.pad(own, ((0, 0), (0, width - own.shape[1])), constant_values=-1))
    return np.concatenate(briefs) if briefs else np.zeros((0, width), np.int32)


def _nearest(scores_RC: Vectors, places_C: npt.NDArray[Any], count: int) -> Places:
    """[R, count] places of the best columns, best first; -1 where a row has no more (its score is -2)."""
    found = np.full((len(scores_RC), count), -1, np.int32)
    few = min(count, len(places_C))
    if few > 0:
        best_RK = np.argsort(-scores_RC, axis=1, kind="stable")[:, :few]
        real_RK = np.take_along_axis(scores_RC, best_RK, axis=1) > -2.0
        found[:, :few] = np.where(real_RK, places_C[best_RK], -1)
    return found


def matched(vectors_PD: Vectors, briefs_BN: Places) -> Vectors:
    """What a question is compared with, a vector a brief: the anchor's plus COMPANIONS times the others' mean."""
    others_BN = briefs_BN[:, 1:]
    there_BN = (others_BN >= 0).astype(np.float32)
    sums_BD = np.einsum("bn,bnd->bd", there_BN, vectors_PD[others_BN]) if others_BN.size else 0.0
    count_B1 = np.maximum(there_BN.sum(axis=1, keepdims=True), 1.0)
    made: Vectors = (vectors_PD[briefs_BN[:, 0]] + COMPANIONS * sums_BD / count_B1).astype(np.float32)
    return made


def asked(
    vectors_PD: Vectors, opened_P: npt.NDArray[np.float64], owner_P: npt.NDArray[np.str_], briefs_BN: Places,
    matched_BD: Vectors,
) -> npt.NDArray[np.float32]:  # fmt: skip
    """For the newest ROWS past questions, the brief each would be answered from and its anchor's cosine: [R, 2]."""
    owner_B = owner_P[briefs_BN[:, 0]]
    found: list[tuple[float, float]] = []
    for place in np.flatnonzero(opened_P)[-ROWS:]:
        scores_B = matched_BD @ vectors_PD[place]
        scores_B[owner_B == owner_P[place]] = -2.0
        best = int(scores_B.argmax()) if len(scores_B) else -1
        if best >= 0 and scores_B[best] > -2.0:
            found.append((best, float(vectors_PD[briefs_BN[best, 0]] @ vectors_PD[place])))
    return np.array(found, np.float32).reshape(-1, 2)


def most_asked(asked_R2: npt.NDArray[np.float32], briefs: int) -> Places:
    """The numbers of all briefs, those first that most questions are answered from."""
    wanted_B = np.bincount(asked_R2[:, 0].astype(np.int64), minlength=briefs)
    return np.argsort(-wanted_B, kind="stable").astype(np.int32)
