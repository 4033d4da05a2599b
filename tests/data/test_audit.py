"""The audit finds what redaction misses, and says so."""

import json
import random
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bot.cli import app
from data import audit
from data.audit import NEEDED, PERSONAL, Plant
from data.errors import BadInput
from data.redact import Redactor
from tests.data.test_importing import row

TEXTS = [message["text"] for n in range(9) for message in row(n)["messages"]]  # type: ignore[attr-defined]


def test_recall_and_false_alarms_on_planted_data() -> None:
    found = {finding.kind: finding for finding in audit.audit(TEXTS, each=150)}
    assert set(found) == {*PERSONAL, *NEEDED}
    for kind in ("e-mail addresses", "phone numbers", "payment cards", "IBANs", "links with a secret"):
        assert found[kind].share >= 0.995, found[kind]
    assert found["names where people sign and greet"].share >= 0.9
    assert all(found[kind].share <= 0.005 for kind in NEEDED), found


def test_what_is_missed_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Redactor, "__call__", lambda self, text: text)
    found = {finding.kind: finding for finding in audit.audit(TEXTS, each=6)}
    assert found["IBANs"].gone == 0 and len(found["IBANs"].wrong) == 5
    assert all(found[kind].gone == 0 and not found[kind].wrong for kind in NEEDED)


@pytest.mark.parametrize("kind", PERSONAL)
def test_what_is_planted_stands_in_the_text(kind: str) -> None:
    for seed in range(30):
        plant: Plant = PERSONAL[kind](random.Random(seed))
        assert all(part in plant.line for part in plant.parts)


def test_an_export_by_its_path_is_audited_and_no_other(tmp_path: Path) -> None:
    export = tmp_path / "t.jsonl"
    export.write_text("\n".join(json.dumps(row(n)) for n in range(9)))
    done = CliRunner().invoke(app, ["redact", "--audit", str(export), "--each", "3"])
    planted, *found = done.output.splitlines()
    assert planted.startswith("planted in ") and planted.endswith(f" messages of {export}")
    assert sum(" 3 of 3 found (100.0%)" in line for line in found) >= 5
    with pytest.raises(BadInput, match="give --audit"):
        CliRunner().invoke(app, ["redact", str(export)], catch_exceptions=False)
