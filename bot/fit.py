"""A prompt that fits the model's context: the oldest turns go first, then evidence, then the middle of the
question.

Counted in bytes, because no tokenizer is loaded while serving: three UTF-8 bytes a token is below what byte-
pair vocabularies reach on prose, so the estimate errs on the short side.
"""

from __future__ import annotations

from collections.abc import Sequence

from bot import prompt
from bot.config import Config
from data.records import Passage, Turn

BYTES_PER_TOKEN = 3
TOKENS_PER_MESSAGE = 8


def fit(config: Config, turns: Sequence[Turn], passages: Sequence[Passage], budget: int) -> list[prompt.ChatMessage]:
    """Messages of at most about `budget` tokens. `turns` end with the customer's, which is always kept."""
    kept, shown = list(turns), list(passages)
    while True:
        messages = prompt.build(config.desk.name, config.desk.about, kept, shown)
        if estimate(messages) <= budget:
            return messages
        if len(kept) > 1:
            kept = _without_oldest(kept)
        elif shown:
            shown.pop()
        elif len(kept[0].text) > 200:
            half = len(kept[0].text) // 3
            kept = [kept[0].model_copy(update={"text": f"{kept[0].text[:half]} … {kept[0].text[-half:]}"})]
        else:
            return messages


def estimate(messages: Sequence[prompt.ChatMessage]) -> int:
    """Tokens these messages take, roughly and rather too many."""
    size = sum(len(message["content"].encode()) for message in messages)
    return size // BYTES_PER_TOKEN + TOKENS_PER_MESSAGE * len(messages)


def _without_oldest(turns: list[Turn]) -> list[Turn]:
    """One turn fewer, and never an agent's turn first: chat templates want the customer to begin."""
    kept = turns[1:]
    while len(kept) > 1 and kept[0].role == "agent":
        kept = kept[1:]
    return kept
