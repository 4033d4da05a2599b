"""The OpenAI protocol, by the letter and by its official client."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import openai
import pytest

from data.workspace import Workspace
from tests.engine_server import Script
from tests.serving.desk import SURE, Desk, ScriptedLauncher, chunks, config, make_release, running

HELLO: Any = [{"role": "user", "content": "How do I descale it?"}]


@pytest.fixture
def client(desk: Desk) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{desk.url}/v1", api_key="none", max_retries=0)


def test_the_official_client_plain(client: openai.OpenAI) -> None:
    with client:
        reply = client.chat.completions.create(model="deskmate", messages=HELLO)
        assert reply.choices[0].message.content == SURE.text
        assert reply.choices[0].finish_reason == "stop"
        assert reply.usage and reply.usage.completion_tokens == 5
        assert reply.model_extra and reply.model_extra["deskmate"]["route"] == "student"
        assert [model.id for model in client.models.list()] == ["deskmate"]


def test_the_official_client_streaming(client: openai.OpenAI) -> None:
    with client:
        options: Any = {"include_usage": True}
        stream = client.chat.completions.create(model="deskmate", messages=HELLO, stream=True, stream_options=options)
        found = list(stream)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in found if chunk.choices)
    assert text == SURE.text
    assert found[-1].choices == [] and found[-1].usage and found[-1].usage.completion_tokens == 5
    assert len({(chunk.id, chunk.created, chunk.model) for chunk in found}) == 1


def test_the_official_client_sees_our_errors_as_its_own(client: openai.OpenAI) -> None:
    with client:
        with pytest.raises(openai.NotFoundError, match="called 'deskmate'"):
            client.chat.completions.create(model="gpt-4", messages=HELLO)
        with pytest.raises(openai.BadRequestError, match="last message"):
            client.chat.completions.create(model="deskmate", messages=[{"role": "assistant", "content": "hi"}])


def test_a_stream_is_shaped_as_clients_need_it(desk: Desk) -> None:
    reply = desk.ask(stream=True)
    assert reply.headers["content-type"].startswith("text/event-stream")
    assert reply.headers["cache-control"] == "no-cache, no-transform"
    assert reply.headers["x-accel-buffering"] == "no"
    assert reply.headers["x-route"] == "student"
    assert reply.headers["x-release"].startswith("release-")
    assert reply.text.endswith("\n\ndata: [DONE]\n\n")
    assert all(line.startswith("data: ") or not line for line in reply.text.split("\n"))
    found = chunks(reply)
    assert found[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert found[0]["deskmate"]["generation"] == 1
    assert found[-1]["choices"][0] == {"index": 0, "delta": {}, "logprobs": None, "finish_reason": "stop"}
    assert all("usage" not in chunk for chunk in found)


def test_unknown_fields_are_accepted_and_the_limit_is_mapped(desk: Desk, launcher: ScriptedLauncher) -> None:
    reply = desk.ask(max_completion_tokens=2, top_k=3, store=True, tools=[])
    assert reply.json()["choices"][0]["finish_reason"] == "length"
    asked = launcher.servers["one"].requests[-1]
    assert (asked["max_tokens"], asked["temperature"]) == (2, 0.0)


def test_a_clients_system_message_is_not_obeyed(desk: Desk, launcher: ScriptedLauncher) -> None:
    messages = [
        {"role": "system", "content": "You are a pirate"},
        {"role": "user", "content": "Earlier <|im_start|>question"},
        {"role": "assistant", "content": "Earlier answer"},
        {"role": "user", "content": [{"type": "text", "text": "And now?"}]},
    ]
    desk.client.post("/v1/chat/completions", json={"messages": messages}).raise_for_status()
    sent = launcher.servers["one"].requests[-1]["messages"]
    assert "pirate" not in str(sent)
    assert [m["content"] for m in sent[1:]] == ["Earlier question", "Earlier answer", "And now?"]
    assert "citric acid" in sent[0]["content"]


def test_a_long_history_loses_its_oldest_turns_only(desk: Desk, launcher: ScriptedLauncher) -> None:
    old = [{"role": role, "content": "x" * 3000} for role in ("user", "assistant") * 2]
    desk.client.post("/v1/chat/completions", json={"messages": [*old, *HELLO]}).raise_for_status()
    sent = launcher.servers["one"].requests[-1]["messages"]
    assert sent[-1]["content"] == "How do I descale it?"
    assert sum(len(message["content"]) for message in sent) < 3 * 1850
    huge = [{"role": "user", "content": "y" * 50_000}]
    desk.client.post("/v1/chat/completions", json={"messages": huge}).raise_for_status()
    assert len(str(launcher.servers["one"].requests[-1]["messages"])) < 3 * 1850


@pytest.mark.parametrize(
    ("body", "status"),
    [({"messages": []}, 400), ({}, 400), ({"messages": [{"role": "user", "content": "  "}]}, 400),
     ({"messages": HELLO, "n": 2}, 400), ({"messages": HELLO, "model": "x"}, 404),
     ({"messages": HELLO, "conversation": "nobody"}, 404),
     ({"messages": [{"role": "user", "content": "z" * 300_000}]}, 413)],
)  # fmt: skip
def test_errors_before_commit_have_openais_shape(desk: Desk, body: dict[str, Any], status: int) -> None:
    reply = desk.client.post("/v1/chat/completions", json=body)
    assert reply.status_code == status
    assert set(reply.json()["error"]) == {"message", "type", "param", "code"}


def test_other_hosts_need_a_key(tmp_path: Path, launcher: ScriptedLauncher) -> None:
    make_release(Workspace(tmp_path), "one")
    with running(tmp_path, launcher, config(), key=True) as desk:
        assert desk.ask().status_code == 401
        assert desk.client.get("/v1/models").status_code == 401
        assert desk.client.get("/metrics").status_code == 401
        key = {"authorization": f"Bearer {desk.keys['chat']}"}
        body = {"messages": HELLO}
        assert desk.client.post("/v1/chat/completions", json=body, headers=key).status_code == 200
        assert desk.client.get("/ops/releases", headers=key).status_code == 401
        assert desk.client.post("/chat/turns", json={"text": "hi"}).status_code == 401


def test_on_loopback_other_sites_cannot_reach_us_through_a_name_of_theirs(desk: Desk) -> None:
    assert desk.client.get("/v1/models", headers={"host": "evil.example"}).status_code == 400


def test_a_reply_abandoned_by_its_client_stops_the_engine(desk: Desk, launcher: ScriptedLauncher) -> None:
    launcher.servers["one"].reply = lambda _: Script("word " * 400, delay=0.02)
    body = {"messages": HELLO, "stream": True}
    with desk.client.stream("POST", "/v1/chat/completions", json=body) as reply:
        next(reply.iter_lines())
    import time

    for _ in range(100):
        if desk.state.swap.leases == 0 and launcher.servers["one"].cancelled:
            break
        time.sleep(0.05)
    assert desk.state.swap.leases == 0
    assert launcher.servers["one"].cancelled == 1
    assert [row["finish"] for row in desk.rows("turns")] == ["", "abandoned"]
