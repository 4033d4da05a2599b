"""What a model sees of a conversation, and how its words reach the customer: without personal data, and with it again.

Models were taught on redacted tickets and may be somebody else's: they read "[EMAIL_1]", and where they write it the
customer reads the address. Only the conversation that gave a label can turn it back; it is never stored.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence

from data.records import Turn
from data.redact import PLAIN, Redactor
from data.rules import Rules

OPEN = re.compile(r"\[(?:[A-Z]+(?:_\d*)?)?$")  # a text that may end within a label


def private(turns: Sequence[Turn], rules: Rules = PLAIN) -> tuple[Redactor, tuple[Turn, ...]]:
    """The turns as models see them, and what turns their labels back."""
    redactor = Redactor(rules=rules)
    for turn in turns:
        redactor.meet(turn.text)
    return redactor, tuple(turn.model_copy(update={"text": redactor(turn.text)}) for turn in turns)


async def restored(pieces: AsyncIterator[str], redactor: Redactor) -> AsyncIterator[str]:
    """The pieces of a reply with this conversation's labels turned back; what may be half a label waits."""
    waiting = ""
    async for piece in pieces:
        waiting += piece
        half = OPEN.search(waiting)
        ready, waiting = (waiting[: half.start()], waiting[half.start() :]) if half else (waiting, "")
        if ready:
            yield redactor.restore(ready)
    if waiting:
        yield redactor.restore(waiting)
