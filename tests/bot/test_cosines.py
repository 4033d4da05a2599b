from __future__ import annotations

import numpy as np

from bot.cosines import FEW, cosines_with
from bot.encoder import Vectors


def unit(count: int) -> Vectors:
    made = np.random.default_rng(7).normal(size=(count, 64)).astype(np.float32)
    made /= np.linalg.norm(made, axis=1, keepdims=True)
    return made


def test_few_are_compared_exactly() -> None:
    vectors_PD = unit(FEW - 1)
    assert np.array_equal(cosines_with(vectors_PD)(vectors_PD[3]), vectors_PD @ vectors_PD[3])


def test_many_are_compared_in_eight_bits_and_come_out_in_the_same_order_but_for_near_ties() -> None:
    vectors_PD = unit(FEW)
    for vector_D in vectors_PD[:20]:
        exact_P, found_P = vectors_PD @ vector_D, cosines_with(vectors_PD)(vector_D)
        assert found_P.shape == (FEW,) and found_P.dtype == np.float32
        assert np.abs(found_P - exact_P).mean() < 0.003
        assert exact_P.argmax() == found_P.argmax()
        assert exact_P[np.argsort(-found_P)[:10]].min() > np.sort(exact_P)[-10] - 0.03


def test_a_vector_of_nothing_is_near_nothing() -> None:
    vectors_PD = unit(FEW)
    vectors_PD[5] = 0
    assert cosines_with(vectors_PD)(vectors_PD[0])[5] == 0
