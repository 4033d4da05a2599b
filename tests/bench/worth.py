"""The weights of bot/worth.py, fitted again and judged: `make bench-worth` with CORPUS=path/to/thunderbird.

reviews.csv: passages as replies to past questions of the real desk, by id. Each was read blind and shuffled by a
language model with the rubric of the blind readings (score 1 to 5; wrong: would mislead this customer). Every question
is judged by weights that were fitted without it. Prints the AUC of both, then for the best passage of each question,
the surest first: how many of them readers called good (3 or better) and wrong, and how many were to be expected; and
what a gate at that share does to good and bad ones. About 5 minutes; imports the desk where that was not done.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bot.config import Config
from bot.knowledge import load
from bot.readers import LEAST
from bot.worth import GOOD, WRONG, Worth
from data.parquet import read_rows
from data.records import Exchange, Review
from data.workspace import Workspace
from tests.bench.thunderbird import prepared

FOLDS = 8
SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0)
STRENGTH = 0.1  # of the evidence against the prior that no feature tells anything
Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Reviews:
    """`features_NF` of the reviewed passages, whether they were `good_N` and `wrong_N`, whose `question_N` it was."""

    features_NF: Array
    good_N: Array
    wrong_N: Array
    question_N: Array


def gathered(workspace: Workspace, config: Config) -> Reviews:
    tickets = workspace.latest("tickets")
    known = load(workspace, tickets, config.retrieval)
    exchanges = {each.id: each for each in read_rows(tickets / "exchanges.parquet", Exchange)}
    places = {passage.id: place for place, passage in enumerate(known.passages)}
    by_question: dict[str, list[Review]] = defaultdict(list)
    for review in read_rows(tickets / "reviews.parquet", Review):
        by_question[review.exchange].append(review)
    wanted = [exchanges[name] for name in by_question]
    features = [
        known.features(exchange, vector, np.array([places[review.passage] for review in by_question[exchange.id]]))
        for exchange, vector in zip(wanted, known.embed(wanted), strict=True)
    ]
    rows = [review for exchange in wanted for review in by_question[exchange.id]]
    return Reviews(
        np.concatenate(features), np.array([review.score >= LEAST for review in rows]),
        np.array([review.wrong for review in rows]), np.array([review.exchange for review in rows]),
    )  # fmt: skip


def fitted(features_NF: Array, label_N: Array) -> Array:
    """Weights of a logistic regression over features of unit spread; the first feature is constant."""
    from sklearn.linear_model import LogisticRegression

    mean_F, spread_F = features_NF[:, 1:].mean(axis=0), features_NF[:, 1:].std(axis=0)
    made = LogisticRegression(C=STRENGTH, max_iter=3000).fit((features_NF[:, 1:] - mean_F) / spread_F, label_N)
    weight_F = made.coef_[0] / spread_F
    return np.concatenate([made.intercept_ - weight_F @ mean_F, weight_F])


def unseen(reviews: Reviews, label_N: Array) -> Array:
    """Each passage's chance by weights that never saw its question."""
    from sklearn.model_selection import GroupKFold

    chance_N = np.zeros(len(label_N))
    for train, test in GroupKFold(FOLDS, shuffle=True, random_state=1).split(label_N, groups=reviews.question_N):
        weight_F = fitted(reviews.features_NF[train], label_N[train])
        chance_N[test] = 1 / (1 + np.exp(-reviews.features_NF[test] @ weight_F))
    return chance_N


def first_of_each(reviews: Reviews, good_N: Array, wrong_N: Array) -> Array:
    """The place of each question's best passage, the question most likely answered well first."""
    best: dict[str, int] = {}
    worth = Worth(good_N, wrong_N)
    for place, question in enumerate(reviews.question_N):
        if question not in best or worth.gains[place] > worth.gains[best[question]]:
            best[question] = place
    places = np.array(list(best.values()))
    return places[np.argsort(-worth.scores[places], kind="stable")]


def report(reviews: Reviews) -> None:
    from sklearn.metrics import roc_auc_score

    good_N, wrong_N = unseen(reviews, reviews.good_N), unseen(reviews, reviews.wrong_N)
    aucs = [roc_auc_score(reviews.good_N, good_N), roc_auc_score(reviews.wrong_N, wrong_N)]
    order = first_of_each(reviews, good_N, wrong_N)
    print(f"{len(good_N)} passages, {len(order)} questions; AUC good {aucs[0]:.3f}, wrong {aucs[1]:.3f}\n")
    print(
        "| answered | good | expected | wrong | expected | bad ones handed over | good ones handed over |\n"
        + "|---" * 7
        + "|"
    )
    was_good = reviews.good_N[order]
    for share in SHARES:
        taken = order[: round(share * len(order))]
        after = was_good[len(taken) :]
        print(
            f"| {share:.0%} | {reviews.good_N[taken].mean():.0%} | {good_N[taken].mean():.0%} | "
            f"{reviews.wrong_N[taken].mean():.0%} | {wrong_N[taken].mean():.0%} | "
            f"{(~after).sum() / (~was_good).sum():.0%} | {after.sum() / was_good.sum():.0%} |"
        )
    for name, label_N, shipped in (("GOOD", reviews.good_N, GOOD), ("WRONG", reviews.wrong_N, WRONG)):
        made = ", ".join(f"{weight:.3f}" for weight in fitted(reviews.features_NF, label_N))
        print(f"\n{name} = ({made})\nshipped {shipped}")


def main() -> None:
    report(gathered(*prepared(__doc__)))


if __name__ == "__main__":
    main()
