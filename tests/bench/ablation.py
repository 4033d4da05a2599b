"""What each ingredient of the real desk's student gives, and what more of it would: `make bench-ablation`.

Wants CORPUS=path/to/thunderbird, and the teacher's answers that `make bench-thunderbird` asked for; no others are. Each
variant changes one thing of that desk, is taught as many exchanges, and replies (by torch, to the serving prompt) to
the same exchanges that nobody was taught. Printed beside the reference, with paired 95 % intervals: grounding and
fidelity as one number, words shared with our agent's reply, how often it hands over, how long it is. Then students of
more and more exchanges. Killed, it goes on when run again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from transformers import AutoTokenizer

from bot.config import Config
from bot.desk import Desk, gather
from bot.journal import Journal, journal_of
from bot.launch import identity
from bot.weights import resolve
from data.parquet import write_rows
from data.records import Answer, Exchange
from data.workspace import Workspace, digest, manifest_of
from distillation.asking import plain
from distillation.rows import TrainingRow, end_token, render
from distillation.sampling import sample
from distillation.select import Rules, select
from distillation.student import load_student
from distillation.teach import candidates, row_of
from distillation.train import train
from eval.metrics import measure
from eval.statistics import Bootstrap
from tests.bench.thunderbird import prepared

ROWS, HELD_OUT = 240, 64
SIZES = (60, 120, 480, 960)
TOKENS, TOGETHER = 110, 16
MEASURES = ("quality", "overlap_human", "deferral", "words")
Values = dict[str, list[float]]


@dataclass(frozen=True, slots=True)
class Variant:
    """`change`: other settings, by section; `admits`: which candidates compete."""

    name: str
    change: dict[str, dict[str, Any]] = field(default_factory=dict)
    admits: Callable[[Answer], bool] = lambda _: True
    exchanges: int = ROWS

    def config(self, config: Config) -> Config:
        sections = {name: getattr(config, name).model_copy(update=values) for name, values in self.change.items()}
        return config.model_copy(update=sections)


REFERENCE = Variant("reference")
VARIANTS = (
    REFERENCE,
    Variant("no past tickets among the notes", {"retrieval": {"tickets": 0}}),
    Variant("the nearest notes, whatever they are worth", {"retrieval": {"margin": 9.0}}),
    Variant("without the teacher's answers (hindsight)", admits=lambda answer: answer.source != "hindsight"),
    Variant("the teacher's first answer, not the best", admits=lambda answer: answer.reason != "another sample"),
    Variant("without what was said the last time", {"teaching": {"past": False}}),
    Variant("nothing filtered for support", {"teaching": {"min_support": 0.0}}),
    Variant("two weighted answers an exchange", {"teaching": {"each": 2}}),
    Variant("no handing over taught", {"teaching": {"deferral_share": 0.0}}),
    Variant("rank 8", {"training": {"rank": 8}}),
)


def given(workspace: Workspace, config: Config) -> list[Answer]:
    """The teacher's, all but the first to an exchange marked as another sample."""
    seen: set[str] = set()
    answers = []
    for answer in Journal(journal_of(workspace, identity(config.teacher))).answers:
        first = answer.exchange_id not in seen
        seen.add(answer.exchange_id)
        answers.append(plain(answer) if first else plain(answer).model_copy(update={"reason": "another sample"}))
    return answers


def corpus(into: Workspace, desk: Desk, config: Config, answers: Sequence[Answer], variant: Variant) -> Path:
    teaching = config.teaching
    rules = Rules(teaching.min_support, teaching.deferral_share, variant.exchanges, teaching.each)
    exchanges = {exchange.id: exchange for exchange in desk.exchanges}
    rows = {}
    for split, name, teachers in (("train", "rows", answers), ("validation", "validation", [])):
        part = desk.part(split)
        found = [answer for answer in [*teachers, *candidates(part, desk, teaching)] if variant.admits(answer)]
        kept, _ = select(found, part, desk.evidence, rules if split == "train" else replace(rules, most=0))
        rows[name] = [row_of(answer, exchanges[answer.exchange_id], desk) for answer in kept]
    draft = into.draft("corpus", {name: digest([row.model_dump() for row in each]) for name, each in rows.items()}, {})
    if draft.done:
        return draft.final
    for name, each in rows.items():
        write_rows(draft.path / f"{name}.parquet", each, TrainingRow)
    return draft.finish({"rows": float(len(rows["rows"]))})


def replies(base: str, taught: Path, desk: Desk, held_out: Sequence[Exchange], config: Config) -> list[str]:
    tokenizer = AutoTokenizer.from_pretrained(base)
    student = load_student(base, config.training)
    student.load(taught / "adapter")
    prompts = [render(tokenizer, desk.messages(exchange)) for exchange in held_out]
    order = sorted(range(len(prompts)), key=lambda place: len(prompts[place]))
    said = [""] * len(prompts)
    for at in range(0, len(order), TOGETHER):
        some = order[at : at + TOGETHER]
        drawn = sample(student, [prompts[p] for p in some], TOKENS, end_token(tokenizer), 1 << 30, None)
        for place, each in zip(some, drawn, strict=True):
            said[place] = tokenizer.decode(list(each.tokens), skip_special_tokens=True).strip()
    return said


def values(said: Sequence[str], desk: Desk, held_out: Sequence[Exchange]) -> Values:
    found: Values = {name: [] for name in MEASURES}
    for reply, exchange in zip(said, held_out, strict=True):
        told = measure(reply, exchange.question, desk.context(exchange), teacher=None, human=exchange.human_reply)
        for name in MEASURES:
            found[name].append(float(told[name] or 0.0))
    return found


def line(name: str, mine: Values, reference: Values | None, units: Sequence[str]) -> str:
    cells = []
    for measured in MEASURES:
        cell = f"{fmean(mine[measured]):.3f}"
        if reference is not None:
            apart = Bootstrap(units).difference(mine[measured], reference[measured])
            cell += f" ({apart.low:+.3f} to {apart.high:+.3f})" if apart else ""
        cells.append(cell)
    return f"| {name} | " + " | ".join(cells) + " |"


def main() -> None:
    workspace, config = prepared(__doc__)
    answers = given(workspace, config)
    into = Workspace(workspace.root / "ablation")
    base = resolve("starter-student", workspace, "hf")
    reference: Values | None = None
    print(f"| | taught | {' | '.join(MEASURES)} |\n{'|---' * (len(MEASURES) + 2)}|")
    sized = [Variant(f"{size} exchanges", exchanges=size) for size in SIZES]
    for variant in (*VARIANTS, *sized):
        changed = variant.config(config)
        desk = gather(workspace, workspace.latest("tickets"), changed, ("train", "validation", "heldout"))
        held_out = sorted(desk.part("heldout"), key=lambda exchange: digest(exchange.id))[:HELD_OUT]
        rows = corpus(into, desk, changed, answers, variant)
        taught = train(into, rows, base, changed.training)
        found = values(replies(base, taught, desk, held_out, changed), desk, held_out)
        count = int(manifest_of(rows).counts["rows"])
        print(line(f"{variant.name} | {count}", found, reference, [each.ticket_id for each in held_out]), flush=True)
        reference = reference or found


if __name__ == "__main__":
    main()
