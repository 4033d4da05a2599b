"""Only the answer and its end token are learned, in the tokens the template renders, in batches that fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.errors import BadInput
from distillation.batches import Batches, bucket, collate, share
from distillation.rows import Example, encode, encode_all, render
from distillation.softlabels import SoftLabels
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
    assert collate([[example]]).targets_N.tolist() == list(example.ids[example.prompt :])


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


def test_10_soft_labels_are_found_by_sample_id_in_any_order(tokenizer: Any) -> None:
    given = rows(4)
    soft = {row.sample_id: labels(encode(tokenizer, row)) for row in given}
    for order in (given, given[::-1]):
        found, _ = encode_all(tokenizer, order, 1000, soft)
        assert [example.soft for example in found] == [soft[row.sample_id] for row in order]
    with pytest.raises(BadInput, match="soft labels are of another answer"):
        encode(tokenizer, given[0], soft["s1"])


def test_10_soft_labels_stay_beside_their_tokens_in_a_batch(tokenizer: Any) -> None:
    """Each place's only entry is the token it predicts, in rows that come in another order and share a prompt."""
    given = [encode(tokenizer, row, labels(encode(tokenizer, row))) for row in rows(3)]
    plain = Example((*given[0].ids[: given[0].prompt], 5, 6), given[0].prompt)
    batch = collate(share([given[2], plain, given[0], given[1]]))
    assert batch.soft is not None
    known = batch.soft.ids_NK[:, 0] >= 0
    assert batch.soft.ids_NK[known, 0].tolist() == batch.targets_N[known].tolist()
    assert batch.targets_N[~known].tolist() == [5, 6]


def test_tokens_are_those_the_teacher_said(tokenizer: Any) -> None:
    """A teacher may split "the" as t, he: its probabilities are about those tokens."""
    row = rows(1)[0].model_copy(update={"answer": "the"})
    split = tokenizer.convert_tokens_to_ids(["t", "he"])
    plain = encode(tokenizer, row)
    said = np.array([*split, plain.ids[-1]], np.int32)
    taught = encode(tokenizer, row, SoftLabels(said, np.ones(3, np.uint8), said, np.zeros(3, np.float32)))
    assert taught.ids[taught.prompt :] == tuple(said) != plain.ids[plain.prompt :]


def labels(example: Example) -> SoftLabels:
    """A teacher that is sure of what it said."""
    said = np.array(example.ids[example.prompt :], np.int32)
    return SoftLabels(said, np.ones(len(said), np.uint8), said, np.zeros(len(said), np.float32))


def test_batches_hold_every_row_once_within_the_budget() -> None:
    lengths = [5, 90, 17, 17, 40, 8, 33, 21, 64, 200]
    groups = bucket(lengths, 100, seed=1)
    assert sorted(row for group in groups for row in group) == list(range(10))
    assert all(sum(lengths[row] for row in group) <= 100 for group in groups if len(group) > 1)
    assert len(groups) == 4


def test_order_changes_by_epoch_and_is_found_again() -> None:
    examples = [Example(tuple(range(number + 2)), 1) for number in range(40)]
    first, again = Batches(examples, 60, 7), Batches(examples, 60, 7)
    assert first.order(0) != first.order(1) == again.order(1)
    assert sorted(first.order(0)) == sorted(first.order(1))


def test_every_prompt_is_kept_once_with_all_its_answers() -> None:
    """Prompts that are alike by chance, of different exchanges, are not collapsed: each answer stays."""
    examples = [Example((1, 2, 3 + number % 2, 9, number), 3) for number in range(20)]
    found = share(examples)
    assert sorted(map(len, found)) == [2, 2, 8, 8]
    assert sorted(example.ids for row in found for example in row) == sorted(example.ids for example in examples)


def test_an_answers_first_token_is_predicted_by_the_prompts_last() -> None:
    batch = collate([[Example((1, 2, 3, 4), 2), Example((1, 2, 5), 2, weight=0.5)], [Example((7, 8), 1)]])
    assert batch.ids_T.tolist() == [1, 2, 3, 7]
    assert batch.positions_T.tolist() == [0, 1, 2, 0]
    assert batch.places_N.tolist() == [1, 2, 1, 3]
    assert batch.targets_N.tolist() == [3, 4, 5, 8]
    assert batch.weights_N.tolist() == [1, 1, 0.5, 1]
    assert batch.answers == 3
