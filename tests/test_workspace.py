"""A kill at any moment loses nothing and fakes nothing."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from data.errors import BadInput, DeskmateError, NotFound
from data.parquet import read_rows, write_rows
from data.records import Answer, Article, Exchange, Message, Passage, Rejected, Ticket, Turn
from data.workspace import (
    Workspace,
    file_sha256,
    manifest_of,
    write_bytes,
)

NOW = datetime(2025, 3, 1, 10, 30, tzinfo=UTC)


def exchange(name: str, turns: tuple[Turn, ...]) -> Exchange:
    return Exchange(
        id=name,
        ticket_id="t",
        subject="s",
        product="",
        topic="",
        created=NOW,
        split="train",
        turns=turns,
        human_reply="r",
    )


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [Rejected(file="a", line=1, reason="b")],
        [exchange("a", ()), exchange("b", ())],
        [exchange("a", ()), exchange("b", (Turn(role="customer", text="hi"), Turn(role="agent", text="ho")))],
        [
            Ticket(id="t", created=NOW, messages=()),
            Ticket(
                id="u",
                created=NOW,
                tags=("x",),
                messages=(
                    Message(id="m", role="agent", text="hi"),
                    Message(id="n", role="bot", text="é", created=NOW),
                ),
            ),
        ],
        [
            Passage(id="p", kind="article", title="t", text="x"),
            Passage(id="q", kind="ticket", title="", text="", created=NOW, score=0.5),
        ],
        [Passage(id="p", kind="article", title="t", text="x")],
        [Answer(sample_id="s", exchange_id="e", source="teacher", text="t", logprob=-1.5)],
    ],
)
def test_rows_come_back_as_they_went(
    tmp_path: Path, rows: list[Rejected | Exchange | Ticket | Passage | Answer]
) -> None:
    kind = type(rows[0]) if rows else Exchange
    write_rows(tmp_path / "x.parquet", rows, kind)
    assert read_rows(tmp_path / "x.parquet", kind) == rows


def test_a_missing_or_damaged_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="is missing"):
        read_rows(tmp_path / "x.parquet", Article)
    (tmp_path / "x.parquet").write_bytes(b"PAR1 nonsense")
    with pytest.raises(BadInput, match="damaged"):
        read_rows(tmp_path / "x.parquet", Article)


def test_a_draft_is_invisible_until_finished(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "ws")
    draft = workspace.draft("tickets", {"tickets": "abc"}, {"n": 1})
    assert not draft.done
    with pytest.raises(NotFound, match="deskmate import"):
        workspace.latest("tickets")
    write_bytes(draft.path / "a.txt", b"hello")
    made = draft.finish({"rows": 1})
    manifest = manifest_of(made)
    assert (manifest.kind, manifest.counts, manifest.inputs) == ("tickets", {"rows": 1}, {"tickets": "abc"})
    assert manifest.files == {"a.txt": file_sha256(made / "a.txt")}
    assert workspace.latest("tickets") == workspace.find("tickets", made.name) == made
    assert not draft.path.exists()


def test_what_was_asked_for_last_is_what_the_next_command_goes_on_from(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    old, new = (workspace.draft("tickets", {"tickets": name}, {}).finish({}) for name in ("old", "new"))
    for age, made in enumerate((new, old)):
        os.utime(made / "manifest.json", (1_000 - age, 1_000 - age))
    assert workspace.latest("tickets") == new
    assert workspace.draft("tickets", {"tickets": "old"}, {}).done
    assert workspace.latest("tickets") == old


def test_same_work_same_id_and_half_done_work_goes_on(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    half = workspace.draft("corpus", {"a": "1"}, {"n": 1})
    write_bytes(half.path / "part.txt", b"kept")
    again = workspace.draft("corpus", {"a": "1"}, {"n": 1})
    assert again == half
    assert (again.path / "part.txt").read_bytes() == b"kept"
    made = again.finish({})
    done = workspace.draft("corpus", {"a": "1"}, {"n": 1})
    assert done.done
    assert done.path == done.final == made
    assert workspace.draft("corpus", {"a": "1"}, {"n": 2}).id != done.id


def test_killed_between_manifest_and_rename(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    draft = workspace.draft("corpus", {}, {"n": 1})
    made = draft.finish({})
    made.replace(draft.path)
    assert workspace.draft("corpus", {}, {"n": 1}).done
    assert made.is_dir()


def test_a_full_disk_keeps_the_old_file_and_leaves_no_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.txt"
    write_bytes(path, b"old")

    def full(_: int) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DeskmateError, match="No space left on device; free some space") as caught:
        write_bytes(path, b"new")
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_ids_may_not_leave_the_workspace(tmp_path: Path) -> None:
    for name in ("../secret", ".partial-x", "nothing"):
        with pytest.raises(NotFound):
            Workspace(tmp_path).find("tickets", name)


def test_a_workspace_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(DeskmateError, match="cannot create"):
        Workspace(tmp_path / "file").draft("tickets", {}, {})


def test_a_discarded_draft_leaves_nothing(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    draft = workspace.draft("corpus", {}, {})
    workspace.discard(draft)
    assert not draft.path.exists()
