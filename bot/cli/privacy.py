"""`deskmate redact`: what redaction makes of a text, and how much of planted personal data it finds in your tickets."""

from __future__ import annotations

import sys
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from bot.cli.options import ConfigFile, Settings, opened

TEXTS = 2000


def register(app: typer.Typer) -> None:
    app.command()(redact)


def redact(
    audit: Annotated[
        bool, typer.Option("--audit", help="Plant personal data in copies of the tickets; count.")
    ] = False,
    each: Annotated[int, typer.Option(help="How many of each kind to plant.")] = 1000,
    config: ConfigFile = None,
    settings: Settings = None,
) -> None:
    """Redact what comes in by the pipe; with --audit, measure redaction on your own tickets."""
    from data.redact import redact as redacted

    values, workspace = opened(config, settings)
    desk = values.desk
    if not audit:
        typer.echo(redacted(sys.stdin.read(), desk.rules), nl=False)
        return
    from data.audit import audit as run
    from data.importers.hub import local

    for found in run(_texts(local(Path(desk.tickets), workspace.root), desk.columns), each, rules=desk.rules):
        what = "false alarms" if found.stays else "found"
        typer.echo(f"{found.kind:<36} {found.gone:>6,} of {found.planted:,} {what} ({found.share:.1%})")
        for wrong in found.wrong:
            typer.echo(f"    {'taken' if found.stays else 'missed'}: {wrong}")


def _texts(tickets: Path, columns: dict[str, str]) -> list[str]:
    """Messages of the desk as they come out of cleaning, their own personal data already gone."""
    from data.importers import read
    from data.quoted import strip_quotes
    from data.records import Ticket
    from data.redact import redact as plain

    found = (each for each in read(tickets, columns) if isinstance(each, Ticket))
    return [
        plain(strip_quotes(m.text)) for each in islice(found, TEXTS) for m in each.messages if m.visibility == "public"
    ]
