from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from bot.briefs import COMPANIONS, gather_briefs, matched, most_asked, nearest_past, shares_of
from bot.cosines import Floats
from bot.encoder import Vectors
from bot.knowledge import Knowledge
from bot.links import Links
from bot.passages import FIRST_WORDS, LAST_WORDS, answering, compared, explained, names, searchable, shorten
from bot.quote import Quotes, quoted
from bot.ranking import Ranking
from bot.readers import readers_of
from bot.vectors import Store
from bot.worth import Said
from data.records import Exchange, Passage, Turn

START = datetime(2026, 1, 1, tzinfo=UTC)
ANGLES = {"a": 0.0, "b": 0.2, "c": 0.4, "c E01": 0.4, "x": 0.1, "y": 1.5, "far": 2.6}


def compass(texts: Sequence[str], **_: object) -> Vectors:
    """Texts become directions, so that nearness can be read off the page."""
    return np.array([[np.cos(ANGLES[text]), np.sin(ANGLES[text])] for text in texts], np.float32)


def silent(lines: Sequence[str]) -> Vectors:
    return np.zeros((len(lines), 2), np.float32)


def ticket(name: str, day: int) -> Passage:
    text = f"Customer: {name} {'why ' * 30}\nAgent: {'because ' * 200}"
    return Passage(id=f"{name}-1", kind="ticket", title=name, text=text, created=START + timedelta(days=day))


PASSAGES = [
    ticket("a", 1), ticket("b", 2), ticket("c", 3),
    *(Passage(id=f"{name}#1", kind="article", title=name, text=f"about {name}") for name in "xy"),
]  # fmt: skip
TEXTS = [searchable(passage) for passage in PASSAGES]
OWNERS = np.arange(len(PASSAGES))


@pytest.fixture
def known(tmp_path: Path) -> Knowledge:
    vectors_PD = compass([passage.title for passage in PASSAGES])
    opened_P = np.array([passage.created.timestamp() if passage.created else 0.0 for passage in PASSAGES])
    nothing = Links(np.zeros((0, 2), np.float32), np.zeros(0), np.zeros((0, 2), np.bool_), np.ones(0, np.float32))
    ranking = Ranking(vectors_PD, np.array([3, 4]), np.array([0, 1]), nothing)
    briefs_BN = gather_briefs(ranking, TEXTS, opened_P, OWNERS, tickets=2, articles=1)
    return Knowledge(
        "k", PASSAGES, vectors_PD, opened_P, briefs_BN, shares_of(briefs_BN),
        ready_R=np.zeros(0, np.int32), prefer=0.2, margin=0.2, words=20, quotes=Quotes(silent),
        ranking=ranking,
        said=Said(np.zeros((len(PASSAGES), 2), np.float32), np.zeros((len(PASSAGES), 4), np.float32)),
        readers=readers_of([], [passage.id for passage in PASSAGES]),
        store=Store(tmp_path, "compass", compass),
    )  # fmt: skip


def ids(passages: list[Passage]) -> list[str]:
    return [passage.id for passage in passages]


def test_a_brief_holds_its_anchor_an_older_ticket_and_an_article(known: Knowledge) -> None:
    assert ids(known.brief(2)) == ["c-1", "b-1", "x#1"]
    assert ids(known.brief(0)) == ["a-1", "x#1"], "the oldest ticket has no older one"


def test_nothing_of_a_brief_is_newer_than_the_ticket_at_hand(known: Knowledge) -> None:
    for day in range(1, 5):
        before = START + timedelta(days=day)
        found = known.search("c", before=before).passages
        assert all(passage.created is None or passage.created < before for passage in found)
    assert known.search("c", before=START + timedelta(days=9)).passages[0].id == "c-1"


def test_a_ticket_is_never_its_own_evidence(known: Knowledge) -> None:
    assert "c-1" not in ids(known.search("c", ticket="c").passages)


def test_how_near_past_questions_were_to_what_was_known(known: Knowledge) -> None:
    past_T = np.flatnonzero(known.opened_P)
    asked_TD = known.vectors_PD[past_T]
    near_R = nearest_past(asked_TD, OWNERS[past_T], known.vectors_PD, OWNERS, known.briefs_BN)
    assert near_R == pytest.approx(np.cos([0.2, 0.2, 0.2]), abs=1e-4)
    alone = nearest_past(asked_TD[:1], OWNERS[:1], known.vectors_PD[:1], OWNERS[:1], known.briefs_BN[:1, :1])
    assert alone.shape == (0,)


def test_the_most_asked_briefs_come_first_and_each_once(known: Knowledge) -> None:
    order = most_asked(np.array([2, 1, -1, 1], np.int32), len(known.briefs_BN))
    assert order[:2].tolist() == [1, 2]
    assert sorted(order) == list(range(len(known.briefs_BN)))


def test_past_questions_are_answered_as_if_they_were_asked_again(known: Knowledge) -> None:
    answered_R = known.answered(np.arange(3, dtype=np.int32), known.vectors_PD[:3])
    for place, number in enumerate(answered_R):
        asked = PASSAGES[place]
        found = known.search(asked.title, before=asked.created, ticket=asked.title).passages
        assert ids(found) == ids(known.brief(int(number)))


def test_a_brief_that_many_ask_for_is_preferred_to_one_as_near(known: Knowledge) -> None:
    assert known.search("b").passages[0].id == "b-1"
    readied = dataclasses.replace(known, ready_R=np.array([2], np.int32))
    assert readied.search("b").passages[0].id == "c-1"
    assert [ids(brief) for brief in readied.ready()] == [ids(known.brief(2))]


def test_a_past_ticket_shows_little_of_its_question_and_the_words_of_its_reply() -> None:
    asked, _, reply = shorten(PASSAGES[0], 20).partition("\nAgent: ")
    assert len(asked.split()) <= 17 and len(reply.split()) <= 21


@pytest.mark.parametrize(("tickets", "articles"), [(0, 2), (2, 0), (1, 0), (0, 0)])
def test_a_desk_without_one_kind_of_passage_still_answers(known: Knowledge, tickets: int, articles: int) -> None:
    made = gather_briefs(known.ranking, TEXTS, known.opened_P, OWNERS, tickets, articles)
    assert len(made) == (3 if tickets else 0) + (2 if articles else 0)
    assert matched(known.vectors_PD @ known.vectors_PD[0], made, shares_of(made)).shape == (len(made),)


def test_a_question_is_matched_with_the_anchor_and_with_the_mean_of_what_stands_beside_it(known: Knowledge) -> None:
    cosines_P = np.array([0.9, 0.5, 0.1, 0.3, 0.7], np.float32)
    briefs_BN = np.array([[0, 1, 3], [2, -1, 4], [1, -1, -1]], np.int32)
    assert matched(cosines_P, briefs_BN, shares_of(briefs_BN)) == pytest.approx(
        [0.9 + COMPANIONS * 0.4, 0.1 + COMPANIONS * 0.7, 0.5]
    )


def test_what_breaks_off_in_the_middle_is_not_shown() -> None:
    text = "Turn it off. Wait a minute. Then turn the dial slowly to the left until it clicks twice."
    article = Passage(id="d", kind="article", title="", text=text)
    assert shorten(article, 8) == "Turn it off. Wait a minute."
    assert shorten(article, 40) == text
    assert shorten(article.model_copy(update={"text": "1. Press it\n2. Hold it for five seconds"}), 5) == "1. Press it"
    assert shorten(article.model_copy(update={"text": "no end in sight of it"}), 4) == "no end in sight …"


def test_only_texts_never_seen_are_embedded(tmp_path: Path) -> None:
    asked: list[list[str]] = []

    def watched(texts: Sequence[str], **_: object) -> Vectors:
        asked.append(list(texts))
        return compass(texts)

    store = Store(tmp_path, "m", watched)
    first, second = store.vectors("passages", ["a", "b"]), store.vectors("passages", ["c", "a"])
    assert np.allclose(second[1], first[0])
    assert asked == [["a", "b"], ["c"]]
    assert np.allclose(store.vectors("passages", ["c", "a"]), second) and len(asked) == 2
    Store(tmp_path, "another", watched).vectors("passages", ["a"])
    assert asked[2:] == [["a"]], "vectors of another model are others"


def test_what_is_farther_than_past_questions_were_is_too_far_and_a_greeting_is_small_talk(known: Knowledge) -> None:
    near = dataclasses.replace(known, far=0.9)
    assert near.search("b").standing == "known"
    assert near.search("far").standing == "far"  # 1.1 rad from everything
    talk = dataclasses.replace(near, talk_SD=compass(["far"]))
    assert [talk.search(question).standing for question in ("far", "b")] == ["small_talk", "known"]
    empty = dataclasses.replace(known, briefs_BN=known.briefs_BN[:0], shares_BN=known.shares_BN[:0])
    assert empty.search("b").standing == "far"


def test_a_long_question_is_compared_by_its_beginning_and_its_end() -> None:
    long = " ".join(f"w{number}" for number in range(200))
    assert compared("Where is it?\nPlease  tell") == "Where is it?\nPlease  tell"
    assert compared(long).split() == [f"w{n}" for n in (*range(FIRST_WORDS), *range(200 - LAST_WORDS, 200))]


def test_what_a_team_is_asked_about_is_what_would_be_said_first(known: Knowledge) -> None:
    asked = Exchange(
        id="n-1", ticket_id="n", subject="", product="", topic="", created=START + timedelta(days=9),
        split="train", turns=(Turn(role="customer", text="c"),), human_reply="",
    )  # fmt: skip
    (vector,) = known.vectors(["c"])
    found = known.candidates(asked, vector, 2)
    assert len(found) == 2 and found[0].id == known.search("c", before=asked.created).passages[0].id
    assert found[0].text == PASSAGES[2].text, "whole"


class Counted:
    """Of every text the same words are found in the passages."""

    def counts(self, _: str) -> Floats:
        return np.array([4, 2, 8, 1, 1], np.float32)


@pytest.mark.parametrize(("own", "day", "shares"), [("n", 9, [0.5, 0.25]), ("a", 9, [0, 0.25]), ("n", 3, [1, 0.5])])
def test_words_are_measured_by_what_a_new_question_would_find(
    known: Knowledge, own: str, day: int, shares: list[float]
) -> None:
    ranking = dataclasses.replace(known.ranking, words=Counted())
    counted = dataclasses.replace(known, ranking=ranking, places={"a": [0], "b": [1], "c": [2]})
    asked = Exchange(
        id=f"{own}-2", ticket_id=own, subject="", product="", topic="", split="train",
        created=START + timedelta(days=day), turns=(Turn(role="customer", text="c"),), human_reply="",
    )  # fmt: skip
    found = counted.features(asked, known.vectors(["c"])[0], np.array([0, 1]))
    assert found[:, 3].tolist() == shares, "the ticket's own words, and later ones, are no measure"


def test_only_a_code_that_an_article_explains_rules_notes_out() -> None:
    def article(name: str, title: str) -> Passage:
        return Passage(id=f"{name}#1", kind="article", title=title, text="Switch it off.")

    found = [article("x", "E05: sensor"), ticket("E01 again", 1), article("y", "E01: no water"), ticket("other", 1)]
    codes = explained("broken!! says E01", found)
    assert [names(each, codes) for each in found] == [False, True, True, False]
    assert not explained("broken!! says E01", found[:2]) and not explained("broken!!", found)
    assert names(found[0], frozenset())
    aside = found[2].model_copy(update={"title": "Kettle", "text": "E01, with a nought, is another machine's."})
    assert answering([*found, aside], codes) == [1, 2], "a heading or a past question rules out what names it aside"
    assert answering([found[0], found[1], aside], codes) == [1, 2] and answering(found, frozenset()) == [0, 1, 2, 3]


def test_neither_shown_nor_quoted_is_a_note_about_another_code(known: Knowledge) -> None:
    texts = {"c": "Customer: c shows E01\nAgent: Fill the tank with water, please.", "x": "E01 says about x: no water."}
    passages = [each.model_copy(update={"text": texts.get(each.title, each.text)}) for each in PASSAGES]
    known = dataclasses.replace(known, passages=passages)
    assert ids(known.search("c").passages) == ["c-1", "b-1", "x#1"]
    found = known.search("c E01").passages
    assert ids(found) == ["c-1", "x#1"] and quoted(found) == "Fill the tank with water, please."
