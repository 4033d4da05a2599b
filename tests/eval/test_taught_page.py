"""The page of a corpus as a lead opens it: counts open questions with all their answers, words stay words."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from bot.cli.corpus import show
from bot.journal import Journal, Lines, journal_of
from bot.ledger import Run, beside
from data.errors import NotFound
from data.parquet import write_rows
from data.records import Answer, Source
from data.workspace import Workspace
from eval.taught import load
from eval.taught_page import render
from tests.eval import inspected
from tests.eval.test_corpus_page import parsed

TEACHER = "big@123456789abc"
COUNTS = {"kept": 6.0, "rejected": 9.0, "teacher_answers": 17.0}
SOFT = {"softlabel_tokens": 1000.0, "softlabel_bytes": 49_700.0, "softlabel_answers": 12.0, "softlabel_mass": 0.985}


def answer(place: int, source: Source, text: str, sample: int = 0, **fields: object) -> Answer:
    found = {
        "sample_id": f"{place}-{source}-{sample}", "exchange_id": f"K-{place}-1", "source": source, "text": text,
        "evidence": ("K-0-1", "a0"), "prompt_tokens": 400, "completion_tokens": 50,
    }  # fmt: skip
    return Answer.model_validate(found | fields)


KEPT = [
    answer(1, "hindsight", inspected.HOSTILE, weight=0.7),
    answer(1, "hindsight", "Boil a litre of water with the powder.", 1, reason="trimmed", weight=0.3),
    answer(2, "human", "Which grinder do you have, the blue one?", kind="clarify"),
    answer(3, "extract", "Boil water."),
    answer(4, "hindsight", "I am passing it to a colleague.", reason="deferral", kind="defer"),
    answer(5, "hindsight", "word " * 200),
]
LOST = [
    *[answer(place, "hindsight", "Cut o", sample=9, reason="cut off", kept=False) for place in (1, 2, 3)],
    answer(4, "hindsight", "It costs £7.", 1, reason=f"not in the evidence: {inspected.HOSTILE}", kept=False),
    answer(4, "human", "Yes.", reason="too short", kept=False),
    *[answer(6, "hindsight", f"Try {sample}.", sample, reason="too short", kept=False) for sample in range(9)],
]


def made(root: Path, counts: dict[str, float] = COUNTS, *, old: bool = False, lost: list[Answer] = LOST) -> Path:
    """A finished corpus and the import it is from; `old`: from before answers told kinds and weights."""
    workspace = Workspace(root)
    tickets = inspected.made(root)
    draft = workspace.draft("corpus", {"tickets": tickets.name, "teacher": TEACHER}, {"selection": str(counts)})
    for name, answers in (("answers", KEPT), ("rejected", lost)):
        path = draft.path / f"{name}.parquet"
        write_rows(path, answers, Answer)
        if old:
            pq.write_table(pq.read_table(path).drop_columns(["kind", "weight"]), path)
    return draft.finish(counts)


def ran(root: Path) -> None:
    """Two runs of the teacher, of two answers and of one."""
    path = journal_of(Workspace(root), TEACHER)
    journal, runs = Journal(path), Lines(beside(path), Run)
    for day, first, seconds in ((1, 0, 7200.0), (2, 2, 90.0)):
        started = datetime(2026, 3, day, tzinfo=UTC)
        runs.add(Run(started=started, first=first, seconds=1.0, euros_per_hour=2.5))
        runs.add(Run(started=started, first=first, seconds=seconds, euros_per_hour=2.5))
    for place in range(3):
        journal.add(answer(place, "hindsight", "Hello."))


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    root = tmp_path_factory.mktemp("taught")
    ran(root)
    path = made(root, COUNTS | SOFT)
    return render(load(Workspace(root), path), "Kettlewick & <Co>")


def opened(page: str, label: str) -> str:
    """What the line with this label opens."""
    found = re.search(rf'<span class="name">{label}.*?</summary>(.*?)</details></li>', page, re.DOTALL)
    assert found, label
    return found[1]


def test_it_stands_alone_and_every_link_leads_somewhere(page: str) -> None:
    reader = parsed(page)
    assert {"script", "link", "img", "iframe", "form"}.isdisjoint(reader.tags)
    assert "url(" not in page
    assert all(address.startswith("#") for address in reader.addresses)
    assert len(reader.ids) == len(set(reader.ids))
    assert {address[1:] for address in reader.addresses} <= set(reader.ids)
    assert reader.headings[0] == 1
    assert all(after <= before + 1 for before, after in zip(reader.headings, reader.headings[1:], strict=False))
    assert reader.unlabelled == 0
    assert page.count("<caption>") == page.count("<table>")


def test_words_stay_words(page: str) -> None:
    assert "<b>bold</b>" not in page
    assert "&lt;script&gt;" in page
    assert "{{ 7*7 }}" in page
    assert "Kettlewick &amp; &lt;Co&gt;" in page


def test_every_count_opens_questions_with_all_their_answers(page: str) -> None:
    assert set(re.findall(r'<span class="row">.*?<b>([\d,]+)</b>', page, re.DOTALL)) <= {"0"}
    assert page.count('<summary class="row">') == page.count('class="examples"') > 15
    told = opened(page, "cut off")
    assert "Question 3" in told, "the customer's words"
    assert "Reply 3." in told, "our agent's"
    assert "2 notes shown" in told
    assert "Descaling" in told
    assert "The notes’ own sentences" in told
    assert "taught" in told
    handed = opened(page, "hands over to a colleague")
    assert "not in the evidence: " in handed
    assert "taught, hands over to a colleague" in handed


def test_counts_by_way_kind_source_and_reason(page: str) -> None:
    told = {
        re.sub(r"<small>.*?</small>", "", name).strip(): int(count)
        for name, count in re.findall(r'<span class="name">(.*?)</span>\s*<span class="value"><b>(\d+)</b>', page)
    }
    assert (told["teach an answer"], told["teach asking back"], told["teach handing over"]) == (3, 1, 1)
    assert told["teach nothing"] == 1
    assert (told["answers the question"], told["asks the customer back"]) == (4, 1)
    assert (told["our agent’s own reply"], told["the notes’ own sentences"]) == (1, 1)
    assert (told["too short"], told["cut off"], told["not in the evidence"]) == (10, 3, 1)
    assert told["over 160"] == 1


def test_weights_and_what_was_cut_back_are_said(page: str) -> None:
    told = opened(page, "teach an answer")
    assert "taught, weight 0.7" in told
    assert "taught, weight 0.3, cut back to what the notes hold" in told


def test_many_candidates_are_counted_not_all_shown(page: str) -> None:
    assert "and 3 more answers, turned away" in opened(page, "teach nothing")


def test_what_the_teacher_cost(page: str) -> None:
    told = page[page.index('id="cost"') : page.index('id="labels"')]
    rows = re.findall(r"<tr><th scope=\"row\">(.*?)</tr>", told, re.DOTALL)
    cells = [re.findall(r"<td[^>]*>(?:<b>)?(.*?)(?:</b>)?</td>", row) for row in rows]
    assert cells == [
        ["2", "800", "100", "2.0 h", "5.00 €"], ["1", "400", "50", "1.5 min", "0.06 €"],
        ["3", "1,200", "150", "2.0 h", "5.06 €"],
    ]  # fmt: skip
    assert TEACHER in told


def test_what_needs_a_look_is_said_first(page: str) -> None:
    verdict = page[page.index('class="verdict look"') : page.index("<nav")]
    assert "13 of the teacher’s 17 answers failed the checks." in verdict
    assert "3 of the teacher’s answers were cut off: teaching.max_tokens may be too low." in verdict


def test_soft_labels_are_counted_where_there_are_any(page: str, tmp_path: Path) -> None:
    told = page[page.index('id="labels"') :]
    assert "<dt>bytes a token</dt><dd>49.7</dd>" in told
    assert "0.985 of 1" in told
    path = made(tmp_path)
    assert "There are none" in render(load(Workspace(tmp_path), path), "D")


def test_a_corpus_from_before_kinds_and_costs_opens(tmp_path: Path) -> None:
    page = render(load(Workspace(tmp_path), made(tmp_path, old=True)), "D")
    assert "taught, hands over to a colleague" in page
    assert "weight" not in page[page.index("<main>") : page.index("<footer>")]
    assert "was not asked in this workspace" in page


def test_a_corpus_whose_import_is_gone_opens(tmp_path: Path) -> None:
    path = made(tmp_path)
    for file in (tmp_path / "tickets").rglob("*.parquet"):
        file.unlink()
    page = render(load(Workspace(tmp_path), path), "D")
    assert "is gone, so questions cannot be shown" in page
    assert "Boil a litre of water" in page


def test_a_corpus_of_nothing_is_a_page_too(tmp_path: Path) -> None:
    draft = Workspace(tmp_path).draft("corpus", {}, {})
    for name in ("answers", "rejected"):
        write_rows(draft.path / f"{name}.parquet", [], Answer)
    page = render(load(Workspace(tmp_path), draft.finish({})), "D")
    assert "no answer passed the checks" in page
    reader = parsed(page)
    assert {address[1:] for address in reader.addresses} <= set(reader.ids)


def test_the_page_is_bounded(tmp_path: Path) -> None:
    long = "x" * 3_000 + " word" * 3_000
    lost = [
        answer(place % 40, "hindsight", long, place, reason=f"reason {place % 20}", kept=False) for place in range(4000)
    ]
    path = made(tmp_path, lost=lost)
    assert len(render(load(Workspace(tmp_path), path), "D").encode()) < 3_000_000


def test_the_command_writes_beside_the_imports(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = made(tmp_path)
    before = {file: file.read_bytes() for file in path.iterdir()}
    for name in ("", path.name):
        show(name, no_open=True, settings=[f"workspace={tmp_path}"])
    page = tmp_path / "inspect" / f"{path.name}.html"
    assert capsys.readouterr().out == f"page {page}\n" * 2
    assert page.read_text().startswith("<!doctype html>")
    assert {file: file.read_bytes() for file in path.iterdir()} == before
    with pytest.raises(NotFound, match="no corpus called"):
        show("nothing", settings=[f"workspace={tmp_path}"])
