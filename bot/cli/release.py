"""Releases from the command line: made of the newest artefacts, made live by one row in the database."""

from __future__ import annotations

from collections.abc import Iterator

from bot import prompt, releases, store
from bot.config import Config, Retrieval
from bot.releases import Release, Sampling
from bot.store import Alias, Store
from data.errors import BadInput
from data.parquet import read_rows
from data.workspace import Workspace, manifest_of
from eval.calibration import Judged, teacher_helps, threshold


def create_release(workspace: Workspace, config: Config) -> str:
    """Bundle the model the newest report is about. The first release goes live; later ones wait for `promote`."""
    report = workspace.latest("report")
    made = manifest_of(report)
    about = made.inputs
    model = manifest_of(workspace.find("model", about["model"]))
    student = manifest_of(workspace.find("student", model.inputs["student"]))
    judged, serving = read_rows(report / "calibration.parquet", Judged), config.serving
    found = threshold(judged, target=serving.target_good, most_wrong=serving.most_wrong, unreviewed=serving.unreviewed)
    helps = teacher_helps(judged, serving.target_good)
    unhelpful = "" if helps.helps else about["teacher"]
    release = releases.create(
        workspace, model=model.id, student=student.id, corpus=student.inputs["corpus"], tickets=about["tickets"],
        report=report.name, prompt_version=prompt.VERSION, threshold=found.least, unhelpful=unhelpful,
        sampling=Sampling(max_tokens=config.serving.max_tokens),
        retrieval=Retrieval.model_validate(made.settings["retrieval"]),
    )  # fmt: skip
    with _open(workspace) as database, database.begin() as connection:
        if store.read_alias(connection) is None:
            store.promote(connection, release.id, expected=0, who="first release")
            return f"{release.id} is live; {found}; {helps}"
    return f"{release.id} is ready; {found}; {helps}\n`deskmate release promote {release.id}` makes it live"


def lines(workspace: Workspace) -> Iterator[str]:
    """A line per release, oldest first."""
    live = _live(workspace)
    for release in reversed(releases.listing(workspace)):
        mark = "*" if live and live.release == release.id else " "
        yield f"{mark} {release.id}  {release.created:%Y-%m-%d %H:%M}  model {release.model}  report {release.report}"
    if live is None:
        yield "no release yet; run `deskmate release create`"


def promote_release(workspace: Workspace, name: str, who: str = "command line") -> str:
    """Point `live` at a release. A running server follows within seconds, or flips back if it does not load."""
    release = _loadable(workspace, name)
    with _open(workspace) as database, database.begin() as connection:
        alias = store.promote(connection, release.id, who=who)
    return f"{alias.release} is live (generation {alias.generation}); a running server follows within seconds"


def rollback_release(workspace: Workspace) -> str:
    with _open(workspace) as database, database.begin() as connection:
        name = store.previous(connection)
    return promote_release(workspace, name, "rollback")


def _loadable(workspace: Workspace, name: str) -> Release:
    release = releases.load(workspace, name)
    if release.prompt_version != prompt.VERSION:
        raise BadInput(f"{name} was made with another version of the prompt and cannot serve with this one")
    workspace.find("model", release.model)
    workspace.find("tickets", release.tickets)
    return release


def _live(workspace: Workspace) -> Alias | None:
    with _open(workspace) as database, database.begin() as connection:
        return store.read_alias(connection)


def _open(workspace: Workspace) -> Store:
    return Store(workspace.root / "deskmate.db")
