"""Logistic regression from what is known already: weights that other data gave, moved as far as these data ask for.

Maximum a posteriori with a Gaussian prior (Bishop 2006, sections 4.3.2 and 4.5.1). N examples, F features of which the
first is 1 throughout.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating]
STRENGTH = 10.0  # of the prior, for a feature of unit spread: what an example weighs is at most 1/4
FREE = 1.0  # of the prior for how common the label is, which desks differ in
FLAT = 1e-6  # spread of what does not vary


def fitted(features_NF: Array, label_N: npt.NDArray[np.bool_], prior_F: Array) -> Array:
    """The likeliest weights [F]; how far each may leave its prior goes by its feature's spread. The prior, where all
    labels are the same: they do not tell what tells them apart."""
    from scipy.optimize import minimize
    from scipy.special import expit

    prior_F = np.array(prior_F, np.float64)
    if label_N.all() or not label_N.any():
        return prior_F
    spread_F = features_NF.std(axis=0, dtype=np.float64)
    spread_F[spread_F < FLAT] = 1.0
    unit_NF = features_NF / spread_F
    strength_F = np.where(np.arange(len(prior_F)), STRENGTH, FREE)

    def loss(left_F: Array) -> tuple[float, Array]:
        """Of weights so far from the prior, each in units of its feature's spread; and its gradient."""
        odds_N = unit_NF @ (left_F + prior_F * spread_F)
        likelihood = np.logaddexp(0, odds_N).sum() - odds_N[label_N].sum()
        slope_F = unit_NF.T @ (expit(odds_N) - label_N) + strength_F * left_F
        return float(likelihood + (strength_F * left_F**2).sum() / 2), slope_F

    found = minimize(
        loss, np.zeros(len(prior_F)), jac=True, method="L-BFGS-B", options={"maxiter": 1000, "ftol": 1e-12}
    )
    made: Array = prior_F + found.x / spread_F
    return made
