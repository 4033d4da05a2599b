"""`deskmate inspect`: what was imported, on one page that a support lead reads before anything is taught."""

from __future__ import annotations

import sys
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.options import ConfigFile, Settings, opened
from bot.config import Config
from data.workspace import Workspace, write_bytes

if TYPE_CHECKING:
    from eval.retrieval import Retrieval


def register(app: typer.Typer) -> None:
    app.command()(inspect)


def inspect(
    no_open: Annotated[bool, typer.Option("--no-open", help="Write the page, but do not open it.")] = False,
    retrieval: Annotated[bool, typer.Option("--retrieval", help="Measure search first; minutes at first.")] = False,
    config: ConfigFile = None,
    settings: Settings = None,
) -> None:
    """Show what came in, what was left out and why, topics, replies, redaction, splits: one HTML page."""
    values, workspace = opened(config, settings)
    present(run_inspect(workspace, values, measure=retrieval), no_open=no_open)


def present(page: Path, *, no_open: bool) -> None:
    """Say where a page is; open it for somebody at a terminal."""
    typer.echo(f"page {page}")
    if sys.stdout.isatty() and not no_open:
        webbrowser.open(page.resolve().as_uri())


def run_inspect(workspace: Workspace, values: Config, *, measure: bool = False) -> Path:
    """The page of the newest import, beside the imports, as a finished one never changes."""
    from eval.corpus import load
    from eval.corpus_page import render
    from eval.retrieval import read

    tickets = workspace.latest("tickets")
    measured = workspace.root / "inspect" / f"{tickets.name}-retrieval.json"
    if measure:
        measure_retrieval(workspace, tickets, values, measured)
    made = workspace.root / "inspect" / f"{tickets.name}.html"
    write_bytes(made, render(load(tickets), values.desk.name, read(measured)).encode())
    return made


def measure_retrieval(workspace: Workspace, tickets: Path, values: Config, path: Path) -> Retrieval:
    """How well search finds what agents used, kept for the page."""
    from bot.loading import load
    from eval.search import measure

    found = measure(load(workspace, tickets, values.retrieval), tickets)
    write_bytes(path, found.model_dump_json(indent=2).encode())
    return found
