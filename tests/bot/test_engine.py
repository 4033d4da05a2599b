"""The client against the scripted engine: every way an engine can answer or fail, over real sockets."""

from __future__ import annotations

import asyncio
import gc
import math
import sys
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest

from bot.engine import Engine, _tokens
from bot.prompt import NEXT_NOTE
from bot.tokens import Finish, Token
from data.errors import EngineError
from tests.engine_server import FOREVER, EngineServer, Script

ASK = [{"role": "user", "content": "My kettle does not boil"}]


@pytest.fixture
async def engine(engine_server: EngineServer) -> AsyncIterator[Engine]:
    client = Engine(engine_server.url, "fake", first_token_seconds=10.0, between_tokens_seconds=10.0)
    yield client
    await client.close()


async def test_tokens_with_logprob_and_margin_then_one_finish(engine: Engine, engine_server: EngineServer) -> None:
    engine_server.queue(Script("Descale it first.", logprobs=[-0.5, -0.25, -0.125], margins=[1.0, 2.0, 4.0]))
    events = [event async for event in engine.stream(ASK, max_tokens=20, seed=5)]
    assert events == [
        Token("Descale", -0.5, 1.0),
        Token(" it", -0.25, 2.0),
        Token(" first.", -0.125, 4.0),
        Finish("stop", 5, 3),
    ]
    asked = engine_server.requests[0]
    assert (asked["logprobs"], asked["top_logprobs"], asked["seed"]) == (True, 2, 5)
    assert asked["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize(
    ("first", "begun"),
    [
        (Script("Perhaps", logprobs=-1.5, margins=0.5), "Descale it first."),
        (Script("", usage=False), "Descale it first."),
        (Script("Rinse", logprobs=-0.9), "Rinse"),
        (Script("Rinse", logprobs=-3.0, no_logprobs=True), "Rinse"),
    ],
)
async def test_only_a_model_that_does_not_know_how_to_begin_is_given_the_opening(
    engine: Engine, engine_server: EngineServer, first: Script, begun: str
) -> None:
    engine_server.queue(first, Script(" Then wait.", logprobs=-0.1))
    done = await engine.complete(ASK, max_tokens=20, opening="Descale it first.")
    assert done.text == f"{begun} Then wait."
    asked, again = engine_server.requests
    assert (asked["max_tokens"], again["max_tokens"]) == (1, 20)
    assert again["messages"] == [*ASK, {"role": "assistant", "content": begun}]
    assert again["continue_final_message"] and "continue_final_message" not in asked


async def test_a_reply_that_was_helped_to_begin_is_not_a_surer_one(engine: Engine, engine_server: EngineServer) -> None:
    engine_server.queue(Script("Perhaps", logprobs=-1.5, margins=0.5), Script(" Then wait.", logprobs=-0.1))
    done = await engine.complete(ASK, max_tokens=20, opening="Descale it first.")
    assert (done.logprobs[0], done.margins[0]) == (-1.5, 0.5)


async def test_a_reply_ends_where_it_says_a_line_again(engine: Engine, engine_server: EngineServer) -> None:
    said = "Check your settings: port 995, SSL.\n\nThen restart.\n\nCheck your settings: port: 587, TLS. And more."
    engine_server.queue(Script(said))
    done = await engine.complete(ASK, max_tokens=50)
    assert done.text == "Check your settings: port 995, SSL.\n\nThen restart."
    assert done.finish == "stop" and engine_server.requests[0]["stop"] == list(NEXT_NOTE)


async def test_a_full_stop_that_comes_with_the_end_of_its_line_is_kept(
    engine: Engine, engine_server: EngineServer
) -> None:
    engine_server.queue(Script("Rinse it once a week .\n\nRinse it once a day . Then wait."))
    done = await engine.complete(ASK, max_tokens=50)
    assert done.text == "Rinse it once a week ."
    engine_server.queue(Script("Rinse it .\n\nThen wait."))
    again = await engine.complete(ASK, max_tokens=50)
    assert again.text == "Rinse it .\n\nThen wait." and len(again.logprobs) == 5


async def test_an_opening_is_a_line_that_is_not_said_again(engine: Engine, engine_server: EngineServer) -> None:
    engine_server.queue(Script("Perhaps", logprobs=-1.5, margins=0.5), Script("\nDescale it first of all. Really."))
    done = await engine.complete(ASK, max_tokens=20, opening="Descale it first of the two.")
    assert done.text == "Descale it first of the two.", "the same four words"


async def test_complete_joins_the_text_and_times_it(engine: Engine, engine_server: EngineServer) -> None:
    engine_server.queue(Script("One two three four", first_delay=0.1, delay=0.02))
    done = await engine.complete(ASK, max_tokens=3)
    assert (done.text, done.finish, done.completion_tokens) == ("One two three", "length", 3)
    assert 0.1 <= done.first_token_seconds < done.seconds
    assert done.logprobs == (-0.1, -0.1, -0.1)


async def test_no_logprobs_and_no_usage_still_answer(engine: Engine, engine_server: EngineServer) -> None:
    engine_server.queue(Script("Yes it is", no_logprobs=True, usage=False))
    done = await engine.complete(ASK, max_tokens=9)
    assert (done.text, done.logprobs, done.completion_tokens, done.prompt_tokens) == ("Yes it is", (), 3, 0)


@pytest.mark.parametrize(
    ("script", "says"),
    [
        (Script(status=500), "HTTP 500"),
        (Script(status=429), "HTTP 429"),
        (Script(empty=True), "empty answer"),
        (Script(finish=False), "no finish reason"),
        (Script(reason="content_filter"), "content_filter"),
        (Script(garble_after=2), "broke off after 2 tokens"),
        (Script(cut_after=2), "broke off after 2 tokens"),
        (Script(cut_after=0), "cannot be reached|broke off after 0"),
        (Script(error_after=1), "EngineCore died"),
        (Script(first_delay=FOREVER), "no first token in 1.5 s"),
        (Script(stall_after=2), "stalled 0.3 s after 2 tokens"),
    ],
)
async def test_every_failure_is_one_engine_error_of_one_line(
    engine_server: EngineServer, script: Script, says: str
) -> None:
    engine = Engine(engine_server.url, "fake", first_token_seconds=1.5, between_tokens_seconds=0.3)
    engine_server.queue(script)
    began = time.perf_counter()
    with pytest.raises(EngineError, match=says) as caught:
        await engine.complete(ASK, max_tokens=50)
    assert "\n" not in str(caught.value)
    assert time.perf_counter() - began < 3
    await engine.close()


async def test_slow_but_steady_is_not_a_stall(engine_server: EngineServer) -> None:
    engine = Engine(engine_server.url, "fake", first_token_seconds=1.0, between_tokens_seconds=0.4)
    engine_server.queue(Script("a b c d e f g h", first_delay=0.6, delay=0.1))
    assert (await engine.complete(ASK, max_tokens=50)).finish == "stop"
    await engine.close()


async def test_a_dead_server_is_refused_and_not_ready(engine: Engine, engine_server: EngineServer) -> None:
    assert await engine.ready()
    engine_server.stop()
    assert not await engine.ready()
    with pytest.raises(EngineError, match="cannot be reached"):
        await engine.complete(ASK, max_tokens=5)


async def test_closing_the_stream_hangs_up_on_the_engine(engine: Engine, engine_server: EngineServer) -> None:
    engine_server.queue(Script("a b c", stall_after=1))
    stream: Any = engine.stream(ASK, max_tokens=5)
    assert isinstance(await anext(stream), Token)
    await stream.aclose()
    for _ in range(100):
        if engine_server.cancelled:
            break
        await asyncio.sleep(0.02)
    assert engine_server.cancelled == 1


async def test_a_reply_that_is_left_half_read_leaves_nothing_to_the_garbage_collector(
    engine: Engine, engine_server: EngineServer
) -> None:
    before, left = sys.get_asyncgen_hooks(), []
    sys.set_asyncgen_hooks(finalizer=left.append)
    try:
        engine_server.queue(
            Script("one two three four", stall_after=2), Script("Rinse it.\nWait.\nRinse it.\nWait.", stall_after=6)
        )
        async with aclosing(engine.stream(ASK, max_tokens=20)) as stream:
            await anext(stream)
        assert (await engine.complete(ASK, max_tokens=20)).text == "Rinse it.\nWait."
        gc.collect()
    finally:
        sys.set_asyncgen_hooks(*before)
    assert left == []


async def test_many_requests_at_once(engine: Engine, engine_server: EngineServer) -> None:
    engine_server.reply = lambda body: Script(body["messages"][-1]["content"], delay=0.01)
    asks = [[{"role": "user", "content": f"answer number {number}"}] for number in range(20)]
    done = await asyncio.gather(*(engine.complete(ask, max_tokens=9) for ask in asks))
    assert [completion.text for completion in done] == [ask[0]["content"] for ask in asks]


async def test_the_key_travels_and_a_bare_address_gets_its_version(engine_server: EngineServer) -> None:
    engine = Engine(f"http://127.0.0.1:{engine_server.port}/", "fake", "s3cret")
    await engine.complete(ASK, max_tokens=5)
    assert engine_server.headers[0]["authorization"] == "Bearer s3cret"
    assert engine.url == engine_server.url
    await engine.close()


class Shape:
    """A chunk as the openai library hands it over: attributes all the way down."""

    def __init__(self, **fields: Any) -> None:
        self.__dict__.update(fields)


def test_two_tokens_in_a_chunk_and_half_a_character() -> None:
    def entry(token: str) -> Shape:
        return Shape(token=token, logprob=-1.0, top_logprobs=[])

    both = Shape(delta=Shape(content="ab"), logprobs=Shape(content=[entry("a"), entry("b")]))
    assert [token.text for token in _tokens(both)] == ["a", "b"]
    held = Shape(delta=Shape(content=None), logprobs=Shape(content=[entry("\ufffd")]))
    (token,) = _tokens(held)
    assert (token.text, token.logprob) == ("", -1.0)
    assert math.isnan(token.margin)


async def test_every_request_to_a_local_engine_has_a_connection_of_its_own(
    engine: Engine, engine_server: EngineServer
) -> None:
    """llama.cpp hangs up on kept connections, so that the next request would fail."""
    for _ in range(3):
        engine_server.queue(Script("Descale it first."))
        await engine.complete(ASK, max_tokens=20)
    assert [headers["connection"] for headers in engine_server.headers] == ["close"] * 3
