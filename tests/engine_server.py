"""A scripted engine: the OpenAI protocol over real sockets, told what to say and how to fail.

    def test_x(engine_server):                      # fixture in tests/conftest.py
        engine_server.queue(Script("Hello there."), Script(status=500))   # one per request, then `reply`
        engine_server.reply = lambda body: Script(body["messages"][-1]["content"])    # or decide by request
        Engine(engine_server.url, "fake") ...
        engine_server.requests[-1]["messages"]      # what was asked
        engine_server.cancelled                     # requests whose client went away before the end

A token is a word with the space before it: "Hello there." is two. Counts such as `cut_after=1` are in tokens.
`engine_server.stop()` kills it as a crash would; `start()` brings it back on the same port.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

FOREVER = 3600.0
BY_ID = "return_tokens_as_token_ids"
Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Script:
    """One answer. `logprobs` and `margins`: one for all tokens, or one each (the last repeats)."""

    text: str = "Please turn the kettle off and on again."
    logprobs: float | Sequence[float] = -0.1
    margins: float | Sequence[float] = 3.0
    reason: str = "stop"
    status: int = 200  # 429, 500, ...: an error body instead of an answer
    empty: bool = False  # 200 and no body
    first_delay: float = 0.0  # seconds before the first token; FOREVER is a stall
    delay: float = 0.0  # seconds before each further token
    stall_after: int | None = None  # says nothing more after so many tokens, connection open
    cut_after: int | None = None  # drops the connection after so many tokens
    garble_after: int | None = None  # sends a chunk that is not JSON after so many tokens
    error_after: int | None = None  # sends an error event, as vLLM does when its engine dies
    finish: bool = True  # False: [DONE] without any finish_reason
    no_logprobs: bool = False
    usage: bool = True
    others: Sequence[str] = (" other",)  # to each token, each less likely than the one before by its margin
    ids: dict[str, int] | None = None  # tell each token's id: as llama.cpp does, or as vLLM does where it is asked to


class EngineServer:
    """Runs in a thread of its own, so that synchronous and asynchronous tests can both use it."""

    def __init__(self) -> None:
        self.requests: list[Body] = []
        self.headers: list[dict[str, str]] = []
        self.cancelled = 0
        self.healthy = True
        self.model = "fake"
        self.top = 20  # more alternatives are refused
        self.fields: set[str] = set()  # of BY_ID: what else than OpenAI's own fields is taken
        self.reply: Callable[[Body], Script] = lambda _: Script()
        self.port = 0
        self._scripts: deque[Script] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def queue(self, *scripts: Script) -> None:
        self._scripts.extend(scripts)

    def start(self) -> EngineServer:
        up = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run(up)), daemon=True)
        self._thread.start()
        assert up.wait(10)
        return self

    def stop(self) -> None:
        if self._loop and self._thread and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join(10)

    async def _run(self, up: threading.Event) -> None:
        self._loop, self._stopping, self._tasks = (
            asyncio.get_running_loop(),
            asyncio.Event(),
            set[asyncio.Task[None]](),
        )
        server = await asyncio.start_server(self._connection, "127.0.0.1", self.port)
        self.port = server.sockets[0].getsockname()[1]
        up.set()
        await self._stopping.wait()
        server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        try:
            await self._request(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            writer.transport.abort()
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        line, *fields = head.split("\r\n")
        headers = {
            name.lower(): value.strip() for name, _, value in (field.partition(":") for field in fields if field)
        }
        content = await reader.readexactly(int(headers.get("content-length", 0)))
        path = line.split()[1]
        if path == "/health":
            _plain(writer, 200 if self.healthy else 503, {"status": "ok" if self.healthy else "loading"})
        elif path == "/v1/models":
            _plain(writer, 200, {"object": "list", "data": [{"id": self.model, "object": "model"}]})
        elif path == "/v1/chat/completions":
            body = json.loads(content)
            self.requests.append(body)
            self.headers.append(headers)
            await self._watch(reader, self._answer(writer, body))
        else:
            _plain(writer, 404, {"error": {"message": f"no {path} here", "code": 404}})
        await writer.drain()

    async def _watch(self, reader: asyncio.StreamReader, answer: Any) -> None:
        """Answer until done or until the client hangs up."""
        working, gone = asyncio.ensure_future(answer), asyncio.ensure_future(reader.read())
        try:
            await asyncio.wait({working, gone}, return_when=asyncio.FIRST_COMPLETED)
            self.cancelled += not working.done()
        finally:
            gone.cancel()
            working.cancel()
            with contextlib.suppress(asyncio.CancelledError, OSError):
                await working

    async def _answer(self, writer: asyncio.StreamWriter, body: Body) -> None:
        if refused := self._refused(body):
            return _plain(writer, 400, {"error": {"message": refused, "code": 400}})
        script = self._scripts.popleft() if self._scripts else self.reply(body)
        if script.status != 200:
            message = {429: "too many requests"}.get(script.status, "the engine broke")
            _plain(writer, script.status, {"error": {"message": message, "code": script.status}})
        elif script.empty:
            _head(writer, 200, "Content-Length: 0", "Content-Type: text/event-stream")
        elif body.get("stream"):
            await _stream(writer, script, body, self.model)
        else:
            await asyncio.sleep(script.first_delay)
            _plain(writer, 200, _whole(script, body, self.model))
        await writer.drain()
        return None

    def _refused(self, body: Body) -> str:
        if (body.get("top_logprobs") or 0) > self.top:
            return f"top_logprobs must be at most {self.top}"
        return f"Unrecognized request argument supplied: {BY_ID}" if body.keys() & {BY_ID} - self.fields else ""


def _head(writer: asyncio.StreamWriter, status: int, *lines: str) -> None:
    writer.write("\r\n".join([f"HTTP/1.1 {status} X", "Connection: close", *lines, "", ""]).encode())


def _plain(writer: asyncio.StreamWriter, status: int, body: Body) -> None:
    content = json.dumps(body).encode()
    _head(writer, status, "Content-Type: application/json", f"Content-Length: {len(content)}")
    writer.write(content)


def _tokens(script: Script, body: Body) -> tuple[list[str], str]:
    tokens = re.findall(r"[^\S\n]*\S+\n*|\s+", script.text)  # a line ends within a token, as it may
    limit = body.get("max_tokens") or len(tokens)
    return tokens[:limit], script.reason if len(tokens) <= limit else "length"


def _at(values: float | Sequence[float], index: int) -> float:
    return float(values) if isinstance(values, int | float) else values[min(index, len(values) - 1)]


def _logprob(script: Script, token: str, index: int, body: Body) -> Body:
    logprob, margin = _at(script.logprobs, index), _at(script.margins, index)
    texts = [token, *script.others][: body.get("top_logprobs") or 0]
    top = [{"token": text, "logprob": logprob - place * margin} for place, text in enumerate(texts)]
    named = [_named(script, each, body) for each in ({"token": token, "logprob": logprob}, *top)]
    return {**named[0], "top_logprobs": named[1:]}


def _named(script: Script, entry: Body, body: Body) -> Body:
    text = entry["token"]
    by_id = script.ids if body.get(BY_ID) else None
    known = {"id": script.ids[text]} if script.ids and not by_id else {}
    return {**entry, "token": f"token_id:{by_id[text]}" if by_id else text, "bytes": list(text.encode()), **known}


def _usage(body: Body, count: int) -> Body:
    prompt = sum(len(str(message["content"]).split()) for message in body["messages"])
    return {"prompt_tokens": prompt, "completion_tokens": count, "total_tokens": prompt + count}


def _whole(script: Script, body: Body, model: str) -> Body:
    tokens, reason = _tokens(script, body)
    logprobs = {"content": [_logprob(script, token, index, body) for index, token in enumerate(tokens)]}
    choice = {
        "index": 0, "finish_reason": reason, "message": {"role": "assistant", "content": "".join(tokens)},
        "logprobs": logprobs if body.get("logprobs") and not script.no_logprobs else None,
    }  # fmt: skip
    return {"id": "x", "object": "chat.completion", "created": 0, "model": model, "choices": [choice],
            "usage": _usage(body, len(tokens))}  # fmt: skip


def _chunk(model: str, choices: list[Body], **more: Any) -> str:
    head = {"id": "x", "object": "chat.completion.chunk", "created": 0, "model": model}
    return json.dumps({**head, "choices": choices, **more})


async def _stream(writer: asyncio.StreamWriter, script: Script, body: Body, model: str) -> None:
    async def send(data: str) -> None:
        content = f"data: {data}\n\n".encode()
        writer.write(f"{len(content):x}\r\n".encode() + content + b"\r\n")
        await writer.drain()

    async def choice(delta: Body, logprobs: Body | None = None, reason: str | None = None) -> None:
        item = {"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": reason}
        await send(_chunk(model, [item]))

    _head(writer, 200, "Content-Type: text/event-stream", "Transfer-Encoding: chunked")
    await choice({"role": "assistant", "content": ""})
    tokens, reason = _tokens(script, body)
    for index in range(len(tokens) + 1):
        if index == script.stall_after:
            await asyncio.sleep(FOREVER)
        if index == script.cut_after:
            return writer.transport.abort()
        if index == script.garble_after:
            await send('{"choices": [{"del')
        if index == script.error_after:
            await send(json.dumps({"error": {"message": "EngineCore died", "code": 500}}))
        await asyncio.sleep(script.delay if index else script.first_delay)
        if index < len(tokens):
            known = body.get("logprobs") and not script.no_logprobs
            logprobs = {"content": [_logprob(script, tokens[index], index, body)]} if known else None
            await choice({"content": tokens[index]}, logprobs)
    if script.finish:
        await choice({}, reason=reason)
        if script.usage:
            await send(_chunk(model, [], usage=_usage(body, len(tokens))))
    await send("[DONE]")
    writer.write(b"0\r\n\r\n")
    return None
