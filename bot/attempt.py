"""One model trying to answer: Waiting ─first token─▶ Holding ─commit─▶ Committed ─▶ Done, or an EngineError
anywhere.

The first tokens are held back so that a model that fails, stalls or sounds unsure is replaced before the
customer has seen a word. Used as `async with`: leaving it, for whatever reason, cancels the engine's work and
frees its slot.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from bot.confidence import looping
from bot.prompt import ChatMessage
from bot.releases import Sampling
from bot.tokens import Finish, Token
from data.errors import Busy, EngineError

FEWEST_HELD = 6
CHECK_EVERY = 24


class Speaker(Protocol):
    """What a model must do: bot.engine.Engine does."""

    def stream(
        self, messages: Sequence[ChatMessage], *, max_tokens: int, temperature: float = 0.0, seed: int = 0,
        opening: str = "",
    ) -> AsyncIterator[Token | Finish]: ...  # fmt: skip


class Breaker(Protocol):
    """Remembers how an upstream did, so that one that keeps failing is left alone for a while."""

    def allows(self) -> bool: ...
    def record(self, worked: bool | None) -> None: ...


@dataclass(frozen=True, slots=True, eq=False)
class Voice:
    """A model that may speak now. `slots` are its parallel sequences; `patience` the seconds to wait for a
    free one.
    """

    engine: Speaker
    breaker: Breaker
    slots: asyncio.Semaphore
    patience: float


class Attempt:
    """`held` after `hold()`: the texts, logprobs and margins of the tokens kept back. `finish` once it has
    ended.
    """

    def __init__(
        self, voice: Voice, messages: list[ChatMessage], sampling: Sampling, max_tokens: int, deadline: float,
        opening: str = "",
    ) -> None:  # fmt: skip
        self._voice = voice
        self._stream = voice.engine.stream(
            messages, max_tokens=max_tokens, temperature=sampling.temperature, seed=sampling.seed, opening=opening
        )
        self._deadline = deadline
        self._worked: bool | None = None
        self._has_slot = False
        self.held: list[Token] = []
        self.finish: Finish | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            close = getattr(self._stream, "aclose", None)
            if close:
                await close()
        finally:
            if self._has_slot:
                self._voice.slots.release()
            self._voice.breaker.record(self._worked)

    async def hold(self, tokens: int, seconds: float) -> None:
        """Keep the first `tokens` tokens back, or those of the first `seconds` after the first (at least a
        few).

        Raises Busy when no slot came free in time, EngineError when the model failed or said nothing.
        """
        if not self._has_slot:
            await self._take_slot()
        limit = float("inf")
        while len(self.held) < tokens:
            token = await self._next()
            if token is None:
                break
            self.held.append(token)
            now = time.monotonic()
            limit = min(limit, now + seconds)
            if now >= limit and len(self.held) >= min(FEWEST_HELD, tokens):
                break
        while self.finish is None and not self.said:
            token = await self._next()
            if token is not None:
                self.held.append(token)
        if not self.said:
            self._worked = False
            raise EngineError("the model ended without a word")
        self._worked = True

    async def texts(self) -> AsyncIterator[str]:
        """What was held, then the rest as it comes. Raises EngineError when it breaks off or loops."""
        text = "".join(token.text for token in self.held).lstrip()
        yield text
        count = 0
        while self.finish is None:
            token = await self._next()
            if token is None or not token.text:
                continue
            text += token.text
            count += 1
            if count % CHECK_EVERY == 0 and looping(text):
                self._worked = False
                raise EngineError("the model repeats itself")
            yield token.text

    async def _next(self) -> Token | None:
        """The next token, or None when the model has finished."""
        if self.finish is not None:
            return None
        try:
            async with asyncio.timeout_at(self._deadline):
                event = await anext(self._stream)
        except TimeoutError as error:
            self._worked = False
            raise EngineError("the model took longer than a request may take in all") from error
        except StopAsyncIteration as error:
            self._worked = False
            raise EngineError("the model's stream ended without a finish") from error
        except EngineError:
            self._worked = False
            raise
        if isinstance(event, Finish):
            self.finish = event
            return None
        return event

    async def _take_slot(self) -> None:
        try:
            async with asyncio.timeout(self._voice.patience):
                await self._voice.slots.acquire()
        except TimeoutError as error:
            raise Busy("every slot of the model is taken") from error
        self._has_slot = True

    @property
    def said(self) -> str:
        """What is held so far."""
        return "".join(token.text for token in self.held).strip()
