"""The sheet of `deskmate review`: what people leave in spreadsheets is understood or named, and nothing is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from data.errors import BadInput
from data.records import Passage, Review
from data.reviews import load_reviews, read_sheet, write_sheet

NOTE = Passage(id="a#1", kind="article", title="A", text="Turn it off.")
ROW = {"exchange": "t-1", "passage": "a#1", "version": NOTE.version, "question": "Why?", "reply": "Turn it off."}


def sheet(path: Path, *changes: dict[str, str]) -> Path:
    write_sheet(path, [ROW | change for change in changes])
    return path


def test_rows_with_a_score_are_reviews(tmp_path: Path) -> None:
    path = sheet(tmp_path / "s.csv", {"score": "4"}, {"score": "1", "wrong": "Y"}, {"score": ""})
    found, bad, stale = load_reviews(path, [NOTE])
    assert found == [
        Review(exchange="t-1", passage="a#1", score=4, wrong=False),
        Review(exchange="t-1", passage="a#1", score=1, wrong=True),
    ]
    assert (bad, stale) == ([], 0)


def test_a_note_that_says_something_else_now_has_no_reviews(tmp_path: Path) -> None:
    path = sheet(tmp_path / "s.csv", {"score": "4"}, {"score": "4", "passage": "gone#1"})
    changed = NOTE.model_copy(update={"text": "Turn it on."})
    assert load_reviews(path, [changed]) == ([], [], 2)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"score": "7"}, "score 7 is none of 1 to 5"), ({"score": "good"}, "score good is none of 1 to 5"),
        ({"score": "2", "wrong": "maybe"}, "wrong is maybe; write y or n"),
    ],
)  # fmt: skip
def test_a_bad_row_is_named_and_stops_no_other(tmp_path: Path, change: dict[str, str], reason: str) -> None:
    found, bad, _ = load_reviews(sheet(tmp_path / "s.csv", change, {"score": "5"}), [NOTE])
    assert len(found) == 1 and [(row.file, row.line, row.reason) for row in bad] == [("s.csv", 2, reason)]


def test_semicolons_of_a_european_excel_and_rows_too_long_are_understood(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    path.write_text(f"exchange;passage;version;score;wrong\nt-1;a#1;{NOTE.version};3;x\nt-1;a#1;v;3;x;more\n")
    found, bad, _ = load_reviews(path, [NOTE])
    assert found[0].wrong and len(bad) == 1 and bad[0].line == 3


def test_no_such_sheet_and_one_without_its_columns_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"no such file; `deskmate review .*` makes one"):
        read_sheet(tmp_path / "none.csv")
    (tmp_path / "other.csv").write_text("question,reply\na,b\n")
    with pytest.raises(BadInput, match="no column exchange"):
        read_sheet(tmp_path / "other.csv")


def test_a_customer_s_words_are_no_formula_and_come_back_as_they_were(tmp_path: Path) -> None:
    path = sheet(tmp_path / "s.csv", {"question": '=HYPERLINK("x")\nmore, "quoted"', "score": "3"})
    (row,) = read_sheet(path)
    assert row["question"].strip() == '=HYPERLINK("x")\nmore, "quoted"' and row["line"] == "2"
    assert '" =HYPERLINK' in path.read_text()
