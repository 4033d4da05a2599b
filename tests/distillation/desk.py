"""An invented desk with its evidence, and a teacher for it over HTTP: teaching without embeddings or a model."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bot.config import Config, load
from bot.desk import Desk
from data.parquet import write_rows
from data.records import Exchange, Passage, Split, Turn
from data.workspace import Workspace
from distillation.asking import Agree
from distillation.capturing import plan
from distillation.teach import fill
from tests.engine_server import Body, Script

COLOURS = ("amber", "blue", "coral", "green", "ivory", "lilac", "olive")


def exchange(place: int, split: Split = "train") -> Exchange:
    button = COLOURS[place % len(COLOURS)]
    return Exchange(
        id=f"G-{place}-1", ticket_id=f"G-{place}", subject=f"Gadget {place} is stuck", product="", topic="reset",
        created=datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=place), split=split,
        turns=(Turn(role="customer", text=f"My gadget number {place} does not react. How do I reset it?"),),
        human_reply=f"Please hold the {button} button for {place + 2} seconds, then open Settings > Reset and confirm.",
    )  # fmt: skip


def passage(place: int) -> Passage:
    button = COLOURS[place % len(COLOURS)]
    text = f"Hold the {button} button for {place + 2} seconds. Then open Settings > Reset and confirm with the wheel."
    return Passage(id=f"gadget-{place}#1", kind="article", title=f"Reset gadget {place}", text=text)


def desk(config: Config, count: int, validation: int = 4) -> Desk:
    rows = [exchange(place) for place in range(count)]
    rows += [exchange(place, "validation") for place in range(count, count + validation)]
    return Desk(rows, {row.id: [passage(place)] for place, row in enumerate(rows)}, config)


def says_the_notes(body: Body) -> Script:
    """What a good teacher says: what stands in the notes of the prompt."""
    note = re.search(r"^(Hold the .*)$", body["messages"][0]["content"], re.MULTILINE)
    assert note
    return Script(note[1])


def configured(root: Path, url: str, *settings: str) -> Config:
    return load(None, [f"workspace={root}", f"teacher.url={url}", "teacher.name=big", "teaching.limit=0", *settings])


def imported(config: Config, count: int) -> Path:
    """The tickets artefact of that desk, with what the corpus page reads of it."""
    made = desk(config, count)
    draft = Workspace(config.workspace).draft("tickets", {"count": str(count)}, {})
    if draft.done:
        return draft.final
    write_rows(draft.path / "exchanges.parquet", made.exchanges, Exchange)
    passages = [found for each in made.evidence.values() for found in each]
    write_rows(draft.path / "passages.parquet", passages, Passage)
    return draft.finish({})


def teach(config: Config, count: int, agree: Agree = lambda _: True) -> Path:
    """What `deskmate teach` does once it has the evidence; may be the target of a process."""
    workspace = Workspace(config.workspace)
    inputs = {"tickets": imported(config, count).name, "teacher": config.teacher.name}
    source = plan(workspace, config)
    draft = workspace.draft("corpus", inputs, {"teaching": config.teaching.model_dump(), "soft_labels": source.how})
    if draft.done:
        return draft.path
    return asyncio.run(fill(draft, workspace, desk(config, count), config, source, agree))
