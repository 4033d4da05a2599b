"""The weights of bot/worth.py, fitted again and judged: `make bench-worth` with CORPUS=path/to/thunderbird.

reviews.csv: passages as replies to past questions of the real desk, by id. Each was read blind and shuffled by a
language model with the rubric of the blind readings (score 1 to 5; wrong: would mislead this customer), our agent's
reply among them. Every question is judged by weights that were fitted without it, from nothing. Prints the AUC of both,
then for the best passage of each question, the surest first: how many of them readers called good (3 or better) and
wrong, and how many were to be expected; and what a gate at that share does to good and bad ones. About 2 minutes;
imports the desk where that was not done.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from bot.fitting import fitted
from bot.loading import Reviewed, load, reviewed
from bot.worth import GOOD, WRONG, Worth, chance
from tests.bench.thunderbird import prepared

FOLDS = 8
SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0)
Array = npt.NDArray[Any]


def from_nothing(features_NF: Array, label_N: Array) -> Array:
    """Weights whose prior is that no feature tells anything: what is shipped may not judge itself."""
    return fitted(features_NF, label_N, np.zeros(features_NF.shape[1]))


def unseen(reviews: Reviewed, label_N: Array) -> Array:
    """Each passage's chance by weights that never saw its question."""
    from sklearn.model_selection import GroupKFold

    chance_N = np.zeros(len(label_N))
    for train, test in GroupKFold(FOLDS, shuffle=True, random_state=1).split(label_N, groups=reviews.question_N):
        weight_F = from_nothing(reviews.features_NF[train], label_N[train])
        chance_N[test] = chance(reviews.features_NF[test], weight_F)
    return chance_N


def first_of_each(reviews: Reviewed, good_N: Array, wrong_N: Array) -> Array:
    """The place of each question's best passage, the question most likely answered well first."""
    best: dict[str, int] = {}
    scores_N = Worth(good_N, wrong_N).scores
    for place, question in enumerate(reviews.question_N):
        if question not in best or scores_N[place] > scores_N[best[question]]:
            best[question] = place
    places = np.array(list(best.values()))
    return places[np.argsort(-scores_N[places], kind="stable")]


def report(reviews: Reviewed) -> None:
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
        made = ", ".join(f"{weight:.3f}" for weight in from_nothing(reviews.features_NF, label_N))
        print(f"\n{name} = ({made})\nshipped {shipped}")


def main() -> None:
    workspace, config = prepared(__doc__)
    tickets = workspace.latest("tickets")
    report(reviewed(load(workspace, tickets, config.retrieval), tickets))


if __name__ == "__main__":
    main()
