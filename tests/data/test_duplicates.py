"""Exact likeness, found without comparing all with all."""

from __future__ import annotations

import random
import time

import numpy as np
import numpy.typing as npt
import pytest

from data.duplicates import KEYS, NEAR, Asked, Grams, grams, keys, near_duplicates, repeats
from tests.data.test_split import WORDS, exchange

VOCABULARY = [f"word{n}" for n in range(3000)]


def likeness(one: str, other: str) -> float:
    """By the words themselves."""

    def shingles(text: str) -> set[tuple[str, ...]]:
        words = text.casefold().split()
        return {tuple(words[n : n + 5]) for n in range(max(1, len(words) - 4))}

    a, b = shingles(one), shingles(other)
    return len(a & b) / len(a | b)


def left_out(texts: list[str], tickets: list[int] | None = None) -> dict[int, int]:
    found: list[Grams] = [grams(text) for text in texts]
    rows: npt.NDArray[np.uint32] = np.array([np.frombuffer(keys(each), np.uint32) for each in found], np.uint32)
    owners = np.array(tickets if tickets is not None else range(len(texts)), np.int64)
    return dict(repeats(rows.reshape(-1, KEYS), owners, lambda place: found[place]))


def changed(rng: random.Random, text: str, words: int) -> str:
    said = text.split()
    for place in rng.sample(range(len(said)), words):
        said[place] = rng.choice(VOCABULARY)
    return " ".join(said)


def test_likeness_is_that_of_the_words() -> None:
    rng = random.Random(3)
    for changes in range(12):
        one = " ".join(rng.choices(VOCABULARY, k=50))
        other = changed(rng, one, changes)
        a, b = set(grams(one).tolist()), set(grams(other).tolist())
        assert len(a & b) / len(a | b) == likeness(one, other)


def test_short_and_empty_texts_are_one_shingle() -> None:
    assert grams("Hi").tolist() == grams("hi!").tolist() != grams("ho").tolist()
    assert len(grams("")) == len(grams("...")) == len(grams("four words are few")) == 1
    assert grams("a b").tolist() != grams("b a").tolist()


def test_other_questions_are_no_near_duplicates() -> None:
    half = " ".join(WORDS.split()[:8]) + " and now something else entirely is going on here"
    assert near_duplicates([exchange(0, question=half)], [exchange(1, question=WORDS)]) == {}
    assert near_duplicates([exchange(0, question="Hi")], [exchange(1, question="hi!")]) == {"T000-1": "T001-1"}


def test_the_nearest_is_found_even_where_a_longer_one_shares_as_much() -> None:
    asked = Asked()
    for number, text in enumerate([WORDS + " and much more was said after it, which makes it another question", WORDS]):
        asked.add(number, number, grams(text))
    assert asked.nearest(9, grams(WORDS)) == 1
    assert asked.nearest(1, grams(WORDS)) is None


def test_repeats_are_as_if_all_were_compared_with_all() -> None:
    rng = random.Random(5)
    texts: list[str] = []
    for _ in range(150):
        text = " ".join(rng.choices(VOCABULARY, k=40))
        texts += [text, *(changed(rng, text, rng.randint(0, 4)) for _ in range(rng.randint(0, 3)))]
    rng.shuffle(texts)
    expected: list[int] = []
    for place, text in enumerate(texts):
        if not any(likeness(text, texts[each]) >= NEAR for each in expected):
            expected.append(place)
    found = left_out(texts)
    assert all(likeness(texts[place], texts[match]) >= NEAR for place, match in found.items())
    assert not set(found) & set(found.values()), "what is named was kept"
    kept = set(range(len(texts))) - set(found)
    assert len(kept ^ set(expected)) <= 3, "MinHash misses 1 of 100 at the limit"
    assert len(found) > 100


def test_one_ticket_never_repeats_itself() -> None:
    assert left_out([WORDS] * 4, [1, 1, 2, 2]) == {2: 0, 3: 0}
    assert left_out([WORDS] * 2, [1, 1]) == {}
    assert left_out([]) == {}


@pytest.mark.parametrize("words", [0, 1])
def test_many_of_the_same_take_no_longer_each(words: int) -> None:
    """20,000 copies, or as many with a number of their own."""
    began = time.perf_counter()
    found = left_out([WORDS + f" {n}" * words for n in range(20_000)])
    assert len(found) == 19_999
    assert set(found.values()) == {0}
    assert time.perf_counter() - began < 15


def test_many_that_begin_alike_are_all_kept_and_take_no_longer() -> None:
    rng = random.Random(1)
    texts = [f"{WORDS} {' '.join(rng.choices(VOCABULARY, k=12))}" for _ in range(4000)]
    began = time.perf_counter()
    assert left_out(texts) == {}
    assert time.perf_counter() - began < 20
