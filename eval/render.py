"""The report as one HTML file that opens, prints and reads aloud anywhere: no server, no script needed.

Decides order and wording only; numbers come from `eval.report`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from eval.cases import Case, System
from eval.charts import Row, bars, curve
from eval.page import DASH, number, page, percent
from eval.report import ENOUGH, EvalReport, SystemSummary
from eval.statistics import Interval

NAMES: dict[System, str] = {
    "teacher": "Teacher", "notes": "Notes alone, no model", "base": "Student before training", "student": "Student",
    "human": "Our agent",
}  # fmt: skip
COLOURS: dict[System, str] = {
    "teacher": "#7d8f69",
    "notes": "#a3a08c",
    "base": "#cdb79a",
    "student": "#b5654a",
    "human": "#c9973f",
}
OUTCOMES = {
    "fine": "no check flagged", "deferral": "handed to a colleague", "evasion": "evaded",
    "unsupported": "stated something not in ticket or evidence", "broken": "repeated itself",
}  # fmt: skip
ORDER = ("evasion", "broken", "unsupported", "deferral", "fine")


@dataclass(frozen=True, slots=True)
class Line:
    """One row of the comparison: a name, what it means, and a cell for every system."""

    name: str
    hint: str
    cells: tuple[str, ...]


def render(report: EvalReport, cases: Sequence[Case]) -> str:
    """The HTML text; conversations come worst first."""
    ranked = sorted(cases, key=_badness)
    return page(
        "report.html.jinja", report=report, names=NAMES, outcomes=OUTCOMES, order=ORDER, systems=list(report.systems),
        lines=comparison(report), quality=_quality_charts(report), speed=_speed_chart(report),
        fallback=_fallback_chart(report), cases=ranked, enough=ENOUGH, todo=_todo(report, ranked),
        money=money, flagged=_flagged(ranked), chips=chips,
    )  # fmt: skip


def _badness(case: Case) -> tuple[int, float, str]:
    return (
        ORDER.index(case.replies["student"].outcome),
        case.metric("student", "quality") - case.metric("teacher", "quality"),
        case.exchange_id,
    )


def _flagged(cases: Sequence[Case]) -> dict[str, list[tuple[int, Case]]]:
    """Numbered conversations under the student's outcome, for the links of 'of N replies'."""
    found: dict[str, list[tuple[int, Case]]] = {name: [] for name in ORDER}
    for place, case in enumerate(cases, 1):
        found[case.replies["student"].outcome].append((place, case))
    return found


def money(value: float | None) -> str:
    """Euros, with as many decimals as it takes to be more than nothing."""
    if value is None:
        return DASH
    return f"€{value:,.2f}" if value >= 0.1 or value == 0 else f"€{value:.4f}"


def size(value: int) -> str:
    if not value:
        return DASH
    return f"{value / 2**30:.1f} GiB" if value >= 2**30 else f"{value / 2**20:.0f} MiB"


def seconds(value: float | None) -> str:
    return DASH if value is None else f"{value:.1f} s" if value >= 1 else f"{value * 1000:.0f} ms"


def _share(found: Interval | None) -> str:
    return DASH if found is None else f"{percent(found.estimate)} ({found.low * 100:.0f} to {found.high * 100:.0f})"


def comparison(report: EvalReport) -> list[Line]:
    """The table the business asks for: operating cost, speed, hardware, then accuracy."""
    columns = list(report.systems.values())

    def line(name: str, hint: str, cells: Sequence[str]) -> Line:
        return Line(name, hint, tuple(cells))

    def score(name: str) -> list[str]:
        return [_share(column.scores[name]) for column in columns]

    return [
        line("Operating cost", "euros for 1,000 replies", [money(c.euros) for c in columns]),
        line("Time per reply", "mean, and the middle one", [_times(c) for c in columns]),
        line("First word", "half are faster than", [seconds(c.first_token_median) for c in columns]),
        line("Memory", "while it serves", [size(c.memory_bytes) for c in columns]),
        line("Disk", "size of the model", [size(c.disk_bytes) for c in columns]),
        line(
            "Accuracy beside the teacher",
            "quality as a share of the teacher's",
            [_beside(c) for c in columns],
        ),
        line("Grounding", "word pairs found in ticket or evidence", score("grounding")),
        line("Fidelity", "numbers, codes and menus found there", [_facts(c) for c in columns]),
        line(
            "Evasions",
            "replies that answer nothing",
            [_of(c, int(c.outcomes.get("evasion", 0))) for c in columns],
        ),
        line("Handed over", "honestly passed to a colleague", [_of(c, c.deferrals) for c in columns]),
        line("Cut off", "stopped at the length limit", [_of(c, c.cut_off) for c in columns]),
        line("Words shared with the teacher", "content words", score("overlap_teacher")),
        line("Words shared with our agent", "content words", score("overlap_human")),
        line("Length", "words in a reply", [_length(c.scores["words"]) for c in columns]),
        line("Tokens", "read, written per reply", [_tokens(c) for c in columns]),
    ]


def _times(column: SystemSummary) -> str:
    if column.seconds_mean is None:
        return DASH
    return f"{seconds(column.seconds_mean)} ({seconds(column.seconds_median)})"


def _beside(column: SystemSummary) -> str:
    return "100%" if column.system == "teacher" else _share(column.share_of_teacher)


def _facts(column: SystemSummary) -> str:
    found = column.scores["fidelity"]
    return DASH if found is None else f"{_share(found)}, {column.stated_facts} replies"


def _of(column: SystemSummary, count: int) -> str:
    return f"{count} of {column.replies}"


def _length(found: Interval | None) -> str:
    return DASH if found is None else number(found.estimate)


def _tokens(column: SystemSummary) -> str:
    if column.prompt_tokens is None:
        return DASH
    return f"{number(column.prompt_tokens)}, {number(column.completion_tokens)}"


def _quality_charts(report: EvalReport) -> list[tuple[str, Markup]]:
    names = (
        ("quality", "Quality"), ("grounding", "Grounding"), ("fidelity", "Fidelity"),
        ("overlap_teacher", "Words shared with the teacher"),
        ("overlap_human", "Words shared with our agent"),
    )  # fmt: skip
    drawn = []
    for name, title in names:
        rows = [
            Row(NAMES[s], f.estimate, f.low, f.high, COLOURS[s], percent(f.estimate))
            for s, column in report.systems.items()
            if (f := column.scores[name]) is not None
        ]
        drawn.append((title, bars(title, rows, 1.0)))
    return drawn


def _speed_chart(report: EvalReport) -> Markup:
    rows = [
        Row(NAMES[s], c.seconds_mean, c.seconds_mean, c.seconds_mean, COLOURS[s], seconds(c.seconds_mean))
        for s, c in report.systems.items()
        if c.seconds_mean is not None
    ]
    return bars("Seconds per reply", rows, max((row.value for row in rows), default=1.0))


def _fallback_chart(report: EvalReport) -> Markup | None:
    if not report.curve:
        return None
    points = [(point.share, point.quality) for point in report.curve]
    spoken = "Quality when the student answers only what it is sure of: " + "; ".join(
        f"{percent(share)} answered by the student, quality {percent(quality)}" for share, quality in points[::4]
    )
    return curve(points, "share of replies the student gives itself", spoken, COLOURS["student"])


def _todo(report: EvalReport, cases: Sequence[Case]) -> dict[str, list[str] | list[tuple[int, Case]]]:
    """Where work pays: topics to route or write about, and conversations whose evidence was too weak."""
    topics = sorted(report.topics, key=lambda topic: -topic.flagged["student"])
    return {
        "topics": [
            f"{topic.topic}: {topic.flagged['student']} of {topic.replies} of the student's replies flagged, "
            f"{topic.flagged['teacher']} of the teacher's"
            for topic in topics[:5]
            if topic.flagged["student"]
        ],
        "weak": [(place, case) for place, case in enumerate(cases, 1) if case.weak_evidence],
    }


def chips(case: Case, system: System) -> list[tuple[str, str]]:
    """What to know about a reply at a glance: (kind, words), the flag first."""
    reply = case.replies[system]
    found: list[tuple[str, str]] = []
    if reply.outcome not in ("fine", "unsupported"):
        found.append((reply.outcome, OUTCOMES[reply.outcome]))
    if reply.unsupported:
        found.append(("unsupported", "check: " + ", ".join(reply.unsupported[:4])))
    if reply.finish == "length":
        found.append(("broken", "cut off"))
    found.append(("plain", f"grounding {percent(reply.metrics['grounding'])}"))
    if reply.metrics["fidelity"] is not None:
        found.append(("plain", f"fidelity {percent(reply.metrics['fidelity'])}"))
    if reply.seconds:
        found.append(("plain", seconds(reply.seconds)))
    return found
