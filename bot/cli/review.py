"""`deskmate review`: a sheet in which a support team says what the notes of the bot are worth as replies."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.options import ConfigFile, Settings, opened
from bot.config import Config
from data.workspace import Workspace

if TYPE_CHECKING:
    from bot.knowledge import Knowledge
    from data.records import Exchange
    from data.reviews import Row

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
    typer.echo(f"{sheet}: {added:,} rows to score\n{NEXT}" if added else f"{sheet}: every past question is in it")


def run_review(workspace: Workspace, values: Config, sheet: Path, questions: int, notes: int) -> int:
    """Adds rows to a sheet, or makes it; returns how many. Up to a third of the questions are validation exchanges
    whose first note nobody was asked about: they tell the threshold. Nothing is asked about the test's."""
    from bot.desk import spread
    from bot.loading import load
    from data.parquet import read_rows
    from data.records import Exchange
    from data.reviews import exchange_of, read_sheet, write_sheet

    there = read_sheet(sheet).rows if sheet.exists() else []
    asked, names = {exchange_of(row) for row in there}, {row["id"] for row in there}
    tickets = workspace.latest("tickets")
    known = load(workspace, tickets, values.retrieval)
    exchanges = read_rows(tickets / "exchanges.parquet", Exchange)
    held = _rows(known, [each for each in exchanges if each.split == "validation"], notes)
    unread = [each for each in exchanges if held.get(each.id) and held[each.id][0]["id"] not in names]
    threshold = spread(unread, max(1, questions // 3))
    left = questions - len(threshold)
    new = [each for each in exchanges if each.split == "train" and each.id not in asked]
    found = held | _rows(known, train := spread(new, left) if left else [], notes)
    rows = [row for each in (*threshold, *train) for row in found[each.id] if row["id"] not in names]
    kept = read_sheet(sheet).rows if sheet.exists() else []  # as it is now: a team may have saved it in the meantime
    write_sheet(sheet, [*kept, *rows])
    return len(rows)


def _rows(known: Knowledge, exchanges: Sequence[Exchange], notes: int) -> dict[str, list[Row]]:
    """By exchange id, what could be its first note, the one that is first."""
    from bot.passages import spoken
    from data.reviews import key

    return {
        exchange.id: [
            {"question": exchange.question, "reply": spoken(passage), "id": key(exchange.id, passage)}
            for passage in known.candidates(exchange, vector, notes)
        ]
        for exchange, vector in zip(exchanges, known.embed(exchanges), strict=True)
    }
