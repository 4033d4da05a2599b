"""Servers that start, answer, die and leave nothing behind. Fast tests run a stand-in as a real process."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bot import commands, launch
from bot.config import Model
from bot.launch import choose, running, start
from data.errors import Busy, ConfigError, EngineError, NotFound
from data.workspace import Workspace
from tests.engine_server import EngineServer

ROOT = Path(__file__).parents[2]
ASK = [{"role": "user", "content": "Say hello"}]
STUDENT = Model(name="starter-student", engine="llamacpp", context=512, parallel=2)
STAND_IN = """
import sys, threading
sys.path.insert(0, sys.argv[1])
from tests.engine_server import EngineServer
server = EngineServer()
server.port = int(sys.argv[2])
server.start()
threading.Event().wait()
"""


@pytest.fixture
def gguf(tmp_path: Path) -> Path:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGUF")
    return path


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """The scripted engine in llama.cpp's place."""
    monkeypatch.setattr(launch, "llamacpp", lambda _m, _f, port: [sys.executable, "-c", STAND_IN, str(ROOT), str(port)])


def gone(pid: int) -> bool:
    """Whether the process ended (a zombie has)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def ends(pid: int, seconds: float = 10.0) -> bool:
    limit = time.monotonic() + seconds
    while time.monotonic() < limit and not gone(pid):
        time.sleep(0.05)
    return gone(pid)


@pytest.mark.parametrize(
    ("gpu", "flags", "vllm", "model", "expected"),
    [
        (True, set(), True, Model(name="starter-teacher"), "vllm"),
        (False, {"avx512_bf16"}, True, Model(name="starter-teacher"), "vllm"),
        (False, {"amx_bf16"}, False, Model(name="starter-teacher"), "llamacpp"),
        (False, {"avx2"}, True, Model(name="starter-teacher"), "llamacpp"),
        (False, {"avx2"}, True, Model(name="Qwen/Qwen3-0.6B"), "vllm"),
        (True, set(), True, Model(name="some/where/model.gguf"), "llamacpp"),
        (True, set(), True, Model(name="starter-teacher", engine="llamacpp"), "llamacpp"),
        (False, set(), False, Model(name="starter-teacher", engine="vllm"), "vllm"),
        (True, set(), True, Model(name="gpt", url="http://there"), "remote"),
    ],
)
def test_the_engine_fits_the_model_and_the_machine(
    monkeypatch: pytest.MonkeyPatch, gpu: bool, flags: set[str], vllm: bool, model: Model, expected: str
) -> None:
    monkeypatch.setattr(launch, "has_gpu", lambda: gpu)
    monkeypatch.setattr(launch, "cpu_flags", lambda: flags)
    monkeypatch.setattr(launch, "find_spec", lambda _: object() if vllm else None)
    assert choose(model) == expected


async def test_a_server_starts_answers_and_ends(stand_in: None, gguf: Path, tmp_path: Path) -> None:
    server = await start(STUDENT, Workspace(tmp_path), path=gguf)
    assert server.alive()
    assert server.rss_bytes() > 1_000_000
    assert (await server.engine.complete(ASK, max_tokens=5)).completion_tokens == 5
    await server.stop()
    await server.stop()
    assert not server.alive()
    assert gone(server.pid)


async def test_two_servers_side_by_side_have_ports_of_their_own(stand_in: None, gguf: Path, tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    async with running(STUDENT, workspace, path=gguf) as one, running(STUDENT, workspace, path=gguf) as two:
        assert one.url != two.url
        assert await one.ready()
        assert await two.ready()
    assert not await one.ready()


async def test_a_failing_block_still_ends_the_server(stand_in: None, gguf: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="mine"):
        async with running(STUDENT, Workspace(tmp_path), path=gguf) as engine:
            raise ValueError("mine")
    assert not await engine.ready()


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("print('loading'); raise RuntimeError('no memory for the weights')", "no memory for the weights"),
        ("pass", "it said nothing"),
    ],
)
async def test_dying_while_loading_names_the_last_line(
    monkeypatch: pytest.MonkeyPatch, gguf: Path, tmp_path: Path, code: str, says: str
) -> None:
    monkeypatch.setattr(launch, "llamacpp", lambda *_: [sys.executable, "-c", code])
    with pytest.raises(EngineError, match=says):
        await start(STUDENT, Workspace(tmp_path), path=gguf)


async def test_never_coming_up_is_an_error_and_leaves_no_process(
    monkeypatch: pytest.MonkeyPatch, gguf: Path, tmp_path: Path
) -> None:
    code = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"
    monkeypatch.setattr(launch, "llamacpp", lambda *_: [sys.executable, "-c", code])
    log = tmp_path / "log"
    with pytest.raises(EngineError, match="did not come up in 1 s"):
        await start(STUDENT, Workspace(tmp_path), path=gguf, log=log, load_seconds=1)
    assert gone(int(log.read_text()))


def test_a_killed_parent_leaves_no_orphan(gguf: Path, tmp_path: Path) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(ROOT), str(gguf), STAND_IN],
        stdout=subprocess.PIPE, text=True, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    with parent:
        assert parent.stdout
        pid = int(parent.stdout.readline())
        assert not gone(pid)
        parent.send_signal(signal.SIGKILL)
    assert ends(pid)


PARENT = """
import asyncio, sys
from pathlib import Path
from bot import commands, launch
from bot.config import Model
from data.workspace import Workspace
root, gguf, stand_in = sys.argv[1:]
launch.llamacpp = lambda _m, _f, port: [sys.executable, "-c", stand_in, root, str(port)]
async def main():
    model = Model(name="starter-student", engine="llamacpp")
    server = await launch.start(model, Workspace(Path(gguf).parent), path=Path(gguf))
    print(server.pid, flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""


async def test_missing_files_are_named_before_anything_starts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(launch, "find_spec", lambda _: object())
    workspace, empty = Workspace(tmp_path), tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(NotFound, match=r"gone\.gguf is not there"):
        await start(STUDENT, workspace, path=tmp_path / "gone.gguf")
    with pytest.raises(NotFound, match="models pull starter"):
        await start(STUDENT, workspace)
    with pytest.raises(NotFound, match=r"no \.gguf in"):
        await start(STUDENT, workspace, path=empty)
    with pytest.raises(NotFound, match=r"no config\.json"):
        await start(STUDENT.model_copy(update={"engine": "vllm"}), workspace, path=empty)
    with pytest.raises(ConfigError, match="merged weights"):
        await start(STUDENT, workspace, path=empty, lora=empty)
    assert not (tmp_path / "logs").exists()


async def test_a_taken_port_is_busy(stand_in: None, gguf: Path, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(Busy, match="is taken"):
            await start(STUDENT, Workspace(tmp_path), path=gguf, port=taken.getsockname()[1])


async def test_a_remote_engine_is_only_connected_to(
    engine_server: EngineServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(launch.KEY, "s3cret")
    model = Model(name="fake", url=engine_server.url)
    async with running(model, Workspace(tmp_path)) as engine:
        assert (await engine.complete(ASK, max_tokens=3)).completion_tokens == 3
    assert engine_server.headers[0]["authorization"] == "Bearer s3cret"
    with pytest.raises(ConfigError, match="needs a url"):
        async with running(Model(name="fake", engine="remote"), Workspace(tmp_path)):
            pass


def test_vllm_is_told_the_adapter_and_its_rank(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "adapter_config.json").write_text('{"r": 24}')
    monkeypatch.setattr(commands, "has_gpu", lambda: True)
    command = " ".join(commands.vllm(STUDENT, "/models/student", 8001, tmp_path))
    assert "--max-lora-rank 32" in command
    assert f"--lora-modules lora={tmp_path}" in command
    assert "--dtype bfloat16" in command
    assert commands.environment("vllm", str(tmp_path))["HF_HUB_OFFLINE"] == "1"


@pytest.mark.slow
async def test_llama_cpp_serves_the_starter_student(starter_workspace: Workspace) -> None:
    async with running(STUDENT, starter_workspace) as engine:
        one = await engine.complete(ASK, max_tokens=12)
        two, three = await asyncio.gather(*(engine.complete(ASK, max_tokens=12) for _ in range(2)))
        assert one.text == two.text == three.text != ""
        assert len(one.logprobs) == one.completion_tokens == 12
        assert one.finish == "length"
        with pytest.raises(EngineError, match="exceeds the available context"):
            await engine.complete([{"role": "user", "content": "kettle " * 700}], max_tokens=4)


@pytest.mark.slow
async def test_a_file_that_is_no_model_says_so(gguf: Path, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="could not be started"):
        await start(STUDENT, Workspace(tmp_path), path=gguf)
