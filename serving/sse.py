"""Server-sent events as one response: keep-alives while a model thinks, and a clean end when the client
leaves.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

KEEP_ALIVE_SECONDS = 10.0
KEEP_ALIVE = b": ka\n"  # one newline: openai-python takes an empty line for the end of a chunk
HEADERS = {"cache-control": "no-cache, no-transform", "x-accel-buffering": "no"}


class EventStream(Response):
    """Sends `chunks`; closes them and `source`, the reply behind them, however the response ends."""

    media_type = "text/event-stream"

    def __init__(
        self,
        chunks: AsyncGenerator[str],
        source: AsyncIterator[object],
        headers: dict[str, str] | None = None,
    ) -> None:
        self.status_code = 200
        self.background = None
        self._chunks = chunks
        self._source = source
        self._last = 0.0
        self.init_headers({**HEADERS, **(headers or {})})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        pump, gone = asyncio.ensure_future(self._pump(send)), asyncio.ensure_future(_gone(receive))
        try:
            while not (pump.done() or gone.done()):
                await asyncio.wait({pump, gone}, timeout=KEEP_ALIVE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                if not pump.done() and time.monotonic() - self._last >= KEEP_ALIVE_SECONDS:
                    await send({"type": "http.response.body", "body": KEEP_ALIVE, "more_body": True})
        finally:
            pump.cancel()
            gone.cancel()
            await asyncio.gather(pump, gone, return_exceptions=True)
            for stream in (self._chunks, self._source):
                if isinstance(stream, AsyncGenerator):
                    await stream.aclose()

    async def _pump(self, send: Send) -> None:
        async with aclosing(self._chunks):
            async for chunk in self._chunks:
                self._last = time.monotonic()
                await send({"type": "http.response.body", "body": chunk.encode(), "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
