"""A smaller encoder learns what the whole one says; a kill changes nothing; what cannot be cut is told in a line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bot.encoder import Encode, plain
from bot.weights import resolve
from data.errors import BadInput
from data.workspace import Workspace, manifest_of
from distillation import encoder
from distillation.encoder import agreement, batches, distil, loss_of, opening, shortened
from tests.bench.training_rows import _pairs

TEXTS = [part for question, reply in _pairs()[:14] for part in (question, reply)]


@pytest.fixture
def model(starter_workspace: Workspace) -> str:
    return resolve("starter-embeddings", starter_workspace, "embeddings")


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoder, "LEAST", 20)
    for name, value in {"EVERY": 2, "BATCH": 8, "WARM": 2}.items():
        monkeypatch.setattr(encoder, name, value)


@pytest.mark.slow
def test_it_comes_nearer_to_the_whole_one_and_is_one_to_search_with(model: str, small: None, tmp_path: Path) -> None:
    whole = plain(model)
    made = distil(Workspace(tmp_path), model, whole, TEXTS, 3, 3)
    counts = manifest_of(made).counts
    held_out = sorted(set(TEXTS))[:: encoder.HELD_OUT]
    known = sorted(set(TEXTS))
    before = agreement(shortened(model, 3), whole, held_out, known, whole(known))
    assert counts["cosine"] > before["cosine"] + 0.02
    assert np.allclose((plain(str(made))(held_out) * whole(held_out)).sum(1).mean(), counts["cosine"], atol=2e-3)
    assert not [path for path in made.iterdir() if path.name.startswith(".")]


@pytest.mark.slow
def test_killed_it_goes_on_from_its_checkpoint(
    model: str, small: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, asked = plain(model), 0

    def counted(texts: list[str], *, progress: bool = False) -> np.ndarray:
        nonlocal asked
        asked += len(texts)
        found: np.ndarray = whole(texts)
        return found

    once = manifest_of(distil(Workspace(tmp_path / "once"), model, whole, TEXTS, 3, 2)).counts
    seen = 0

    def killing(made: object, wanted: object) -> object:
        nonlocal seen
        seen += 1
        if seen == 4:
            raise KeyboardInterrupt
        return loss_of(made, wanted)

    monkeypatch.setattr(encoder, "loss_of", killing)
    with pytest.raises(KeyboardInterrupt):
        distil(Workspace(tmp_path / "killed"), model, counted, TEXTS, 3, 2)
    before = asked
    again = manifest_of(distil(Workspace(tmp_path / "killed"), model, counted, TEXTS, 3, 2)).counts
    assert asked - before < before  # the passages were not embedded again
    texts = sorted(set(TEXTS))
    taught = [text for place, text in enumerate(texts) if place % encoder.HELD_OUT]
    assert seen == 4 + len(list(batches([*taught, *taught], 2))) - 2  # from the checkpoint after two steps
    assert again == pytest.approx(once, abs=0.02)


def test_openings_are_the_same_each_time_and_batches_hold_every_lesson_once_an_epoch() -> None:
    text = "one two three four five six seven"
    assert opening(text) == opening(text) and text.startswith(opening(text))
    texts = [f"{'word ' * (number % 9)}{number}" for number in range(200)]
    steps = list(batches(texts, 2))
    assert sorted(place for step in steps[: len(steps) // 2] for place in step) == list(range(200))
    assert steps == list(batches(texts, 2))


def test_few_passages_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="2 passages are too few"):
        distil(Workspace(tmp_path), "any", _never, ["a", "b"], 3, 1)


@pytest.mark.slow
def test_layers_that_cannot_be_had_are_refused(model: str) -> None:
    with pytest.raises(BadInput, match="2 to 5 of its layers, not to 6"):
        shortened(model, 6)


_never: Encode = lambda *_, **__: pytest.fail("nothing is embedded")  # noqa: E731
