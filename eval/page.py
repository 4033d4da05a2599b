"""What every page we write has in common: how a template becomes text, and how numbers are said.

Autoescape is on: customers' words are data.
"""

from __future__ import annotations

import math
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

DASH = "–"


def page(template: str, **values: object) -> str:
    """One HTML file that opens, prints and reads aloud anywhere; its styles are inside."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    return environment.get_template(template).render(number=number, percent=percent, **values)


def number(value: float | None, digits: int = 0) -> str:
    return DASH if value is None or math.isnan(value) else f"{value:,.{digits}f}"


def percent(value: float | None) -> str:
    return DASH if value is None or math.isnan(value) else f"{value * 100:.0f}%"
