"""A whole gateway for tests: scripted engines in the roles of student and teacher, real HTTP, a real database."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from bot import prompt, releases
from bot.config import Config
from bot.engine import Engine
from bot.knowledge import Found
from bot.releases import Release
from data.errors import EngineError
from data.records import Passage, Standing
from data.workspace import Workspace
from serving.app import create_app
from serving.auth import open_keys
from serving.deployment import Deployment
from serving.launcher import Briefs, Find
from serving.run import assemble, close
from tests.engine_server import EngineServer, Script

PASSAGE = Passage(id="a1", kind="article", title="Descaling", text="Use citric acid.", score=0.9)
SURE = Script("Use citric acid, then rinse.")
TEACHER = Script("The teacher says: descale it.")


class FakeRunning:
    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.up = True

    def alive(self) -> bool:
        return self.up

    async def stop(self) -> None:
        self.up = False
        await self.engine.close()


class ScriptedLauncher:
    """One scripted server per release's model; `broken` models do not start."""

    def __init__(self, **servers: EngineServer) -> None:
        self.servers = servers
        self.broken: set[str] = set()
        self.students: list[FakeRunning] = []
        self.teacher_delay = 0.0
        self.standing: Standing = "known"
        self.worth = 0.9

    async def student(self, release: Release) -> FakeRunning:
        if release.model in self.broken:
            raise EngineError(f"{release.model} could not be started (bad magic)")
        running = FakeRunning(self._engine(release.model))
        self.students.append(running)
        return running

    async def teacher(self) -> FakeRunning:
        await asyncio.sleep(self.teacher_delay)
        return FakeRunning(self._engine("teacher"))

    async def find(self, release: Release) -> tuple[Find, Briefs]:
        def search(question: str) -> Found:
            return Found([PASSAGE.model_copy(update={"worth": self.worth})], self.standing)

        return search, [[PASSAGE]]

    def impatient(self) -> None:
        """Students that stall are given up after 0.4 s; everything else may be as slow as this machine is."""
        for student in self.students:
            student.engine.first_token_seconds = student.engine.between_tokens_seconds = 0.4

    def _engine(self, name: str) -> Engine:
        url = self.servers[name].url
        return Engine(url, name, first_token_seconds=15, between_tokens_seconds=15)


def make_release(workspace: Workspace, model: str, threshold: float = 0.5, *, unhelpful: str = "") -> Release:
    return releases.create(
        workspace, model=model, tickets="tickets-1", prompt_version=prompt.VERSION, threshold=threshold,
        unhelpful=unhelpful,
    )  # fmt: skip


def config(**serving: Any) -> Config:
    student = {"name": "student", "parallel": 64}
    return Config.model_validate({"serving": serving, "student": student, "teacher": {"name": "t", "parallel": 64}})


class Desk:
    """A running gateway; `client` talks to it, `on_loop` runs something inside it."""

    def __init__(self, url: str, state: Deployment, loop: asyncio.AbstractEventLoop, keys: dict[str, str]) -> None:
        self.url, self.state, self.keys = url, state, keys
        self._loop = loop
        self.client = httpx.Client(base_url=url, timeout=20, trust_env=False)
        self.ops = {"authorization": f"Bearer {keys.get('ops')}"}

    def on_loop(self, work: Callable[[], Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work(), self._loop).result(20)

    def ask(self, text: str = "How do I descale it?", **body: Any) -> httpx.Response:
        messages = [{"role": "user", "content": text}]
        return self.client.post("/v1/chat/completions", json={"model": "deskmate", "messages": messages, **body})

    def chat(self, text: str = "How do I descale it?", **body: Any) -> list[tuple[str, dict[str, Any]]]:
        return events(self.client.post("/chat/turns", json={"text": text, **body}))

    def rows(self, table: str) -> list[dict[str, Any]]:
        from sqlalchemy import text

        def read(connection: Any) -> list[dict[str, Any]]:
            return [dict(row) for row in connection.execute(text(f"select * from {table}")).mappings()]

        return self.state.writer.submit(read).result(10)


def chunks(response: httpx.Response) -> list[dict[str, Any]]:
    """The JSON of an OpenAI stream, [DONE] left out."""
    lines = [line[6:] for line in response.text.split("\n") if line.startswith("data: {")]
    return [json.loads(line) for line in lines]


def content(response: httpx.Response) -> str:
    """What an OpenAI reply says, plain or streamed."""
    if response.headers["content-type"].startswith("application/json"):
        return str(response.json()["choices"][0]["message"]["content"])
    choices = [choice for chunk in chunks(response) for choice in chunk["choices"]]
    return "".join(choice["delta"].get("content", "") for choice in choices)


def events(response: httpx.Response) -> list[tuple[str, dict[str, Any]]]:
    """The widget's SSE, parsed as a browser would."""
    assert response.status_code == 200, response.text
    found = []
    for block in response.text.strip().split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.split("\n") if not line.startswith(":"))
        found.append((lines["event"], json.loads(lines["data"])))
    return found


def text_of(found: list[tuple[str, dict[str, Any]]]) -> str:
    """What stays on the page: an amend takes back what came before."""
    said = ""
    for name, data in found:
        said = "" if name == "amend" else said + data["text"] if name == "delta" else said
    return said


@contextmanager
def running(root: Path, launcher: ScriptedLauncher, values: Config, *, key: bool = False) -> Iterator[Desk]:
    """Serve `root`'s newest release on a free port, from a thread with its own loop."""
    workspace = Workspace(root)
    keys, made = open_keys(root / "keys.json", chat_needed=key)
    box: dict[str, Any] = {}
    up = threading.Event()

    async def main() -> None:
        state = assemble(workspace, values, launcher, keys)
        try:
            await state.swap.open()
            if state.teacher:
                state.teacher.start_later()
                while not (state.teacher.voice or launcher.teacher_delay):
                    await asyncio.sleep(0.01)
            settings = uvicorn.Config(create_app(state), port=0, log_config=None, lifespan="off")
            server = uvicorn.Server(settings)
            box.update(state=state, server=server, loop=asyncio.get_running_loop(), up=up)
            serving = asyncio.create_task(server.serve())
            while not server.started:
                await asyncio.sleep(0.01)
            box["port"] = server.servers[0].sockets[0].getsockname()[1]
            up.set()
            await serving
        finally:
            await close(state)
            up.set()

    thread = threading.Thread(target=lambda: asyncio.run(main()), daemon=True)
    thread.start()
    assert up.wait(20)
    desk = Desk(f"http://127.0.0.1:{box['port']}", box["state"], box["loop"], made)
    try:
        yield desk
    finally:
        desk.client.close()
        box["server"].should_exit = True
        thread.join(20)
