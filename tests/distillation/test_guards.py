"""The sixteen bugs of other trainers, each with the tests that find it here; and what a run checks at its start."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from data.errors import BadInput, DeskmateError
from distillation.rows import Example
from tests.distillation.test_train import examples, invented, trainer
from tests.distillation.tiny import rows, save_model

TESTS = Path(__file__).parent.parent
BUGS = """
1. shifted by one
    distillation/test_losses.py test_1_teacher_is_student_gives_no_divergence_and_shifted_by_one_does
    distillation/test_train.py test_loss_is_shifted_by_one_weighted_and_the_same_in_any_packing
2. the end is masked where it is the pad
    distillation/test_rows.py test_end_is_learned_though_it_is_the_pad
3. the token said taken for the likeliest
    distillation/test_softlabels.py test_token_said_is_not_taken_for_the_likeliest
4. accumulated loss scaled wrong
    distillation/test_train.py test_four_batches_of_two_are_one_of_eight
    distillation/test_train.py test_parts_of_a_step_count_as_one
5. packed loss is another
    distillation/test_attention.py test_5_packed_rows_attend_as_if_apart
    distillation/test_train.py test_answers_that_share_a_prompt_learn_as_apart
6. an empty mask passes
    distillation/test_guards.py test_6_a_row_with_nothing_to_learn_aborts
7. soft labels teach nothing
    distillation/test_guards.py test_7_soft_labels_without_effect_abort
    distillation/test_guards.py test_7_a_student_that_gets_no_gradient_aborts
    distillation/test_losses.py test_7_the_share_of_soft_labels_changes_gradients_and_both_norms_are_known
8. held-out loss on another path
    distillation/test_train.py test_training_and_held_out_loss_are_one_path
9. equal prompts collapse
    distillation/test_rows.py test_every_prompt_is_kept_once_with_all_its_answers
10. soft labels of other rows
    distillation/test_rows.py test_10_soft_labels_are_found_by_sample_id_in_any_order
    distillation/test_rows.py test_10_soft_labels_stay_beside_their_tokens_in_a_batch
    distillation/test_softlabels.py test_rows_shuffled_find_their_own_soft_labels
11. padded vocabulary
    distillation/test_losses.py test_11_teacher_entries_beyond_the_students_head_go_to_the_tail
    distillation/test_losses.py test_11_students_padded_rows_are_in_the_tail
    distillation/test_softlabels.py test_padded_vocabulary_goes_to_the_tail
12. -inf becomes NaN
    distillation/test_losses.py test_12_nothing_becomes_nan
    distillation/test_softlabels.py test_impossible_and_undefined_candidates_leave_no_nan
13. cut answers taught as whole
    distillation/test_rows.py test_long_rows_are_dropped_never_cut
    distillation/test_select.py test_what_is_turned_away_and_why
14. held-out tickets leak by near-duplicates
    eval/test_corpus.py test_splits_and_leaks
15. another template when serving
    distillation/test_optimise.py test_served_model_scores_like_the_trained_one
    serving/test_launcher.py test_a_model_with_another_chat_template_than_was_taught_is_not_started
16. a template that trims answers
    distillation/test_rows.py test_template_that_changes_answers_is_refused
    distillation/test_softlabels.py test_template_that_trims_answers_is_refused
"""


def test_every_bug_has_its_tests() -> None:
    lines = BUGS.strip().splitlines()
    assert [line.partition(".")[0] for line in lines if line[0] != " "] == [str(number) for number in range(1, 17)]
    for file, name in (line.split() for line in lines if line[0] == " "):
        found = ast.walk(ast.parse((TESTS / file).read_text()))
        assert name in {node.name for node in found if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(tmp_path_factory.mktemp("model"))


def test_6_a_row_with_nothing_to_learn_aborts(model: Path) -> None:
    from distillation.guards import check_mask

    chosen = examples(model, 2)
    check_mask(chosen)
    with pytest.raises(BadInput, match="no answer tokens"):
        check_mask([*chosen, Example(chosen[0].ids, len(chosen[0].ids))])


def test_7_a_student_that_gets_no_gradient_aborts(model: Path, tmp_path: Path) -> None:
    from distillation.guards import check_learnable

    chosen = examples(model, 2)
    student = trainer(model, tmp_path, chosen).student
    check_learnable(student, chosen)
    assert all(weight.grad is None for weight in student.weights.values())
    student.model.requires_grad_(False)
    with pytest.raises(DeskmateError, match="gradient"):
        check_learnable(student, chosen)


def test_7_soft_labels_without_effect_abort(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from distillation import guards, student

    chosen = examples(model, 2)
    soft = [replace(example, soft=invented(example)) for example in chosen]
    made = trainer(model, tmp_path, chosen).student
    guards.check_soft(made, soft)
    with pytest.raises(BadInput, match="no row of this corpus has soft labels"):
        guards.check_soft(made, chosen)
    whole = student.completion_loss
    monkeypatch.setattr(student, "completion_loss", lambda *given: whole(*given[:4]))
    with pytest.raises(DeskmateError, match="change no gradient"):
        guards.check_soft(made, soft)


def test_the_start_shows_one_example_with_its_mask(model: Path, tmp_path: Path, capsys: Any) -> None:
    from transformers import AutoTokenizer

    from distillation.guards import show

    show(AutoTokenizer.from_pretrained(model), examples(model, 1)[0], tmp_path / "train.log", "stages A")
    said = (tmp_path / "train.log").read_text()
    assert said.startswith("stages A\nmasked ")
    assert rows(1)[0].answer in said.splitlines()[2]
    assert "<|im_start|>assistant" in said.splitlines()[1]
    assert said.rstrip().endswith("<|im_end|>'")
    assert capsys.readouterr().err == ""  # not a terminal
