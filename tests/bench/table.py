"""The README's table of a report, in Markdown: `python -m tests.bench.table [WORKSPACE]` takes the newest one."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from bot.config import Config
from data.parquet import read_rows
from data.workspace import Workspace
from eval.calibration import Judged, threshold
from eval.report import EvalReport, SystemSummary

HEADS = {
    "teacher": "teacher", "notes": "notes alone", "base": "base student", "student": "distilled student",
    "human": "our agents",
}  # fmt: skip
Cell = Callable[[SystemSummary], str]


def _score(name: str) -> Cell:
    def cell(system: SystemSummary) -> str:
        found = system.scores.get(name)
        return f"{found.estimate:.0%}".replace("%", " %") if found else ""

    return cell


def _seconds(name: str) -> Cell:
    def cell(system: SystemSummary) -> str:
        value = getattr(system, name)
        return f"{value:.2f}" if value else ""

    return cell


def _size(name: str) -> Cell:
    def cell(system: SystemSummary) -> str:
        return f"{getattr(system, name) / 1e9:.1f} GB" if getattr(system, name) else ""

    return cell


ROWS: dict[str, Cell] = {
    "grounding (word pairs found in ticket or shown evidence)": _score("grounding"),
    "numbers and names found in ticket or shown evidence": _score("fidelity"),
    "content shared with the teacher's reply": _score("overlap_teacher"),
    "content shared with the agent's reply": _score("overlap_human"),
    "evasions": lambda system: f"{system.outcomes.get('evasion', 0)} of {system.replies}",
    "repeats itself": lambda system: f"{system.outcomes.get('broken', 0)}",
    "tokens per reply": lambda system: f"{system.completion_tokens:.0f}" if system.completion_tokens else "",
    "seconds per reply": _seconds("seconds_mean"),
    "first token, seconds (median)": _seconds("first_token_median"),
    "memory": _size("memory_bytes"),
    "on disk": _size("disk_bytes"),
}


def table(folder: Path) -> str:
    """The systems of a report side by side, and how often its student would hand over."""
    report = EvalReport.model_validate_json((folder / "report.json").read_text())
    systems = [report.systems[name] for name in HEADS if name in report.systems]
    lines = [
        "| | " + " | ".join(HEADS[system.system] for system in systems) + " |", "|---" * (len(systems) + 1) + "|",
        *(f"| {name} | " + " | ".join(cell(system) for system in systems) + " |" for name, cell in ROWS.items()),
    ]  # fmt: skip
    bars = [f"- {bar.name}: {bar.numbers}: {'passed' if bar.passed else 'missed'}" for bar in report.bars]
    return "\n".join([*lines, "", *bars, fallback(folder)])


def fallback(folder: Path) -> str:
    """What share of the held-out exchanges the student would pass on, at the threshold of the validation exchanges."""
    judged = read_rows(folder / "calibration.parquet", Judged)
    mine, heldout = (
        [row for row in judged if (row.source, row.split) == ("student", split)] for split in ("validation", "heldout")
    )
    serving = Config().serving
    found = threshold(judged, target=serving.target_good, most_wrong=serving.most_wrong, unreviewed=serving.unreviewed)
    far = sum(row.standing != "known" for row in heldout)
    passed_on = sum(row.worth < found.least for row in heldout if row.standing == "known")
    first = f"{far} of {len(heldout)} to a person at once, notes too far; {passed_on} to the teacher or a person"
    good = f"checks passed by {sum(row.good for row in mine)} of {len(mine)} validation replies"
    return f"- Fallback: {first} (least worth {found.least:.3f}; {good}; {found})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workspace", type=Path, nargs="?", default=Path("workspace"))
    print(table(Workspace(parser.parse_args().workspace).latest("report")))


if __name__ == "__main__":
    main()
