"""Which quantisation to serve, told by measurement: how small, how fast, and how much of the student is kept.

Levels are those that llama.cpp's own Python package writes for any row of 32 weights. Its K levels need the compiled
quantiser and rows of 256, which the starter student (rows of 576) does not have.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bot.config import Optimise
from data.errors import EngineError
from distillation import parity
from distillation.parity import Quality, Reference, Speed

LEVELS = ("F16", "Q8_0", "Q5_1", "Q5_0", "Q4_1", "Q4_0")
ROUNDS = 3  # of timing, where levels are compared
BROKEN = 0.75  # below this agreement it is another model
READ, WRITTEN = 64, 40  # new tokens of a usual question, whose notes are read ahead, and of its reply
EQUAL = 1.05  # two speeds nearer than this are equal: the next measurement may turn them round


class Level(Quality, Speed):
    """One level tried. `seconds`: a reply of WRITTEN tokens after READ new ones."""

    quantisation: str
    bytes: int

    @property
    def seconds(self) -> float:
        return READ / self.prompt_tokens_per_second + WRITTEN / self.tokens_per_second


class Parity(Level):
    """The level that is served, and all that were tried."""

    why: str
    levels: tuple[Level, ...]


def measure(gguf: Path, wanted: Reference, quantisation: str, rounds: int = 1) -> Level:
    """Raises EngineError for a file that does not serve what was trained."""
    with parity.serving(gguf) as engine:
        quality, speed = parity.compare(engine, wanted), parity.speed(engine, wanted, rounds)
    return Level(
        quantisation=quantisation, bytes=gguf.stat().st_size, **quality.model_dump(), **speed.model_dump()
    )  # fmt: skip


def choose(tried: Sequence[Level], settings: Optimise) -> Parity:
    """The fastest level within tolerance, the smallest of those about as fast; without any, the most faithful.

    Raises EngineError when even that one is another model than was trained.
    """
    kept = [x for x in tried if x.kl <= settings.most_kl and x.top1_agreement >= settings.least_agreement]
    best = min(tried, key=lambda level: level.kl)
    why = "asked for" if len(tried) == 1 else "no level was within tolerance: the most faithful"
    if kept and len(tried) > 1:
        fastest = min(level.seconds for level in kept)
        best = min((x for x in kept if x.seconds <= EQUAL * fastest), key=lambda level: level.bytes)
        why = (
            f"the fastest with KL of at most {settings.most_kl:g} and agreement of at least "
            f"{settings.least_agreement:.0%}; the smallest of those within 5 %"
        )
    if best.top1_agreement < BROKEN:
        raise EngineError(
            f"the {best.quantisation} model agrees with the trained one on {best.top1_agreement:.0%} of tokens; "
            'set optimise.quantisation to "auto", or choose another base student, and run `deskmate optimise` again'
        )
    return Parity(**best.model_dump(), why=why, levels=tuple(tried))


def table(found: Parity) -> str:
    """Every level tried, as Markdown."""
    lines = [
        "| level | MB | tokens/s written | tokens/s read | KL | same likeliest token |",
        "|---|---|---|---|---|---|",
    ]
    for level in found.levels:
        name = f"**{level.quantisation}**" if level.quantisation == found.quantisation else level.quantisation
        lines.append(
            f"| {name} | {level.bytes / 1e6:.0f} | {level.tokens_per_second:.0f} | "
            f"{level.prompt_tokens_per_second:.0f} | {level.kl:.4f} | {level.top1_agreement:.1%} |"
        )
    return "\n".join(lines)
