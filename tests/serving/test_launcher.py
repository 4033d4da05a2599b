"""A release finds its evidence as it did when it was evaluated, whatever the configuration says now."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bot import knowledge, releases
from bot.config import Config, Retrieval
from bot.knowledge import Found
from data.workspace import Workspace
from serving.launcher import LocalLauncher


def test_a_release_keeps_its_own_retrieval(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[Retrieval] = []

    def load(workspace: Workspace, tickets: Path, settings: Retrieval) -> Any:
        loaded.append(settings)
        return SimpleNamespace(search=lambda question: Found([]), ready=lambda: [])

    monkeypatch.setattr(knowledge, "load", load)
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
