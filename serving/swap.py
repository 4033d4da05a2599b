"""Which release answers, and how another takes its place without a reply being dropped.

    lock (429) → generation check (409) → load beside the old one → warm up → flip → drain leases → stop the
    old one

A request takes a lease once and keeps its release to the end. Until the flip a failure changes nothing but
the answer to whoever asked for the swap.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module

from bot import prompt, releases, store
from bot.config import Config
from bot.knowledge import Found
from bot.releases import Release
from bot.store import Alias
from bot.tokens import Token
from data.errors import BadInput, Busy, Conflict, DeskmateError, EngineError
from data.records import Turn
from data.workspace import Workspace
from serving.launcher import Briefs, Find, Launcher
from serving.telemetry import Telemetry
from serving.upstream import Upstream
from serving.writer import Writer

DRAIN_SECONDS = 60.0
MOST_LEASES = 512
GOLDEN = (Turn(role="customer", text="Hello! Can you help me with my order?"),)
log = logging.getLogger("deskmate.swap")


@dataclass(slots=True, eq=False)
class Stage:
    """A release that is loaded. `leases` are the replies being made with it; `idle` is set while there are
    none.
    """

    release: Release
    generation: int
    student: Upstream
    find: Find
    briefs: Briefs = field(default_factory=list)
    leases: int = 0
    idle: asyncio.Event = field(default_factory=asyncio.Event)


class Swap:
    def __init__(
        self, workspace: Workspace, config: Config, launcher: Launcher, writer: Writer, telemetry: Telemetry, *,
        drain_seconds: float = DRAIN_SECONDS,
    ) -> None:  # fmt: skip
        self._workspace = workspace
        self._config = config
        self._launcher = launcher
        self._writer = writer
        self._telemetry = telemetry
        self._drain_seconds = drain_seconds
        self._lock = asyncio.Lock()
        self._retiring: dict[asyncio.Task[None], Stage] = {}
        self._pool = ThreadPoolExecutor(1, "deskmate-search")
        self.live: Stage | None = None

    async def open(self) -> Stage:
        """Load the live release; the newest one, made live, at the very first start. Raises what loading
        raised.
        """
        alias = await self._writer.write(store.read_alias)
        release = await asyncio.to_thread(self._release, alias.release if alias else "")
        stage = await self._load(release)
        if alias is None:
            alias = await self._flip(release.id, 0, "first start")
        stage.generation = alias.generation
        self.live = stage
        return stage

    @contextmanager
    def lease(self) -> Iterator[Stage]:
        """The live release, kept until the block ends. Raises EngineError before the first one is loaded."""
        stage = self.live
        if stage is None:
            raise EngineError("Deskmate is still starting; try again in a moment")
        if stage.leases >= MOST_LEASES:
            raise Busy("too many replies are being made at once; try again in a moment")
        stage.leases += 1
        stage.idle.clear()
        self._telemetry.in_flight.inc()
        try:
            yield stage
        finally:
            stage.leases -= 1
            self._telemetry.in_flight.dec()
            if not stage.leases:
                stage.idle.set()

    @property
    def leases(self) -> int:
        return sum(stage.leases for stage in [*self._retiring.values(), *([self.live] if self.live else [])])

    async def search(self, stage: Stage, question: str) -> Found:
        """In one thread: tokenizers are not safe in several, and a search takes milliseconds."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, stage.find, question)

    async def promote(self, name: str, *, expected: int | None, who: str) -> Alias:
        """Make a release live. Raises Busy, Conflict, NotFound, BadInput, or EngineError when it does not
        load.
        """
        async with self._alone():
            now = await self._writer.write(store.read_alias)
            generation = now.generation if now else 0
            if expected is not None and expected != generation:
                raise Conflict(f"live is at generation {generation}, not {expected}; look at it again, then promote")
            if now and self.live and now.release == name == self.live.release.id:
                return now
            return await self._swap(name, lambda: self._flip(name, generation, who))

    async def rollback(self, *, expected: int | None, who: str) -> Alias:
        """Back to what was live before the last flip; twice is forward again."""
        name = await self._writer.write(store.previous)
        return await self.promote(name, expected=expected, who=who)

    async def follow(self, every: float = 2.0) -> None:
        """Watch the alias: another process (`deskmate release promote`) may flip it. Runs until cancelled."""
        while True:
            await asyncio.sleep(every)
            try:
                await self._follow_once()
            except DeskmateError as error:
                log.warning("following the live alias: %s", error)

    async def close(self) -> None:
        for task in self._retiring:
            task.cancel()
        await asyncio.gather(*self._retiring, return_exceptions=True)
        live, self.live = self.live, None
        if live:
            await live.student.close()
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def drain(self, seconds: float) -> bool:
        """Wait until no reply is being made, new ones being refused; False when the deadline came first."""
        stages = [*self._retiring.values(), *([self.live] if self.live else [])]
        try:
            async with asyncio.timeout(seconds):
                for stage in stages:
                    while stage.leases:
                        await stage.idle.wait()
        except TimeoutError:
            return False
        return True

    async def _follow_once(self) -> None:
        alias = await self._writer.write(store.read_alias)
        if alias is None or self.live is None or self._lock.locked():
            return
        if alias.release == self.live.release.id:
            self.live.generation = alias.generation
            return
        old = self.live.release.id

        async def seen() -> Alias:
            return alias

        async with self._alone():
            try:
                await self._swap(alias.release, seen)
            except DeskmateError:
                await self._flip(old, alias.generation, f"{store.TAKEN_BACK}{alias.release} did not load")
                raise

    def _alone(self) -> asyncio.Lock:
        """The lock, never queued for."""
        if self._lock.locked():
            raise Busy("another swap is under way; try again when it is done")
        return self._lock

    async def _swap(self, name: str, flip: Callable[[], Awaitable[Alias]]) -> Alias:
        old = self.live
        try:
            stage = await self._load(await asyncio.to_thread(self._release, name))
        except DeskmateError as error:
            self._telemetry.swap("failed", release=name)
            if isinstance(error, EngineError) and old:
                raise EngineError(f"{name} did not load ({error}); {old.release.id} keeps serving") from error
            raise
        try:
            alias = await flip()
        except BaseException:
            await stage.student.close()
            raise
        stage.generation = alias.generation
        self.live = stage
        self._telemetry.swap("flipped", release=name, generation=alias.generation)
        if old is not None:
            task = asyncio.create_task(self._retire(old))
            self._retiring[task] = old
            task.add_done_callback(lambda done: self._retiring.pop(done, None))
        return alias

    async def _retire(self, stage: Stage) -> None:
        try:
            async with asyncio.timeout(self._drain_seconds):
                while stage.leases:
                    await stage.idle.wait()
        except TimeoutError:
            log.warning("%s still had %d replies at its deadline", stage.release.id, stage.leases)
        finally:
            await stage.student.close()

    def _release(self, name: str) -> Release:
        release = releases.load(self._workspace, name) if name else releases.latest(self._workspace)
        if release.prompt_version != prompt.VERSION:
            raise BadInput(f"{release.id} was made with another prompt; run `deskmate train` to `release create` again")
        return release

    async def _load(self, release: Release) -> Stage:
        """Start the student beside whatever runs, and have it say a few words."""
        student = Upstream(
            f"student of {release.id}", lambda: self._launcher.student(release),
            parallel=self._config.student.parallel, patience=self._config.serving.first_token_seconds,
        )  # fmt: skip
        try:
            find, briefs = await self._launcher.find(release)
            await student.start()
            stage = Stage(release, 0, student, find, briefs)
            await self._warm_up(stage)
        except BaseException:
            await student.close()
            raise
        return stage

    async def _warm_up(self, stage: Stage) -> None:
        voice = stage.student.voice
        if voice is None:
            raise EngineError("its server died at once; see workspace/logs")
        await asyncio.to_thread(import_module, "openai")  # seconds, the first time; no customer waits for them
        found = await self.search(stage, GOLDEN[0].text)
        desk = self._config.desk
        messages = prompt.build(desk.name, desk.about, GOLDEN, found.passages)
        said = ""
        async for event in voice.engine.stream(messages, max_tokens=8, temperature=0.0, seed=0):
            said += event.text if isinstance(event, Token) else ""
        if not said.strip():
            raise EngineError("it answered the golden prompt with nothing")

    async def _flip(self, name: str, generation: int, who: str) -> Alias:
        return await self._writer.write(
            lambda connection: store.promote(connection, name, expected=generation, who=who)
        )
