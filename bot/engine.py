"""The one client of the OpenAI chat protocol: teacher and student, vLLM, llama.cpp or somebody else's server.

An engine fails in more ways than "refused": it stalls before the first token (queue, prefill) or between two,
cuts the connection, sends half a chunk, or ends without saying why. Each becomes one EngineError, so that
callers have one thing to catch and customers never get half an answer that looks whole. Nothing is retried
here: who retries, and where, is the router's decision.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from bot.confidence import UNSURE
from bot.guards import linked, links_in, unrepeated
from bot.lines import FreshLines
from bot.prompt import NEXT_NOTE
from bot.tokens import Finish, Token
from data.errors import EngineError, Overloaded, Refused

if TYPE_CHECKING:
    from openai import AsyncOpenAI

LOOPBACK = {"127.0.0.1", "localhost", "::1"}
ChatMessage = dict[str, str]
# llama.cpp reads its whole vocabulary once per DRY sequence breaker at every request, 12 ms each: one token needs no
# DRY, and a reply no more than one breaker. vLLM passes over what it does not know.
FIRST = {"dry_multiplier": 0.0}
CONTINUE = {"continue_final_message": True, "add_generation_prompt": False, "dry_sequence_breakers": ["\n"]}
STATUS = {400: Refused, 413: Refused, 422: Refused, 429: Overloaded, 503: Overloaded}
AGAINST_LOOPS = 0.4  # small models decoded greedily repeat themselves; every model here decodes alike


@dataclass(frozen=True, slots=True)
class Completion:
    text: str
    finish: Literal["stop", "length"]
    prompt_tokens: int
    completion_tokens: int
    seconds: float
    first_token_seconds: float
    logprobs: tuple[float, ...]
    margins: tuple[float, ...]
    entries: tuple[Any, ...] = ()


class Engine:
    """A model behind `url`. Use it from one event loop; any number of requests at a time.

    `logprobs`: ask for token probabilities. llama.cpp sorts its whole vocabulary for them at every token:
    set it to False where nobody reads them. `top`: how many alternatives to each token; `extra`: fields that only this
    server knows.
    """

    def __init__(
        self, url: str, model: str, key: str = "", *,
        first_token_seconds: float = 600.0, between_tokens_seconds: float = 120.0,
    ) -> None:  # fmt: skip
        self.url = _with_version(url)
        self.model = model
        self.first_token_seconds = first_token_seconds
        self.between_tokens_seconds = between_tokens_seconds
        self._key = key
        self._client: AsyncOpenAI | None = None
        self.logprobs, self.top = True, 2
        self.extra: dict[str, Any] = {}

    async def stream(
        self, messages: Sequence[ChatMessage], *, max_tokens: int, temperature: float = 0.0, seed: int = 0,
        opening: str = "", top_p: float | None = None,
    ) -> AsyncIterator[Token | Finish]:  # fmt: skip
        """Tokens as they come, but for bot/guards.py, then exactly one Finish. Raises EngineError. Closing it stops the
        engine.

        `opening`: how the reply begins should the model not know how to (its own first token is unlikely). It comes as
        one Token with the probability of what the model would have said: a reply that was helped is not a surer one.
        """
        body: dict[str, Any] = {"max_tokens": max_tokens, "temperature": temperature, "seed": seed}
        body |= {"frequency_penalty": AGAINST_LOOPS, "stop": list(NEXT_NOTE)}
        if top_p is not None:  # else the engine's own, which matters to nothing greedy
            body["top_p"] = top_p
        asked: list[ChatMessage] = [dict(message) for message in messages]
        lines = FreshLines[Token]()
        if opening:
            first = await self._first(asked, body)
            begun = opening if first.logprob < UNSURE or not first.text.strip() else first.text
            for token in lines.add(Token(begun, first.logprob, first.margin), begun):
                yield token
            asked = [*asked, {"role": "assistant", "content": begun}]
            body["extra_body"] = CONTINUE
        known = links_in(message["content"] for message in messages)
        async with (
            aclosing(self._events(asked, body)) as events,
            aclosing(unrepeated(events, lines)) as kept,
            aclosing(linked(kept, known)) as told,
        ):
            async for event in told:
                yield event

    async def _first(self, messages: list[ChatMessage], body: dict[str, Any]) -> Token:
        """What the model would say first; an empty token for nothing.

        A request of its own: one that was broken off would still hold the slot that has just read the prompt.
        """
        asked = self._events(messages, {**body, "max_tokens": 1, "extra_body": FIRST})
        said = [event async for event in asked if isinstance(event, Token)]
        return said[0] if said else Token("", math.nan, math.nan)

    async def _events(self, messages: list[ChatMessage], body: dict[str, Any]) -> AsyncGenerator[Token | Finish]:
        """One request: its tokens, then its Finish."""
        self._connect()  # the first time it loads the library, which is not the engine's delay
        loop = asyncio.get_running_loop()
        limit = loop.time() + self.first_token_seconds
        reply: Any = None
        count, reason, usage = 0, "", None
        try:
            async with asyncio.timeout_at(limit):
                reply = await self._open(messages, body)
            while chunk := await _next(reply, limit):
                usage = getattr(chunk, "usage", None) or usage
                for choice in chunk.choices or ():
                    for token in _tokens(choice):
                        count += 1
                        yield token
                        limit = loop.time() + self.between_tokens_seconds
                    reason = choice.finish_reason or reason
        except Exception as error:
            if not reason:
                raise self._explain(error, count) from error
        finally:
            if reply is not None:
                await _hang_up(reply)
        yield self._finish(reason, usage, count)

    async def complete(
        self, messages: Sequence[ChatMessage], *, max_tokens: int, temperature: float = 0.0, seed: int = 0,
        opening: str = "", top_p: float | None = None,
    ) -> Completion:  # fmt: skip
        """The whole answer at once, streamed underneath so that a stall is noticed. Raises EngineError."""
        began = time.perf_counter()
        first = 0.0
        tokens: list[Token] = []
        finish: Finish | None = None
        sampling: dict[str, Any] = {"max_tokens": max_tokens, "temperature": temperature, "seed": seed, "top_p": top_p}
        async for event in self.stream(messages, **sampling, opening=opening):
            if isinstance(event, Finish):
                finish = event
                continue
            first = first or time.perf_counter() - began
            tokens.append(event)
        assert finish is not None
        return Completion(
            text="".join(token.text for token in tokens), finish=finish.reason,
            prompt_tokens=finish.prompt_tokens, completion_tokens=finish.completion_tokens,
            seconds=time.perf_counter() - began, first_token_seconds=first,
            logprobs=tuple(token.logprob for token in tokens if not math.isnan(token.logprob)),
            margins=tuple(token.margin for token in tokens if not math.isnan(token.logprob)),
            entries=tuple(token.entry for token in tokens if token.entry is not None),
        )  # fmt: skip

    async def ready(self) -> bool:
        """Whether a server answers at the address and takes the key; never raises."""
        try:
            async with asyncio.timeout(5.0):
                await self._connect().models.list()
        except Exception:
            return False
        return True

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    def _connect(self) -> AsyncOpenAI:
        if self._client is None:
            from openai import AsyncOpenAI, DefaultAsyncHttpxClient

            local = urlsplit(self.url).hostname in LOOPBACK  # out of reach of a proxy set in the environment
            close = {"Connection": "close"} if local else None  # llama.cpp hangs up on kept connections
            self._client = AsyncOpenAI(
                base_url=self.url, api_key=self._key or "none", max_retries=0, timeout=None,
                http_client=DefaultAsyncHttpxClient(trust_env=not local, timeout=None),
                default_headers=close,
            )  # fmt: skip
        return self._client

    async def _open(self, messages: list[ChatMessage], body: dict[str, Any]) -> Any:
        """Ask; a hosted model that refuses logprobs is asked again, and from then on, without them."""
        from openai import BadRequestError

        create: Any = self._connect().chat.completions.create
        asked = {"model": self.model, "messages": messages, "stream": True, **body}
        asked["stream_options"] = {"include_usage": True}
        if self.extra:
            asked["extra_body"] = {**self.extra, **body.get("extra_body", {})}
        if self.logprobs:
            try:
                return await create(**asked, logprobs=True, top_logprobs=self.top)
            except BadRequestError as error:
                if "logprobs" not in str(error):
                    raise
                self.logprobs = False
        return await create(**asked)

    def _finish(self, reason: str, usage: Any, count: int) -> Finish:
        if not reason:
            said = f"after {count} tokens" if count else "with an empty answer"
            raise EngineError(f"{self.model} at {self.url} ended {said} and no finish reason")
        if reason not in ("stop", "length"):
            raise Refused(f"{self.model} at {self.url} ended with {reason} instead of an answer")
        prompt = int(getattr(usage, "prompt_tokens", 0) or 0)
        made = int(getattr(usage, "completion_tokens", 0) or count)
        return Finish("stop" if reason == "stop" else "length", prompt, made)

    def _explain(self, error: Exception, count: int) -> EngineError:
        from openai import APIConnectionError, APIStatusError

        where = f"{self.model} at {self.url}"
        if isinstance(error, TimeoutError):
            if count:
                return EngineError(f"{where} stalled {self.between_tokens_seconds:g} s after {count} tokens")
            return EngineError(f"{where} gave no first token in {self.first_token_seconds:g} s")
        if isinstance(error, APIStatusError):
            kind = STATUS.get(error.status_code, EngineError)
            return kind(f"{where} answered HTTP {error.status_code}: {_line(error)}")
        if isinstance(error, APIConnectionError) and not count:
            why = _line(error.__cause__ or error)
            return EngineError(f"{where} cannot be reached ({why}); is its server running?")
        return EngineError(f"{where} broke off after {count} tokens: {_line(error)}")


async def _next(chunks: Any, limit: float) -> Any:
    """The next chunk by `limit` (loop time), or None at the end. Role and keep-alive chunks buy no time."""
    async with asyncio.timeout_at(limit):
        return await anext(chunks, None)


async def _hang_up(reply: Any) -> None:
    """Closes the response, then reads on from what is closed: the client's nested generators end now, not when the
    garbage collector comes by, perhaps in another thread.
    """
    await reply.close()
    with suppress(Exception):
        while await anext(reply, None):
            pass


def _tokens(choice: Any) -> Iterator[Token]:
    """The tokens of one chunk: perhaps several at once, or one whose text waits for its other bytes."""
    text = choice.delta.content or ""
    entries = (choice.logprobs.content or ()) if choice.logprobs else ()
    if not entries:
        if text:
            yield Token(text, math.nan, math.nan)
        return
    texts = [entry.token for entry in entries]
    if "".join(texts) != text:
        texts = [text, *[""] * (len(entries) - 1)]
    for part, entry in zip(texts, entries, strict=True):
        top = sorted((float(item.logprob) for item in entry.top_logprobs or ()), reverse=True)
        yield Token(part, float(entry.logprob), top[0] - top[1] if len(top) > 1 else math.nan, entry)


def _with_version(url: str) -> str:
    """The base URL as the openai library wants it: with its /v1."""
    url = url.rstrip("/")
    return url if urlsplit(url).path else f"{url}/v1"


def _line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{lines[0][:200]}" if lines else type(error).__name__
