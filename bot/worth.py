"""How likely what the desk said before is a good reply to a question, and how likely a wrong one: learned from readers.

Two logistic regressions over what is known before any model speaks. Their weights were fitted on 1,590 passages that
readers scored blind as replies to 281 questions of the real desk (tests/bench/worth.py, which fits them again): good is
a score of 3 or more of 5, wrong is what would mislead this customer. Cross-validated by question, the AUC is .75 and
.81, and of the best passages of each question those taken for good with a chance of .6 were good in .6.

Suffixes name shapes: P passages, K candidates, D dimensions, F features, S of what is said alone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bot.cosines import Floats
from bot.encoder import Vectors
from bot.passages import cap, spoken
from bot.vectors import Store, once
from data.records import Passage

COMMAND = re.compile(r"\b(?:click|select|open|go to|right-?click|check|enable|choose|press|set)\b", re.IGNORECASE)
MYSELF = re.compile(r"\bI\b")
SAID_WORDS = 100  # of a passage, as readers saw them
STYLES = 4  # figures of how a text is written (`style`)
HARM = 1.5  # judged as said above, at 40 % answered: 8 % wrong for 13 by chance alone, 65 % good for 60
NEIGHBOURS = 8  # past replies that a text is compared with: what several colleagues said is seldom wrong
# 1, log words asked, cosine of the questions, BM25 (1 is the best passage's), cosine of question and text, mean cosine
# with the neighbours' replies, log words said, question marks, first persons and commands in 20 words; for an article
# 1, its share in what the nearest past questions were answered with (bot/ranking.py), its cosine once more
GOOD = (
    -3.588, -0.254, 3.528, 0.589, -0.306, 4.901, -0.154, -0.021, -2.105, 0.064, 0.290, 1.338, -1.027, 0.760, -0.102,
)  # fmt: skip
WRONG = (
    0.688, 0.045, -1.609, -0.601, 0.491, -3.730, 0.276, -0.114, 2.008, 0.087, -1.305, -0.202, 0.836, -0.051, 0.963,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Worth:
    """Chances of candidates [K], in [0, 1]."""

    good_K: Floats
    wrong_K: Floats

    @property
    def scores(self) -> Floats:
        """The two as one chance: good, and not wrong."""
        made: Floats = self.good_K * (1 - self.wrong_K)
        return made

    @property
    def gains(self) -> Floats:
        """What a customer gains by each, in good replies: one that misleads takes HARM of them away."""
        made: Floats = self.good_K - HARM * self.wrong_K
        return made


@dataclass(frozen=True, slots=True)
class Question:
    """A question as candidates are compared with it. `replies_ND`: what the nearest past tickets were answered."""

    text: str
    vector_D: Vectors
    replies_ND: Vectors


@dataclass(frozen=True, slots=True)
class Said:
    """What texts say, ready to be compared: unit vectors, and their styles (`style`)."""

    vectors_PD: Vectors
    styles_PS: Floats

    def of(self, places: npt.NDArray[np.integer]) -> Said:
        return Said(self.vectors_PD[places], self.styles_PS[places])


def all_said(store: Store, name: str, passages: Sequence[Passage]) -> Said:
    """What the passages say, worked out once; `name` changes when they do."""

    def made() -> Floats:
        texts = [cap(spoken(passage), SAID_WORDS) for passage in passages]
        styles_PS = np.array([style(text) for text in texts], np.float32).reshape(-1, STYLES)
        return np.hstack([store.vectors("said", texts), styles_PS])

    kept = once(store.folder / f"{name}-said.npy", made)
    return Said(kept[:, :-STYLES], kept[:, -STYLES:])


def style(text: str) -> tuple[float, float, float, float]:
    """Of what is said: log of its words, question marks, first persons and commands in 20 words."""
    count = max(1, len(text.split()))
    return (
        float(np.log1p(count)), float(min(3, text.count("?"))), 20 * len(MYSELF.findall(text)) / count,
        20 * len(COMMAND.findall(text)) / count,
    )  # fmt: skip


def features(
    question: Question,
    said: Said,
    cosines_K: Floats,
    counts_K: Floats,
    article_K: npt.NDArray[np.bool_],
    share_K: Floats,
    record_K2: Floats,
) -> Floats:
    """What the candidates `said` [K] are judged by, [K, F]. `cosines_K`, `counts_K`: of the question with the past
    questions or articles that hold them, by meaning and by words; `share_K`: of articles, 0 for past tickets;
    `record_K2`: bot/readers.py."""
    asked_K = np.full(len(cosines_K), np.log1p(len(question.text.split())), np.float32)
    made_KF: Floats = np.stack(
        [
            np.ones_like(asked_K), asked_K, cosines_K, counts_K, said.vectors_PD @ question.vector_D,
            _agreement(said.vectors_PD, question.replies_ND), *said.styles_PS.T, article_K, share_K,
            article_K * cosines_K, *record_K2.T,
        ],
        axis=1,
    )  # fmt: skip
    return made_KF


def weigh(features_KF: Floats) -> Worth:
    return Worth(_chance(features_KF, GOOD), _chance(features_KF, WRONG))


def _agreement(said_KD: Vectors, replies_ND: Vectors) -> Floats:
    """Mean cosine with the neighbours' replies, a text's own left out: [K]."""
    cosines_KN = said_KD @ replies_ND.T
    own_KN = cosines_KN > 0.9999
    count_K = np.maximum((~own_KN).sum(axis=1), 1)
    made: Floats = np.where(own_KN, 0, cosines_KN).sum(axis=1) / count_K
    return made


def _chance(features_KF: npt.NDArray[np.floating], weights: Sequence[float]) -> Floats:
    made: Floats = (1 / (1 + np.exp(-(features_KF @ np.array(weights))))).astype(np.float32)
    return made
