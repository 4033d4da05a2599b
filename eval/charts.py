"""Inline SVG charts, drawn in Python so that the report needs no script and prints as it looks.

Every chart is 360 units wide, so text stays readable on a phone, and says its numbers in a label for screen
readers; words carry what colour carries.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from markupsafe import Markup

WIDTH = 360
INK, GRID = "#3b322b", "#e4d9c7"
ROW = 34


@dataclass(frozen=True, slots=True)
class Row:
    """One bar: a value with its interval's ends (equal to the value when there is none) and what to print."""

    label: str
    value: float
    low: float
    high: float
    colour: str
    printed: str


def bars(title: str, rows: Sequence[Row], top: float) -> Markup:
    """Horizontal bars from 0 to `top` with whiskers; one row a system."""
    top = top or 1.0
    height = len(rows) * ROW + 6
    parts = [_row(row, place * ROW, top) for place, row in enumerate(rows)]
    spoken = f"{title}. " + "; ".join(f"{row.label} {row.printed}" for row in rows)
    return _svg(spoken, height, "".join(parts))


def _row(row: Row, y: float, top: float) -> str:
    def x(value: float) -> float:
        return round(min(1.0, max(0.0, value / top)) * WIDTH, 1)

    middle = y + 24
    drawn = (
        f'<text x="0" y="{y + 13}" font-size="12.5" fill="{INK}">{escape(row.label)}</text>'
        f'<text x="{WIDTH}" y="{y + 13}" font-size="12.5" text-anchor="end" font-weight="600" fill="{INK}">'
        f"{escape(row.printed)}</text>"
        f'<rect x="0" y="{y + 19}" width="{WIDTH}" height="10" rx="5" fill="{GRID}"/>'
        f'<rect x="0" y="{y + 19}" width="{max(3.0, x(row.value))}" height="10" rx="5" fill="{row.colour}"/>'
    )
    if row.high > row.low:
        low, high = x(row.low), x(row.high)
        drawn += (
            f'<path d="M{low} {middle}H{high}M{low} {middle - 4}v8M{high} {middle - 4}v8" stroke="{INK}" '
            f'stroke-width="1.4" fill="none"/>'
        )
    return drawn


def curve(points: Sequence[tuple[float, float]], labels: Sequence[str], spoken: str, colour: str) -> Markup:
    """A line of (share, quality), both in [0, 1], with a labelled frame; `labels` name the two axes."""
    left, bottom, top = 34, 168, 12
    across, down = WIDTH - left - 20, bottom - top
    ticks = (0.0, 0.25, 0.5, 0.75, 1.0)
    small = f'font-size="11" fill="{INK}"'

    def place(share: float, value: float) -> tuple[float, float]:
        return round(left + share * across, 1), round(bottom - value * down, 1)

    parts = []
    for tick in ticks:
        x, y = place(tick, tick)
        parts.append(
            f'<path d="M{left} {y}h{across}" stroke="{GRID}" stroke-width="1"/>'
            f'<text x="{left - 5}" y="{y + 4}" {small} text-anchor="end">{tick * 100:.0f}</text>'
            f'<text x="{x}" y="{bottom + 15}" {small} text-anchor="middle">{tick:.0%}</text>'
        )
    line = " ".join(f"{x},{y}" for x, y in (place(*point) for point in points))
    parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2.5"/>')
    parts += [f'<circle cx="{x}" cy="{y}" r="2.6" fill="{colour}"/>' for x, y in (place(*p) for p in points)]
    middle = left + across / 2
    parts.append(
        f'<text x="{middle}" y="{bottom + 33}" font-size="12" text-anchor="middle" fill="{INK}">'
        f"{escape(labels[0])}</text>"
    )
    return _svg(spoken, bottom + 40, "".join(parts))


def _svg(spoken: str, height: float, body: str) -> Markup:
    text = escape(spoken, quote=True)
    head = f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{text}">'
    return Markup(head + body + "</svg>")  # noqa: S704  # each piece is a number, a constant or escaped
