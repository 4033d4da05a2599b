"""`deskmate articles`: which articles changed since the corpus was taught, and which of its answers to look at."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import typer

from bot.cli.options import ConfigFile, Settings, opened

if TYPE_CHECKING:
    from data.versions import Difference

AGAIN = (
    "next: `deskmate teach` finds the evidence anew and asks the teacher again where what it is shown is not the same\n"
    "(its other answers are kept), then train, optimise, evaluate and release"
)


def register(app: typer.Typer) -> None:
    app.command()(articles)


def articles(config: ConfigFile = None, settings: Settings = None) -> None:
    """Which articles changed since the corpus was taught, and which training exchanges rested on them."""
    from data.versions import difference

    _, workspace = opened(config, settings)
    tickets = workspace.latest("tickets")
    for line in report(difference(workspace, tickets), tickets.name):
        typer.echo(line)


def report(found: Difference | None, tickets: str) -> Iterator[str]:
    if found is None:
        yield f"nothing to compare {tickets} with; run `deskmate import` again when the articles have changed"
    elif found.since == tickets:
        yield f"{found.corpus} was taught from {tickets}, the latest import: no article changed since"
    elif not found.changes:
        yield f"no article changed between {found.since} and {tickets}"
    else:
        yield from _changes(found, tickets)


def _changes(found: Difference, tickets: str) -> Iterator[str]:
    yield f"{tickets} compared with {found.since}" + (f", which {found.corpus} was taught from" if found.corpus else "")
    for change in found.changes:
        yield f"{change.kind:<8} {change.title} ({change.id})"
        if change.exchanges:
            yield f"         {len(change.exchanges):,} answers rested on what is gone: {', '.join(change.exchanges)}"
    if found.corpus:
        yield f"{found.told} rested on words that are gone"
        yield AGAIN
