"""Every shape is recognised by content; every bad row is reported by file and line and stops nothing."""

import gzip
import json
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import Dataset
from openpyxl import Workbook

from data.errors import BadInput
from data.importers import read
from data.importers.lines import lines
from data.importers.times import instant
from data.records import Rejected, Ticket


def own(name: object = "A1", **changes: object) -> dict[str, object]:
    messages = [
        {"role": "customer", "text": "My grinder hums but does not turn."},
        {"role": "agent", "text": "Unplug it and lift the upper burr."},
    ]
    return {"id": name, "created": "2025-03-01T10:00:00Z", "messages": messages, **changes}


def thread(name: int = 7) -> dict[str, object]:
    agent = {"id": "a1", "role": "agent", "author": "x", "html": "<p>Try safe mode</p>", "solution": True}
    return {
        "id": name,
        "subject": "A &amp; B",
        "locale": "en-US",
        "product": "mail",
        "topic": "sync",
        "tags": ["t1"],
        "created": "2023-01-01 02:21:46 +0000",
        "solved": True,
        "messages": [
            {"id": "q1", "role": "customer", "author": "u", "html": "<p>Help</p>"},
            {**agent, "helpful_votes": 3, "trusted": False},
            {
                **agent,
                "id": "a2",
                "solution": False,
                "helpful_votes": 0,
                "trusted": False,
                "html": "<p>me too</p>",
            },
        ],
    }


def split(path: Path, columns: dict[str, str] | None = None) -> tuple[list[Ticket], list[Rejected]]:
    found = list(read(path, columns))
    return [t for t in found if isinstance(t, Ticket)], [r for r in found if isinstance(r, Rejected)]


def write(path: Path, *rows: object) -> Path:
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows), encoding="utf-8")
    return path


def test_own_shape_with_missing_ids_dates_and_unknown_keys(tmp_path: Path) -> None:
    tickets, rejected = split(write(tmp_path / "x.jsonl", own(12, priority="high", satisfaction=5, status=None)))
    assert not rejected
    assert tickets[0].id == "12"
    assert tickets[0].satisfaction == "5"
    assert [m.id for m in tickets[0].messages] == ["12-m1", "12-m2"]


def test_forum_shape_gzipped_under_any_name(tmp_path: Path) -> None:
    path = tmp_path / "export.dat"
    path.write_bytes(gzip.compress(json.dumps(thread()).encode()))
    (ticket,), rejected = split(path)
    assert not rejected
    assert (ticket.id, ticket.channel, ticket.subject, ticket.status) == ("7", "forum", "A & B", "solved")
    assert ticket.tags == ("sync", "t1")
    assert [m.text for m in ticket.messages] == ["Help", "Try safe mode"]  # the passer-by's is left out
    assert ticket.messages[1].accepted
    assert ticket.messages[1].votes == 3


def test_a_folder_with_tickets_in_it(tmp_path: Path) -> None:
    write(tmp_path / "tickets.jsonl", own())
    assert split(tmp_path)[0]
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match="name the export"):
        read(tmp_path / "empty")


def test_bad_rows_are_reported_and_stop_nothing(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    rows = [
        b"\xef\xbb\xbf" + json.dumps(own("A")).encode(),
        b"{broken",
        b"",
        b"[1]",
        b'{"messages": "none"}',
        json.dumps(own("B")).encode() + b"\xff",
        json.dumps(own("")).encode(),
        json.dumps(own("C", created="soon")).encode(),
        json.dumps(own("D", created=None)).encode(),
        json.dumps(own("E", tags=3)).encode(),
        json.dumps(own("F", messages=[{"role": "boss", "text": "x"}])).encode(),
        json.dumps(own("G", messages=[{"role": "agent", "text": 3}])).encode(),
        b"[" * 100_000,
        json.dumps(own("H", messages=[])).encode(),
        json.dumps(own("Z")).encode(),
    ]
    path.write_bytes(b"\n".join(rows))
    tickets, rejected = split(path)
    assert [ticket.id for ticket in tickets] == ["A", "Z"]
    assert [bad.line for bad in rejected] == [2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14]
    assert all(bad.file == "x.jsonl" and bad.reason and "\n" not in bad.reason for bad in rejected)
    assert "not UTF-8" in rejected[3].reason


def test_truncated_gzip_keeps_what_came_before(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl.gz"
    rows = "\n".join(json.dumps(own(f"A{n}", subject=str(hash(n * 7919)))) for n in range(4000))
    path.write_bytes(gzip.compress(rows.encode())[:-4000])
    tickets, rejected = split(path)
    assert len(tickets) > 10
    assert "cut off" in rejected[-1].reason
    assert rejected[-1].line == len(tickets) + len(rejected)


def test_a_line_far_too_long_is_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("data.importers.lines.LONGEST", 1000)
    tickets, rejected = split(write(tmp_path / "x.jsonl", own("A"), json.dumps(own("B", subject="y" * 5000)), own("C")))
    assert [t.id for t in tickets] == ["A", "C"]
    assert (rejected[0].line, rejected[0].reason) == (2, "the line is longer than 8 MB")


def test_lone_surrogates_can_be_written_again(tmp_path: Path) -> None:
    row = json.dumps(own(subject="S")).replace('"S"', '"bad \\ud800 good \\ud83d\\ude00"')
    (ticket,), _ = split(write(tmp_path / "x.jsonl", row))
    assert ticket.subject.encode()
    assert "😀" in ticket.subject


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "empty"),
        (b"PK\x03\x04rest", "Excel"),
        (b"PAR1rest", "Parquet"),
        (b"\x00\x01\x02\x03", "not a text file"),
        (b"just some words\nand more", "cannot tell which column"),
        (b"\x1f\x8bxx", "cannot be read|damaged|cut off"),
        (b'{"tickets": []}', "cannot tell which column"),
    ],
)
def test_unknown_files_are_one_clear_line(tmp_path: Path, content: bytes, why: str) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=why) as caught:
        read(path)
    assert "\n" not in str(caught.value)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be opened"):
        read(tmp_path / "none.csv")


def test_spreadsheet_with_mark_semicolons_and_formulas(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    text = (
        "Ticket ID;Title;Description;Agent Reply;Created At;Tags\n"
        '="00123";Hi;"It hums; and\nstops";Unplug it.;2025-03-01 10:00;a,b\n'
        ";;=1+1;Two.;2025-03-02;\n9;x;question only;;2025-03-02;\n9;a;b;c;d;e;f\n9;x;q;r;someday;\n"
    )
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    tickets, rejected = split(path)
    assert [t.id for t in tickets] == ["00123", "row-4"]
    assert tickets[0].messages[0].text == "It hums; and\nstops"
    assert tickets[0].tags == ("a", "b")
    assert tickets[1].messages[0].text == "=1+1"
    assert [(bad.line, bad.reason.split(":")[0].split(" ")[0]) for bad in rejected] == [
        (5, "reply"),
        (6, "1"),
        (7, "created"),
    ]


def test_table_in_utf16_tabs_and_bad_bytes(tmp_path: Path) -> None:
    wide = tmp_path / "wide.txt"
    wide.write_bytes("question\treply\tdate\nWhy?\tBecause.\t2025-03-01\n".encode("utf-16"))
    assert split(wide)[0][0].messages[1].text == "Because."
    bad = tmp_path / "bad.csv"
    bad.write_bytes(b"question,reply,date\nWhy\xff?,Because.,2025-03-01\nHow?,So.,2025-03-01\n")
    tickets, rejected = split(bad)
    assert len(tickets) == 1
    assert (rejected[0].line, rejected[0].reason) == (2, "not UTF-8")


def test_column_mapping(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("Frage,Antwort,Wann\nWarum?,Darum.,2025-03-01\n")
    columns = {"question": "Frage", "reply": "Antwort", "created": "Wann"}
    assert split(path, columns)[0][0].messages[0].text == "Warum?"
    with pytest.raises(BadInput, match=r"cannot tell .* question.*Frage"):
        read(path)
    with pytest.raises(BadInput, match="no column called Nope"):
        read(path, {**columns, "reply": "Nope"})
    with pytest.raises(BadInput, match="columns: no answer"):
        read(path, {"answer": "Antwort"})


def test_naming_one_column_leaves_the_others_guessed(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("ID,Body,Note,First reply,Opened\n7,Why?,SECRET,Unplug it first.,2025-03-01\n")
    assert [m.text for m in split(path)[0][0].messages] == ["Why?", "Unplug it first."]
    (ticket,), _ = split(path, {"question": "Note"})
    assert (ticket.id, [m.text for m in ticket.messages]) == ("7", ["SECRET", "Unplug it first."])
    with pytest.raises(BadInput, match=r'holds question \(.*set desk.columns, e.g. \{ question = "…" \}'):
        read(path, {"subject": "Body"})


@pytest.mark.parametrize(
    "value",
    [
        "2025-03-01T10:00:00Z",
        "2025-03-01 11:00:00 +0100",
        "2025-03-01 10:00",
        1740823200,
        "1740823200000",
        "Sat, 01 Mar 2025 05:00:00 -0500",
        "2025-03-01 10:00:00 UTC",
    ],
)
def test_time_zones_meet_in_utc(value: object) -> None:
    assert instant(value) == datetime(2025, 3, 1, 10, tzinfo=UTC)


def test_no_time_and_no_such_time() -> None:
    assert instant("") is None
    for bad in ("yesterday", True, [1], 1e30):
        with pytest.raises(ValueError, match="created"):
            instant(bad)


def test_lines_reads_one_at_a_time() -> None:
    assert list(lines(BytesIO(b"a\r\n\nb"))) == [(1, b"a"), (2, b""), (3, b"b")]


COLUMNS = {
    "Ticket ID": "7",
    "Description": "It hums",
    "Agent Reply": "Unplug it.",
    "Created At": "2025-03-01",
    "Tags": "a, b",
}


def spreadsheet(path: Path, *more: list[object]) -> Path:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(list(COLUMNS))
    sheet.append([7, "It hums", "Unplug it.", datetime(2025, 3, 1), "a, b"])
    for row in more:
        sheet.append(row)
    book.save(path)
    return path


def test_a_spreadsheet_of_excel(tmp_path: Path) -> None:
    path = spreadsheet(tmp_path / "any.name", [], ["8", "No reply", None, "2025-03-02"], [9, "=1+1", "Two.", "soon"])
    (ticket,), rejected = split(path)
    assert (ticket.id, ticket.tags, ticket.created.isoformat()) == ("7", ("a", "b"), "2025-03-01T00:00:00+00:00")
    assert [(bad.line, bad.reason.split(":")[0]) for bad in rejected] == [(4, "reply"), (5, "question")]
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(BadInput, match="damaged"):
        read(path)


def test_tables_of_objects(tmp_path: Path) -> None:
    rows = [COLUMNS, {**COLUMNS, "Ticket ID": 8, "Tags": ["a", "b"], "Agent Reply": None}]
    path = write(tmp_path / "x.jsonl", *rows, "{bad")
    (ticket,), rejected = split(path)
    assert ticket.tags == ("a", "b")
    assert [(bad.line, bad.reason[:8]) for bad in rejected] == [(2, "reply: e"), (3, "not JSON")]
    columns = {name: [row[name] for row in (COLUMNS, COLUMNS)] for name in COLUMNS}
    pq.write_table(pa.table({**columns, "Ticket ID": [7, 8]}), tmp_path / "x.parquet")
    assert [each.id for each in split(tmp_path / "x.parquet")[0]] == ["7", "8"]


def test_a_saved_dataset_of_tickets(tmp_path: Path) -> None:
    Dataset.from_list([own("A"), own("B")]).save_to_disk(str(tmp_path / "saved"))
    tickets, rejected = split(tmp_path / "saved")
    assert not rejected
    assert [each.id for each in tickets] == ["A", "B"]
    pq.write_table(pa.Table.from_pylist([own("C"), own("D", messages=[])]), tmp_path / "y.parquet")
    tickets, rejected = split(tmp_path / "y.parquet")
    assert ([each.id for each in tickets], rejected[0].line) == (["C"], 2)
