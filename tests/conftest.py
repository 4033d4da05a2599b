"""What every test may ask for: a scripted engine, and the starter weights of a real workspace."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.engine_server import EngineServer


@pytest.fixture
def engine_server() -> Iterator[EngineServer]:
    """A scripted OpenAI-protocol server on a free loopback port; see tests/engine_server.py."""
    server = EngineServer().start()
    yield server
    server.stop()
