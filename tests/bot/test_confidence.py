"""A model that goes round in circles is noticed, one that repeats a phrase is not."""

from __future__ import annotations

from bot.confidence import looping


def test_looping_needs_three_times_the_same() -> None:
    assert looping("Well, " + "turn it off and on again " * 3)
    assert looping("no " * 12)
    assert not looping("no no no, that is not it")
    assert not looping("Open Settings, then Mail. Open Settings, then Calendar. Open Settings, then Tasks.")
