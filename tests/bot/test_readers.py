"""What readers said of a passage counts for it, and never for the ticket that it was said of."""

from __future__ import annotations

import numpy as np
import pytest

from bot.readers import readers_of
from data.records import Review

IDS = ["good", "wrong", "unread"]
REVIEWS = [
    *(Review(exchange=f"t{n}-1", passage="good", score=4, wrong=False) for n in range(4)),
    *(Review(exchange=f"t{n}-1", passage="wrong", score=1, wrong=True) for n in range(4)),
]
ALL = np.arange(3)


def test_good_ones_rise_misleading_ones_fall_unread_ones_stay() -> None:
    (good, misleads, read), (bad, wrong, _), unread = readers_of(REVIEWS, IDS).records(ALL, "")
    assert good > 1 and misleads < -1 and bad < -1 and wrong > 1 and read == 1
    assert list(unread) == [0, 0, 0]
    share = (4 + 2 * 0.5) / (4 + 2)  # four good ones beside two of the usual half
    assert good == pytest.approx(np.log(share / (1 - share)), abs=1e-6)


def test_what_was_said_of_the_ticket_at_hand_is_left_out() -> None:
    readers = readers_of(REVIEWS[3:5], IDS)  # one of t3, good; one of t0, wrong
    assert readers.records(ALL, "t3")[0].tolist() == [0, 0, 0]
    assert readers.records(ALL, "t3")[1].tolist() == readers.records(ALL, "")[1].tolist()


def test_without_reviews_nothing_is_known() -> None:
    assert not readers_of([], IDS).records(ALL, "t1").any()
