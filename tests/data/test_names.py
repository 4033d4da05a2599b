"""The optional recogniser of names: one that is scripted, and none that can be had."""

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from bot.config import load
from bot.private import private
from data import names
from data.audit import audit
from data.errors import BadInput
from data.importers import find
from data.importing import import_desk
from data.parquet import read_rows
from data.records import Exchange, Turn
from data.redact import redact
from data.rules import Rules
from data.workspace import Workspace
from serving.run import serve
from tests.data.test_importing import row

SAID = "I spoke to Ann Lee about Thunderbird; the Team said nothing and @ann neither."
SPACY = """
from types import SimpleNamespace as Thing
def load(name):
    if name != "scripted":
        raise OSError("[E050] Can't find model")
    found = [("Ann Lee", "PERSON"), ("Thunderbird", "PERSON"), ("Team", "PERSON"), ("@ann", "PERSON"), ("said", "ORG")]
    return lambda text: Thing(ents=[Thing(text=word, label_=label) for word, label in found if word in text])
"""


@pytest.fixture
def scripted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rules]:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "spacy.py").write_text(SPACY)
    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.delitem(sys.modules, "spacy", raising=False)
    names.recogniser.cache_clear()
    yield Rules(names_model="scripted")
    names.recogniser.cache_clear()
    sys.modules.pop("spacy", None)


class Everybody(Rules):
    def recogniser(self) -> names.Recogniser:
        def found(text: str) -> Iterable[str]:
            return ["Ann Lee"] if "Lee" in text else []

        return found


def test_a_name_in_passing_goes_where_a_recogniser_finds_it() -> None:
    assert redact("I spoke to Ann Lee. Ann was kind.", Everybody()) == "I spoke to [PERSON_1]. [PERSON_1] was kind."
    assert redact("I spoke to Ann Lee.") == "I spoke to Ann Lee."


def test_what_a_model_calls_a_person_is_one_only_if_it_may_be(scripted: Rules) -> None:
    assert list(scripted.recogniser()(SAID)) == ["Ann Lee", "Thunderbird"]
    told = redact(SAID, scripted)
    assert told == "I spoke to [PERSON_1] about Thunderbird; the Team said nothing and @[PERSON_1] neither."
    assert names.recogniser("scripted") is names.recogniser("scripted")


def test_it_is_asked_at_import_and_at_serving(scripted: Rules, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [row(n) for n in range(12)]
    for each in rows:
        each["messages"][2]["text"] = "Please turn it off; Ann Lee will call."  # type: ignore[index]
    (tmp_path / "t.jsonl").write_text("\n".join(map(json.dumps, rows)))
    monkeypatch.setattr("data.importing.BIG_BYTES", 0)  # in other processes
    made = import_desk(
        Workspace(tmp_path / "ws"), find(tmp_path / "t.jsonl", {}), None, columns={}, first_reply_only=False,
        heldout=3, validation=2, limit_train=0, rules=scripted,
    )  # fmt: skip
    assert all(" [PERSON_1] will call." in each.human_reply for each in read_rows(made / "exchanges.parquet", Exchange))
    _, (turn,) = private([Turn(role="customer", text="Will Ann Lee call?")], scripted)
    assert turn.text == "Will [PERSON_1] call?"
    assert {each.kind: each.gone for each in audit(["x"], 5, rules=Everybody())}["version numbers"] == 0


def test_a_missing_model_or_extra_is_one_clear_line_before_any_work(
    scripted: Rules, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = load(None, ["desk.names_model=en_core_web_sm"])
    with pytest.raises(
        BadInput, match=r"^desk.names_model: no spaCy model .*: python -m spacy download en_core_web_sm"
    ):
        values.desk.rules.recogniser()
    monkeypatch.setitem(sys.modules, "spacy", None)
    for work in (
        lambda: serve(Workspace(tmp_path), values),
        lambda: import_desk(
            Workspace(tmp_path), None, None, columns={}, first_reply_only=False,  # type: ignore[arg-type]
            heldout=1, validation=1, limit_train=0, rules=values.desk.rules,
        ),
    ):  # fmt: skip
        with pytest.raises(BadInput, match=r"pip install 'deskmate\[names\]'"):
            work()
    assert list(names.recogniser("")(SAID)) == []
