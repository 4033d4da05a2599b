"""A release is asked in the chat template its student was taught in, and finds its evidence as it was evaluated."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gguf
import pytest

from bot import releases
from bot.config import Config, Retrieval
from bot.knowledge import Found
from data.errors import BadInput
from data.workspace import Workspace
from serving.launcher import LocalLauncher


def test_a_release_keeps_its_own_retrieval(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[Retrieval] = []

    def load(workspace: Workspace, tickets: Path, settings: Retrieval) -> Any:
        loaded.append(settings)
        return SimpleNamespace(search=lambda question: Found([]), ready=lambda: [])

    monkeypatch.setattr("serving.launcher.load", load)
    workspace = Workspace(tmp_path)
    monkeypatch.setattr(Workspace, "find", lambda self, kind, name: tmp_path)
    kept = [
        releases.create(workspace, model="m", tickets="t", prompt_version="p", threshold=0.5, retrieval=settings)
        for settings in (Retrieval(words=40), Retrieval(words=90))
    ]
    launcher = LocalLauncher(workspace, Config())
    for release in [*kept, *kept]:
        asyncio.run(launcher.find(releases.load(workspace, release.id)))
    assert [settings.words for settings in loaded] == [40, 90]


def test_a_model_with_another_chat_template_than_was_taught_is_not_started(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    model = workspace.draft("model", {}, {})
    writer = gguf.GGUFWriter(model.path / "model.gguf", "llama")
    writer.add_chat_template("{{ messages }} as served\n")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    folder = model.finish({})
    student = tmp_path / "students" / "student-1"
    student.mkdir(parents=True)
    release = releases.create(
        workspace, model=model.id, student="student-1", tickets="t", prompt_version="p", threshold=0.5
    )
    (student / releases.TAUGHT_TEMPLATE).write_text("{{ messages }} as taught")
    with pytest.raises(BadInput, match="another chat template"):
        asyncio.run(LocalLauncher(workspace, Config()).student(release))
    (student / releases.TAUGHT_TEMPLATE).write_text("{{ messages }} as served")
    releases.check_template(student, folder / "model.gguf")
