"""Only the answer and its end token are learned, in the tokens the template renders, in batches that fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from data.errors import BadInput
from distillation.batches import Batches, bucket, collate
from distillation.rows import IGNORE, Example, encode, encode_all, render
from tests.distillation.tiny import TEMPLATE, rows, save_model


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(save_model(tmp_path_factory.mktemp("model")))


def test_template_renders_what_is_taught(tokenizer: Any) -> None:
    row = rows(1)[0]
    example = encode(tokenizer, row)
    whole = render(tokenizer, [*row.messages, {"role": "assistant", "content": row.answer}], reply=False)
    assert tuple(whole[: len(example.ids)]) == example.ids
    assert render(tokenizer, row.messages) == list(example.ids[: example.prompt])


def test_end_is_learned_though_it_is_the_pad(tokenizer: Any) -> None:
    example = encode(tokenizer, rows(1)[0])
    assert tokenizer.pad_token_id == tokenizer.eos_token_id == example.ids[-1]
    assert example.labels[-1] == tokenizer.eos_token_id
    assert set(example.labels[: example.prompt]) == {IGNORE}
    assert IGNORE not in example.labels[example.prompt :]


def test_template_that_changes_answers_is_refused(tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    loud = TEMPLATE.replace("message['content']", "message['content'] | upper")
    with pytest.raises(BadInput, match="chat template"):
        encode(AutoTokenizer.from_pretrained(save_model(tmp_path, template=loud)), rows(1)[0])


def test_empty_answer_is_refused(tokenizer: Any) -> None:
    with pytest.raises(BadInput, match="empty answer"):
        encode(tokenizer, rows(1)[0].model_copy(update={"answer": " <|im_end|> "}))


def test_long_rows_are_dropped_never_cut(tokenizer: Any) -> None:
    every, none = encode_all(tokenizer, rows(10), 1000)
    limit = sorted(len(example.ids) for example in every)[4]
    kept, dropped = encode_all(tokenizer, rows(10), limit)
    assert none == 0
    assert dropped == sum(len(example.ids) > limit for example in every) > 0
    assert kept == [example for example in every if len(example.ids) <= limit]


def test_batches_hold_every_row_once_within_the_budget() -> None:
    lengths = [5, 90, 17, 17, 40, 8, 33, 21, 64, 200]
    groups = bucket(lengths, 100, seed=1)
    assert sorted(row for group in groups for row in group) == list(range(10))
    assert all(len(group) * max(lengths[row] for row in group) <= 100 for group in groups if len(group) > 1)


def test_order_changes_by_epoch_and_is_found_again() -> None:
    examples = [Example(tuple(range(number + 2)), 1) for number in range(40)]
    first, again = Batches(examples, 60, 7), Batches(examples, 60, 7)
    start = list(first)
    first.set_epoch(1)
    again.set_epoch(1)
    assert start != list(first) == list(again)
    assert sorted(start) == sorted(first)


def test_padding_is_never_learned() -> None:
    batch = collate([Example((1, 2, 3, 4), 2), Example((1, 2), 1)])
    assert batch["labels"].tolist() == [[IGNORE, IGNORE, 3, 4], [IGNORE, 2, IGNORE, IGNORE]]
    assert batch["lengths"].tolist() == [4, 2]
