"""`deskmate review`: a sheet in which a support team says what the notes of the bot are worth as replies."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bot.cli.options import ConfigFile, Settings, opened
from bot.config import Config
from data.workspace import Workspace

NEXT = (
    "fill in score (1 wrong for this customer, 2 no use, 3 helps a bit, 4 good, 5 send it as it is) and wrong (y where "
    "it would mislead);\nsave it as CSV, set desk.reviews to it in deskmate.toml, run `deskmate import`"
)


def register(app: typer.Typer) -> None:
    app.command()(review)


def review(
    sheet: Annotated[Path, typer.Argument(help="A CSV file; what is in it already stays.")],
    questions: Annotated[int, typer.Option(min=1, help="How many past questions to add, the newest first.")] = 50,
    notes: Annotated[int, typer.Option(min=1, max=9, help="How many replies to each.")] = 2,
    config: ConfigFile = None,
    settings: Settings = None,
) -> None:
    """Write past questions with what the bot would say to them into a sheet, to be scored by people."""
    values, workspace = opened(config, settings)
    added = run_review(workspace, values, sheet, questions, notes)
    typer.echo(f"{sheet}: {added:,} rows to score\n{NEXT}")


def run_review(workspace: Workspace, values: Config, sheet: Path, questions: int, notes: int) -> int:
    """Adds rows to a sheet, or makes it; returns how many. The test's questions are never among them."""
    from bot.desk import spread
    from bot.loading import load
    from bot.passages import spoken
    from data.parquet import read_rows
    from data.records import Exchange
    from data.reviews import read_sheet, write_sheet

    kept = read_sheet(sheet) if sheet.exists() else []
    there = {row["exchange"] for row in kept}
    tickets = workspace.latest("tickets")
    known = load(workspace, tickets, values.retrieval)
    every = read_rows(tickets / "exchanges.parquet", Exchange)
    asked = spread([each for each in every if each.split != "heldout" and each.id not in there], questions)
    rows = [
        {"exchange": exchange.id, "question": exchange.question, "passage": passage.id, "version": passage.version,
         "reply": spoken(passage)}
        for exchange, vector in zip(asked, known.embed(asked), strict=True)
        for passage in known.candidates(exchange, vector, notes)
    ]  # fmt: skip
    write_sheet(sheet, [*kept, *rows])
    return len(rows)
