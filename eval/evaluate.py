"""Answers in, a finished report out: report.json, report.html and cases.parquet, and the manifest last.

exchanges + evidence + answers ──▶ cases ──▶ report.json, cases.parquet ──▶ report.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from pydantic import Field

from bot.config import Evaluation
from data.parquet import write_rows
from data.records import Answer, Exchange, Passage, Record
from data.workspace import Draft, Workspace, versions, write_bytes, write_json
from eval.cases import Case, System, build_cases
from eval.costs import Costs, Machine, TeachCost
from eval.render import render
from eval.report import EvalReport, summarise


class RunFacts(Record):
    """What the answers cannot tell. `ids`: artefact name -> id; `commands`: how to make this report again."""

    desk: str
    machines: dict[System, Machine] = Field(default_factory=dict)
    teaching: TeachCost = TeachCost()
    ids: dict[str, str] = Field(default_factory=dict)
    commands: tuple[str, ...] = ()


def build_report(
    workspace: Workspace,
    draft: Draft,
    exchanges: Sequence[Exchange],
    evidence: Mapping[str, Sequence[Passage]],
    answers: Sequence[Answer],
    facts: RunFacts,
    settings: Evaluation,
) -> Path:
    """Judge the answers (sources teacher, student and perhaps base) and finish the draft; returns its folder.

    `evidence`: exchange id -> the passages each model was shown. Raises BadInput when nothing compares.
    """
    if draft.done:
        return draft.path
    cases = build_cases(exchanges, evidence, answers)
    report = summarise(
        cases, Costs(machines=facts.machines, teaching=facts.teaching), report_id=draft.id, desk=facts.desk,
        created=datetime.now(UTC).isoformat(timespec="seconds"), dropped=len(exchanges) - len(cases),
        resamples=settings.resamples, seed=settings.seed, lineage=_lineage(workspace, facts),
    )  # fmt: skip
    write_rows(draft.path / "cases.parquet", cases, Case)
    write_json(draft.path / "report.json", report)
    write_bytes(draft.path / "report.html", render(report, cases).encode())
    return draft.finish(_counts(report))


def _lineage(workspace: Workspace, facts: RunFacts) -> dict[str, str]:
    return {
        **facts.ids,
        "versions": ", ".join(f"{name} {number}" for name, number in versions().items()),
        "workspace": str(workspace.root),
        **({"commands": "; ".join(facts.commands)} if facts.commands else {}),
    }


def _counts(report: EvalReport) -> dict[str, float]:
    student = report.systems["student"]
    return {
        "tickets": report.tickets, "exchanges": report.exchanges, "dropped": report.dropped,
        "bars_passed": sum(bar.passed for bar in report.bars), "bars": len(report.bars),
        **{f"student_{name}": count for name, count in student.outcomes.items()},
    }  # fmt: skip
