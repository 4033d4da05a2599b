"""The OpenAI chat-completions protocol, as its clients really need it: model `deskmate`.

Route and release are known only after commit, so nothing is sent before the first committed word. On this
path no `id:`, `event:` or `retry:` lines; the finishing chunk has an empty delta; usage comes alone, and only
when asked for.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse, Response

from bot.events import Amend, Delta, Done, Event
from data.errors import BadInput, DeskmateError, NotFound
from data.records import Turn
from serving.deployment import Deployment
from serving.sse import EventStream
from serving.stream import Incoming, Talk, begin, committed

MODEL = "deskmate"
MOST_TURNS = 40
router = APIRouter(prefix="/v1")


class Part(BaseModel):
    model_config = ConfigDict(extra="allow")
    type: str
    text: str = ""


class ChatMessage(BaseModel):
    model_config = ConfigDict(extra="allow")
    role: str
    content: str | list[Part] | None = None

    def text(self) -> str:
        parts = self.content if isinstance(self.content, list) else []
        return self.content if isinstance(self.content, str) else "\n".join(part.text for part in parts)


class StreamOptions(BaseModel):
    model_config = ConfigDict(extra="allow")
    include_usage: bool = False


class Completion(BaseModel):
    """What is read of a request; other fields are accepted and ignored. Sampling is the release's."""

    model_config = ConfigDict(extra="allow")
    model: str = MODEL
    messages: list[ChatMessage] = Field(min_length=1)
    stream: bool = False
    stream_options: StreamOptions | None = None
    max_tokens: int | None = Field(None, ge=1)
    max_completion_tokens: int | None = Field(None, ge=1)
    n: int | None = None
    conversation: str = Field("", max_length=64)


@router.get("/models")
async def models(request: Request) -> dict[str, Any]:
    state: Deployment = request.app.state.deployment
    state.keys.check("chat", request.headers.get("authorization"))
    live = state.swap.live
    created = int(live.release.created.timestamp()) if live else 0
    return {
        "object": "list",
        "data": [{"id": MODEL, "object": "model", "created": created, "owned_by": MODEL}],
    }


@router.post("/chat/completions")
async def chat_completions(body: Completion, request: Request) -> Response:
    state: Deployment = request.app.state.deployment
    state.keys.check("chat", request.headers.get("authorization"))
    talk = await begin(state, _incoming(body))
    events = talk.events()
    await committed(events)
    headers = {"x-route": talk.decision.route, "x-release": talk.release}
    chunk = _Chunks(talk)
    if body.stream:
        usage = bool(body.stream_options and body.stream_options.include_usage)
        return EventStream(_stream(chunk, events, usage), events, headers)
    done = await _rest(events)
    headers["x-route"] = talk.decision.route
    return JSONResponse(chunk.whole(done), headers=headers)


def _incoming(body: Completion) -> Incoming:
    """The conversation in our terms. System messages are the client's, not ours: they are not obeyed."""
    if body.model != MODEL:
        raise NotFound(f"no model {body.model[:80]!r}; this desk's model is called {MODEL!r}")
    if body.n not in (None, 1):
        raise BadInput("n must be 1: a customer gets one reply")
    roles = {"user": "customer", "assistant": "agent"}
    turns = [
        Turn.model_validate({"role": roles[message.role], "text": message.text()})
        for message in body.messages[-MOST_TURNS:]
        if message.role in roles and message.text().strip()
    ]
    if not turns or turns[-1].role != "customer":
        raise BadInput("the last message must be the user's and hold some text")
    return Incoming(
        text=turns[-1].text, channel="api", conversation=body.conversation, history=tuple(turns[:-1]),
        amends=not body.stream, max_tokens=body.max_completion_tokens or body.max_tokens,
    )  # fmt: skip


async def _rest(events: AsyncIterator[Event]) -> Done:
    """Everything up to the end; nothing has been sent yet, so amending is free."""
    done = Done("stop")
    async for event in events:
        if isinstance(event, Done):
            done = event
    return done


async def _stream(chunk: _Chunks, events: AsyncGenerator[Event], usage: bool) -> AsyncGenerator[str]:
    empty: dict[str, Any] = {"usage": None} if usage else {}
    try:
        async with aclosing(events):
            yield chunk.data({"role": "assistant", "content": ""}, deskmate=chunk.about(), **empty)
            async for event in events:
                match event:
                    case Delta(text):
                        yield chunk.data({"content": text}, **empty)
                    case Amend():
                        raise AssertionError("a stream cannot take words back")
                    case Done():
                        yield chunk.data({}, finish=chunk.finish(event), deskmate=chunk.about(), **empty)
                        if usage:
                            yield chunk.usage(event)
                    case _:
                        pass
        yield "data: [DONE]\n\n"
    except DeskmateError as error:
        yield f"data: {json.dumps(error_body(error))}\n\n"


class _Chunks:
    """One reply's JSON: the same id, created and model in all of it."""

    def __init__(self, talk: Talk) -> None:
        self._talk = talk
        self._same = {"id": f"chatcmpl-{talk.reply}", "created": int(time.time()), "model": MODEL}

    def data(self, delta: dict[str, str], finish: str | None = None, **more: object) -> str:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return _line({**self._same, "object": "chat.completion.chunk", "choices": [choice], **more})

    def usage(self, done: Done) -> str:
        return _line({**self._same, "object": "chat.completion.chunk", "choices": [], "usage": _usage(done)})

    def whole(self, done: Done) -> dict[str, Any]:
        message = {"role": "assistant", "content": self._talk.text.strip(), "refusal": None}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": self.finish(done)}
        same = {**self._same, "object": "chat.completion", "choices": [choice], "usage": _usage(done)}
        return {**same, "deskmate": self.about()}

    def finish(self, done: Done) -> str:
        """OpenAI has no word for a handoff; ours is in `deskmate.handoff`."""
        return "length" if done.finish == "length" else "stop"

    def about(self) -> dict[str, Any]:
        talk = self._talk
        return {
            "route": talk.decision.route, "reason": talk.decision.reason, "release": talk.release,
            "generation": talk.generation, "conversation": talk.begun.conversation, "turn": talk.reply,
            "evidence": [passage.title for passage in talk.evidence],
            "handoff": {"reason": talk.handoff} if talk.handoff else None,
        }  # fmt: skip


def error_body(error: DeskmateError) -> dict[str, Any]:
    """An error in OpenAI's shape; `code` is the class of ours."""
    kinds = {400: "invalid_request_error", 401: "authentication_error", 404: "invalid_request_error",
             409: "conflict_error", 413: "invalid_request_error", 429: "rate_limit_error"}  # fmt: skip
    kind = kinds.get(error.status, "server_error")
    return {"error": {"message": str(error), "type": kind, "param": None, "code": type(error).__name__}}


def _usage(done: Done) -> dict[str, int]:
    made, read = done.completion_tokens, done.prompt_tokens
    return {"prompt_tokens": read, "completion_tokens": made, "total_tokens": read + made}


def _line(value: dict[str, Any]) -> str:
    return f"data: {json.dumps(value, ensure_ascii=False, separators=(',', ':'))}\n\n"
