"""The whole import on a small desk."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from datasets import load_dataset

from data.card import PARTS
from data.errors import BadInput, DeskmateError
from data.importers import find
from data.importing import import_desk, summary
from data.parquet import read_rows
from data.records import Article, Exchange, Passage, Rejected, Review
from data.redact import PLAIN
from data.reviews import key, write_sheet
from data.rules import Rules
from data.spool import SCHEMA
from data.workspace import Workspace, manifest_of
from tests.data.exports import zendesk

START = datetime(2025, 1, 1, tzinfo=UTC)


def row(n: int, **changes: object) -> dict[str, object]:
    return {
        "id": f"A{n:02d}",
        "created": (START + timedelta(days=n)).isoformat(),
        "subject": f"Problem {n}",
        "tags": ["topic"],
        "messages": [
            {"role": "customer", "text": f"Thing {n} is broken, mail ann{n}@example.com " + f"q{n} " * n},
            {"role": "agent", "visibility": "internal", "text": f"SECRET note {n}"},
            {"role": "agent", "text": f"Please turn thing {n} off and on again.\n\nBest regards,\nMara\nThing Support"},
        ],
        **changes,
    }


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    rows = [json.dumps(row(n)) for n in range(12)]
    rows += [
        "{bad",
        json.dumps(row(3)),
        json.dumps(row(20, locale="de")),
        json.dumps(row(21, status="merged")),
    ]
    rows += [json.dumps(row(2, id="OPEN", status="open"))]
    (tmp_path / "tickets.jsonl").write_text("\n".join(rows))
    (tmp_path / "kb").mkdir()
    (tmp_path / "kb" / "a.md").write_text("# Thing\n\nTurn it. Write to help@example.com.")
    return tmp_path


def asked(n: int) -> dict[str, object]:
    """One of Zendesk's, on its day, by a customer and with a question of their own."""
    made = zendesk(n) | {"created_at": (START + timedelta(days=n)).isoformat(), "requester_id": 100 + n}
    for comment in made["comments"]:
        if comment["author_id"] == 50:
            comment |= {"author_id": 100 + n, "html_body": f"{comment.get('html_body') or comment['body']} {n} {n} {n}"}
    return made


def run(desk: Path, *, rules: Rules = PLAIN, reviews: Path | None = None, **changes: int) -> Path:
    sizes = {"heldout": 3, "validation": 2, "limit_train": 0, **changes}
    return import_desk(
        Workspace(desk / "ws"), find(desk / "tickets.jsonl", {}), desk / "kb", columns={}, first_reply_only=False,
        rules=rules, reviews=reviews, **sizes,
    )  # fmt: skip


def test_everything_is_there_and_nothing_that_must_not_be(desk: Path) -> None:
    made = run(desk)
    exchanges = read_rows(made / "exchanges.parquet", Exchange)
    passages = read_rows(made / "passages.parquet", Passage)
    assert [sum(e.split == s for e in exchanges) for s in ("train", "validation", "heldout")] == [7, 2, 3]
    first = min(e.created for e in exchanges if e.split == "heldout")
    past = [p for p in passages if p.kind == "ticket"]
    assert all(p.created and p.created < first for p in past)
    assert {p.id for p in past} == {f"A{n:02d}-1" for n in range(9)}  # without OPEN-1 and the held-out
    assert past[0].text.startswith("Customer: Thing 0 is broken, mail [EMAIL]")
    assert past[0].text.endswith("\nAgent: Please turn thing 0 off and on again.")
    everything = "".join(record.model_dump_json() for record in [*exchanges, *passages])
    assert "SECRET" not in everything
    assert "ann1@" not in everything
    assert "help@example.com" in read_rows(made / "articles.parquet", Article)[0].text  # the desk's own address stays
    rejected = read_rows(made / "rejected.parquet", Rejected)
    assert [(row.line, row.kind, row.record, row.match) for row in rejected] == [
        (13, "unreadable", "", ""), (14, "again", "A03", "A03"), (15, "other_language", "A20", ""),
        (16, "merged", "A21", ""), (3, "near_duplicate", "A02-1", "OPEN-1"),
    ]  # fmt: skip
    assert rejected[2].reason == "in another language: de"
    assert rejected[3].text.startswith("Problem 21\nThing 21 is broken, mail [EMAIL_1] q21")
    assert "SECRET" not in "".join(row.model_dump_json() for row in rejected)
    assert {path.name for path in made.iterdir()} == {
        "README.md", "manifest.json", *(f"{name}.parquet" for name in PARTS)
    }  # fmt: skip


def test_reviews_are_imported_as_far_as_they_fit(desk: Path) -> None:
    plain = run(desk)
    (note,) = [p for p in read_rows(plain / "passages.parquet", Passage) if p.kind == "article"]
    test = next(e.id for e in read_rows(plain / "exchanges.parquet", Exchange) if e.split == "heldout")
    other = note.model_copy(update={"text": "other"})
    keys = [key("A01-1", note), key("A01-1", note), key("A01-1", other), key(test, note)]
    sheet = desk / "reviews.csv"
    write_sheet(sheet, [{"id": name, "score": score} for name, score in zip(keys, "2924", strict=True)])
    made = run(desk, reviews=sheet)
    assert read_rows(made / "reviews.parquet", Review) == [
        Review(exchange="A01-1", passage=note.id, score=2, wrong=False)
    ]
    (bad,) = [row for row in read_rows(made / "rejected.parquet", Rejected) if row.kind == "review"]
    assert (bad.file, bad.line, bad.record) == ("reviews.csv", 3, "A01-1")
    assert (
        "1 of 4 reviews count; of the others 1 are of words that are gone, 1 of the test's questions, "
        "1 cannot be read (rejected.parquet)"
    ) in summary(made)
    write_sheet(sheet, [{"id": keys[0], "score": "3"}])
    assert run(desk, reviews=sheet) != made, "another sheet is another import"


def test_counts_and_summary(desk: Path) -> None:
    made = run(desk)
    counts = manifest_of(made).counts
    expected = {
        "tickets": 15,
        "exchanges": 13,
        "rejected": 2,
        "other_languages": 1,
        "merged": 1,
        "internal_notes_kept_out": 15,
        "messages": 45,
        "near_duplicates": 1,
        "dropped: near_duplicate": 1,
        "language: de": 1,
        "language: en": 14,
        "customers": 0,
        "cleaned: signature": 13,
    }
    assert {name: counts[name] for name in expected} == expected
    assert counts["redactions"] == 13
    assert any("13 exchanges" in line for line in summary(made))
    assert any("left out: 2 rows that could not be used" in line for line in summary(made))
    tickets = sum(counts[f"dropped: {kind}"] for kind in ("other_language", "merged"))
    assert counts["tickets"] == counts["exchanges"] + tickets, "one exchange of each of the others"
    parts = sum(counts[split] for split in ("train", "validation", "heldout"))
    assert counts["exchanges"] == parts + counts["near_duplicates"] + counts["same_customer"] + counts["beyond_limit"]


def test_stock_sentences_are_neither_taught_nor_evidence(desk: Path) -> None:
    bye = "Please let us know if you have any other questions."
    rows = [row(n) for n in range(30)]
    for n, each in enumerate(rows):
        each["messages"] = [
            {"role": "customer", "text": f"Thing {n} is broken " + f"q{n} " * (n + 9)},
            {"role": "agent", "text": f"Thank you for contacting us! Please turn thing {n} off and on. {bye}"},
            {"role": "customer", "text": f"And then {n}?"},
            {"role": "agent", "text": bye},
        ]
    (desk / "tickets.jsonl").write_text("\n".join(map(json.dumps, rows)))
    made = run(desk)
    exchanges = read_rows(made / "exchanges.parquet", Exchange)
    first = [each for each in exchanges if each.id.endswith("-1")]
    assert len(first) > 20
    assert all(each.human_reply == f"Please turn thing {int(each.ticket_id[1:])} off and on." for each in first)
    assert {each.human_reply for each in exchanges if each.id.endswith("-2")} <= {bye}
    past = [p.text for p in read_rows(made / "passages.parquet", Passage) if p.kind == "ticket" and p.id.endswith("-1")]
    assert past and all(text.endswith("off and on.") for text in past)
    assert manifest_of(made).counts["cleaned: stock sentences"] == 30


def test_the_desks_own_address_is_imported_as_it_is(desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [row(n) for n in range(12)]
    for each in rows:
        each["messages"][2]["text"] += " Write to help@thing.example or +44 20 7946 0000."  # type: ignore[index]
    (desk / "tickets.jsonl").write_text("\n".join(map(json.dumps, rows)))
    plain, own = run(desk), Rules(("thing.example", "+44 20 7946 0000"))
    for size in (2_000_000, 0):  # in this process, in others
        monkeypatch.setattr("data.importing.BIG_BYTES", size)
        made = run(desk, rules=own)
        assert made != plain, "other rules make another import"
        for each in read_rows(made / "exchanges.parquet", Exchange):
            assert "Write to help@thing.example or +44 20 7946 0000." in each.human_reply
            assert "[EMAIL_1]" in each.turns[0].text
        monkeypatch.setattr("data.importing.CODE", "other")
    assert "help@" not in (plain / "exchanges.parquet").read_bytes().decode("latin-1")


def test_the_same_work_is_done_once(desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = run(desk)
    monkeypatch.setattr("data.importing._gather", None)
    assert run(desk) == made
    monkeypatch.undo()
    assert run(desk, limit_train=2) != made


def test_a_changed_page_makes_another_import(desk: Path) -> None:
    (desk / "kb" / "page.html").write_text("<title>Page</title><p>Old words.</p>")
    made = run(desk)
    assert [a.id for a in read_rows(made / "articles.parquet", Article)] == ["a", "page"]
    (desk / "kb" / "page.html").write_text("<title>Page</title><p>New words.</p>")
    assert run(desk) != made


def test_limit_keeps_the_rest_as_evidence(desk: Path) -> None:
    made = run(desk, limit_train=2)
    assert manifest_of(made).counts["train"] == 2
    assert manifest_of(made).counts["past_tickets"] == 9


def test_two_processes_give_the_same_rows(desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = manifest_of(run(desk)).files
    monkeypatch.setattr("data.importing.BIG_BYTES", 0)
    monkeypatch.setattr("data.importing.BATCH", 2)
    monkeypatch.setattr("data.importing.CODE", "other")
    assert manifest_of(run(desk)).files == one


def test_a_killed_import_begins_its_spool_anew(desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = manifest_of(run(desk)).files
    monkeypatch.setattr("data.importing.CODE", "other")
    with monkeypatch.context() as killed:
        killed.setattr("data.spool.Spool.close", lambda spool: spool.store.close())
        killed.setattr("data.importing.divide", None)
        with pytest.raises(TypeError):
            run(desk)
    (partial,) = (desk / "ws" / "tickets").glob(".partial-*")
    assert (partial / ".spool.db").stat().st_size > 0
    made = run(desk)
    assert manifest_of(made).files == whole
    assert not list(made.glob(".*"))


def test_a_disk_that_the_spool_fills_is_one_clear_line(desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("data.spool.SCHEMA", f"PRAGMA max_page_count=12; {SCHEMA}")
    with pytest.raises(DeskmateError, match=r"disk is full; free some space"):
        run(desk)
    assert list((desk / "ws" / "tickets").iterdir()) == []


def test_failures_leave_nothing_behind(desk: Path) -> None:
    with pytest.raises(BadInput, match=r"lower desk.heldout"):
        run(desk, heldout=100)
    (desk / "tickets.jsonl").write_text(json.dumps(row(1, locale="de")) + "\n{bad")
    with pytest.raises(BadInput, match=r"no English ticket.*line 2"):
        run(desk)
    assert list((desk / "ws" / "tickets").iterdir()) == []


def test_full_disk_is_one_clear_line(desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(DeskmateError, match="No space left"):
        run(desk)
    monkeypatch.undo()
    assert manifest_of(run(desk)).counts["train"] == 7


def test_a_folder_of_separate_files_imports_as_one_export(tmp_path: Path) -> None:
    folder = tmp_path / "export"
    folder.mkdir()
    rows = [asked(n) for n in range(1, 9)]
    said = [{"ticket_id": each["id"], **comment} for each in rows for comment in each.pop("comments")]
    (folder / "tickets.json").write_text(json.dumps({"tickets": rows}))
    (folder / "comments.jsonl").write_text("\n".join(json.dumps(comment) for comment in said))
    workspace = Workspace(tmp_path / "workspace")
    made = import_desk(
        workspace, find(folder, {}), None, columns={}, first_reply_only=False, heldout=2, validation=1, limit_train=0
    )
    assert "SECRET" not in "".join(each.model_dump_json() for each in read_rows(made / "exchanges.parquet", Exchange))
    assert manifest_of(made).counts["internal_notes_kept_out"] == 16
    (folder / "comments.jsonl").write_text(json.dumps(said[0]))
    with pytest.raises(BadInput, match="no English ticket"):
        import_desk(
            workspace,
            find(folder, {}),
            None,
            columns={},
            first_reply_only=False,
            heldout=2,
            validation=1,
            limit_train=0,
        )


def test_the_folder_is_a_dataset_with_a_card(desk: Path, tmp_path: Path) -> None:
    made = run(desk)
    card = (made / "README.md").read_text()
    assert "| heldout | 3 | 3 | 2025-01-10 to 2025-01-12 |" in card
    assert "| other_language | 1 | tickets in another language |" in card and "SECRET" not in card
    for name, rows in (("exchanges", 12), ("passages", 10)):
        loaded = load_dataset(str(made), name, cache_dir=str(tmp_path / "cache"))
        assert loaded["train"].num_rows == rows
