"""Releases: the immutable bundles that may answer customers, one small file each.

    workspace/releases/<id>.json    weights + knowledge + prompt version + threshold + sampling, by id

A release never changes; what customers get is decided by the alias `live` in the database (bot/store.py). The
same content always has the same id, so making a release twice makes one.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from bot import gguf_header
from bot.config import Retrieval
from data.errors import BadInput, NotFound
from data.records import Record
from data.workspace import Workspace, digest, write_json

FOLDER = "releases"
TAUGHT_TEMPLATE = "chat_template.jinja"  # in a student's folder: what its rows were rendered with


class Sampling(Record):
    """How a release decodes. The threshold was calibrated under these values, so clients cannot change them."""

    max_tokens: int = 200
    temperature: float = 0.0
    seed: int = 0


class Release(Record):
    """`model`, `student`, `corpus`, `tickets` and `report` are artefact ids; `threshold` is what bot/router.py decides
    by; `unhelpful` is the teacher (bot.launch.identity) that is not asked what the student is unsure of; `retrieval` is
    how the model found its evidence when it was evaluated, and finds it when it serves.
    """

    id: str
    created: datetime
    model: str
    student: str = ""
    corpus: str = ""
    tickets: str
    report: str = ""
    prompt_version: str
    threshold: float
    unhelpful: str = ""
    sampling: Sampling = Sampling()
    retrieval: Retrieval = Retrieval()


def create(
    workspace: Workspace, *, model: str, tickets: str, prompt_version: str, threshold: float,
    unhelpful: str = "", student: str = "", corpus: str = "", report: str = "", sampling: Sampling | None = None,
    retrieval: Retrieval | None = None,
) -> Release:  # fmt: skip
    """Write a release, or return the one with the same content that is already there."""
    content = {
        "model": model, "student": student, "corpus": corpus, "tickets": tickets, "report": report,
        "prompt_version": prompt_version, "threshold": threshold, "unhelpful": unhelpful,
        "sampling": (sampling or Sampling()).model_dump(), "retrieval": (retrieval or Retrieval()).model_dump(),
    }  # fmt: skip
    short = digest(content)
    for found in sorted((workspace.root / FOLDER).glob(f"release-*-{short}.json")):
        return load(workspace, found.stem)
    now = datetime.now(UTC).replace(microsecond=0)
    release = Release.model_validate({**content, "id": f"release-{now:%Y%m%d}-{short}", "created": now})
    write_json(workspace.root / FOLDER / f"{release.id}.json", release)
    return release


def load(workspace: Workspace, name: str) -> Release:
    """One release by id. Raises NotFound (none of that name) or BadInput (its file is damaged)."""
    path = workspace.root / FOLDER / f"{name}.json"
    if "/" in name or name.startswith(".") or not path.is_file():
        raise NotFound(f"no release called {name} in {workspace.root}; `deskmate release list` shows them")
    try:
        return Release.model_validate_json(path.read_bytes())
    except (OSError, ValueError) as error:
        raise BadInput(f"{path} is damaged; delete it and run `deskmate release create` again") from error


def check_template(student: Path, gguf: Path) -> None:
    """Raises BadInput for a model that would be asked in another chat template than its student was taught in."""
    taught = student / TAUGHT_TEMPLATE
    if not taught.is_file():
        return  # trained before templates were kept
    served = gguf_header.read(gguf, "tokenizer.chat_template").get("tokenizer.chat_template", "")
    if str(served).strip() != taught.read_text().strip():
        raise BadInput(
            f"{gguf} holds another chat template than {student.name} was taught in: customers would get other answers "
            "than were evaluated; run `deskmate optimise` and `deskmate release create` again"
        )


def listing(workspace: Workspace) -> list[Release]:
    """Every release, newest first; among equals the last written."""
    paths = (workspace.root / FOLDER).glob("release-*.json")
    newest = sorted(paths, key=lambda path: path.stat().st_mtime_ns, reverse=True)
    return [load(workspace, path.stem) for path in newest]


def latest(workspace: Workspace) -> Release:
    """The newest release. Raises NotFound with the command that makes one."""
    found = listing(workspace)
    if not found:
        raise NotFound(f"no release in {workspace.root} yet; run `deskmate release create` first")
    return found[0]
