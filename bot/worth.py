"""How likely what the desk said before is a good reply to a question, and how likely a wrong one: learned from readers.

Two logistic regressions over what is known before any model speaks. Their weights were fitted on 9,188 passages that
readers scored blind as replies to 3,064 questions of the real desk (tests/bench/worth.py, which fits them again): good
is a score of 3 or more of 5, wrong is what would mislead this customer. Cross-validated by question, the AUCs are .80
and .83, and what is taken for good with a chance of .7 is good in .7. A desk with reviews of its own begins from these
weights and has its own (bot/loading.py).

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
HARM = 3  # 1: of the surest 60 % 62.7 % good and 13.2 % wrong; 3: 61.7 and 10.3; 6: 58.9 and 8.4
NEIGHBOURS = 8  # past replies that a text is compared with: what several colleagues said is seldom wrong
# 1, log words asked, cosine of the questions, BM25 (1 is the best passage's), cosine of question and text, mean cosine
# with the neighbours' replies, log words said, question marks, first persons and commands in 20 words; for an article
# 1, its share in what the nearest past questions were answered with (bot/ranking.py), its cosine once more; its record
# with readers: good, wrong, whether it has one (bot/readers.py)
GOOD = (
    -3.411, -0.338, 3.384, 0.707, -0.387, 4.128, -0.132, -0.027,
    -1.681, 0.064, 0.341, 1.052, -1.057, 0.612, -0.039, 0.495,
)  # fmt: skip
WRONG = (
    0.783, 0.104, -1.614, -0.747, 0.550, -3.000, 0.266, -0.106,
    1.544, 0.006, -1.628, 0.823, 0.783, 0.023, 0.930, -0.903,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Weights:
    """Of both regressions: [F] each."""

    good_F: Floats
    wrong_F: Floats


SHIPPED = Weights(np.array(GOOD, np.float32), np.array(WRONG, np.float32))


@dataclass(frozen=True, slots=True)
class Worth:
    """Chances of candidates [K], in [0, 1]."""

    good_K: Floats
    wrong_K: Floats

    @property
    def scores(self) -> Floats:
        """The two as one cautious chance: as if HARM readers in turn had to find that it misleads nobody."""
        made: Floats = self.good_K * (1 - self.wrong_K) ** HARM
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
    record_K3: Floats,
) -> Floats:
    """What the candidates `said` [K] are judged by, [K, F]. `cosines_K`, `counts_K`: of the question with the past
    questions or articles that hold them, by meaning and by words; `share_K`: of articles, 0 for past tickets;
    `record_K3`: bot/readers.py."""
    asked_K = np.full(len(cosines_K), np.log1p(len(question.text.split())), np.float32)
    made_KF: Floats = np.stack(
        [
            np.ones_like(asked_K), asked_K, cosines_K, counts_K, said.vectors_PD @ question.vector_D,
            _agreement(said.vectors_PD, question.replies_ND), *said.styles_PS.T, article_K, share_K,
            article_K * cosines_K, *record_K3.T,
        ],
        axis=1,
    )  # fmt: skip
    return made_KF


def weigh(features_KF: Floats, weights: Weights = SHIPPED) -> Worth:
    return Worth(chance(features_KF, weights.good_F), chance(features_KF, weights.wrong_F))


def _agreement(said_KD: Vectors, replies_ND: Vectors) -> Floats:
    """Mean cosine with the neighbours' replies, a text's own left out: [K]."""
    cosines_KN = said_KD @ replies_ND.T
    own_KN = cosines_KN > 0.9999
    count_K = np.maximum((~own_KN).sum(axis=1), 1)
    made: Floats = np.where(own_KN, 0, cosines_KN).sum(axis=1) / count_K
    return made


def chance(features_KF: npt.NDArray[np.floating], weight_F: npt.NDArray[np.floating]) -> Floats:
    made: Floats = (1 / (1 + np.exp(-(features_KF @ weight_F)))).astype(np.float32)
    return made
