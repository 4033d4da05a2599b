"""Scores of single replies."""

from __future__ import annotations

from eval.metrics import evidence_reach, measure, quality

CONTEXT = "Pause for up to 12 weeks in Account > Beans Club."


def test_a_good_reply() -> None:
    found = measure("You can pause for up to 12 weeks.", "How long?", CONTEXT, teacher="Up to 12 weeks.", human=None)
    assert found["fidelity"] == 1.0
    assert found["evasion"] == found["unsupported"] == 0
    assert found["grounding"] is not None
    assert found["grounding"] > 0.5
    assert found["overlap_human"] is None
    assert found["words"] == 8


def test_an_evasion_is_worth_nothing_however_grounded() -> None:
    found = measure("The article does not address pauses.", "?", CONTEXT, teacher=None, human=None)
    assert found["evasion"] == 1.0
    assert found["quality"] == 0.0


def test_quality_and_reach() -> None:
    assert quality(0.5, None, failed=False) == 0.5
    assert quality(0.5, 1.0, failed=False) == 0.75
    assert evidence_reach("Pause for 12 weeks", CONTEXT) == 1.0
    assert evidence_reach("We will refund the kettle", CONTEXT) == 0.0
    assert evidence_reach("", CONTEXT) == 1.0
