"""A whole report from invented answers: its numbers, its verdict and the page a lead opens."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bot.config import Evaluation
from data.errors import BadInput
from data.parquet import read_rows
from data.records import Answer
from data.workspace import Workspace, manifest_of
from eval.bars import Bar, decide
from eval.cases import Case, build_cases
from eval.costs import Costs, Machine, TeachCost, payback
from eval.evaluate import build_report
from eval.render import render
from eval.report import EvalReport, summarise
from eval.statistics import Interval
from tests.eval import invented


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    workspace = Workspace(tmp_path_factory.mktemp("workspace"))
    draft = workspace.draft("report", {"student": "s"}, {"limit": 12})
    return build_report(
        workspace, draft, invented.exchanges(), invented.evidence(), invented.answers(), invented.facts(),
        Evaluation(limit=12, resamples=2_000),
    )  # fmt: skip


def test_everything_is_on_disk_and_reads_back(made: Path) -> None:
    assert {"report.json", "report.html", "cases.parquet"} == set(manifest_of(made).files)
    report = EvalReport.model_validate_json((made / "report.json").read_text())
    cases = read_rows(made / "cases.parquet", Case)
    assert report.exchanges == len(cases) == 12
    assert cases == build_cases(invented.exchanges(), invented.evidence(), invented.answers())


def test_the_numbers(made: Path) -> None:
    report = EvalReport.model_validate_json((made / "report.json").read_text())
    student, teacher = report.systems["student"], report.systems["teacher"]
    assert student.outcomes == {"fine": 8, "unsupported": 2, "evasion": 1, "deferral": 1}
    assert "evasion" not in teacher.outcomes
    assert report.systems["base"].evasions.estimate == pytest.approx(9 / 12)
    assert teacher.euros == pytest.approx(sum(14 + p / 20 for p in range(12)) / 12 / 4 / 3.6 * 0.08)
    assert report.payback.replies is not None
    assert student.euros is not None
    saved = report.payback.saved_per_thousand
    assert (report.payback.replies - 1) * saved / 1000 < 0.0209 <= report.payback.replies * saved / 1000
    assert report.decision == "more"
    assert report.curve[0].share == 0
    assert report.curve[-1].share == 1
    assert max(point.quality for point in report.curve) > report.curve[-1].quality
    passed = {bar.name: bar.passed for bar in report.bars}
    assert passed == {
        "Evasions": False,
        "Grounding": False,
        "Fidelity": False,
        "Overlap": True,
        "Speed": True,
    }


def test_the_page_stands_alone_and_every_conversation_can_be_reached(made: Path) -> None:
    page = (made / "report.html").read_text()
    assert not re.search(r"(?:src|href)=\"(?!#)", page)
    assert "@import" not in page
    assert "url(" not in page
    anchors = set(re.findall(r'id="(case-\d+)"', page))
    assert len(anchors) == 12
    assert set(re.findall(r'href="#(case-\d+)"', page)) == anchors
    assert "&lt;b&gt;every&lt;/b&gt;" in page
    assert "<b>every</b>" not in page
    assert page.count("<caption>") == page.count("<table>")
    assert "too few to tell" in page


def test_the_worst_conversation_comes_first(made: Path) -> None:
    page = (made / "report.html").read_text()
    titles = re.findall(r'<h3 id="title-\d+"><a[^>]*>\d+</a>. ([^<]+)</h3>', page)
    assert titles[0] == "Kettle leaks"
    assert "Grinder stops" in titles[1:3]


def test_what_the_notes_say_by_themselves_stands_beside_the_student() -> None:
    alone = [Answer(sample_id="", exchange_id=e.id, source="notes", text=e.human_reply) for e in invented.exchanges()]
    cases = build_cases(invented.exchanges(), invented.evidence(), [*invented.answers(), *alone])
    report = summarise(cases, Costs(), report_id="r", desk="d", created="now", resamples=200)
    assert list(report.systems) == ["teacher", "notes", "base", "student", "human"]
    notes = report.systems["notes"].scores["overlap_human"]
    assert notes and notes.estimate == pytest.approx(1.0)
    assert report.systems["notes"].seconds_mean is None, "no model was timed"
    assert "Notes alone" in render(report, cases)


def test_without_the_base_student_the_overlap_bar_is_left_out() -> None:
    answers = [answer for answer in invented.answers() if answer.source != "base"]
    cases = build_cases(invented.exchanges(), {}, answers)
    report = summarise(cases, Costs(), report_id="r", desk="D", created="2026-03-01", resamples=200)
    assert [bar.name for bar in report.bars] == ["Evasions", "Grounding", "Fidelity", "Speed"]
    assert "Student before training" not in render(report, cases)


def test_nothing_to_compare_is_said_in_one_line() -> None:
    teacher = [answer for answer in invented.answers() if answer.source == "teacher"]
    with pytest.raises(BadInput, match="both teacher and student"):
        build_cases(invented.exchanges(), {}, teacher)
    student = [answer for answer in invented.answers() if answer.source == "student"]
    with pytest.raises(BadInput, match="no exchange"):
        build_cases(invented.exchanges(), {}, [teacher[0], student[1]])


def bar(*, passed: bool, sure: bool, more: int = 0) -> Bar:
    found = Interval(estimate=1, low=0, high=2, n=40)
    return Bar(name="Speed", rule="", numbers="so", estimate=found, target=1, passed=passed, sure=sure, more=more)


@pytest.mark.parametrize(
    ("bars", "tickets", "decision", "words"),
    [
        ([bar(passed=True, sure=True)], 60, "ship", "Ship."),
        ([bar(passed=True, sure=True)], 12, "more", "About 18 more"),
        ([bar(passed=True, sure=False, more=70)], 60, "more", "About 70 more"),
        ([bar(passed=False, sure=False, more=5000)], 60, "more", "More than 5,000"),
        ([bar(passed=False, sure=True)], 60, "hold", "misses the bar for speed"),
    ],
)
def test_the_verdict(bars: list[Bar], tickets: int, decision: str, words: str) -> None:
    outlook = decide(bars, tickets)
    assert outlook.decision == decision
    assert words in outlook.sentence


def test_a_dearer_student_is_never_paid_back() -> None:
    assert payback(Costs(teaching=TeachCost(euros=1)), 0.1, 0.2).replies is None
    assert Machine(euros_per_hour=3.6, wall_seconds=20).euros_per_thousand([9, 9]) == pytest.approx(10)
