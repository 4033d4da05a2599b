"""The sheet of `deskmate review`: what people leave in spreadsheets is understood or named, and nothing is lost."""

from __future__ import annotations

from pathlib import Path

import pytest
from openpyxl import load_workbook

from data.errors import BadInput
from data.records import Passage, Review
from data.reviews import Row, key, load_reviews, read_sheet, write_sheet

NOTE = Passage(id="a#1", kind="article", title="A", text="Turn it off.")
ROW = {"id": key("t-1", NOTE), "question": "Why?", "reply": "Turn it off.", "score": "", "wrong": ""}
KINDS = pytest.mark.parametrize("name", ["s.csv", "s.xlsx"])
NOTHING_LEFT = {"stale_reviews": 0, "test_reviews": 0}


def sheet(path: Path, *changes: Row) -> Path:
    write_sheet(path, [ROW | change for change in changes])
    return path


def loaded(
    path: Path, note: Passage = NOTE, test: frozenset[str] = frozenset()
) -> tuple[list[Review], list[str], dict[str, float]]:
    found, bad, left = load_reviews(read_sheet(path), [note], test)
    return found, [f"{row.file} {row.line}: {row.reason}" for row in bad], left


@KINDS
def test_rows_with_a_score_are_reviews(tmp_path: Path, name: str) -> None:
    path = sheet(tmp_path / name, {"score": "4"}, {"score": "1", "wrong": "Y"}, {})
    assert loaded(path) == (
        [
            Review(exchange="t-1", passage="a#1", score=4, wrong=False),
            Review(exchange="t-1", passage="a#1", score=1, wrong=True),
        ],
        [], NOTHING_LEFT,
    )  # fmt: skip


def test_a_note_that_says_something_else_now_has_no_reviews(tmp_path: Path) -> None:
    path = sheet(
        tmp_path / "s.csv", {"score": "4"}, {"score": "4", "id": key("t-1", NOTE.model_copy(update={"id": "b"}))}
    )
    changed = NOTE.model_copy(update={"text": "Turn it on."})
    assert loaded(path, changed) == ([], [], NOTHING_LEFT | {"stale_reviews": 2})


def test_nothing_said_of_the_test_s_questions_is_known(tmp_path: Path) -> None:
    path = sheet(tmp_path / "s.csv", {"score": "4"})
    assert loaded(path, test=frozenset({"t-1"})) == ([], [], NOTHING_LEFT | {"test_reviews": 1})


@KINDS
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"score": "7"}, "score is 7; write 1 to 5"), ({"score": "good"}, "score is good; write 1 to 5"),
        ({"wrong": "y"}, "score is empty; write 1 to 5"),
        ({"score": "2", "wrong": "maybe"}, "wrong is maybe; write y or n"),
        ({"score": "2", "id": "t-1"}, "id is t-1; leave it as `deskmate review` wrote it"),
    ],
)  # fmt: skip
def test_a_bad_row_is_named_as_its_spreadsheet_numbers_it(tmp_path: Path, name: str, change: Row, reason: str) -> None:
    found, bad, _ = loaded(sheet(tmp_path / name, {"question": "two\nlines"}, change, {"score": "5"}))
    assert len(found) == 1 and bad == [f"{name} 3: {reason}"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "cp1252", "utf-16"])
def test_what_excel_makes_of_a_csv_is_understood(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "s.csv"
    path.write_bytes(
        f"question;id;score;wrong\r\nIt’s £5?;{ROW['id']};4.0;x\r\n;{ROW['id']};3\r\n;;;\r\n".encode(encoding)
    )
    found, bad, _ = loaded(path)
    assert [(each.score, each.wrong) for each in found] == [(4, True), (3, False)] and not bad
    assert read_sheet(path).rows[0]["question"] == "It’s £5?"


def test_no_such_sheet_one_without_its_columns_and_one_that_is_none_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"no such file; `deskmate review .*` makes one"):
        read_sheet(tmp_path / "none.csv")
    for content in (b"question,reply\na,b\n", b"", b"PK\x03\x04broken"):
        (tmp_path / "other.csv").write_bytes(content)
        with pytest.raises(BadInput, match="no column id"):
            read_sheet(tmp_path / "other.csv")


@KINDS
def test_words_are_no_formulas_and_a_team_s_own_columns_stay(tmp_path: Path, name: str) -> None:
    formula = '=HYPERLINK("x")\nmore, "quoted"'
    path = sheet(tmp_path / name, {"question": formula, "score": "3", "comment": "by Mara"}, {})
    write_sheet(path, read_sheet(path).rows)
    first, second = read_sheet(path).rows
    assert (first["question"], first["comment"], second["comment"]) == (formula, "by Mara", "")
    if name == "s.xlsx":
        assert load_workbook(path).active["A2"].data_type == "s"
    else:
        assert '" =HYPERLINK' in path.read_text()
