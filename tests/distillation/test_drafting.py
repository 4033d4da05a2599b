"""A draft model changes how fast the teacher writes, never what: tried in the serving engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot import draft
from bot.config import Config, Model
from data.workspace import Workspace
from distillation.drafting import check, measure, told
from tests.distillation.tiny import rows, save_corpus, save_model

ASKED = [row.messages for row in rows(3)]


def gguf(folder: Path, spread: float = 0.3) -> Path:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from distillation import gguf_file

    base = save_model(folder, spread)
    model, tokenizer = AutoModelForCausalLM.from_pretrained(base), AutoTokenizer.from_pretrained(base)
    gguf_file.write(folder / "model.gguf", model, tokenizer, "F16", "tiny")
    return folder / "model.gguf"


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return gguf(tmp_path_factory.mktemp("teacher"))


async def test_replies_are_the_same_and_a_draft_that_knows_them_is_right(teacher: Path, tmp_path: Path) -> None:
    model = Model(name=str(teacher), engine="llamacpp", context=512)
    itself = await measure(Workspace(tmp_path), model, teacher, "itself", ASKED)
    assert itself.same == 1
    assert itself.accepted > 0.5  # the draft guesses without the teacher's penalties
    assert itself.replies == len(ASKED) and itself.tokens > len(ASKED)
    stranger = await measure(Workspace(tmp_path), model, gguf(tmp_path / "stranger", 0.9), "stranger", ASKED)
    assert stranger.same == 1
    assert stranger.accepted < itself.accepted
    assert stranger.tokens == itself.tokens
    assert "of the guesses kept" in told(itself)


async def test_it_is_measured_once_and_only_where_it_fits(
    teacher: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = Workspace(tmp_path)
    corpus = save_corpus(workspace, rows(4), rows(3, 50))
    student = workspace.draft("student", {"corpus": corpus.name, "base": "tiny"}, {}).finish({})
    made = workspace.draft("model", {"student": student.name}, {})
    gguf(made.path, 0.5)
    model = made.finish({})
    config = Config(teacher=Model(name=str(teacher), engine="llamacpp", context=512))
    said = await check(workspace, config, model)
    assert "tokens a second for" in said
    kept = draft.record(workspace, model.name, config.teacher)
    written = kept.stat().st_mtime_ns
    assert await check(workspace, config, model) == said
    assert kept.stat().st_mtime_ns == written
    remote = Config(teacher=Model(name="gpt", url="http://there"))
    assert await check(workspace, remote, model) == "not asked for"
    monkeypatch.setattr(draft, "unfit", lambda *_: "teacher and student have different vocabularies")
    assert await check(workspace, config, model) == "none: teacher and student have different vocabularies"
