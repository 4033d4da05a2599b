"""Many answers from the scripted engine: what one request's failure costs the others."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from bot import answering
from bot.answering import Ask, Job, answer_all
from bot.engine import Engine
from data.errors import EngineError, Refused
from data.records import Answer
from tests.engine_server import EngineServer, Script


@pytest.fixture
async def engine(engine_server: EngineServer) -> AsyncIterator[Engine]:
    client = Engine(engine_server.url, "fake")
    yield client
    await client.close()


async def ask(
    engine: Engine, count: int, *, lenient: bool = True, answered: int = 0
) -> tuple[list[str], list[Refused]]:
    asked = [Job(f"e{n}", "teacher", [{"role": "user", "content": f"Question {n}"}], (), 20) for n in range(count)]
    made: list[Answer] = []
    asks = [Ask(engine, "fake", job) for job in asked]
    done = [each.sample_id for each in asks[:answered]]
    refused = await answer_all(asks, parallel=1, sink=made.append, label="x", lenient=lenient, done=done)
    return [answer.exchange_id for answer in made], refused


@pytest.mark.parametrize("script", [Script(status=400), Script(reason="content_filter")])
async def test_a_refused_question_is_left_out(engine: Engine, engine_server: EngineServer, script: Script) -> None:
    engine_server.queue(Script("Yes."), script, Script("No."))
    made, refused = await ask(engine, 3)
    assert made == ["e0", "e2"]
    assert len(refused) == 1


async def test_where_all_are_refused_it_is_an_error(engine: Engine, engine_server: EngineServer) -> None:
    engine_server.reply = lambda _: Script(status=400)
    with pytest.raises(Refused, match="HTTP 400"):
        await ask(engine, 2)


async def test_asked_again_it_is_left_out_again(engine: Engine, engine_server: EngineServer) -> None:
    engine_server.reply = lambda _: Script(status=400)
    made, refused = await ask(engine, 3, answered=2)
    assert (made, len(refused)) == ([], 1)


async def test_an_evaluation_leaves_nothing_out(engine: Engine, engine_server: EngineServer) -> None:
    engine_server.queue(Script("Yes."), Script(status=400))
    with pytest.raises(Refused):
        await ask(engine, 3, lenient=False)


async def test_an_engine_with_too_much_to_do_is_asked_again(
    engine: Engine, engine_server: EngineServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answering, "WAITS", (0.01, 0.01))
    engine_server.queue(Script(status=429), Script(status=503), Script("Yes."))
    assert (await ask(engine, 1))[0] == ["e0"]
    engine_server.reply = lambda _: Script(status=429)
    with pytest.raises(EngineError, match="HTTP 429"):
        await ask(engine, 1)
