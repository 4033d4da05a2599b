"""How much a request may send; a plain ASGI wrapper, because BaseHTTPMiddleware breaks streams."""

from __future__ import annotations

from collections.abc import Callable

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from data.errors import BadInput, DeskmateError

MOST_BYTES = 256 * 1024


class TooLargeError(DeskmateError):
    status = 413


class BodyLimit:
    """A body that says it is too large is refused with `answer`; one that lies about it is cut off while read."""

    def __init__(self, app: ASGIApp, answer: Callable[[DeskmateError], Response], most: int = MOST_BYTES) -> None:
        self._app = app
        self._answer = answer
        self._most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        line = f"the request is larger than {self._most // 1024} KiB; send less history"
        said = dict(scope["headers"]).get(b"content-length", b"0")
        if not said.isdigit() or int(said) > self._most:
            return await self._answer(TooLargeError(line))(scope, receive, send)
        size = 0

        async def counted() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > self._most:
                raise BadInput(line)
            return message

        return await self._app(scope, counted, send)
