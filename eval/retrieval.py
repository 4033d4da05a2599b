"""How often the right note is found: what `deskmate inspect --retrieval` measured, as it lies beside the page.

<workspace>/inspect/<tickets id>-retrieval.json
"""

from __future__ import annotations

from pathlib import Path

from data.errors import BadInput
from data.records import Record


class At(Record):
    """For each number of notes looked at, the share of questions whose linked article was among them."""

    name: str
    at: dict[str, float]


class Linked(Record):
    """Over the questions whose agent linked an article."""

    questions: int
    rows: tuple[At, ...]


class Shared(Record):
    """A mean with its 95% interval: content words shared with the agent's reply, or a difference of two such."""

    name: str
    mean: float
    low: float
    high: float


class Overlap(Record):
    questions: int
    rows: tuple[Shared, ...]
    differences: tuple[Shared, ...] = ()


class Search(Record):
    """One question: the titles found, best first, the one wanted and its place (None where it was not found)."""

    question: str
    found: tuple[str, ...] = ()
    wanted: str = ""
    rank: int | None = None


class Retrieval(Record):
    linked: Linked | None = None
    overlap: Overlap | None = None
    milliseconds: float | None = None
    examples: tuple[Search, ...] = ()


def read(path: Path) -> Retrieval | None:
    """None where it was never measured. Raises BadInput where the file is damaged."""
    if not path.is_file():
        return None
    try:
        return Retrieval.model_validate_json(path.read_bytes())
    except ValueError as error:
        raise BadInput(f"{path} is damaged ({str(error).splitlines()[0]}); delete it and measure again") from error
