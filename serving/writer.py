"""The one thread that writes the database: whatever has queued up goes into one transaction.

The event loop never waits for SQLite; fifty replies that end together cost one commit. Each piece of work has
a savepoint of its own, so that one that fails takes no other with it.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from sqlalchemy import Connection

from bot.store import Store
from data.errors import DeskmateError

T = TypeVar("T")
Work = Callable[[Connection], Any]
BATCH = 64
log = logging.getLogger("deskmate.writer")


class Writer:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._queue: SimpleQueue[tuple[Work, Future[Any]] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="deskmate-writer", daemon=True)
        self._thread.start()

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Do it in a transaction and wait until it is committed. Raises what `work` raised."""
        result: T = await asyncio.wrap_future(self.submit(work))
        return result

    def submit(self, work: Callable[[Connection], T]) -> Future[T]:
        """The same without waiting; a failure nobody waits for is logged."""
        future: Future[T] = Future()
        self._queue.put((work, future))
        return future

    def close(self) -> None:
        """Write what is queued, then stop."""
        self._queue.put(None)
        self._thread.join(10)

    def _run(self) -> None:
        while True:
            first = self._queue.get()
            batch = [first]
            try:
                while len(batch) < BATCH:
                    batch.append(self._queue.get_nowait())
            except Empty:
                pass
            self._commit([item for item in batch if item is not None])
            if None in batch:
                return

    def _commit(self, batch: list[tuple[Work, Future[Any]]]) -> None:
        done: list[tuple[Future[Any], Any]] = []
        try:
            with self._store.begin() as connection:
                for work, future in batch:
                    try:
                        with connection.begin_nested():
                            done.append((future, work(connection)))
                    except Exception as error:
                        _fail(future, error)
        except Exception as error:
            reason = str(error).splitlines()[0]
            for future, _ in done or [(future, None) for _, future in batch]:
                _fail(future, DeskmateError(f"cannot write the database ({reason}); is the disk full?"))
            return
        for future, result in done:
            if not future.cancelled():
                future.set_result(result)


def _fail(future: Future[Any], error: Exception) -> None:
    if not isinstance(error, DeskmateError):
        log.error("a write failed: %s: %s", type(error).__name__, str(error).splitlines()[0])
    if not future.done():
        future.set_exception(error)
