"""The real desk's student and our agents, read blind on held-out questions: `make bench-reading`.

Wants CORPUS=path/to/thunderbird and the student of `make bench-thunderbird`. The student replies to all held-out
exchanges as it would serve them. Prints what readers said (`--readings FILE ...`, one sheet of each; those beside this
file by default): of each voice, and of what the student would answer from each worth on, the threshold that reviews
give a release among them. `--sheet FILE` writes what nobody has read, blind and shuffled, to be filled in (`score`,
`wrong`). About 8 minutes on two cores. Killed, it goes on when run again.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from bot.answering import Ask, answer_all
from bot.config import Config
from bot.desk import Desk, gather
from bot.journal import Journal
from bot.launch import running
from data.records import Exchange
from data.text import is_deferral
from data.workspace import Workspace
from eval.calibration import Threshold, reviewed, threshold
from tests.bench.readings import Reading, Readings, reading, readings_of, write_unread
from tests.bench.thunderbird import parsed

READ = [Path(__file__).with_name(f"reading_{reader}.csv") for reader in "ab"]
LEAST = (0.0, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)


@dataclass(frozen=True, slots=True)
class Said:
    """What each voice says to an exchange, and what the student's notes are worth; `known`: it would reach a model."""

    exchange: Exchange
    worth: float
    known: bool
    voices: dict[str, str]


async def replies(workspace: Workspace, config: Config, desk: Desk) -> list[Said]:
    model = workspace.latest("model")
    journal = Journal(workspace.root / "reading" / f"{model.name}.jsonl")
    exchanges = desk.part("heldout")
    jobs = {e.id: desk.job(e, "student", max_tokens=config.evaluation.max_tokens) for e in exchanges}
    names = {job.sample_id(model.name): name for name, job in jobs.items()}
    if missing := names.keys() - {answer.sample_id for answer in journal.answers}:
        one = config.student.model_copy(update={"parallel": 1})
        async with running(one, workspace, path=model / "model.gguf") as engine:
            asks = [Ask(engine, model.name, jobs[names[each]]) for each in sorted(missing)]
            await answer_all(asks, parallel=1, sink=journal.add, label="student")
    said = {names[answer.sample_id]: answer.text for answer in journal.answers if answer.sample_id in names}
    return [
        Said(
            each, desk.worth(each), desk.standings[each.id] == "known",
            {"student": said[each.id], "our agents": each.human_reply},
        )
        for each in exchanges
    ]  # fmt: skip


def release(workspace: Workspace, config: Config) -> Threshold:
    """The threshold that reviews give a release, whatever the student says."""
    judged, serving = reviewed(workspace, workspace.latest("tickets"), config), config.serving
    return threshold(judged, target=serving.target_good, most_wrong=serving.most_wrong)


def cells(marks: Sequence[Reading]) -> str:
    means = [fmean(mark) for mark in zip(*marks, strict=True)] if marks else [0.0] * 3
    return f"{len(marks)} | {means[0]:.2f} | {means[1]:.0%} | {means[2]:.0%} |"


def tables(found: Sequence[Said], readings: Readings, least: float) -> list[str]:
    """Of each voice, then of what the student answers from each worth on; "" hands over where it would."""
    head = "| | replies | mean score | 3 or better | wrong |\n|---|---|---|---|---|"
    lines = [head]
    for voice in found[0].voices:
        marks = [mark for each in found if (mark := reading(readings, each.exchange, each.voices[voice]))]
        lines.append(f"| {voice} | {cells(marks)}")
    lines.append(head)
    for bound in sorted({*LEAST, least}):
        answered = [
            each for each in found
            if each.known and each.worth >= bound and not is_deferral(each.voices["student"])
        ]  # fmt: skip
        marks = [mark for each in answered if (mark := reading(readings, each.exchange, each.voices["student"]))]
        lines.append(f"| worth {bound:.2f}{' (release)' if bound == least else ''} | {cells(marks)}")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sheet", type=Path, help="where to write what nobody has read")
    parser.add_argument("--readings", type=Path, nargs="+", default=READ, help="sheets that readers filled in")
    workspace, config, asked = parsed(parser)
    desk = gather(workspace, workspace.latest("tickets"), config, ("heldout",), quotes=True)
    found = asyncio.run(replies(workspace, config, desk))
    readings = readings_of(asked.readings)
    if asked.sheet:
        pairs = [(each.exchange, reply) for each in found for reply in each.voices.values()]
        print(f"{asked.sheet}: {write_unread(asked.sheet, pairs, readings)} replies to read")
    if readings:
        set_by_readers = release(workspace, config)
        print(f"{set_by_readers}, before any reply was read\n")
        print("\n".join(tables(found, readings, set_by_readers.least)))


if __name__ == "__main__":
    main()
