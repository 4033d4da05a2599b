"""Soft labels: the nucleus of every place, stored whole or not at all, only for students whose ids mean the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.errors import BadInput
from distillation.label_journal import LabelJournal
from distillation.rows import encode
from distillation.softlabels import (
    CAP,
    Origin,
    SoftLabels,
    clip,
    fit,
    from_rows,
    load,
    origin_of,
    shared_size,
    store,
    truncate,
)
from tests.distillation.tiny import TEMPLATE, rows, save_model

SAID = [7, 9]
ROWS = ([[7, 3, 7, 1], [9, 9, 2, 5]], np.log([[0.2, 0.7, 0.2, 0.05], [0.995, 0.995, 0.004, 0.001]]))


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(save_model(tmp_path_factory.mktemp("model")))


def random_labels(seed: int, places: int = 20, candidates: int = 40, vocabulary: int = 5000) -> SoftLabels:
    random = np.random.default_rng(seed)
    logits = random.normal(0, 4, (places, vocabulary)).astype(np.float32)
    logprobs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    top = np.argsort(-logprobs, -1)[:, : candidates + 1]
    top[:, 0] = said = random.integers(0, vocabulary, places)
    return from_rows(said, top, np.take_along_axis(logprobs, top, -1))


def origin(tokenizer: Any, vocabulary: int = 300) -> Origin:
    return origin_of(tokenizer, teacher="t", revision="r", vocabulary=vocabulary)


def same(one: SoftLabels, other: SoftLabels) -> bool:
    names = ("tokens_T", "counts_T", "ids_E", "logprobs_E")
    pairs = [(getattr(one, name), getattr(other, name)) for name in names]
    return all(a.dtype == b.dtype and np.array_equal(a, b) for a, b in pairs)


def test_token_said_is_not_taken_for_the_likeliest() -> None:
    labels = from_rows(SAID, *ROWS)
    assert labels.tokens_T.tolist() == SAID
    assert labels.counts_T.tolist() == [3, 1]
    assert labels.ids_E.tolist() == [3, 7, 1, 9]
    assert labels.mass() == pytest.approx([0.95, 0.995], abs=1e-3)


def test_equal_probabilities_are_ordered_by_id() -> None:
    counts, ids, logprobs = truncate([[8, 5, 2, 6]], np.log([[0.25, 0.3, 0.25, 0.2]]))
    assert (counts.tolist(), ids.tolist()) == ([4], [5, 2, 8, 6])
    assert np.all(np.diff(logprobs) <= 0)


def test_nucleus_is_the_smallest_that_holds_the_share() -> None:
    _, ids, _ = truncate([[0, 1, 2, 3]], np.log([[0.5, 0.4, 0.09, 0.01]]), tau=0.85)
    assert ids.tolist() == [0, 1]
    counts, ids, _ = truncate(np.arange(100)[None], np.full((1, 100), np.log(0.01)))
    assert (counts.tolist(), ids.tolist()) == ([CAP], list(range(CAP)))


def test_impossible_and_undefined_candidates_leave_no_nan() -> None:
    logprobs = [[-0.5, -np.inf, np.nan, -1.0], [-np.inf, -np.inf, np.nan, -np.inf]]
    counts, ids, kept = truncate([[4, 3, 2, 1], [4, 3, 2, 1]], logprobs)
    assert (counts.tolist(), ids.tolist()) == ([2, 0], [4, 1])
    assert np.all(np.isfinite(kept))
    labels = SoftLabels(np.array([4, 1], np.int32), counts, ids, kept)
    assert labels.mass() == pytest.approx([np.exp(-0.5) + np.exp(-1), 0], abs=1e-3)


def test_what_is_stored_is_what_is_loaded_by_sample_id(tmp_path: Path, tokenizer: Any) -> None:
    labels = {f"s{number}": random_labels(number, places=1 + number % 5) for number in range(30)}
    size = store(tmp_path, origin(tokenizer), labels)
    assert size == sum(path.stat().st_size for path in tmp_path.glob("softlabels-*.parquet"))
    again = tmp_path / "again"
    store(again, origin(tokenizer), dict(reversed(labels.items())))
    assert [p.name for p in again.glob("*.parquet")] == [p.name for p in tmp_path.glob("*.parquet")]
    loaded = load(tmp_path)
    assert loaded
    assert loaded[0] == origin(tokenizer)
    assert loaded[1].keys() == labels.keys()
    assert all(same(loaded[1][name], labels[name]) for name in labels)


def test_rows_shuffled_find_their_own_soft_labels(tmp_path: Path, tokenizer: Any) -> None:
    """EasyDistill paired rows and distributions by position; two answers of one prompt are two samples (distilabel)."""
    taught = [row.model_copy(update={"messages": rows(1)[0].messages}) for row in rows(12)]
    completions = {}
    for row in taught:
        example = encode(tokenizer, row)
        completions[row.sample_id] = example.ids[example.prompt :]
    labels = {}
    for name, said in completions.items():
        candidates = np.array([[token, token, token + 1] for token in said])
        labels[name] = from_rows(said, candidates, np.log([[0.6, 0.6, 0.4]] * len(said)))
    store(tmp_path, origin(tokenizer), labels)
    found = load(tmp_path)
    assert found
    assert len(found[1]) == 12
    for row in np.random.default_rng(1).permutation(np.array(taught, dtype=object)):
        assert tuple(found[1][row.sample_id].tokens_T) == completions[row.sample_id]
        assert tuple(found[1][row.sample_id].ids_E[::2]) == completions[row.sample_id]


def test_damaged_or_missing_shard_is_one_clear_error(tmp_path: Path, tokenizer: Any) -> None:
    assert load(tmp_path) is None
    store(tmp_path, origin(tokenizer), {"a": random_labels(1)})
    (shard,) = tmp_path.glob("softlabels-*.parquet")
    whole = shard.read_bytes()
    for content in (whole[:-9], whole[:99] + bytes([whole[99] ^ 1]) + whole[100:], b""):
        shard.write_bytes(content)
        with pytest.raises(BadInput, match="damaged"):
            load(tmp_path)
    (tmp_path / "manifest.json").write_text(json.dumps({"files": {shard.name: "x"}}))
    shard.unlink()
    with pytest.raises(BadInput, match="missing"):
        load(tmp_path)


def test_only_students_whose_ids_mean_the_same_fit(tmp_path: Path, tokenizer: Any) -> None:
    from transformers import AutoTokenizer

    teacher = origin(tokenizer, 320)
    assert fit(teacher, tokenizer, 320) == "same"
    assert fit(teacher, tokenizer, 300) == "padded"
    assert shared_size(teacher, tokenizer, 300) == 300
    more = AutoTokenizer.from_pretrained(save_model(tmp_path / "more"))
    more.add_tokens(["<think>"])
    assert fit(teacher, more, 320) == "padded"
    assert fit(origin(more, 320), tokenizer, 320) == "padded"
    assert shared_size(origin(more, 320), tokenizer, 320) == len(tokenizer)
    other = AutoTokenizer.from_pretrained(save_model(tmp_path / "other", words=("one",)))
    other.add_tokens(["<think>"])
    assert fit(origin(more, 320), other, 320) == "different"


def test_padded_vocabulary_goes_to_the_tail() -> None:
    labels = from_rows(SAID, *ROWS)
    clipped = clip(labels, 7)
    assert clipped.counts_T.tolist() == [2, 0]
    assert clipped.ids_E.tolist() == [3, 1]
    assert clipped.mass() == pytest.approx([0.75, 0], abs=1e-3)
    assert same(clip(labels, 100), labels)


def test_template_that_trims_answers_is_refused(tmp_path: Path) -> None:
    """Else the student would be taught ids at places where the teacher saw others."""
    from transformers import AutoTokenizer

    trims = TEMPLATE.replace("message['content']", "(message['content'] | trim('.'))")
    row = rows(1)[0].model_copy(update={"answer": "Rinse it twice..."})
    with pytest.raises(BadInput, match="chat template"):
        encode(AutoTokenizer.from_pretrained(save_model(tmp_path, template=trims)), row)


def test_journal_keeps_whole_records_and_cuts_a_torn_one(tmp_path: Path, tokenizer: Any) -> None:
    labels = {f"s{number}": random_labels(number) for number in range(3)}
    journal = LabelJournal(tmp_path / "t.labels")
    journal.begin(origin(tokenizer))
    for name, each in labels.items():
        journal.add(name, each)
    whole = (tmp_path / "t.labels").read_bytes()
    for cut in (1, 9, 400):
        (tmp_path / "t.labels").write_bytes(whole[:-cut])
        again = LabelJournal(tmp_path / "t.labels")
        assert [name in again for name in labels] == [True, True, False]
        again.add("s2", labels["s2"])
        found = LabelJournal(tmp_path / "t.labels").get([*labels, "none"])
        assert list(found) == list(labels)
        assert all(same(found[name], labels[name]) for name in labels)
    assert again.origin == origin(tokenizer)
    with pytest.raises(BadInput, match="another teacher"):
        again.begin(origin(tokenizer, 999))
