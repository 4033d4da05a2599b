"""Releases: same content, same id; clear lines for what is not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot import releases
from data.errors import BadInput, NotFound
from data.workspace import Workspace


def make(root: Path, threshold: float = 0.5, unhelpful: str = "") -> releases.Release:
    return releases.create(
        Workspace(root), model="m", tickets="t", prompt_version="p", threshold=threshold, unhelpful=unhelpful
    )


def test_the_same_content_is_the_same_release(tmp_path: Path) -> None:
    first = make(tmp_path)
    assert make(tmp_path) == first
    second = make(tmp_path, 0.6)
    assert second.id != first.id
    workspace = Workspace(tmp_path)
    assert releases.load(workspace, first.id) == first
    assert [release.id for release in releases.listing(workspace)] == [second.id, first.id]
    assert releases.latest(workspace) == second
    assert make(tmp_path, 0.6, "a teacher").id != second.id


def test_missing_and_damaged_releases_are_named(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    with pytest.raises(NotFound, match="release create"):
        releases.latest(workspace)
    for name in ("release-x", "../keys", ".hidden"):
        with pytest.raises(NotFound, match="no release called"):
            releases.load(workspace, name)
    made = make(tmp_path)
    (tmp_path / "releases" / f"{made.id}.json").write_text("{")
    with pytest.raises(BadInput, match="damaged"):
        releases.load(workspace, made.id)
