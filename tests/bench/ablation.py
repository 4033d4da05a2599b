"""What each ingredient of the real desk's student gives, and what more of it would: `make bench-ablation`.

Wants CORPUS=path/to/thunderbird, and the teacher's answers that `make bench-thunderbird` asked for; no others are. Each
variant changes one thing of that desk, is taught as many exchanges, and replies (by torch, to the serving prompt) to
the same exchanges that nobody was taught. Printed beside the reference, with paired 95 % intervals: grounding and
fidelity as one number, words shared with our agent's reply, how often it hands over, how long it is. Then students of
more and more exchanges, and the desk's newest one; their curve is drawn beside this file. Killed, it goes on when run
again.
"""

from __future__ import annotations

import json
import math
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
from data.workspace import Workspace, digest, manifest_of, write_json
from distillation.asking import plain
from distillation.rows import TrainingRow, end_token, render
from distillation.sampling import sample
from distillation.select import Rules, select
from distillation.student import load_student
from distillation.teach import candidates, row_of
from distillation.train import train
from eval.charts import curve
from eval.metrics import measure
from eval.render import COLOURS
from eval.statistics import Bootstrap
from tests.bench.thunderbird import prepared

ROWS, HELD_OUT = 100, 48
SIZES = (25, 50)
TOKENS, TOGETHER = 90, 16
CURVE = Path(__file__).with_name("learning_curve.svg")
CODE = "ablation-1"
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


REFERENCE, NEWEST = Variant("reference"), Variant("the desk's newest student")
VARIANTS = (
    Variant("no past tickets among the notes", {"retrieval": {"tickets": 0}}),
    Variant("without the teacher's answers (hindsight)", admits=lambda answer: answer.source != "hindsight"),
    Variant("without what was said the last time", {"teaching": {"past": False}}),
    Variant("nothing filtered for support", {"teaching": {"min_support": 0.0}}),
    Variant("no handing over taught", {"teaching": {"deferral_share": 0.0}}),
    Variant("rank 8", {"training": {"rank": 8}}),
    Variant("the teacher's first answer, not the best", admits=lambda answer: answer.reason != "another sample"),
    Variant("two weighted answers an exchange", {"teaching": {"each": 2}}),
    Variant("the nearest notes, whatever they are worth", {"retrieval": {"margin": 9.0}}),
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


@dataclass(frozen=True, slots=True)
class Taught:
    """A student: its folder, and of what it was taught how many answers."""

    folder: Path
    rows: int


def taught(
    into: Workspace, desk: Desk, config: Config, answers: Sequence[Answer], variant: Variant, base: str
) -> Taught:
    rows = corpus(into, desk, config, answers, variant)
    return Taught(train(into, rows, base, config.training), int(manifest_of(rows).counts["rows"]))


def newest(workspace: Workspace) -> Taught:
    """What `make bench-thunderbird` trained."""
    student = workspace.latest("student")
    rows = workspace.find("corpus", manifest_of(student).inputs["corpus"])
    return Taught(student, int(manifest_of(rows).counts["kept"]))


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


def judged(
    folder: Path, base: str, student: Taught, desk: Desk, held_out: Sequence[Exchange], config: Config
) -> Values:
    """Of each held-out exchange, in their order, a value of each of MEASURES; kept in `folder`."""
    asked = digest([CODE, TOKENS, [[exchange.id, desk.messages(exchange)] for exchange in held_out]])
    kept = folder / f"{student.folder.name}-{asked}.json"
    if not kept.is_file():
        found: Values = {name: [] for name in MEASURES}
        for reply, exchange in zip(replies(base, student.folder, desk, held_out, config), held_out, strict=True):
            told = measure(reply, exchange.question, desk.context(exchange), teacher=None, human=exchange.human_reply)
            for name in MEASURES:
                found[name].append(float(told[name] or 0.0))
        write_json(kept, dict(found))
    values: Values = json.loads(kept.read_text())
    return values


def line(name: str, mine: Values, reference: Values | None, units: Sequence[str]) -> str:
    cells = []
    for measured in MEASURES:
        cell = f"{fmean(mine[measured]):.3f}"
        if reference is not None:
            apart = Bootstrap(units).difference(mine[measured], reference[measured])
            cell += f" ({apart.low:+.3f} to {apart.high:+.3f})" if apart else ""
        cells.append(cell)
    return f"| {name} | " + " | ".join(cells) + " |"


def drawn(sizes: Sequence[tuple[int, float]]) -> str:
    """The learning curve, (answers taught, mean quality), over a logarithmic axis."""
    low, high = (math.log(each(sizes)[0]) for each in (min, max))
    places = [((math.log(size) - low) / (high - low), value) for size, value in sizes]
    marks = [(along, str(size)) for (along, _), (size, _) in zip(places, sizes, strict=True)]
    spoken = "Quality by answers taught: " + "; ".join(f"{size}: {value:.2f}" for size, value in sizes)
    made = curve(places, "answers taught", spoken, COLOURS["student"], marks)
    return str(made).replace(  # Markup's own would escape what is put in
        "<svg ", '<svg xmlns="http://www.w3.org/2000/svg" font-family="Helvetica, Arial, sans-serif" ', 1
    )


def main() -> None:
    workspace, config = prepared(__doc__)
    answers = given(workspace, config)
    into = Workspace(workspace.root / "ablation")
    base = resolve("starter-student", workspace, "hf")
    tickets = workspace.latest("tickets")
    reference: Values | None = None
    sizes: list[tuple[int, float]] = []
    desks: dict[str, Desk] = {}
    print(f"| | taught | {' | '.join(MEASURES)} |\n{'|---' * (len(MEASURES) + 2)}|")
    sized = [Variant(f"{size} exchanges", exchanges=size) for size in SIZES]
    for variant in (REFERENCE, *sized, NEWEST, *VARIANTS):
        changed = variant.config(config)
        searched = changed.retrieval.model_dump_json()
        if searched not in desks:
            desks[searched] = gather(workspace, tickets, changed, ("train", "validation", "heldout"))
        desk = replace(desks[searched], config=changed)
        held_out = sorted(desk.part("heldout"), key=lambda exchange: digest(exchange.id))[:HELD_OUT]
        student = newest(workspace) if variant is NEWEST else taught(into, desk, changed, answers, variant, base)
        found = judged(into.root, base, student, desk, held_out, changed)
        units = [each.ticket_id for each in held_out]
        print(line(f"{variant.name} | {student.rows}", found, reference, units), flush=True)
        reference = reference or found
        if variant in (REFERENCE, *sized, NEWEST):
            sizes.append((student.rows, fmean(found["quality"])))
        if variant is NEWEST:
            CURVE.write_text(drawn(sorted(sizes)))


if __name__ == "__main__":
    main()
