"""Swapping releases under load, with broken ones, and back."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import httpx
import pytest

from bot import store
from data.workspace import Workspace
from tests.engine_server import Script
from tests.serving.desk import Desk, ScriptedLauncher, chunks, config, content, make_release, running

WORDS = {name: [f"{name}{number}" for number in range(40)] for name in ("one", "two")}


def promote(desk: Desk, release: str, **body: object) -> httpx.Response:
    return desk.client.post(f"/ops/releases/{release}/promote", json=body, headers=desk.ops)


def test_promote_and_roll_back(desk: Desk, launcher: ScriptedLauncher, tmp_path: Path) -> None:
    one = desk.ask().headers["x-release"]
    two = make_release(Workspace(tmp_path), "two").id
    assert promote(desk, two, generation=1).json() == {"live": {"release": two, "generation": 2}}
    assert desk.ask().headers["x-release"] == two
    assert launcher.servers["two"].requests
    back = desk.client.post("/ops/rollback", headers=desk.ops)
    assert back.json() == {"live": {"release": one, "generation": 3}}
    assert desk.ask().headers["x-release"] == one
    rows = [(row["from_release"], row["to_release"], row["who"]) for row in desk.rows("audit")]
    assert rows == [(None, one, "first start"), (one, two, "ops"), (two, one, "ops")]
    listed = desk.client.get("/ops/releases", headers=desk.ops).json()
    assert listed["live"]["release"] == one
    assert {release["id"] for release in listed["releases"]} == {one, two}


def test_fifty_streams_during_a_swap_each_keep_their_release(
    desk: Desk, launcher: ScriptedLauncher, tmp_path: Path
) -> None:
    for name, words in WORDS.items():
        script = Script(" ".join(words), delay=0.03)
        launcher.servers[name].reply = lambda body, script=script: script
    first = make_release(Workspace(tmp_path), "one", threshold=0.4)
    promote(desk, first.id)
    two = make_release(Workspace(tmp_path), "two").id

    async def everyone() -> list[httpx.Response]:
        body = {"messages": [{"role": "user", "content": "hello"}], "stream": True}
        async with httpx.AsyncClient(base_url=desk.url, timeout=30, trust_env=False) as client:

            def ask() -> asyncio.Task[httpx.Response]:
                return asyncio.create_task(client.post("/v1/chat/completions", json=body))

            asked = [ask() for _ in range(25)]
            while desk.state.swap.leases < 25:
                await asyncio.sleep(0.01)
            flip = asyncio.create_task(client.post(f"/ops/releases/{two}/promote", headers=desk.ops))
            asked += [ask() for _ in range(10)]
            assert (await flip).status_code == 200
            return await asyncio.gather(*asked, *[ask() for _ in range(15)])

    replies = asyncio.run(everyone())
    assert len(replies) == 50
    words = {"student" if reply.headers["x-route"] == "student" else "other" for reply in replies}
    assert words == {"student"}
    served = {"one": 0, "two": 0}
    for reply in replies:
        name = "two" if reply.headers["x-release"] == two else "one"
        served[name] += 1
        assert content(reply).split() == WORDS[name]
        assert {chunk["deskmate"]["release"] for chunk in chunks(reply) if "deskmate" in chunk} == {
            reply.headers["x-release"]
        }
    assert served["one"] and served["two"]


def test_the_old_release_is_stopped_once_it_has_drained(desk: Desk, launcher: ScriptedLauncher, tmp_path: Path) -> None:
    promote(desk, make_release(Workspace(tmp_path), "two").id)
    for _ in range(100):
        if not launcher.students[0].up:
            break
        time.sleep(0.02)
    assert [student.up for student in launcher.students] == [False, True]


def test_a_release_that_does_not_load_changes_nothing(desk: Desk, launcher: ScriptedLauncher, tmp_path: Path) -> None:
    launcher.broken.add("two")
    one = desk.ask().headers["x-release"]
    two = make_release(Workspace(tmp_path), "two").id
    reply = promote(desk, two)
    assert reply.status_code == 503
    assert reply.json()["error"]["message"] == (
        f"{two} did not load (two could not be started (bad magic)); {one} keeps serving"
    )
    assert desk.ask().headers["x-release"] == one
    assert len(desk.rows("audit")) == 1


@pytest.mark.parametrize("script", [Script(""), Script(status=500), Script(empty=True)])
def test_a_release_that_fails_its_golden_prompt_changes_nothing(
    desk: Desk, launcher: ScriptedLauncher, tmp_path: Path, script: Script
) -> None:
    launcher.servers["two"].reply = lambda _: script
    reply = promote(desk, make_release(Workspace(tmp_path), "two").id)
    assert reply.status_code == 503
    assert "keeps serving" in reply.json()["error"]["message"]
    assert not launcher.students[-1].up
    assert desk.ask().status_code == 200


def test_a_stale_generation_is_a_conflict(desk: Desk, tmp_path: Path) -> None:
    two = make_release(Workspace(tmp_path), "two").id
    assert promote(desk, two, generation=7).status_code == 409
    assert promote(desk, "release-nowhere").status_code == 404
    assert desk.client.post("/ops/rollback", headers=desk.ops).status_code == 404


def test_only_one_swap_at_a_time(desk: Desk, launcher: ScriptedLauncher, tmp_path: Path) -> None:
    launcher.servers["two"].reply = lambda _: Script("slow", first_delay=0.4)
    two = make_release(Workspace(tmp_path), "two").id

    async def both() -> list[int]:
        async with httpx.AsyncClient(base_url=desk.url, timeout=30, trust_env=False) as client:
            path = f"/ops/releases/{two}/promote"
            first = asyncio.create_task(client.post(path, headers=desk.ops))
            await asyncio.sleep(0.2)
            second = await client.post(path, headers=desk.ops)
            return [(await first).status_code, second.status_code]

    assert asyncio.run(both()) == [200, 429]


def test_the_wrong_ops_key_is_refused(desk: Desk) -> None:
    assert desk.client.get("/ops/releases").status_code == 401
    wrong = {"authorization": "Bearer wrong"}
    reply = desk.client.post("/ops/rollback", headers=wrong)
    assert reply.status_code == 401
    assert reply.headers["www-authenticate"] == "Bearer"
    assert desk.client.get("/ops/handoffs", headers=desk.ops).json() == {"handoffs": []}


def test_a_flip_by_another_process_is_followed(desk: Desk, launcher: ScriptedLauncher, tmp_path: Path) -> None:
    one = desk.ask().headers["x-release"]
    two = make_release(Workspace(tmp_path), "two").id
    desk.state.writer.submit(lambda c: store.promote(c, two, who="cli")).result(5)
    desk.on_loop(desk.state.swap._follow_once)
    assert desk.ask().headers["x-release"] == two
    launcher.broken.add("one")
    desk.state.writer.submit(lambda c: store.promote(c, one, who="cli")).result(5)
    with pytest.raises(Exception, match="did not load"):
        desk.on_loop(desk.state.swap._follow_once)
    assert desk.ask().headers["x-release"] == two
    assert desk.rows("aliases")[0]["release"] == two


def test_the_live_release_survives_a_restart(tmp_path: Path, launcher: ScriptedLauncher) -> None:
    workspace = Workspace(tmp_path)
    one = make_release(workspace, "one").id
    with running(tmp_path, launcher, config()) as desk:
        assert desk.ask().headers["x-release"] == one
    make_release(workspace, "two")
    with running(tmp_path, launcher, config()) as desk:
        assert desk.ask().headers["x-release"] == one
