"""The whole loop on a real desk: `make bench-thunderbird CORPUS=path/to/thunderbird`.

The corpus is Mozilla Support contributors' (CC BY-SA) and is read where it lies; only artefacts under
workspace-thunderbird/ are written, which git ignores. Prints the README's table. Killed, it goes on when run again.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from bot.cli import loop
from bot.cli.teach import run_teach
from bot.config import Config, load
from bot.weights import STARTER, pull
from data.workspace import Workspace
from tests.bench.table import table


def configuration(corpus: Path, overrides: list[str]) -> Config:
    fixed = [
        "workspace=workspace-thunderbird",
        "desk.name=Thunderbird support",
        "desk.about=the help desk of an e-mail program",
        f"desk.tickets={corpus / 'tickets.jsonl.gz'}",
        f"desk.articles={corpus / 'articles.jsonl.gz'}",
        f"desk.reviews={Path(__file__).with_name('reviews.csv')}",
        "desk.first_reply_only=true",
        "desk.heldout=150",
        "desk.validation=300",
        "desk.limit_train=6000",
        "teacher.parallel=24",
        "retrieval.articles=2",
        "retrieval.words=90",
        "retrieval.prefer=0.02",
        "retrieval.margin=0",
        "teaching.limit=64",
        "teaching.samples=2",
        "teaching.temperature=0.7",
        "teaching.max_tokens=160",
        "teaching.rows=1000",
        "teaching.human=true",
        "teaching.deferral_share=0.03",
        "training.batch_tokens=4000",
        "training.max_length=1400",
        "evaluation.limit=100",
        "evaluation.max_tokens=200",
    ]
    return load(None, [*fixed, *overrides])


def parsed(parser: argparse.ArgumentParser) -> tuple[Workspace, Config, argparse.Namespace]:
    """The desk that the command line asks for, imported, with the starter weights; its configuration; what else was
    asked."""
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--set", action="append", default=[], dest="overrides")
    asked = parser.parse_args()
    config = configuration(asked.corpus, asked.overrides)
    workspace = Workspace(config.workspace)
    pull(workspace, STARTER)
    loop.run_import(workspace, config)
    return workspace, config, asked


def prepared(what: str | None) -> tuple[Workspace, Config]:
    return parsed(argparse.ArgumentParser(description=what))[:2]


def main() -> None:
    workspace, config = prepared(__doc__)
    for step in (run_teach, loop.run_train, loop.run_optimise):
        step(workspace, config)
    report = loop.run_evaluate(workspace, config)
    print(table(report))


if __name__ == "__main__":
    main()
