"""What a support lead acts on: every number of the report, computed from the cases; `render` draws it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from statistics import fmean, median

from pydantic import Field

from data.records import Record
from eval.bars import Bar, Decision, Outlook, decide, judge
from eval.cases import SYSTEMS, Case, Outcome, System
from eval.costs import Costs, Payback, payback
from eval.statistics import Bootstrap, Interval, mcnemar, wilson

ENOUGH = 30
SCORES = ("quality", "grounding", "fidelity", "overlap_teacher", "overlap_human", "words")


class SystemSummary(Record):
    """One column of the comparison. Seconds are per reply, `euros` per 1,000 replies."""

    system: System
    model: str = ""
    replies: int
    outcomes: dict[Outcome, int]
    stated_facts: int
    scores: dict[str, Interval | None]
    evasions: Interval
    deferrals: int
    cut_off: int
    seconds_mean: float | None = None
    seconds_median: float | None = None
    first_token_median: float | None = None
    prompt_tokens: float | None = None
    completion_tokens: float | None = None
    euros: float | None = None
    memory_bytes: int = 0
    disk_bytes: int = 0
    share_of_teacher: Interval | None = None


class TopicRow(Record):
    topic: str
    replies: int
    enough: bool
    flagged: dict[System, int]
    quality: dict[System, float]
    fact_problems: int
    weak_evidence: int


class CurvePoint(Record):
    """The student answers when its mean token probability is at least `threshold`, else the teacher."""

    threshold: float
    share: float
    quality: float


class EvalReport(Record):
    id: str
    desk: str
    created: str
    tickets: int
    exchanges: int
    dropped: int
    systems: dict[System, SystemSummary]
    bars: tuple[Bar, ...]
    decision: Decision
    verdict: str
    reasons: tuple[str, ...]
    evasion_p: float
    topics: tuple[TopicRow, ...]
    curve: tuple[CurvePoint, ...]
    payback: Payback
    resamples: int
    seed: int
    lineage: dict[str, str] = Field(default_factory=dict)


def summarise(
    cases: Sequence[Case], costs: Costs, *, report_id: str, desk: str, created: str, dropped: int = 0,
    resamples: int = 10_000, seed: int = 7, lineage: dict[str, str] | None = None,
) -> EvalReport:  # fmt: skip
    """Every figure of the report; intervals resample tickets. Needs at least one case."""
    bootstrap = Bootstrap([case.ticket_id for case in cases], resamples, seed)
    present = [system for system in SYSTEMS if system in cases[0].replies]
    systems = {system: _system(system, cases, costs, bootstrap) for system in present}
    bars = judge(cases, bootstrap)
    outlook: Outlook = decide(bars, len(set(bootstrap.units)))
    return EvalReport(
        id=report_id, desk=desk, created=created, tickets=len(set(bootstrap.units)), exchanges=len(cases),
        dropped=dropped, systems=systems, bars=bars, decision=outlook.decision, verdict=outlook.sentence,
        reasons=outlook.reasons, evasion_p=_evasion_p(cases), topics=_topics(cases, present),
        curve=_curve(cases), payback=payback(costs, systems["teacher"].euros, systems["student"].euros),
        resamples=resamples, seed=seed, lineage=lineage or {},
    )  # fmt: skip


def _system(system: System, cases: Sequence[Case], costs: Costs, bootstrap: Bootstrap) -> SystemSummary:
    replies = [case.replies[system] for case in cases]
    scores = {name: bootstrap.mean([case.metric(system, name) for case in cases]) for name in SCORES}
    evaded = sum(reply.outcome == "evasion" for reply in replies)
    summary = SystemSummary(
        system=system, replies=len(replies), outcomes=dict(Counter(reply.outcome for reply in replies)),
        stated_facts=sum(reply.metrics["fidelity"] is not None for reply in replies), scores=scores,
        evasions=wilson(evaded, len(replies)), deferrals=sum(r.outcome == "deferral" for r in replies),
        cut_off=sum(reply.finish == "length" for reply in replies),
        share_of_teacher=None if system == "teacher" else bootstrap.ratio(
            [case.metric(system, "quality") for case in cases],
            [case.metric("teacher", "quality") for case in cases],
        ),
    )  # fmt: skip
    if system in ("human", "notes"):
        return summary
    machine = costs.machines.get(system)
    seconds = [reply.seconds for reply in replies]
    measured: dict[str, object] = {
        "seconds_mean": fmean(seconds),
        "seconds_median": median(seconds),
        "first_token_median": median(reply.first_token_seconds for reply in replies),
        "prompt_tokens": fmean(reply.prompt_tokens for reply in replies),
        "completion_tokens": fmean(reply.completion_tokens for reply in replies),
    }
    if machine:
        measured |= {
            "model": machine.model, "euros": machine.euros_per_thousand(seconds),
            "memory_bytes": machine.memory_bytes, "disk_bytes": machine.disk_bytes,
        }  # fmt: skip
    return summary.model_copy(update=measured)


def _evasion_p(cases: Sequence[Case]) -> float:
    student = [bool(case.metric("student", "evasion")) for case in cases]
    teacher = [bool(case.metric("teacher", "evasion")) for case in cases]
    pairs = list(zip(student, teacher, strict=True))
    return mcnemar(sum(s and not t for s, t in pairs), sum(t and not s for s, t in pairs))


def _topics(cases: Sequence[Case], present: Sequence[System]) -> tuple[TopicRow, ...]:
    rows = []
    for topic, count in Counter(case.topic or "no topic" for case in cases).most_common():
        here = [case for case in cases if (case.topic or "no topic") == topic]
        rows.append(
            TopicRow(
                topic=topic, replies=count, enough=count >= ENOUGH,
                flagged={
                    s: sum(case.replies[s].outcome in ("evasion", "unsupported", "broken") for case in here)
                    for s in present
                },
                quality={s: fmean(case.metric(s, "quality") for case in here) for s in present},
                fact_problems=sum(case.replies["student"].outcome == "unsupported" for case in here),
                weak_evidence=sum(case.weak_evidence for case in here),
            )
        )  # fmt: skip
    return tuple(rows)


def _curve(cases: Sequence[Case], points: int = 21) -> tuple[CurvePoint, ...]:
    """Mean quality against the share the student answers; empty when no log-probabilities were recorded."""
    sure = [case.replies["student"].logprob for case in cases]
    if any(value is None for value in sure):
        return ()
    confidence = [math.exp(value) for value in sure if value is not None]
    ranked = sorted(confidence, reverse=True)
    steps = sorted({round(place * len(ranked) / (points - 1)) for place in range(points)})
    curve = []
    for kept in steps:
        threshold = ranked[kept - 1] if kept else 1.0
        chosen = [kept > 0 and value >= threshold for value in confidence]
        mixed = [case.metric("student" if c else "teacher", "quality") for case, c in zip(cases, chosen, strict=True)]
        curve.append(CurvePoint(threshold=threshold, share=sum(chosen) / len(cases), quality=fmean(mixed)))
    return tuple(curve)
