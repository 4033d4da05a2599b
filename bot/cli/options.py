"""The options every command shares, and what they open."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bot.config import Config, load
from data.workspace import Workspace

ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="A deskmate.toml; without it ./deskmate.toml, if there is one."),
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", "-s", help="Override one key: --set training.epochs=2 (repeatable)."),
]


def opened(config: Path | None, settings: list[str] | None) -> tuple[Config, Workspace]:
    values = load(config, settings or ())
    return values, Workspace(values.workspace)
