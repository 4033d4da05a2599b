"""A model server that is kept running: started, watched, and started again when its process dies."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable

from bot.attempt import Voice
from data.errors import DeskmateError
from serving.breaker import Breaker
from serving.launcher import Running

WATCH_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 60.0
log = logging.getLogger("deskmate.upstream")


class Upstream:
    """`voice` is None while the model cannot speak. `parallel` requests at a time; others wait `patience`
    seconds.
    """

    def __init__(self, name: str, start: Callable[[], Awaitable[Running]], *, parallel: int, patience: float) -> None:
        self.name = name
        self._start = start
        self._parallel = parallel
        self._patience = patience
        self._running: Running | None = None
        self._voice: Voice | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def voice(self) -> Voice | None:
        return self._voice if self._running is not None and self._running.alive() else None

    async def start(self) -> None:
        """Raises what starting raised; afterwards the server is watched."""
        await self._launch()
        self._task = asyncio.create_task(self._watch())

    def start_later(self) -> None:
        """In the background: until it is up, `voice` is None."""
        self._task = asyncio.create_task(self._watch())

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._stop()

    async def _launch(self) -> None:
        running = await self._start()
        self._running = running
        slots = asyncio.Semaphore(self._parallel)
        self._voice = Voice(running.engine, Breaker(), slots, self._patience)

    async def _watch(self) -> None:
        wait = 1.0
        while True:
            if self._running is not None and self._running.alive():
                wait = 1.0
                await asyncio.sleep(WATCH_SECONDS)
                continue
            if self._running is not None:
                log.warning("%s died; starting it again", self.name)
                await self._stop()
            try:
                await self._launch()
                log.info("%s is up", self.name)
            except (DeskmateError, OSError) as error:
                log.warning("%s did not start (%s); next try in %.0f s", self.name, error, wait)
                await asyncio.sleep(wait)
                wait = min(2 * wait, LONGEST_WAIT_SECONDS)

    async def _stop(self) -> None:
        running, self._running, self._voice = self._running, None, None
        if running is not None:
            with contextlib.suppress(DeskmateError, OSError):
                await running.stop()
