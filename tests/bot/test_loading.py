"""What a desk knows and what its team said of it, made ready to be searched; nothing is worked out twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from bot.config import Retrieval
from bot.knowledge import Knowledge
from bot.loading import load, reviewed
from bot.worth import SHIPPED
from data.parquet import write_rows
from data.records import Exchange, Link, Passage, Review, Turn
from data.workspace import Workspace

START = datetime(2026, 1, 1, tzinfo=UTC)


def note(name: str, reply: str, day: int) -> Passage:
    created = START + timedelta(days=day)
    return Passage(
        id=f"{name}-1", kind="ticket", title=name, text=f"Customer: {name}?\nAgent: {reply}", created=created
    )


NOTES = [note("kettle", "Please open the lid and select the blue switch.", 1), note("grinder", "I forgot. Did it?", 2)]
ARTICLE = Passage(id="x#1", kind="article", title="x", text="About x.")


@pytest.fixture
def tickets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("bot.loading.load_encoder", lambda *_: lambda texts, **_: np.ones((len(texts), 2), "float32"))
    (tmp_path / "model").mkdir()
    asked = [
        Exchange(
            id=f"q{day}-1", ticket_id=f"q{day}", subject="", product="", topic="", created=START + timedelta(days=day),
            split="train", turns=(Turn(role="customer", text="Why?"),), human_reply="So.",
        )
        for day in range(5, 25)
    ]  # fmt: skip
    folder = tmp_path / "tickets"
    write_rows(folder / "exchanges.parquet", asked, Exchange)
    write_rows(folder / "passages.parquet", [*NOTES, ARTICLE], Passage)
    return folder


def loaded(tickets: Path) -> Knowledge:
    return load(Workspace(tickets.parent), tickets, Retrieval(model=str(tickets.parent / "model")))


def test_another_reply_or_link_or_review_is_another_knowledge(tickets: Path) -> None:
    names = [loaded(tickets).id, loaded(tickets).id]
    write_rows(tickets / "links.parquet", [Link(ticket="a", question="a", created=START, articles=("x",))], Link)
    names.append(loaded(tickets).id)
    write_rows(
        tickets / "reviews.parquet", [Review(exchange="q5-1", passage="x#1", score=2, wrong=False)], Review
    )  # fmt: skip
    names.append(loaded(tickets).id)
    write_rows(tickets / "passages.parquet", [NOTES[0], note("grinder", "Otherwise.", 2), ARTICLE], Passage)
    names.append(loaded(tickets).id)
    assert names[0] == names[1] and len(set(names)) == 4


def test_what_a_team_says_decides_what_its_notes_are_worth(tickets: Path) -> None:
    assert loaded(tickets).weights is SHIPPED
    said = [
        Review(exchange=f"q{day}-1", passage=each.id, score=score, wrong=score == 1)
        for day in range(5, 25)
        for each, score in zip(NOTES, (5, 1), strict=True)
    ]
    write_rows(tickets / "reviews.parquet", said, Review)
    known = loaded(tickets)
    kettle, grinder = (
        known.readers.records(np.array([place]), "new ticket")[0].tolist() for place in range(len(NOTES))
    )
    assert kettle[0] > 1 > -1 > grinder[0] and kettle[1] < -1 < 1 < grinder[1]
    found = reviewed(known, tickets)
    assert found.good_N.tolist() == [True, False] * 20 and found.features_NF.shape == (40, len(SHIPPED.good_F))
    surer = found.features_NF @ (known.weights.good_F - SHIPPED.good_F)
    assert surer[found.good_N].min() > surer[~found.good_N].max(), "the fit leans to what this team calls good"
    assert known.search("Why?").passages[0].id == "kettle-1"
    again = loaded(tickets)
    assert np.array_equal(again.weights.wrong_F, known.weights.wrong_F)


def test_reviews_of_exchanges_that_are_no_longer_there_do_no_harm(tickets: Path) -> None:
    write_rows(tickets / "reviews.parquet", [Review(exchange="gone-1", passage="x#1", score=5, wrong=False)], Review)
    known = loaded(tickets)
    assert known.weights.good_F == pytest.approx(SHIPPED.good_F)
    assert known.readers.records(np.array([2]), "")[0, 0] > 0, "of the note they still tell"
