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
INK, GRID, CLAY = "#3b322b", "#e4d9c7", "#cdb79a"
ROW = 34
Mark = tuple[float, str]
SHARES: tuple[Mark, ...] = ((0.0, "0%"), (0.25, "25%"), (0.5, "50%"), (0.75, "75%"), (1.0, "100%"))


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


def curve(
    points: Sequence[tuple[float, float]], label: str, spoken: str, colour: str, marks: Sequence[Mark] = SHARES
) -> Markup:
    """A line of (place, quality), both in [0, 1]. `label` names the axis of places, `marks` stand along it."""
    left, bottom, top = 34, 168, 12
    across, down = WIDTH - left - 20, bottom - top
    small = f'font-size="11" fill="{INK}"'

    def place(along: float, value: float) -> tuple[float, float]:
        return round(left + along * across, 1), round(bottom - value * down, 1)

    parts = []
    for value, _ in SHARES:
        y = place(0, value)[1]
        parts.append(
            f'<path d="M{left} {y}h{across}" stroke="{GRID}" stroke-width="1"/>'
            f'<text x="{left - 5}" y="{y + 4}" {small} text-anchor="end">{value * 100:.0f}</text>'
        )
    for along, words in marks:
        x = place(along, 0)[0]
        parts.append(f'<text x="{x}" y="{bottom + 15}" {small} text-anchor="middle">{escape(words)}</text>')
    line = " ".join(f"{x},{y}" for x, y in (place(*point) for point in points))
    parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2.5"/>')
    parts += [f'<circle cx="{x}" cy="{y}" r="2.6" fill="{colour}"/>' for x, y in (place(*p) for p in points)]
    middle = left + across / 2
    parts.append(
        f'<text x="{middle}" y="{bottom + 33}" font-size="12" text-anchor="middle" fill="{INK}">{escape(label)}</text>'
    )
    return _svg(spoken, bottom + 40, "".join(parts))


def columns(
    spoken: str, stacks: Sequence[Sequence[int]], colours: Sequence[str], ends: tuple[str, str], top: int
) -> Markup:
    """One column a period, each a stack of counts; `ends` name the first and the last period, `top` is the full height.

    The highest column carries its count, so that no axis is needed.
    """
    tall, head = 84, 17
    step = WIDTH / max(1, len(stacks))
    gap = min(3.0, step / 4)
    sums = [sum(stack) for stack in stacks]
    parts = [f'<path d="M0 {head + tall + 0.5}H{WIDTH}" stroke="{CLAY}" stroke-width="1"/>']
    for place, stack in enumerate(stacks):
        base = float(head + tall)
        for value, colour in zip(stack, colours, strict=True):
            high = value / max(1, top) * tall
            base -= high
            if value:
                parts.append(_box(place * step + gap / 2, base, step - gap, max(high, 1.0), colour))
    if any(sums):
        peak = max(range(len(sums)), key=sums.__getitem__)
        middle, y = min(WIDTH - 20, max(20, (peak + 0.5) * step)), head + tall - sums[peak] / max(1, top) * tall - 4
        parts.append(_small(round(middle, 1), round(y, 1), "middle", f"{sums[peak]:,}"))
    last = "" if ends[0] == ends[1] else ends[1]
    parts += [_small(0, head + tall + 16, "start", ends[0]), _small(WIDTH, head + tall + 16, "end", last)]
    return _svg(spoken, head + tall + 23, "".join(parts))


def stack(spoken: str, values: Sequence[int], colours: Sequence[str]) -> Markup:
    """One bar cut into parts, as wide as the page; the words stand beside it."""
    total = sum(values) or 1
    parts, x = [], 0.0
    for value, colour in zip(values, colours, strict=True):
        across = value / total * WIDTH
        if value:
            parts.append(_box(x, 0, max(0.6, across - 0.8), 10, colour))
        x += across
    return _svg(spoken, 10, "".join(parts), "wide")


def meter(value: int, top: int, colour: str) -> Markup:
    """A bar behind a number that stands beside it in words, so screen readers skip it."""
    filled = _box(0, 0, max(2.0, value / max(1, top) * WIDTH), 10, colour) if value else ""
    back = _box(0, 0, WIDTH, 10, GRID)
    return Markup(  # noqa: S704  # each piece is a number or a constant
        f'<svg class="wide" viewBox="0 0 {WIDTH} 10" preserveAspectRatio="none" aria-hidden="true">{back}{filled}</svg>'
    )


def _box(x: float, y: float, across: float, down: float, colour: str) -> str:
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{across:.1f}" height="{down:.1f}" fill="{colour}"/>'


def _small(x: float, y: float, anchor: str, words: str) -> str:
    return f'<text x="{x}" y="{y}" font-size="13.5" fill="{INK}" text-anchor="{anchor}">{escape(words)}</text>'


def _svg(spoken: str, height: float, body: str, kind: str = "") -> Markup:
    text = escape(spoken, quote=True)
    stretched = f' class="{kind}" preserveAspectRatio="none"' if kind else ""
    head = f'<svg viewBox="0 0 {WIDTH} {height}"{stretched} role="img" aria-label="{text}">'
    return Markup(head + body + "</svg>")  # noqa: S704  # each piece is a number, a constant or escaped
