"""Starting what a release needs. A Protocol, so that swaps and failures are tested without weights."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from bot import draft, launch, releases
from bot.attempt import Speaker
from bot.config import Config
from bot.engine import Engine
from bot.knowledge import Found
from bot.loading import load
from bot.releases import Release
from data.records import Passage
from data.workspace import FOLDERS, Workspace, digest

Find = Callable[[str], Found]
Briefs = list[list[Passage]]


class Running(Protocol):
    """A model server in a process of its own: what bot.launch.Server is."""

    @property
    def engine(self) -> Speaker: ...
    def alive(self) -> bool: ...
    async def stop(self) -> None: ...


class Launcher(Protocol):
    """Each raises a DeskmateError when it cannot."""

    async def student(self, release: Release) -> Running: ...
    async def teacher(self) -> Running: ...
    async def find(self, release: Release) -> tuple[Find, Briefs]:
        """The search of a release's knowledge, and the briefs worth reading ahead."""
        ...


class Remote:
    """Somebody else's server: always there as far as we know, and not ours to stop."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def alive(self) -> bool:
        return True

    async def stop(self) -> None:
        await self.engine.close()


class LocalLauncher:
    """llama.cpp for the student, whatever the configuration says for the teacher; knowledge is loaded once."""

    def __init__(self, workspace: Workspace, config: Config) -> None:
        self._workspace = workspace
        self._config = config
        self._known: dict[str, tuple[Find, Briefs]] = {}

    async def student(self, release: Release) -> Running:
        serving = self._config.serving
        path = self._workspace.find("model", release.model) / "model.gguf"
        if release.student:
            releases.check_template(self._workspace.root / FOLDERS["student"] / release.student, path)
        model = self._config.student.model_copy(update={"engine": "llamacpp", "url": ""})
        server = await launch.start(model, self._workspace, path=path, log=self._log(f"student-{release.id}"))
        server.engine.first_token_seconds = serving.first_token_seconds
        server.engine.between_tokens_seconds = serving.between_tokens_seconds
        return server

    async def teacher(self) -> Running:
        model = self._config.teacher
        server: launch.Server | Remote
        if launch.choose(model) == "remote":
            server = Remote(launch.remote(model))
        else:
            guess = await asyncio.to_thread(draft.chosen, self._workspace, model)
            server = await launch.start(model, self._workspace, log=self._log("teacher"), draft=guess)
        server.engine.logprobs = False
        server.engine.first_token_seconds = self._config.serving.teacher_first_token_seconds
        server.engine.between_tokens_seconds = 4 * self._config.serving.between_tokens_seconds
        return server

    async def find(self, release: Release) -> tuple[Find, Briefs]:
        name = digest([release.tickets, release.retrieval.model_dump()])
        if name not in self._known:
            self._known[name] = await asyncio.to_thread(self._load, release)
        return self._known[name]

    def _load(self, release: Release) -> tuple[Find, Briefs]:
        folder = self._workspace.find("tickets", release.tickets)
        known = load(self._workspace, folder, release.retrieval)
        return known.search, known.ready()

    def _log(self, name: str) -> Path:
        folder = self._workspace.root / "logs"
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{name}.log"
