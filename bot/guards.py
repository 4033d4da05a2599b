"""What of a model's reply goes on to whoever asked: up to where it says a line again, and with known links only.

A small model copies well and not always to the letter. A link (http, https) that neither the notes nor the conversation
hold would send a customer anywhere: one that is nearly a known one becomes that, any other is left out.
"""

from __future__ import annotations

import math
import re
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Iterable, Iterator
from dataclasses import replace
from difflib import get_close_matches

from bot.lines import FreshLines
from bot.tokens import Finish, Token
from data.redact import URL

LINKING = re.compile(r"\b(?:https?:\S*|h|ht|htt|https?)$", re.IGNORECASE)  # a text that may end within a link
ENDS = ".,;:!?*_"  # of a sentence or its marks, when they come last
NEARLY = 0.85
Events = AsyncIterator[Token | Finish]


async def unrepeated(events: Events, lines: FreshLines[Token]) -> AsyncGenerator[Token | Finish]:
    """Up to where a line is said again; the Finish that ends the reply there knows of no prompt."""
    count = 0
    async for event in events:
        if isinstance(event, Finish):
            for token in lines.end():
                yield token
            yield event
            return
        count += 1
        for half in _halves(event):
            for token in lines.add(half, half.text):
                yield token
            if lines.again:
                yield Finish("stop", 0, count)
                return


async def linked(events: Events, known: Collection[str]) -> AsyncGenerator[Token | Finish]:
    """With no link but `known` ones; what may be half a link waits."""
    held: list[Token] = []
    async for event in events:
        if isinstance(event, Token):
            held.append(event)
            if LINKING.search("".join(token.text for token in held)):
                continue
        for token in _mended(held, known):
            yield token
        held = []
        if isinstance(event, Finish):
            yield event


def links_in(texts: Iterable[str]) -> set[str]:
    return {match[0].rstrip(ENDS) for text in texts for match in URL.finditer(text)}


def _halves(token: Token) -> list[Token]:
    """What of a token ends a line and what begins the next; the token's probability goes with the first."""
    before, mark, after = token.text.partition("\n")
    return [replace(token, text=before), Token(mark + after, math.nan, math.nan)] if before and mark else [token]


def _mended(held: list[Token], known: Collection[str]) -> Iterator[Token]:
    """The tokens; those of a link that is not known, with what comes instead in the first."""
    said = "".join(token.text for token in held)
    told = URL.sub(lambda match: _nearest(match[0], known), said)
    if told == said:
        yield from held
        return
    yield replace(held[0], text=told)
    yield from (replace(token, text="") for token in held[1:])


def _nearest(link: str, known: Collection[str]) -> str:
    bare = link.rstrip(ENDS)
    if bare in known:
        return link
    found = get_close_matches(bare, known, 1, NEARLY)
    return "".join(found) + link[len(bare) :]
