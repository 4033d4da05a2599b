"""What articles past questions were answered with: by links, and by replies that say what an article says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np

from bot.links import HEARD, alike, heard, linked
from bot.ranking import Ranking
from data.records import Link

START = datetime(2026, 1, 1, tzinfo=UTC)
EAST, NORTH = np.array([1.0, 0.0], np.float32), np.array([0.0, 1.0], np.float32)
FIRST_A = np.array([0, 2])
SAID_CD = np.stack([EAST, -EAST, -NORTH, NORTH])  # two pieces of the first article, two of the second


def given(*days: int) -> list[Link]:
    return [
        Link(ticket=f"t{day}", question=f"q{day}", articles=("b",), created=START + timedelta(days=day)) for day in days
    ]


def test_a_reply_is_like_the_article_whose_nearest_piece_says_it() -> None:
    said_TD = np.stack([NORTH, EAST, np.zeros(2, np.float32)])
    assert alike(said_TD, SAID_CD, FIRST_A).tolist() == [1, 0, -1]
    assert alike(said_TD[:0], SAID_CD, FIRST_A).shape == (0,)


def test_links_are_in_the_order_of_their_questions_and_of_known_articles() -> None:
    links = linked(
        [*given(2, 1), Link(ticket="x", question="x", articles=("gone",), created=START)], np.stack([EAST] * 3), "ab"
    )
    assert links.opened_L.tolist() == sorted(links.opened_L)
    assert links.linked_LA.tolist() == [[False, False], [False, True], [False, True]]


def test_what_a_reply_says_again_counts_less_than_a_link_and_makes_nothing_popular() -> None:
    links = linked(given(1), np.stack([EAST]), "ab")
    early = START.timestamp()
    both = heard(links, np.stack([EAST, NORTH, NORTH]), np.array([early, early + 1, early + 2]), np.array([0, 0, -1]))
    assert np.allclose(both.weight_L, [HEARD, HEARD, 1])
    assert both.linked_LA.tolist() == [[True, False], [True, False], [False, True]]
    assert both.often(np.inf).tolist() == [0, 1] and both.until(early) == 0
    ranking = Ranking(np.stack([EAST, NORTH]), np.arange(2), np.arange(2), both)
    east_A, north_A = ranking.shares(EAST), ranking.shares(NORTH)
    assert east_A[1] > 0.9 > 0.1 > east_A[0] > 0, "the colleague's link"
    assert north_A[0] > 0.4 and north_A[1] < 0.01, "what a colleague said, where nobody linked"
    assert not ranking.shares(EAST, before=early).any()
