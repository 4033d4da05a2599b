"""The chat page's own protocol: named events, words that can be taken back, thumbs, and a conversation to
come back to.

    POST /chat/turns {text, conversation?, turn?} → route, delta*, amend?, sources, handoff?, done     (SSE)

`turn` is the client's id for this turn: sent again after a lost connection it is answered once.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, Literal

from fastapi import APIRouter, Request
from pydantic import Field
from starlette.responses import Response

from bot import store
from bot.events import Amend, Checking, Delta, Done, Event, Handoff, Routed
from bot.router import WORDS
from bot.store import Saved
from data.errors import BadInput, DeskmateError
from data.records import Passage, Record, Route
from serving.deployment import Deployment
from serving.openai_api import error_body
from serving.sse import EventStream
from serving.stream import Incoming, Talk, begin

MOST_CHARACTERS = 8000
router = APIRouter(prefix="/chat")


class TurnBody(Record):
    text: str = Field(min_length=1, max_length=MOST_CHARACTERS)
    conversation: str = Field("", max_length=64)
    turn: str = Field("", pattern=r"^([0-9A-Za-z-]{16,64})?$")


class FeedbackBody(Record):
    turn: str = Field(max_length=64)
    value: Literal[1, -1]
    comment: str = Field("", max_length=2000)


@router.post("/turns")
async def turns(body: TurnBody, request: Request) -> Response:
    state = _state(request)
    if not body.text.strip():
        raise BadInput("the message is empty; write something")
    incoming = Incoming(text=body.text.strip(), channel="chat", conversation=body.conversation, turn=body.turn)
    talk = await begin(state, incoming)
    events = talk.events()
    if talk.begun.reply:
        return EventStream(_replay(talk, talk.begun.reply), events)
    return EventStream(_stream(talk, events), events)


@router.post("/feedback")
async def feedback(body: FeedbackBody, request: Request) -> dict[str, bool]:
    await _state(request).writer.write(lambda c: store.save_feedback(c, body.turn, body.value, body.comment))
    return {"saved": True}


@router.get("/conversations/{conversation}")
async def conversation(conversation: str, request: Request) -> dict[str, Any]:
    saved, waiting = await _state(request).writer.write(lambda c: store.read_conversation(c, conversation))
    return {"id": conversation, "handoff": waiting, "turns": [_turn(turn) for turn in saved]}


async def _stream(talk: Talk, events: AsyncGenerator[Event]) -> AsyncGenerator[str]:
    yield _event("route", _about(talk, "human", "") | {"route": "", "words": "", "pending": True})
    try:
        async with aclosing(events):
            async for event in events:
                for line in _lines(talk, event):
                    yield line
    except DeskmateError as error:
        yield _event("error", error_body(error)["error"])


def _lines(talk: Talk, event: Event) -> list[str]:
    match event:
        case Checking(decision):
            return [_event("route", _about(talk, decision.route, decision.reason) | {"pending": True})]
        case Routed(decision):
            return [_event("route", _about(talk, decision.route, decision.reason))]
        case Delta(text):
            return [_event("delta", {"text": text})]
        case Amend(reason, text):
            return [_event("amend", {"reason": reason, "text": text})]
        case Handoff(reason):
            return [_event("handoff", {"reason": reason, "words": WORDS["human"]})]
        case Done(finish):
            sources = [] if finish == "handoff" else [_source(passage) for passage in talk.evidence]
            return [*([_event("sources", {"sources": sources})] if sources else []),
                    _event("done", {"finish": finish, "turn": talk.reply})]  # fmt: skip


async def _replay(talk: Talk, reply: Saved) -> AsyncGenerator[str]:
    """A reply that was given before, to a client that did not get all of it."""
    route: Route = "teacher" if reply.route == "teacher" else "student" if reply.route == "student" else "human"
    yield _event("route", _about(talk, route, reply.reason) | {"release": reply.release, "turn": reply.id})
    yield _event("delta", {"text": reply.text})
    if reply.finish == "handoff":
        yield _event("handoff", {"reason": reply.reason, "words": WORDS["human"]})
    yield _event("done", {"finish": reply.finish, "turn": reply.id})


def _about(talk: Talk, route: Route, reason: str) -> dict[str, Any]:
    return {
        "route": route, "reason": reason, "words": WORDS[route], "release": talk.release, "pending": False,
        "generation": talk.generation, "conversation": talk.begun.conversation, "turn": talk.reply,
    }  # fmt: skip


def _source(passage: Passage) -> dict[str, str]:
    """Articles are the desk's own and are shown; of a past ticket, another customer's, only its subject is."""
    text = passage.text[:600] if passage.kind == "article" else ""
    return {"title": passage.title, "kind": passage.kind, "url": passage.url, "text": text}


def _turn(saved: Saved) -> dict[str, Any]:
    words = WORDS.get(saved.route, "") if saved.role == "bot" else ""
    return {"id": saved.id, "role": saved.role, "text": saved.text, "route": saved.route, "reason": saved.reason,
            "words": words, "finish": saved.finish, "rating": saved.rating}  # fmt: skip


def _event(name: str, data: dict[str, Any]) -> str:
    return f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False, separators=(',', ':'))}\n\n"


def _state(request: Request) -> Deployment:
    state: Deployment = request.app.state.deployment
    state.keys.check("chat", request.headers.get("authorization"))
    return state
