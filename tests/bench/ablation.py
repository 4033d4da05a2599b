"""What each ingredient of the real desk's student gives, and what more of it would: `make bench-ablation`.

Wants CORPUS=path/to/thunderbird, and the teacher's answers that `make bench-thunderbird` asked for; no others are. Each
variant changes one thing of that desk, is taught as many exchanges (`--exchanges`), and replies (by torch, to the
serving prompt) to the same held-out exchanges (`--held-out`), which nobody was taught. Printed beside the reference,
with paired 95 % intervals: grounding and fidelity as one number, words shared with our agent's reply, how often it
hands over, how long it is. Then students of fewer exchanges; their curve is drawn beside this file. The students are
made by `ablation_students`; `--prepare` stops before them, and another machine with a GPU may make them. Killed, it
goes on when run again.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from bot.config import Config
from bot.desk import Desk, gather
from bot.journal import Journal, journal_of
from bot.launch import identity
from bot.weights import resolve
from data.parquet import write_rows
from data.records import Answer, Exchange
from data.workspace import Workspace, digest, manifest_of, write_json
from distillation.asking import plain
from distillation.rows import TrainingRow
from distillation.select import Rules, select
from distillation.teach import candidates, row_of
from eval.charts import curve
from eval.metrics import measure
from eval.render import COLOURS
from eval.statistics import Bootstrap
from tests.bench.ablation_students import answer as make_replies
from tests.bench.thunderbird import parsed

CURVE = Path(__file__).with_name("learning_curve.svg")
CODE = "ablation-2"
MEASURES = ("quality", "overlap_human", "deferral", "words")
Values = dict[str, list[float]]


@dataclass(frozen=True, slots=True)
class Variant:
    """`change`: other settings, by section; `admits`: which candidates compete."""

    name: str
    change: dict[str, dict[str, Any]] = field(default_factory=dict)
    admits: Callable[[Answer], bool] = lambda _: True
    exchanges: int = 0
    sized: bool = False

    def config(self, config: Config) -> Config:
        sections = {name: getattr(config, name).model_copy(update=values) for name, values in self.change.items()}
        return config.model_copy(update=sections)


VARIANTS = (
    Variant("reference"),
    Variant("no past tickets among the notes", {"retrieval": {"tickets": 0}}),
    Variant("without the teacher's answers (hindsight)", admits=lambda answer: answer.source != "hindsight"),
    Variant("without what was said the last time", {"teaching": {"past": False}}),
    Variant("nothing filtered for support", {"teaching": {"min_support": 0.0}}),
    Variant("no handing over taught", {"teaching": {"deferral_share": 0.0}}),
    Variant("rank 8", {"training": {"rank": 8}}),
    Variant("two epochs", {"training": {"epochs": 2.0}}),
    Variant("another seed", {"training": {"seed": 8}}),
    Variant("the teacher's first answer, not the best", admits=lambda answer: answer.reason != "another sample"),
    Variant("two weighted answers an exchange", {"teaching": {"each": 2}}),
    Variant("the nearest notes, whatever they are worth", {"retrieval": {"margin": 9.0}}),
)


def variants_of(sizes: Sequence[int], only: Sequence[str] = ()) -> list[Variant]:
    """The reference, the variants (those in `only`, if it names any), and the sizes."""
    some = [each for each in VARIANTS[1:] if each.name in only or not only]
    return [VARIANTS[0], *some, *(Variant(f"{size} exchanges", exchanges=size, sized=True) for size in sizes)]


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


def ask(into: Workspace, desk: Desk, held_out: Sequence[Exchange], config: Config, rows: Path) -> Path:
    """What `ablation_students` is asked for: a file, named by its content."""
    prompts = [[dict(message) for message in desk.messages(exchange)] for exchange in held_out]
    wanted = {"corpus": rows.name, "settings": config.training.model_dump(mode="json"), "prompts": prompts}
    path = into.root / "asked" / f"{digest([CODE, wanted])}.json"
    path.parent.mkdir(exist_ok=True)
    write_json(path, wanted)
    return path


def judged(said: Sequence[str], desk: Desk, held_out: Sequence[Exchange]) -> Values:
    """Of each held-out exchange, in their order, a value of each of MEASURES."""
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


@dataclass(frozen=True, slots=True)
class Plan:
    """A variant, its desk, its corpus, and what its student is asked."""

    variant: Variant
    desk: Desk
    rows: Path
    asked: Path


def plans(into: Workspace, workspace: Workspace, config: Config, variants: Sequence[Variant], most: int) -> list[Plan]:
    answers, tickets = given(workspace, config), workspace.latest("tickets")
    desks: dict[str, Desk] = {}
    made = []
    for variant in variants:
        changed = variant.config(config)
        searched = changed.retrieval.model_dump_json()
        if searched not in desks:
            desks[searched] = gather(workspace, tickets, changed, ("train", "validation", "heldout"))
        desk = replace(desks[searched], config=changed)
        rows = corpus(into, desk, changed, answers, variant)
        made.append(Plan(variant, desk, rows, ask(into, desk, chosen(desk, most), changed, rows)))
    return made


def chosen(desk: Desk, most: int) -> list[Exchange]:
    return sorted(desk.part("heldout"), key=lambda exchange: digest(exchange.id))[:most]


def report(into: Workspace, base: str, made: Sequence[Plan], most: int) -> None:
    reference: Values | None = None
    sizes: list[tuple[int, float]] = []
    print(f"| | taught | {' | '.join(MEASURES)} |\n{'|---' * (len(MEASURES) + 2)}|")
    for plan in made:
        make_replies(into.root, base, plan.asked)
        said = json.loads((into.root / "replies" / plan.asked.name).read_text())["said"]
        held_out = chosen(plan.desk, most)
        found, taught = judged(said, plan.desk, held_out), int(manifest_of(plan.rows).counts["rows"])
        units = [each.ticket_id for each in held_out]
        print(line(f"{plan.variant.name} | {taught}", found, reference, units), flush=True)
        reference = reference or found
        if plan.variant is made[0].variant or plan.variant.sized:
            sizes.append((taught, fmean(found["quality"])))
    if len(sizes) > 1:
        CURVE.write_text(drawn(sorted(sizes)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--exchanges", type=int, default=100, help="taught to each student")
    parser.add_argument("--sizes", type=int, nargs="*", default=[25, 50], help="of students taught less, or more")
    parser.add_argument("--held-out", type=int, default=48, help="exchanges replied to")
    parser.add_argument("--only", nargs="+", default=[], help="of the variants, beside the reference")
    parser.add_argument("--prepare", action="store_true", help="write what the students need, and stop")
    workspace, config, asked = parsed(parser)
    into = Workspace(workspace.root / "ablation")
    into.root.mkdir(exist_ok=True)
    variants = [
        replace(each, exchanges=each.exchanges or asked.exchanges) for each in variants_of(asked.sizes, asked.only)
    ]
    made = plans(into, workspace, config, variants, asked.held_out)
    if not asked.prepare:
        report(into, resolve("starter-student", workspace, "hf"), made, asked.held_out)


if __name__ == "__main__":
    main()
