"""`deskmate corpus show`: what the student will be taught, on one page, with what was turned away and why."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bot.cli.inspect import present
from bot.cli.options import ConfigFile, Settings, opened
from bot.config import Config
from data.workspace import Workspace, write_bytes

corpus_app = typer.Typer(no_args_is_help=True, help="What the student is taught.")


def register(app: typer.Typer) -> None:
    app.add_typer(corpus_app, name="corpus")


@corpus_app.command()
def show(
    corpus: Annotated[str, typer.Argument(help="A corpus id; without it the newest one.")] = "",
    no_open: Annotated[bool, typer.Option("--no-open", help="Write the page, but do not open it.")] = False,
    config: ConfigFile = None,
    settings: Settings = None,
) -> None:
    """Show kept and rejected answers with reasons, and what the teacher cost: one HTML page."""
    values, workspace = opened(config, settings)
    present(run_show(workspace, values, corpus), no_open=no_open)


def run_show(workspace: Workspace, values: Config, corpus: str = "") -> Path:
    """The page, beside those of the imports, as a finished corpus never changes."""
    from eval.taught import load
    from eval.taught_page import render

    path = workspace.find("corpus", corpus) if corpus else workspace.latest("corpus")
    made = workspace.root / "inspect" / f"{path.name}.html"
    write_bytes(made, render(load(workspace, path), values.desk.name).encode())
    return made
