"""A real cross-encoder, tiny and of random weights: what it scores highest is what is found, wherever that is asked."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bot.config import Retrieval
from bot.knowledge import NEAR, Knowledge
from bot.loading import load
from bot.passages import shorten
from bot.reranking import load_reranker
from data.errors import BadInput
from data.parquet import write_rows
from data.records import Exchange, Passage, Turn
from data.workspace import Workspace

pytestmark = pytest.mark.slow  # torch

START = datetime(2026, 1, 1, tzinfo=UTC)
_WORDS = """
    kettle grinder scale boil noise lid blade filter pump hose steam milk bean cup tray drip leak burr dial knob
"""
WORDS = _WORDS.split()
QUESTIONS = ("kettle noise", "steam leak at the pump", "lid", "burr blade bean", "which filter for the milk")
PASSAGES = [
    Passage(
        id=f"{word}-1", kind="ticket", title=word, text=f"Customer: {word}\nAgent: clean the {other} and try again",
        created=START + timedelta(days=day),
    )
    for day, (word, other) in enumerate(zip(WORDS[:NEAR], reversed(WORDS[:NEAR]), strict=True))
]  # fmt: skip


def save_model(folder: Path, labels: int = 1, seed: int = 3) -> str:
    """Weights large enough that scores differ."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

    folder.mkdir()
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS, "clean", "customer", "agent", "the", ":"]
    (folder / "vocab.txt").write_text("\n".join(vocabulary))
    BertTokenizerFast.from_pretrained(folder).save_pretrained(folder)
    torch.manual_seed(seed)
    BertForSequenceClassification(
        BertConfig(
            vocab_size=len(vocabulary), hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
            intermediate_size=32, num_labels=labels, initializer_range=0.5,
        )
    ).save_pretrained(folder)  # fmt: skip
    return str(folder)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_model(tmp_path_factory.mktemp("reranking") / "model")


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """To its encoder all notes are equally near, and there are no more of them than are looked at."""
    monkeypatch.setattr("bot.loading.load_encoder", lambda *_: lambda texts, **_: np.ones((len(texts), 2), "float32"))
    (tmp_path / "embeds").mkdir()
    write_rows(tmp_path / "tickets" / "passages.parquet", PASSAGES, Passage)
    return tmp_path


def opened(desk: Path, model: str = "") -> Knowledge:
    settings = Retrieval(
        model=str(desk / "embeds"), cross_encoder=model, tickets=1, articles=0, ready=0, far=0.0
    )  # fmt: skip
    return load(Workspace(desk), desk / "tickets", settings)


@lru_cache(maxsize=1)
def plain(model: str) -> tuple[Any, Any]:
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    return AutoModelForSequenceClassification.from_pretrained(model), AutoTokenizer.from_pretrained(model)


def scores(model: str, question: str, notes: Sequence[str]) -> list[float]:
    """As transformers gives them, one pair at a time."""
    import torch

    read, tokenizer = plain(model)
    with torch.no_grad():
        return [float(read(**tokenizer(question, note, return_tensors="pt")).logits) for note in notes]


def exchange(question: str) -> Exchange:
    return Exchange(
        id=question, ticket_id="other", subject="", product="", topic="", created=START + timedelta(days=99),
        split="heldout", turns=(Turn(role="customer", text=question),), human_reply="x",
    )  # fmt: skip


def test_of_the_nearest_notes_the_one_that_it_scores_highest_is_found(desk: Path, model: str) -> None:
    without, known = opened(desk), opened(desk, model)
    shown = [f"{passage.title}\n{shorten(passage, 80)}" for passage in PASSAGES]
    exchanges = [exchange(question) for question in QUESTIONS]
    evidence = known.evidence(exchanges, known.embed(exchanges))
    firsts, others = set(), set()
    for question in QUESTIONS:
        best = int(np.argmax(scores(model, question, shown)))
        assert known.search(question).passages[0].id == PASSAGES[best].id == evidence[question].passages[0].id
        firsts.add(PASSAGES[best].id)
        others.add(without.search(question).passages[0].id)
    assert len(firsts) > 1, "what is found depends on the question"
    assert firsts != others, "and on the cross-encoder"


def test_it_chooses_only_among_notes_that_may_answer(desk: Path, model: str) -> None:
    known = opened(desk, model)
    for question in QUESTIONS:
        own = known.search(question).passages[0]
        assert known.search(question, ticket=own.title).passages[0].id != own.id
        assert known.search(question, before=START + timedelta(hours=1)).passages[0].id == PASSAGES[0].id
    assert known.search("lid", before=START).passages == []


def test_what_follows_from_it_is_kept_under_its_name(desk: Path, model: str, tmp_path: Path) -> None:
    other = save_model(tmp_path / "other", seed=4)
    names = [opened(desk, each).id for each in ("", model, other, model)]
    assert len(set(names)) == 3 and names[1] == names[3]
    assert len(list((desk / "knowledge").glob("*-answered.npy"))) == 3
    save_model(tmp_path / "again", labels=1, seed=5)
    (tmp_path / "again" / "model.safetensors").replace(tmp_path / "other" / "model.safetensors")
    assert opened(desk, other).id not in names, "other weights in the same folder"


@pytest.mark.parametrize(
    ("name", "why"),
    [("no/where/at-all", "cannot load no/where/at-all"), ("empty", "cannot load"), ("three", "does not give"),
     ("embeds", "does not give")],
)  # fmt: skip
def test_a_model_that_cannot_rank_is_one_line(name: str, why: str, tmp_path: Path) -> None:
    from transformers import BertModel

    (tmp_path / "empty").mkdir()
    if name == "three":
        save_model(tmp_path / name, labels=3)
    if name == "embeds":
        folder = save_model(tmp_path / name)
        BertModel.from_pretrained(folder).save_pretrained(folder)
    path = tmp_path / name
    with pytest.raises(BadInput, match=rf"retrieval.cross_encoder: .*{why}") as caught:
        load_reranker(str(path) if path.is_dir() else name, str)
    assert "\n" not in str(caught.value)


def test_a_lone_candidate_is_not_read(desk: Path, model: str) -> None:
    def never(_: int) -> str:
        raise AssertionError

    only = dataclasses.replace(load_reranker(model, str), shown=never)
    assert only("lid", [7]) == 7
