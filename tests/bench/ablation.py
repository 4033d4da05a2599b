"""What each ingredient of the real desk's student gives, and what more of it would: `make bench-ablation`.

Wants CORPUS=path/to/thunderbird, and the teacher's answers that `make bench-thunderbird` asked for; it is asked again
about the same exchanges without our agents' replies in sight. Each variant changes one thing of its reference, is
taught as many exchanges (`--exchanges`), and replies (by torch, to the serving prompt) to the same held-out exchanges
(`--held-out`), which nobody was taught. There are two references: the desk as it is, where what was said the last time
is taught whole wherever readers trust it, and one taught by the teacher's answers alone, which show what the teacher's
part gives. Printed beside the reference, with paired 95 % intervals: grounding and fidelity as one number, words shared
with our agent's reply, how often it hands over, how long it is; and what readers say (`--readings`): which replies are
good (3 or more of 5), which would mislead. `--sheet` writes what they have not read, blind and shuffled, in the form of
`deskmate review`. Then students of fewer exchanges; their curve is drawn beside this file. The students are made by
`ablation_students`; `--prepare` stops before them, and another machine with a GPU may make them. Killed, it goes on
when run again.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean

from bot.config import Config, Teaching
from bot.desk import Desk, gather
from bot.journal import Journal, alone, journal_of
from bot.launch import identity
from bot.weights import resolve
from data.parquet import write_rows
from data.records import Answer, Exchange
from data.workspace import Workspace, digest, manifest_of, write_json
from distillation.asking import answerable, jobs_for, plain
from distillation.asking import asked as all_asked
from distillation.capturing import plan as capturing
from distillation.label_journal import LabelJournal
from distillation.rows import TrainingRow
from distillation.select import Rules, select
from distillation.teach import candidates, row_of
from distillation.voices import loadable
from eval.charts import curve
from eval.metrics import measure
from eval.render import COLOURS
from eval.statistics import Bootstrap
from tests.bench.ablation_students import answer as make_replies
from tests.bench.ablation_variants import AGAIN, VARIANTS, Variant, variants_of
from tests.bench.readings import Readings, reading, readings_of, write_unread
from tests.bench.thunderbird import parsed

CURVE = Path(__file__).with_name("learning_curve.svg")
CODE = "ablation-3"
MEASURES = ("quality", "overlap_human", "deferral", "words")
READ = ("read_good", "read_wrong")
SPLITS = ("train", "validation", "heldout")
WATCHED = 16  # validation rows that training looks at: it stops nothing here, and all of them take as long as it does
Values = dict[str, list[float]]


def unaided_config(config: Config) -> Config:
    return config.model_copy(update={"teaching": config.teaching.model_copy(update={"hindsight": False})})


async def ask_unaided(workspace: Workspace, config: Config, desk: Desk) -> None:
    """The teacher answers the same exchanges without our agents' replies, each sample once in the workspace's life."""
    settings = unaided_config(config)
    path = journal_of(workspace, identity(config.teacher))
    with alone(path), loadable(workspace, config.teacher) as load:
        journal, labels = Journal(path), LabelJournal(path.with_suffix(".labels"))
        source = capturing(workspace, settings)
        await all_asked(workspace, settings, desk, journal, labels, source, load, lambda _: True)


def given(workspace: Workspace, config: Config, desk: Desk) -> list[Answer]:
    """The teacher's answers to the desk as it is, with and without hindsight; all but an exchange's first sample of
    either marked as another one."""
    teacher = identity(config.teacher)
    known = {answer.sample_id: answer for answer in Journal(journal_of(workspace, teacher)).answers}
    answers = []
    for teaching in (config.teaching, unaided_config(config).teaching):
        for exchange in answerable(desk, teaching.limit):
            for place, job in enumerate(jobs_for(desk, exchange, teaching)):
                answer = plain(known[job.sample_id(teacher)])
                answers.append(answer.model_copy(update={"reason": AGAIN} if place else {}))
    return answers


def corpus(into: Workspace, desk: Desk, config: Config, answers: Sequence[Answer], variant: Variant) -> Path:
    """`desk` has the variant's settings; `config` the desk's own, whose validation rows watch all students alike."""
    competing = [*answers, *candidates(desk.part("train"), desk, desk.config.teaching)]
    watched = candidates(desk.part("validation"), desk, config.teaching)
    rows = {
        "rows": taught(desk, "train", filter(variant.admits, competing), desk.config.teaching, variant.exchanges),
        "validation": taught(desk, "validation", watched, config.teaching, WATCHED),
    }
    draft = into.draft("corpus", {name: digest([row.model_dump() for row in each]) for name, each in rows.items()}, {})
    if draft.done:
        return draft.final
    for name, each in rows.items():
        write_rows(draft.path / f"{name}.parquet", each, TrainingRow)
    return draft.finish({"rows": float(len(rows["rows"]))})


def taught(desk: Desk, split: str, answers: Iterable[Answer], teaching: Teaching, most: int) -> list[TrainingRow]:
    part = {exchange.id: exchange for exchange in desk.part(split)}
    rules = Rules(teaching.min_support, teaching.deferral_share, most, teaching.each)
    kept, _ = select(answers, list(part.values()), desk.evidence, rules)
    return [row_of(answer, part[answer.exchange_id], desk) for answer in kept]


def ask(into: Workspace, desk: Desk, held_out: Sequence[Exchange], config: Config, rows: Path) -> Path:
    """What `ablation_students` is asked for: a file, named by its content."""
    prompts = [[dict(message) for message in desk.messages(exchange)] for exchange in held_out]
    wanted = {"corpus": rows.name, "settings": config.training.model_dump(mode="json"), "prompts": prompts}
    path = into.root / "asked" / f"{digest([CODE, wanted])}.json"
    path.parent.mkdir(exist_ok=True)
    write_json(path, wanted)
    return path


def judged(said: Sequence[str], desk: Desk, held_out: Sequence[Exchange], readings: Readings) -> Values:
    """Of each held-out exchange, in their order, a value of each of MEASURES, and of READ where all were read."""
    found: Values = {name: [] for name in (*MEASURES, *READ)}
    for reply, exchange in zip(said, held_out, strict=True):
        told = measure(reply, exchange.question, desk.context(exchange), teacher=None, human=exchange.human_reply)
        for name in MEASURES:
            found[name].append(float(told[name] or 0.0))
        if read := reading(readings, exchange, reply):
            found["read_good"].append(read.good)
            found["read_wrong"].append(read.wrong)
    return {name: values for name, values in found.items() if len(values) == len(said)}


def line(name: str, mine: Values, reference: Values | None, units: Sequence[str]) -> str:
    cells = []
    for measured in (*MEASURES, *READ):
        cell = f"{fmean(mine[measured]):.3f}" if measured in mine else ""
        if reference is not None and measured in mine and measured in reference:
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


def plans(into: Workspace, workspace: Workspace, as_it_is: Desk, variants: Sequence[Variant], most: int) -> list[Plan]:
    tickets, config = workspace.latest("tickets"), as_it_is.config
    desks = {config.retrieval.model_dump_json(): as_it_is}
    answers = given(workspace, config, as_it_is)
    made = []
    for variant in variants:
        changed = variant.config(config)
        searched = changed.retrieval.model_dump_json()
        if searched not in desks:
            desks[searched] = gather(workspace, tickets, changed, SPLITS)
        desk = replace(desks[searched], config=changed)
        rows = corpus(into, desk, config, answers, variant)
        made.append(Plan(variant, desk, rows, ask(into, desk, chosen(desk, most), changed, rows)))
    return made


def chosen(desk: Desk, most: int) -> list[Exchange]:
    return sorted(desk.part("heldout"), key=lambda exchange: digest(exchange.id))[:most]


@dataclass(slots=True)
class Told:
    """What the students said: the lines of the table, the curve over sizes, all that was said."""

    readings: Readings
    reference: Values | None = None
    sizes: list[tuple[int, float]] = field(default_factory=list)
    replies: list[tuple[Exchange, str]] = field(default_factory=list)

    def tell(self, plan: Plan, said: Sequence[str], most: int) -> str:
        variant, held_out = plan.variant, chosen(plan.desk, most)
        found = judged(said, plan.desk, held_out, self.readings)
        rows, units = int(manifest_of(plan.rows).counts["rows"]), [each.ticket_id for each in held_out]
        self.replies += zip(held_out, said, strict=True)
        if variant.sized or variant.name == VARIANTS[0].name:
            self.sizes.append((rows, fmean(found["quality"])))
        told = line(f"{variant.name} | {rows}", found, None if variant.reference else self.reference, units)
        self.reference = found if variant.reference else self.reference
        return told


def report(into: Workspace, base: str, made: Sequence[Plan], most: int, told: Told) -> None:
    columns = (*MEASURES, *READ)
    print(f"| | taught | {' | '.join(columns)} |\n{'|---' * (len(columns) + 2)}|")
    for each in made:
        make_replies(into.root, base, each.asked)
        said = json.loads((into.root / "replies" / each.asked.name).read_text())["said"]
        print(told.tell(each, said, most), flush=True)
    if len(told.sizes) > 1:
        CURVE.write_text(drawn(sorted(told.sizes)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--exchanges", type=int, default=100, help="taught to each student")
    parser.add_argument("--sizes", type=int, nargs="*", default=[25, 50], help="of students taught less, or more")
    parser.add_argument("--held-out", type=int, default=48, help="exchanges replied to")
    parser.add_argument("--only", nargs="+", default=[], help="of the variants, beside the references")
    parser.add_argument("--prepare", action="store_true", help="write what the students need, and stop")
    parser.add_argument("--readings", type=Path, nargs="*", default=[], help="sheets that readers filled in")
    parser.add_argument("--sheet", type=Path, help="where to write the replies that nobody has read")
    workspace, config, asked = parsed(parser)
    into = Workspace(workspace.root / "ablation")
    into.root.mkdir(exist_ok=True)
    desk = gather(workspace, workspace.latest("tickets"), config, SPLITS)
    asyncio.run(ask_unaided(workspace, config, desk))
    variants = [
        replace(each, exchanges=each.exchanges or asked.exchanges) for each in variants_of(asked.sizes, asked.only)
    ]
    made = plans(into, workspace, desk, variants, asked.held_out)
    if asked.prepare:
        return
    told = Told(readings_of(asked.readings))
    report(into, resolve("starter-student", workspace, "hf"), made, asked.held_out, told)
    if asked.sheet:
        print(f"{asked.sheet}: {write_unread(asked.sheet, told.replies, told.readings)} replies to read")


if __name__ == "__main__":
    main()
