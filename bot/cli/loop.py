"""The loop: import → teach → train → optimise → evaluate → release. Each command finds what the one before it made."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from bot.cli.options import ConfigFile, Settings, opened
from bot.cli.teach import teach
from bot.config import Config
from data.workspace import Workspace, manifest_of


def register(app: typer.Typer) -> None:
    app.command("import")(import_tickets)
    for command in (teach, train, optimise, evaluate):
        app.command()(command)


def import_tickets(
    path: Annotated[
        Path | None,
        typer.Argument(
            help="An export: of Zendesk, Intercom, Freshdesk, Help Scout; JSON, CSV, a zip, a folder, a hub data set."
        ),
    ] = None,
    articles: Annotated[
        Path | None, typer.Option(help="Articles: a help centre's export, Markdown, HTML; a file, a zip or folder.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show ten tickets as understood; write nothing.")] = False,
    config: ConfigFile = None,
    settings: Settings = None,
) -> None:
    """Read tickets and articles; clean, redact, cut into exchanges, split by time."""
    values, workspace = opened(config, settings)
    if dry_run:
        from data.importers.hub import local
        from data.preview import preview

        desk = values.desk
        export = local(path or Path(desk.tickets), workspace.root)
        for line in preview(export, desk.columns, desk.first_reply_only, rules=desk.rules):
            typer.echo(line)
        return
    run_import(workspace, values, path, articles)


def run_import(workspace: Workspace, values: Config, path: Path | None = None, articles: Path | None = None) -> Path:
    from data.importers import find
    from data.importers.hub import local
    from data.importing import import_desk, summary
    from data.versions import difference
    from data.versions import summary as changes

    desk = values.desk
    tickets = local(path or Path(desk.tickets), workspace.root)
    folder = articles or desk.articles_beside(path)
    source = find(tickets, desk.columns)
    typer.echo(f"{tickets}: {source.why}")
    made = import_desk(
        workspace, source, folder, columns=desk.columns, first_reply_only=desk.first_reply_only,
        heldout=desk.heldout, validation=desk.validation, limit_train=desk.limit_train, rules=desk.rules,
        reviews=desk.reviews_beside(path),
    )  # fmt: skip
    for line in (*summary(made), *changes(difference(workspace, made))):
        typer.echo(line)
    if desk.is_named_as_the_sample(path):
        typer.echo(f"the bot still speaks for {desk.name}, {desk.about}: set desk.name and desk.about in deskmate.toml")
    return made


def train(config: ConfigFile = None, settings: Settings = None) -> None:
    """Distil the corpus into a LoRA student."""
    values, workspace = opened(config, settings)
    run_train(workspace, values)


def run_train(workspace: Workspace, values: Config) -> Path:
    from bot.weights import resolve
    from distillation.train import train as run

    corpus = workspace.latest("corpus")
    local = "C" in values.training.stages and not values.teacher.url
    teacher = resolve(values.teacher.name, workspace, "hf") if local else ""
    student = resolve(values.student.name, workspace, "hf")
    made = run(workspace, corpus, student, values.training, teacher)
    counts = manifest_of(made).counts
    before, after = counts["validation_loss_before"], counts["validation_loss"]
    typer.echo(f"student {made.name}: held-out loss {before:.2f} before, {after:.2f} after")
    return made


def optimise(config: ConfigFile = None, settings: Settings = None) -> None:
    """Merge and quantise the student into one GGUF and show that it still agrees with the trained one."""
    values, workspace = opened(config, settings)
    run_optimise(workspace, values)


def run_optimise(workspace: Workspace, values: Config) -> Path:
    from bot.weights import resolve
    from distillation.drafting import check
    from distillation.optimise import optimise as run

    base = resolve(values.student.name, workspace, "hf")
    made = run(workspace, workspace.latest("student"), base, values.optimise)
    size = (made / "model.gguf").stat().st_size / 2**20
    typer.echo(f"model {made.name}: {size:.0f} MiB, agrees with the trained student (parity.json)")
    typer.echo(f"the student as its teacher's draft model: {asyncio.run(check(workspace, values, made))}")
    return made


def evaluate(config: ConfigFile = None, settings: Settings = None) -> None:
    """Teacher, base student and distilled student answer the same held-out exchanges; write the report."""
    values, workspace = opened(config, settings)
    run_evaluate(workspace, values)


def run_evaluate(workspace: Workspace, values: Config) -> Path:
    from eval.run import evaluate as run

    made = asyncio.run(run(workspace, values))
    typer.echo(f"report {made / 'report.html'}")
    return made
