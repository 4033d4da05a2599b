"""`deskmate teach`: what it will take is told before a long job, and asked about in a terminal."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.options import ConfigFile, Settings, opened
from bot.config import Config
from data.errors import DeskmateError
from data.workspace import Workspace, manifest_of

if TYPE_CHECKING:
    from distillation.forecast import Forecast


def register(app: typer.Typer) -> None:
    app.command()(teach)


def teach(
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before a long job.")] = False,
    config: ConfigFile = None,
    settings: Settings = None,
) -> None:
    """Let the teacher answer the train exchanges and choose what is worth teaching."""
    values, workspace = opened(config, settings)
    run_teach(workspace, values, yes=yes)


def run_teach(workspace: Workspace, values: Config, *, yes: bool = True) -> Path:
    from distillation.teach import teach as run

    made = asyncio.run(run(workspace, values, agreed if not yes else told))
    counts = manifest_of(made).counts
    typer.echo(f"corpus {made.name}: {counts['kept']:.0f} answers to teach, {counts['rejected']:.0f} turned away")
    for name, count in sorted(counts.items(), key=lambda item: -item[1]):
        if name.startswith("rejected: "):
            typer.echo(f"  {count:5.0f}  {name.removeprefix('rejected: ')}")
    return made


def told(forecast: Forecast) -> bool:
    """Say what a long job will take, and go on."""
    for line in forecast.lines():
        typer.echo(line)
    return True


def agreed(forecast: Forecast) -> bool:
    """Say it, and ask; where nobody can be asked, nothing long begins. Raises DeskmateError there."""
    told(forecast)
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise DeskmateError("nobody is there to ask whether to go on: run it again with --yes; the answers are kept")
    return typer.confirm("go on?", default=False)
