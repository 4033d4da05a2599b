"""What a model's server says of a reply: its tokens, then how it ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Token:
    """`logprob` of the chosen token; `margin` between the two likeliest. Both in nats, NaN if unknown. `entry` is what
    the API said of it."""

    text: str
    logprob: float
    margin: float
    entry: Any = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Finish:
    reason: Literal["stop", "length"]
    prompt_tokens: int
    completion_tokens: int
