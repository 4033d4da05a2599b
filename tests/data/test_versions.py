"""What changed in the articles since an earlier import, and which taught answers rested on the words that are gone."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bot.cli import app
from data.articles import load_articles
from data.articles.passages import chunks
from data.parquet import write_rows
from data.records import Answer, Article, Passage
from data.versions import Difference, compare, difference, summary
from data.workspace import Workspace

RETURNS = "# Returns\n\nYou have 30 days.\n\n## Label\n\nIt costs £3.50.\n\n## Beans\n\nOnly unopened bags."
STAMPS = "# Stamps\n\nTen stamps make a free bag."


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "workspace")


def imported(workspace: Workspace, name: str, **articles: str) -> Path:
    """A finished import of some Markdown articles; later ones are newer."""
    folder = workspace.root / "kb" / name
    folder.mkdir(parents=True)
    for title, text in articles.items():
        (folder / f"{title}.md").write_text(text)
    found = load_articles(folder)[0] if articles else []
    draft = workspace.draft("tickets", {"name": name}, {})
    past = Passage(id="T1-1", kind="ticket", title="Old", text=f"Customer: hi\nAgent: {name}")
    write_rows(draft.path / "articles.parquet", found, Article)
    write_rows(draft.path / "passages.parquet", [*(p for a in found for p in chunks(a)), past], Passage)
    return _aged(workspace, draft.finish({}))


def taught(workspace: Workspace, tickets: Path, evidence: Sequence[tuple[str, ...]]) -> Path:
    """A corpus whose answer to exchange E0, E1, … rested on the passages given."""
    draft = workspace.draft("corpus", {"tickets": tickets.name, "teacher": "t"}, {})
    answers = [
        Answer(sample_id=str(n), exchange_id=f"E{n}", source="teacher", text="x", evidence=ids)
        for n, ids in enumerate(evidence)
    ]
    write_rows(draft.path / "answers.parquet", answers, Answer)
    return _aged(workspace, draft.finish({}))


def _aged(workspace: Workspace, path: Path) -> Path:
    made = len(list(workspace.root.glob("*/*/manifest.json")))
    os.utime(path / "manifest.json", (made, made))
    return path


def told(workspace: Workspace) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["articles", "--set", f"workspace={workspace.root}"])
    return done.exit_code, done.output


def test_new_changed_removed_and_untouched(workspace: Workspace) -> None:
    before = imported(workspace, "one", returns=RETURNS, stamps=STAMPS, old="# Old\n\nGone soon.")
    after = imported(workspace, "two", returns=RETURNS.replace("3.50", "4"), stamps=STAMPS, fresh="# Fresh\n\nNew.")
    assert [(c.kind, c.id, sorted(c.gone)) for c in compare(before, after)] == [
        ("new", "fresh", []),
        ("removed", "old", ["old#1"]),
        ("changed", "returns", ["returns#2"]),
    ]
    assert compare(before, before) == []


@pytest.mark.parametrize(
    ("now", "gone"),
    [
        (RETURNS.replace("unopened bags", "sealed bags"), ["returns#3"]),
        (RETURNS.replace("## Label", "## Added\n\nA section between.\n\n## Label"), []),
        (RETURNS.replace("## Label", "## Label for Ireland"), ["returns#2"]),
        (RETURNS.replace("# Returns", "# Returns and refunds", 1), []),
        ("# Returns\n\nNothing of it is left.", ["returns#1", "returns#2", "returns#3"]),
    ],
    ids=["typo", "inserted", "heading", "title", "rewritten"],
)
def test_only_pieces_whose_words_are_gone_count(workspace: Workspace, now: str, gone: list[str]) -> None:
    (change,) = compare(imported(workspace, "one", returns=RETURNS), imported(workspace, "two", returns=now))
    assert (change.kind, sorted(change.gone)) == ("changed", gone)


def test_an_article_under_a_new_name_still_says_what_it_said(workspace: Workspace) -> None:
    changes = compare(imported(workspace, "one", stamps=STAMPS), imported(workspace, "two", rewards=STAMPS))
    assert [(c.kind, c.id, c.gone) for c in changes] == [
        ("new", "rewards", frozenset()),
        ("removed", "stamps", frozenset()),
    ]


def test_answers_that_rested_on_it(workspace: Workspace) -> None:
    one = imported(workspace, "one", returns=RETURNS, stamps=STAMPS)
    corpus = taught(workspace, one, [("T1-1", "returns#2"), ("returns#1", "returns#3"), ("stamps#1", "returns#2"), ()])
    assert difference(workspace, one) == Difference(one.name, corpus.name, [])
    assert told(workspace) == (
        0,
        f"{corpus.name} was taught from {one.name}, the latest import: no article changed since\n",
    )
    two = imported(workspace, "two", returns=RETURNS.replace("3.50", "4"))
    found = difference(workspace, two)
    assert found is not None
    assert {c.id: c.exchanges for c in found.changes} == {"returns": ("E0", "E2"), "stamps": ("E2",)}
    assert summary(found) == [
        f"articles: 1 changed, 1 removed since {one.name}",
        f"2 answers of {corpus.name} rested on words that are gone; see `deskmate articles`",
    ]
    code, output = told(workspace)
    assert code == 0
    assert "changed  Returns (returns)\n         2 answers rested on what is gone: E0, E2\n" in output
    assert "removed  Stamps (stamps)\n         1 answers rested on what is gone: E2\n" in output
    assert "`deskmate teach`" in output


def test_a_change_that_no_answer_rested_on(workspace: Workspace) -> None:
    corpus = taught(workspace, imported(workspace, "one", returns=RETURNS), [("returns#1",)])
    found = difference(workspace, imported(workspace, "two", returns=RETURNS.replace("3.50", "4")))
    assert summary(found)[1:] == [f"no answer of {corpus.name} rested on words that are gone; see `deskmate articles`"]


def test_without_a_corpus_an_import_is_compared_with_the_one_before(workspace: Workspace) -> None:
    one = imported(workspace, "one", returns=RETURNS)
    assert difference(workspace, one) is None
    code, output = told(workspace)
    assert (code, output.count("\n")) == (0, 1) and output.startswith(f"nothing to compare {one.name} with")
    two = imported(workspace, "two", returns=RETURNS)
    assert summary(difference(workspace, two)) == []
    assert told(workspace) == (0, f"no article changed between {one.name} and {two.name}\n")
    three = imported(workspace, "three")
    assert summary(difference(workspace, three)) == [f"articles: 1 removed since {two.name}"]
    assert difference(workspace, one) is None  # imported again, it is still the first
    assert "rested" not in told(workspace)[1]


def test_a_corpus_whose_import_was_deleted_is_not_guessed_about(workspace: Workspace) -> None:
    one = imported(workspace, "one", returns=RETURNS)
    taught(workspace, one, [("returns#1",)])
    (one / "manifest.json").unlink()
    imported(workspace, "two", returns=RETURNS)
    found = difference(workspace, imported(workspace, "three", returns=STAMPS))
    assert found is not None
    assert (found.corpus, found.exchanges) == ("", set())


def test_an_import_of_before_dates_were_kept_can_be_compared(workspace: Workspace) -> None:
    import pyarrow.parquet as pq

    one = imported(workspace, "one", returns=RETURNS)
    kept = pq.read_table(one / "articles.parquet")
    pq.write_table(kept.drop_columns(["updated"]), one / "articles.parquet")
    assert compare(one, imported(workspace, "two", returns=RETURNS)) == []


def test_version_is_of_the_words_alone(tmp_path: Path) -> None:
    rows = [
        {"id": n, "title": "T", "text": text, "updated": date}
        for n, (text, date) in enumerate([("a", 1740823200), ("a", None), ("b", None)])
    ]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    one, same, other = (article.version for article in load_articles(tmp_path)[0])
    assert one == same != other
    assert len(one) == 12
