"""What every test may ask for: a scripted engine, and a workspace that holds the starter weights."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from data.workspace import Workspace
from tests.engine_server import EngineServer


@pytest.fixture
def engine_server() -> Iterator[EngineServer]:
    """A scripted OpenAI-protocol server on a free loopback port; see tests/engine_server.py."""
    server = EngineServer().start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def starter_workspace() -> Workspace:
    """DESKMATE_WORKSPACE, or ./workspace. Fails, never skips, without weights: `make test` pulls them."""
    workspace = Workspace(Path(os.environ.get("DESKMATE_WORKSPACE", "workspace")))
    if not (workspace.root / "weights" / "starter-student").is_dir():
        pytest.fail(f"no starter weights in {workspace.root}: run `deskmate models pull starter`")
    return workspace
