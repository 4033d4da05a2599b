"""What the student reads before customers come."""

from __future__ import annotations

import asyncio

from bot import prompt
from serving.ahead import keep_ahead
from tests.serving.desk import PASSAGE, Desk, ScriptedLauncher


def reading(desk: Desk, seconds: float = 1.5) -> None:
    async def for_a_while() -> None:
        task = keep_ahead(desk.state.swap, desk.state.config.desk, desk.state.telemetry)
        try:
            await asyncio.wait_for(task, seconds)
        except TimeoutError:
            return

    desk.on_loop(for_a_while)


def read(launcher: ScriptedLauncher) -> int:
    """How often student one was asked to read the brief and say next to nothing."""
    wanted = prompt.unasked("Kettlewick", "an online shop for coffee and tea gear", [PASSAGE])
    asked = [request for request in launcher.servers["one"].requests if request["max_tokens"] == 1]
    return sum(request["messages"] == wanted for request in asked)


def test_every_brief_is_read_once_and_counted(desk: Desk, launcher: ScriptedLauncher) -> None:
    reading(desk)
    assert read(launcher) == 1
    assert "deskmate_read_ahead 1.0" in desk.client.get("/metrics").text


def test_nothing_is_read_while_a_reply_is_being_made(desk: Desk, launcher: ScriptedLauncher) -> None:
    stage = desk.state.swap.live
    assert stage is not None
    stage.leases += 1
    stage.idle.clear()
    reading(desk, 0.3)
    assert read(launcher) == 0
    stage.leases -= 1
    stage.idle.set()
    reading(desk, 0.5)
    assert read(launcher) == 1
