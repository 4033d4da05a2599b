"""What the words a model says tell of it: that it does not know how to begin, or that it is stuck.

How likely its first tokens are does not tell whether a reply is good (AUC .47 on the sample desk, .65 on the real one):
that is told from the notes, before any model speaks (bot/worth.py).
"""

from __future__ import annotations

UNSURE = -1.0  # nats: a model whose own first token is less likely (37 %) does not know how to begin


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
