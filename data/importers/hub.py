"""A data set of the Hugging Face hub as an export: fetched once, kept in the workspace, then read like any folder.

workspace/hub/<owner>--<name>/     as `datasets` saves it; delete it to fetch it anew
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from data.errors import BadInput
from data.importers.parts import READ, TABLES

ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
FILES = (*READ, *TABLES, ".zip", ".gz", ".xlsx", ".xls", ".html", ".md", ".txt")


def local(path: Path, workspace: Path) -> Path:
    """The path itself, or where the data set is kept that it names: nothing lies there, and it reads 'owner/name'.

    Raises BadInput where the hub has none or cannot be reached.
    """
    name = path.as_posix()
    if path.exists() or path.parent.exists() or not ID.fullmatch(name) or name.lower().endswith(FILES):
        return path
    kept = workspace / "hub" / name.replace("/", "--")
    if not kept.is_dir():
        _fetch(name, kept)
    return kept


def _fetch(name: str, kept: Path) -> None:
    from datasets import load_dataset
    from datasets.exceptions import DatasetsError
    from httpx import HTTPError

    partial = kept.with_name(f".partial-{kept.name}")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        load_dataset(name).save_to_disk(str(partial))
        partial.rename(kept)
    except (OSError, ValueError, RuntimeError, DatasetsError, HTTPError) as error:
        shutil.rmtree(partial, ignore_errors=True)
        why = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise BadInput(f"{name}: no such file, and not to be had from the Hugging Face hub ({why})") from error
