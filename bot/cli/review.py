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
    "it would mislead);\nset desk.reviews to the file in deskmate.toml, then run `deskmate import`"
)


def register(app: typer.Typer) -> None:
    app.command()(review)


def review(
    sheet: Annotated[Path, typer.Argument(help="An Excel (.xlsx) or CSV file; what is in it already stays.")],
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
    """Adds rows to a sheet, or makes it; returns how many. A third of the questions are those that the student's
    threshold is read off; nothing is asked about the test's."""
    from bot.desk import spread
    from bot.loading import load
    from bot.passages import spoken
    from data.parquet import read_rows
    from data.records import Exchange
    from data.reviews import exchange_of, key, read_sheet, write_sheet

    there = {exchange_of(row) for row in read_sheet(sheet).rows} if sheet.exists() else set()
    tickets = workspace.latest("tickets")
    known = load(workspace, tickets, values.retrieval)
    new = [each for each in read_rows(tickets / "exchanges.parquet", Exchange) if each.id not in there]
    threshold = spread([each for each in new if each.split == "validation"], max(1, questions // 3))
    train = [each for each in new if each.split == "train"]
    asked = [*threshold, *(spread(train, left) if (left := questions - len(threshold)) else [])]
    rows = [
        {"question": exchange.question, "reply": spoken(passage), "id": key(exchange.id, passage)}
        for exchange, vector in zip(asked, known.embed(asked), strict=True)
        for passage in known.candidates(exchange, vector, notes)
    ]
    kept = read_sheet(sheet).rows if sheet.exists() else []  # as it is now: a team may have saved it in the meantime
    write_sheet(sheet, [*kept, *rows])
    return len(rows)
