"""How often the right note is found, as bars and plain sentences."""

from __future__ import annotations

from markupsafe import Markup

from eval.charts import Row, bars
from eval.examples import CLAY, OCHRE, SAGE, STONE, TERRA
from eval.page import percent
from eval.retrieval import Linked, Overlap, Retrieval, Shared

COLOURS = (TERRA, SAGE, OCHRE, STONE, CLAY)


def charts(found: Retrieval) -> list[tuple[str, Markup]]:
    """A title and a drawing each; the first row of each is Deskmate."""
    drawn = _linked(found.linked) if found.linked and found.linked.questions else []
    return drawn + (_overlap(found.overlap) if found.overlap and found.overlap.rows else [])


def _linked(linked: Linked) -> list[tuple[str, Markup]]:
    depths = sorted({depth for row in linked.rows for depth in row.at}, key=lambda depth: (len(depth), depth))
    drawn = []
    for depth in depths:
        title = "The right article comes first" if depth == "1" else f"It is among the first {depth}"
        rows = [
            _row(place, row.name, row.at[depth], f"{round(row.at[depth] * linked.questions):,} of {linked.questions:,}")
            for place, row in enumerate(linked.rows)
            if depth in row.at
        ]
        drawn.append((title, bars(title, rows, 1.0)))
    return drawn


def _row(place: int, name: str, value: float, printed: str) -> Row:
    return Row(name, value, value, value, COLOURS[place % len(COLOURS)], printed)


def _overlap(overlap: Overlap) -> list[tuple[str, Markup]]:
    title = "Words of the agent’s reply that the notes hold"
    rows = [
        Row(row.name, row.mean, row.low, row.high, COLOURS[place % len(COLOURS)], percent(row.mean))
        for place, row in enumerate(overlap.rows)
    ]
    return [(title, bars(title, rows, 1.0))]


def differences(found: Retrieval) -> list[str]:
    return [_difference(row) for row in found.overlap.differences] if found.overlap else []


def _difference(row: Shared) -> str:
    sure = "surely more" if row.low > 0 else "surely less" if row.high < 0 else "too close to tell"
    points = [f"{value * 100:+.1f}" for value in (row.mean, row.low, row.high)]
    return f"{row.name}: {points[0]} words in 100, between {points[1]} and {points[2]}; {sure}."
