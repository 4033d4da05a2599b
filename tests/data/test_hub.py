"""A data set that is named as the Hugging Face hub names it; the hub itself is never asked here."""

from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset, DatasetDict
from datasets.exceptions import DatasetNotFoundError

from bot.cli.loop import run_import
from bot.config import load
from data.errors import BadInput
from data.importers import read
from data.importers.hub import local
from data.records import Ticket
from data.workspace import Workspace, manifest_of
from tests.data.test_importing import row


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the hub was asked for; it has acme/desk only."""
    names: list[str] = []
    parts = {
        "train": Dataset.from_list([row(n) for n in range(9)]),
        "test": Dataset.from_list([row(n) for n in range(9, 12)]),
    }

    def hub(name: str) -> DatasetDict:
        names.append(name)
        if name == "acme/desk":
            return DatasetDict(parts)
        raise DatasetNotFoundError(f"Dataset {name!r} doesn't exist on the Hub\nor cannot be accessed.")

    monkeypatch.setattr("datasets.load_dataset", hub)
    monkeypatch.chdir(tmp_path)
    return names


def test_it_is_fetched_once_and_all_its_splits_are_read(asked: list[str], tmp_path: Path) -> None:
    for _ in range(2):
        kept = local(Path("acme/desk"), tmp_path / "ws")
        assert kept == tmp_path / "ws" / "hub" / "acme--desk"
        found = [each for each in read(kept) if isinstance(each, Ticket)]
        assert {each.id for each in found} == {f"A{n:02d}" for n in range(12)}
    assert asked == ["acme/desk"]


def test_the_import_command_takes_its_name(asked: list[str], tmp_path: Path) -> None:
    values = load(None, ["desk.tickets=acme/desk", "desk.articles=", "desk.heldout=3", "desk.validation=2"])
    assert manifest_of(run_import(Workspace(tmp_path / "ws"), values)).counts["tickets"] == 12
    assert asked == ["acme/desk"]


@pytest.mark.parametrize(
    "path", ["exports/tickets.jsonl", "x/tickets.csv", "a/b/c", "tickets", "/a/b", "../x", "here/x"]
)
def test_a_path_is_no_name(asked: list[str], tmp_path: Path, path: str) -> None:
    (tmp_path / "here").mkdir()
    assert local(Path(path), tmp_path / "ws") == Path(path)
    assert asked == []


def test_what_cannot_be_had_is_one_clear_line_and_leaves_nothing(
    asked: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BadInput, match=r"^acme/none: no such file, and not to be had .*exist on the Hub\)$"):
        local(Path("acme/none"), tmp_path / "ws")

    def full(*_: Any, **__: Any) -> None:
        (tmp_path / "ws" / "hub" / ".partial-acme--desk").mkdir(parents=True)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(DatasetDict, "save_to_disk", full)
    with pytest.raises(BadInput, match="No space left"):
        local(Path("acme/desk"), tmp_path / "ws")
    assert not list((tmp_path / "ws").rglob("*acme*"))
