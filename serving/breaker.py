"""One breaker per model server: after too many failures it is left alone, then tried with a single request.

closed ──half of the last 10 failed, 4 at least──▶ open ──cooled──▶ half open ──worked──▶ closed
                                                    ▲                  └──failed──▶ open, twice as long
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

WINDOW = 10
LEAST = 4
LONGEST_SECONDS = 120.0


class Breaker:
    """Use from one event loop. Every `allows()` that said yes is followed by one `record()`."""

    def __init__(self, cool_seconds: float = 5.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._first_cool = self._cool = cool_seconds
        self._outcomes: deque[bool] = deque(maxlen=WINDOW)
        self._open_until: float | None = None
        self._probing = False

    def allows(self) -> bool:
        if self._open_until is None:
            return True
        if self._probing or self._clock() < self._open_until:
            return False
        self._probing = True
        return True

    def record(self, worked: bool | None) -> None:
        """How a request went; None when the customer left before anyone could tell."""
        probing, self._probing = self._probing, False
        if worked is None:
            return
        if self._open_until is not None:
            if not probing:
                return
            self._cool = self._first_cool if worked else min(2 * self._cool, LONGEST_SECONDS)
            self._open_until = None if worked else self._clock() + self._cool
            self._outcomes.clear()
            return
        self._outcomes.append(worked)
        failures = self._outcomes.count(False)
        if failures >= LEAST and 2 * failures >= len(self._outcomes):
            self._open_until = self._clock() + self._cool
            self._outcomes.clear()
