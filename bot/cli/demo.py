"""The whole loop in one command: every step finds its finished work and is skipped, or goes on where it stopped."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import typer

from bot.cli import loop
from bot.cli.release import create_release
from bot.cli.teach import run_teach
from bot.config import Config
from data.workspace import Workspace

STEPS: tuple[tuple[str, Callable[[Workspace, Config], Path | str]], ...] = (
    ("Import tickets and articles", loop.run_import),
    ("The teacher answers past tickets", run_teach),
    ("The student learns", loop.run_train),
    ("Optimise the student", loop.run_optimise),
    ("Evaluate on held-out tickets", loop.run_evaluate),
    ("Release", create_release),
)


def run(workspace: Workspace, config: Config) -> None:
    from bot.weights import STARTER, pull

    began = time.monotonic()
    pull(workspace, STARTER)
    for number, (title, step) in enumerate(STEPS, 1):
        typer.echo(f"\n[{number}/{len(STEPS)}] {title}  ({time.monotonic() - began:.0f} s so far)")
        made = step(workspace, config)
        if isinstance(made, str):
            typer.echo(made)
    _farewell(workspace, config)
    from serving.run import serve

    serve(workspace, config)


def _farewell(workspace: Workspace, config: Config) -> None:
    report = workspace.latest("report") / "report.html"
    typer.echo(
        f"\nThe bot:    http://{config.serving.host}:{config.serving.port}\n"
        f"The report: {report.resolve()}\n\nNext, in another terminal:\n"
        "  .venv/bin/deskmate chat\n  .venv/bin/deskmate release list\n"
        "  .venv/bin/deskmate import your-export.csv --articles your-articles/\n"
    )
