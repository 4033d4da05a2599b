from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest

from bot.guards import linked, links_in
from bot.tokens import Finish, Token

NOTES = ["Full article: https://desk.example/en/kb/cannot-receive-messages.", "See (https://a.example/b?c=d)"]
KNOWN = links_in(NOTES)


async def told(text: str, pieces: str) -> tuple[str, int]:
    """What is left of a reply that comes in `pieces`, and how many tokens carried it."""

    async def events() -> AsyncIterator[Token | Finish]:
        for piece in re.findall(pieces, text):
            yield Token(piece, -0.1, 1.0)
        yield Finish("stop", 3, 9)

    found = [event async for event in linked(events(), KNOWN)]
    assert found[-1] == Finish("stop", 3, 9)
    return "".join(event.text for event in found if isinstance(event, Token)), len(found) - 1


def test_links_are_known_without_what_ends_their_sentence() -> None:
    assert {"https://desk.example/en/kb/cannot-receive-messages", "https://a.example/b?c=d"} == KNOWN


@pytest.mark.parametrize("pieces", [r".", r"\w+|\W", r"\s*\S+", r".+"])
@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("Full article: https://desk.example/en/kb/cannot-receive-messages", None),
        ("See https://a.example/b?c=d, then wait. Oh", None),
        ("No link, only http and h", None),
        ("At https://desk.exampl.com/en/kb/cannot-receive_messages.", "At https://desk.example/en/kb/cannot-receive-messages."),
        ("Go to https://evil.example/login now", "Go to  now"),
        ("https://evil.example", ""),
    ],
)  # fmt: skip
async def test_only_known_links_are_told(said: str, shown: str | None, pieces: str) -> None:
    text, tokens = await told(said, pieces)
    assert text == (said if shown is None else shown)
    assert tokens == len(re.findall(pieces, said)), "as many tokens as the model made"
