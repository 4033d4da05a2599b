"""How sure the student sounds, from the first tokens it says; one number, higher is surer. Pure functions.

Quantiles of token log-probabilities, not their mean: a mean hides the one wrong number in an answer and grows
with length (Gupta et al. 2024, "Language model cascades: token-level uncertainty and beyond",
arXiv:2404.10136). The same `score` is used when a threshold is calibrated and when customers are served.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

FIRST_TOKENS = 12
QUANTILE = 0.2
UNSURE = -1.0  # nats: a model whose own first token is less likely (37 %) does not know how to begin


@dataclass(frozen=True, slots=True)
class Signals:
    """Of the first tokens: the lowest log-probability, their 20 % quantile, and the mean gap to the runner-
    up.
    """

    lowest: float
    low: float
    margin: float


def signals(logprobs: Sequence[float], margins: Sequence[float], first: int = FIRST_TOKENS) -> Signals:
    """`logprobs` (natural logarithm) and `margins` (top minus second, >= 0) per token; unknown ones are
    skipped.
    """
    known = sorted(min(value, 0.0) for value in logprobs[:first] if math.isfinite(value))
    gaps = [max(value, 0.0) for value in margins[:first] if math.isfinite(value)]
    if not known:
        return Signals(-math.inf, -math.inf, 0.0)
    position = QUANTILE * (len(known) - 1)
    below = math.floor(position)
    above = min(below + 1, len(known) - 1)
    low = known[below] + (position - below) * (known[above] - known[below])
    return Signals(known[0], low, sum(gaps) / len(gaps) if gaps else 0.0)


def score(logprobs: Sequence[float], margins: Sequence[float], first: int = FIRST_TOKENS) -> float:
    """One number in [0, 1], higher is surer; 0 when the engine told no log-probabilities.

    The geometric mean of two probabilities (of the least likely token, lightly, and of the 20 % quantile) and
    of how clearly the first choice won. Monotone in each signal.
    """
    found = signals(logprobs, margins, first)
    if not math.isfinite(found.low):
        return 0.0
    clear = 1.0 - 0.5 * math.exp(-found.margin)
    return math.exp(0.2 * found.lowest + 0.6 * found.low + 0.2 * math.log(clear))


def calibrate(scores: Sequence[float], good: Sequence[bool], target: float) -> float:
    """The lowest threshold at which answers scored at or above it are good at least at the share `target`.

    Plug-in, without a confidence bound: right on average, too bold on few cases. If no threshold reaches the
    target it is the highest score seen. Equal scores are accepted together. Raises ValueError on unequal or
    empty input.
    """
    if len(scores) != len(good) or not scores:
        raise ValueError("calibrate needs as many judgements as scores, and at least one")
    ranked = sorted(zip(scores, good, strict=True), key=lambda pair: -pair[0])
    best, accepted = ranked[0][0], 0
    for position, (value, is_good) in enumerate(ranked, 1):
        accepted += is_good
        last_of_equals = position == len(ranked) or ranked[position][0] < value
        if last_of_equals and accepted / position >= target:
            best = value
    return best


def looping(text: str, least: int = 12) -> bool:
    """Whether a text ends in the same words said three times in a row, `least` words or more: a small model
    stuck.
    """
    said = text.split()
    for period in range(1, len(said) // 3 + 1):
        times = max(3, -(-least // period))
        tail = said[-period * times :]
        if len(tail) == period * times and tail[:period] * times == tail:
            return True
    return False
