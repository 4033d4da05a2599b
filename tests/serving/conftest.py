"""The desk most serving tests use: a sure student, a teacher, one release."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from data.workspace import Workspace
from tests.engine_server import EngineServer
from tests.serving.desk import SURE, TEACHER, Desk, ScriptedLauncher, config, make_release, running


@pytest.fixture
def launcher() -> Iterator[ScriptedLauncher]:
    servers = {name: EngineServer().start() for name in ("one", "two", "teacher")}
    servers["one"].reply = servers["two"].reply = lambda _: SURE
    servers["teacher"].reply = lambda _: TEACHER
    yield ScriptedLauncher(**servers)
    for server in servers.values():
        server.stop()


@pytest.fixture
def desk(tmp_path: Path, launcher: ScriptedLauncher) -> Iterator[Desk]:
    make_release(Workspace(tmp_path), "one")
    with running(tmp_path, launcher, config(hold_tokens=3)) as found:
        yield found
