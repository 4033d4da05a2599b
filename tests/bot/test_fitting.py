"""Weights move from what was known as far as the examples ask for."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from bot.fitting import FREE, STRENGTH, fitted


def drawn(count: int) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(3)
    features_NF = np.column_stack([np.ones(count), draw.normal(size=count), draw.normal(2, 5, size=count)])
    chance_N = 1 / (1 + np.exp(-(features_NF @ [-1.0, 2.0, 0.1])))
    return features_NF, draw.random(count) < chance_N


def test_from_nothing_it_is_ridge_logistic_regression() -> None:
    features_NF, label_N = drawn(400)
    unit_F = features_NF.std(axis=0)
    unit_F[0] = np.sqrt(FREE / STRENGTH)
    ridge = LogisticRegression(C=1 / STRENGTH, fit_intercept=False, tol=1e-8, max_iter=1000)
    expected = ridge.fit(features_NF / unit_F, label_N).coef_[0] / unit_F
    assert fitted(features_NF, label_N, np.zeros(3)) == pytest.approx(expected, abs=1e-4)


def test_without_examples_it_stays_and_with_many_it_goes() -> None:
    prior_F = np.array([-1.0, -2.0, 0.1])
    features_NF, label_N = drawn(4000)
    assert fitted(features_NF[:0], label_N[:0], prior_F) == pytest.approx(prior_F)
    some, many = (fitted(features_NF[:n], label_N[:n], prior_F)[1] for n in (20, 4000))
    assert prior_F[1] < some < many and many == pytest.approx(2.0, abs=0.2)


@pytest.mark.parametrize("label", [True, False])
def test_reviews_that_all_say_the_same_change_nothing(label: bool) -> None:
    features_NF, label_N = drawn(30)
    prior_F = np.array([-1.0, -2.0, 0.1])
    assert fitted(features_NF, np.full_like(label_N, label), prior_F) == pytest.approx(prior_F)


def test_a_feature_that_never_varies_keeps_its_weight() -> None:
    features_NF, label_N = drawn(200)
    features_NF[:, 2] = 0.0
    assert fitted(features_NF, label_N, np.array([0.0, 0.0, 0.7]))[2] == pytest.approx(0.7)
