"""For whoever runs the desk: releases, swaps, and who waits for a person. Always behind the ops key."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter, Request
from pydantic import Field

from bot import releases, store
from bot.store import Alias
from data.records import Record
from serving.deployment import Deployment

router = APIRouter(prefix="/ops")


class FlipBody(Record):
    """`generation` is the one you saw; without it whatever is live now is replaced."""

    generation: int | None = Field(None, ge=0)
    who: str = Field("ops", max_length=64)


@router.get("/releases")
async def list_releases(request: Request) -> dict[str, Any]:
    state = _state(request)
    found = await asyncio.to_thread(releases.listing, state.workspace)
    alias = await state.writer.write(store.read_alias)
    live = {"release": alias.release, "generation": alias.generation} if alias else None
    return {"live": live, "releases": [release.model_dump(mode="json") for release in found]}


@router.post("/releases/{release}/promote")
async def promote(release: str, request: Request, body: FlipBody | None = None) -> dict[str, Any]:
    flip = body or FlipBody()
    return _alias(await _state(request).swap.promote(release, expected=flip.generation, who=flip.who))


@router.post("/rollback")
async def rollback(request: Request, body: FlipBody | None = None) -> dict[str, Any]:
    flip = body or FlipBody()
    return _alias(await _state(request).swap.rollback(expected=flip.generation, who=flip.who))


@router.get("/handoffs")
async def handoffs(request: Request) -> dict[str, Any]:
    """Conversations that wait for a person; read one at /chat/conversations/{id}."""
    return {"handoffs": await _state(request).writer.write(store.open_handoffs)}


def _alias(alias: Alias) -> dict[str, Any]:
    return {"live": {"release": alias.release, "generation": alias.generation}}


def _state(request: Request) -> Deployment:
    state: Deployment = request.app.state.deployment
    state.keys.check("ops", request.headers.get("authorization"))
    return state
