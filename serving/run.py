"""From a workspace to a running gateway and back down, in an order that loses nothing.

bind the port ─▶ load the live release ─▶ ready; the teacher loads beside it and joins when it is up
SIGTERM ─▶ /readyz says 503, no new work ─▶ last replies end ─▶ close sockets ─▶ stop engines ─▶ exit
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import signal
import socket
import sys
from collections.abc import Iterator

import uvicorn

from bot.config import Config
from bot.store import Store
from data.errors import Busy, ConfigError
from data.workspace import Workspace
from serving.ahead import keep_ahead
from serving.app import create_app
from serving.auth import Keys, is_loopback, open_keys
from serving.deployment import Deployment
from serving.launcher import Launcher, LocalLauncher
from serving.swap import Swap
from serving.telemetry import Telemetry
from serving.upstream import Upstream
from serving.writer import Writer

SHUTDOWN_SECONDS = 30.0
log = logging.getLogger("deskmate.run")


def serve(workspace: Workspace, config: Config, *, launcher: Launcher | None = None) -> None:
    """Serve until SIGTERM or SIGINT. Raises Busy (port taken), NotFound (no release), BadInput (no names model),
    EngineError (does not load)."""
    config.desk.rules.recogniser()
    with bind(config.serving.host, config.serving.port) as listening:
        _log_to_stderr()
        asyncio.run(run(workspace, config, launcher or LocalLauncher(workspace, config), listening))


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; two servers can never both believe they have the port."""
    listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host.strip("[]"), port))
        listening.listen(1024)
    except OSError as error:
        listening.close()
        if error.errno == errno.EADDRINUSE:
            raise Busy(
                f"port {port} on {host} is taken; stop what uses it or choose another: --set serving.port={port + 1}"
            ) from error
        raise ConfigError(f"cannot listen on {host}:{port} ({error.strerror or error}); see serving.host") from error
    return listening


async def run(workspace: Workspace, config: Config, launcher: Launcher, listening: socket.socket) -> None:
    """The gateway on a socket, until a signal; then everything it started is ended."""
    stop = asyncio.Event()
    with _signals(stop):
        keys = _keys(workspace, config)
        state = assemble(workspace, config, launcher, keys)
        try:
            if await _unless(stop, state.swap.open()):
                await _serve(state, listening, stop)
        finally:
            await close(state)


def assemble(workspace: Workspace, config: Config, launcher: Launcher, keys: Keys) -> Deployment:
    """Everything a gateway holds, nothing started yet but the database's writer."""
    writer = Writer(Store(workspace.root / "deskmate.db", config.desk.rules))
    telemetry = Telemetry()
    swap = Swap(workspace, config, launcher, writer, telemetry)
    teacher = None
    if config.serving.start_teacher or config.teacher.url:
        patience = config.serving.teacher_first_token_seconds
        teacher = Upstream("teacher", launcher.teacher, parallel=config.teacher.parallel, patience=patience)
    return Deployment(workspace, config, swap, teacher, writer, keys, telemetry)


async def close(state: Deployment) -> None:
    await state.swap.close()
    if state.teacher:
        await state.teacher.close()
    await asyncio.to_thread(state.writer.close)


async def _serve(state: Deployment, listening: socket.socket, stop: asyncio.Event) -> None:
    if state.teacher:
        state.teacher.start_later()
    settings = uvicorn.Config(
        create_app(state), log_config=None, access_log=False, lifespan="off", server_header=False,
        timeout_graceful_shutdown=5, h11_max_incomplete_event_size=64 * 1024,
    )  # fmt: skip
    server = _Server(settings)
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    following = asyncio.create_task(state.swap.follow())
    ahead = asyncio.create_task(keep_ahead(state.swap, state.config.desk, state.telemetry))
    _announce(state, listening)
    try:
        await _unless(stop, asyncio.shield(serving))
        state.draining = True
        if not await state.swap.drain(SHUTDOWN_SECONDS):
            log.warning("%d replies were still being made after %.0f s", state.swap.leases, SHUTDOWN_SECONDS)
    finally:
        following.cancel()
        ahead.cancel()
        server.should_exit = True
        await asyncio.gather(serving, following, ahead, return_exceptions=True)


class _Server(uvicorn.Server):
    """Uvicorn ends streams as soon as it hears a signal; we hear it first and wait for them."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextlib.contextmanager
def _signals(stop: asyncio.Event) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    chosen: tuple[signal.Signals, ...] = (signal.SIGTERM, signal.SIGINT)
    try:
        for number in chosen:
            loop.add_signal_handler(number, stop.set)
    except (
        RuntimeError,
        ValueError,
        NotImplementedError,
    ):  # not in the main thread: whoever started us stops us
        chosen = ()
    try:
        yield
    finally:
        for number in chosen:
            loop.remove_signal_handler(number)


async def _unless(stop: asyncio.Event, work: object) -> bool:
    """Whether `work` ended before a signal came; cancels it if not. Raises what it raised."""
    task = asyncio.ensure_future(work)  # type: ignore[call-overload]
    stopped = asyncio.ensure_future(stop.wait())
    await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
    ended = bool(task.done())
    stopped.cancel()
    if ended:
        task.result()
    else:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    return ended


def _keys(workspace: Workspace, config: Config) -> Keys:
    chat_needed = config.serving.require_key or not is_loopback(config.serving.host)
    keys, made = open_keys(workspace.root / "keys.json", chat_needed=chat_needed)
    for scope, key in made.items():
        print(f"{scope} key (shown only this once): {key}", flush=True)
    return keys


def _announce(state: Deployment, listening: socket.socket) -> None:
    host, port = listening.getsockname()[:2]
    live = state.swap.live
    assert live is not None
    teacher = "the teacher is loading" if state.teacher else "without a teacher"
    where = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    print(
        f"Deskmate is ready: {where}  ({live.release.id}, generation {live.generation}; {teacher})",
        flush=True,
    )


def _log_to_stderr() -> None:
    """Our own lines only: warnings as they are, replies as JSON."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    logger = logging.getLogger("deskmate")
    logger.handlers = [handler]
    logger.setLevel(logging.INFO)
    logger.propagate = False
