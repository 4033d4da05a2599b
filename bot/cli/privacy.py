"""`deskmate redact`: what redaction makes of a text, and how much of planted personal data it finds in your tickets."""

from __future__ import annotations

import sys
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from bot.cli.options import ConfigFile, Settings, opened
from data.errors import BadInput

TEXTS = 2000


def register(app: typer.Typer) -> None:
    app.command()(redact)


def redact(
    path: Annotated[
        Path | None, typer.Argument(help="With --audit: an export, as for import; without it the desk's tickets.")
    ] = None,
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
        if path is not None:
            raise BadInput(f"redact: give --audit to look at {path}, or pipe a text in")
        typer.echo(redacted(sys.stdin.read(), desk.rules), nl=False)
        return
    from data.audit import audit as run
    from data.importers.hub import local

    tickets = local(path or Path(desk.tickets), workspace.root)
    texts = _texts(tickets, desk.columns)
    if not texts:
        raise BadInput(f"{tickets}: no message in it to plant anything in")
    typer.echo(f"planted in {len(texts):,} messages of {tickets}")
    for found in run(texts, each, rules=desk.rules):
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
