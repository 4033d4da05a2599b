"""The breaker, on a clock of its own."""

from __future__ import annotations

from serving.breaker import Breaker


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def failed(breaker: Breaker, times: int) -> None:
    for _ in range(times):
        assert breaker.allows()
        breaker.record(False)


def test_it_opens_after_enough_failures_and_closes_after_one_good_probe() -> None:
    clock = Clock()
    breaker = Breaker(5.0, clock)
    failed(breaker, 4)
    assert not breaker.allows()
    clock.now = 5.0
    assert breaker.allows()
    assert not breaker.allows()  # one probe at a time
    breaker.record(True)
    assert breaker.allows()


def test_a_failed_probe_waits_twice_as_long_and_an_unfinished_one_frees_its_place() -> None:
    clock = Clock()
    breaker = Breaker(5.0, clock)
    failed(breaker, 4)
    clock.now = 5.0
    assert breaker.allows()
    breaker.record(None)
    assert breaker.allows()
    breaker.record(False)
    clock.now = 14.9
    assert not breaker.allows()
    clock.now = 15.0
    assert breaker.allows()


def test_a_few_failures_among_successes_do_not_open_it() -> None:
    breaker = Breaker()
    for worked in (True, True, False, True, True, False, True, False):
        breaker.record(worked)
    assert breaker.allows()
