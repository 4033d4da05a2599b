from __future__ import annotations

from pathlib import Path

from bot.journal import Journal
from data.records import Answer


def test_a_torn_last_line_is_cut_off_and_the_rest_stays(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    first = Answer(sample_id="1", exchange_id="e", source="teacher", text="Done.")
    Journal(path).add(first)
    with path.open("ab") as stream:
        stream.write(b'{"sample_id": "2", "exch')
    again = Journal(path)
    assert [row.sample_id for row in again.answers] == ["1"]
    again.add(first.model_copy(update={"sample_id": "3"}))
    assert [row.sample_id for row in Journal(path).answers] == ["1", "3"]
