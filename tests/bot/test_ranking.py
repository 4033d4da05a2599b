"""By meaning, by words, by what was linked; and what each alone would miss."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from bot.cosines import Floats
from bot.encoder import Vectors
from bot.links import Links
from bot.ranking import Ranking, best, load_words, nearness, scaled

TEXTS = ["reset the router", "error E42 on the kettle", "kettle does not heat", "refund for a parcel"]
EAST, NORTH = np.array([1.0, 0.0], np.float32), np.array([0.0, 1.0], np.float32)


@pytest.fixture
def ranking(tmp_path: Path) -> Ranking:
    """Two articles of two pieces each, that point east and north; nothing was linked yet."""
    vectors_PD = np.stack([EAST, EAST * 0.9, NORTH * 0.9, NORTH])
    nothing = Links(np.zeros((0, 2), np.float32), np.zeros(0), np.zeros((0, 2), np.bool_), np.ones(0, np.float32))
    return Ranking(vectors_PD, np.arange(4), np.array([0, 2]), nothing, load_words(tmp_path / "words", TEXTS))


def pieces(ranking: Ranking, vector: Vectors, counts_P: Floats) -> Floats:
    return ranking.pieces(ranking.vectors_PD @ vector, counts_P, ranking.shares(vector))


def test_words_find_a_code_that_no_meaning_has(ranking: Ranking) -> None:
    counts_P = ranking.counts("what is E42?")
    assert counts_P.argmax() == 1 and counts_P[1] > 0
    assert not ranking.counts("zzz").any() and not ranking.counts("").any()


def test_an_index_is_made_once_and_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = load_words(tmp_path / "w", TEXTS)
    monkeypatch.setattr("bm25s.BM25.index", None)
    again = load_words(tmp_path / "w", TEXTS)
    assert made and again and np.allclose(made.counts("kettle"), again.counts("kettle"))
    assert load_words(tmp_path / "none", ["", "the of"]) is None


def test_nearness_adds_words_to_meaning() -> None:
    assert scaled(np.zeros(3, np.float32)).tolist() == [0, 0, 0]
    assert nearness(np.array([0.5, 0.5], np.float32), np.array([0.0, 8.0], np.float32)).argmax() == 1


def test_an_article_is_as_near_as_its_nearest_piece(ranking: Ranking) -> None:
    none = np.zeros(4, np.float32)
    assert ranking.articles(EAST, none).argmax() == 0
    assert pieces(ranking, NORTH, none).argmax() == 3
    assert pieces(ranking, NORTH, np.array([0, 0, 9.0, 0], np.float32)).argmax() == 2, "the piece with the word"


def test_what_was_linked_for_such_questions_wins_but_not_before_it_was_linked(ranking: Ranking) -> None:
    links = Links(
        np.stack([EAST] * 3), np.array([10.0, 20.0, 30.0]), np.array([[False, True]] * 3), np.ones(3, np.float32)
    )
    taught, none = dataclasses.replace(ranking, links=links), np.zeros(4, np.float32)
    assert taught.articles(EAST, none).argmax() == 1
    assert taught.articles(EAST, none, before=10.0).argmax() == 0
    assert taught.articles(EAST, none, before=10.5).argmax() == 1


def test_links_count_up_to_a_moment() -> None:
    linked_LA = np.array([[True, False], [True, True], [False, True]])
    links = Links(np.stack([EAST] * 3), np.array([10.0, 20.0, 30.0]), linked_LA, np.ones(3, np.float32))
    assert [links.until(at) for at in (5.0, 10.0, 10.5, np.inf)] == [0, 0, 1, 3]
    assert links.often(20.5).tolist() == [2, 1] and links.often(np.inf).tolist() == [2, 2]


def test_of_equal_scores_the_first_are_best() -> None:
    scores = np.array([1.0, 3.0, 3.0, 2.0, 3.0])
    assert best(scores, 2).tolist() == [1, 2] and best(scores, 4).tolist() == [1, 2, 4, 3]
    assert best(scores, 0).tolist() == [] and best(scores, 9).tolist() == [1, 2, 4, 3, 0]


def test_a_lone_link_of_a_far_question_changes_little(ranking: Ranking) -> None:
    links = Links(np.stack([NORTH]), np.array([1.0]), np.array([[False, True]]), np.ones(1, np.float32))
    taught, none = dataclasses.replace(ranking, links=links), np.zeros(4, np.float32)
    assert taught.articles(EAST, none).argmax() == 0


def test_a_desk_without_articles(ranking: Ranking) -> None:
    bare = dataclasses.replace(ranking, piece_C=np.zeros(0, np.intp), first_A=np.zeros(0, np.intp))
    assert bare.articles(EAST, np.zeros(4, np.float32)).shape == (0,)
    assert pieces(bare, EAST, np.zeros(4, np.float32)).shape == (0,)
