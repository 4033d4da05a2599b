"""The 8-bit graph says what the model says, whatever the batch; what cannot be turned is used as it is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bot import encoder
from bot.encoder import load_encoder
from bot.weights import resolve
from data.workspace import Workspace

QUESTIONS = ["My kettle shows E42, what now?", "refund", "How do I move my mail to another computer? " * 20, ""]


@pytest.fixture(scope="module")
def model() -> str:
    return resolve("starter-embeddings", Workspace(Path("workspace")), "embeddings")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("encoders")


@pytest.mark.slow
def test_graph_and_model_agree(model: str, folder: Path) -> None:
    made, plain = load_encoder(model, folder)(QUESTIONS), encoder.plain(model)(QUESTIONS)
    assert np.allclose(np.linalg.norm(made, axis=1), 1, atol=1e-5)
    assert ((made * plain).sum(axis=1) > 0.95).all()


@pytest.mark.slow
def test_a_text_has_one_vector_whatever_stands_beside_it(model: str, folder: Path) -> None:
    encode = load_encoder(model, folder)
    alone = np.concatenate([encode([text]) for text in QUESTIONS])
    assert (alone == encode(QUESTIONS[::-1])[::-1]).all()
    assert encode([]).shape == (0, 384)


@pytest.mark.slow
def test_a_second_start_needs_no_torch(model: str, folder: Path) -> None:
    load_encoder(model, folder)
    code = (
        "import sys; from pathlib import Path; from bot.encoder import load_encoder; "
        f"load_encoder({model!r}, Path({str(folder)!r}))(['x']); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.slow
def test_what_cannot_be_turned_is_used_as_it_is(model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("no such operator")

    monkeypatch.setattr(encoder, "_export", fails)
    encode = load_encoder(model, tmp_path)
    assert encode(QUESTIONS[:2]).shape == (2, 384) and encode([]).shape == (0, 384)
    assert [file.name for file in tmp_path.rglob("*") if file.is_file()] == ["as-is"]


@pytest.mark.slow
def test_a_graph_that_disagrees_is_not_used(model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoder, "AGREES", 1.01)
    load_encoder(model, tmp_path)
    assert [file.name for file in tmp_path.rglob("*") if file.is_file()] == ["as-is"]
