from __future__ import annotations

import re

import pytest

from bot.lines import FreshLines


def shown(text: str, size: int) -> str:
    """What a customer sees of a text that comes in pieces of `size` at most, each of one line."""
    lines, seen = FreshLines[str](), ""
    for piece in re.findall(rf"\n?[^\n]{{1,{size}}}|\n", text):
        seen += "".join(lines.add(piece, piece))
        if lines.again:
            return seen
    return seen + "".join(lines.end())


@pytest.mark.parametrize("size", [1, 3, 7, 1000])
@pytest.mark.parametrize(
    "text",
    [
        "One line only, and nothing but it, nothing but it.",
        "1. Open the menu\n2. Open the door\n3. Open it\n",
        "Yes\nYes\nYes",
        "- If you are on Windows, open Settings.\n- If you are on a Mac, open Preferences.\nThen restart.",
        "Hello\n\nHello again, you there\n\n\nbye",
        "",
    ],
)
def test_what_says_no_line_again_is_shown_whole(text: str, size: int) -> None:
    assert shown(text, size) == text


@pytest.mark.parametrize("size", [1, 3, 7, 1000])
@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Check your settings: port 995.\n\nCheck your settings: port 587.", "Check your settings: port 995."),
        ("Hello there\n\nTry to exit it first.\n\nHello there\n\nTry", "Hello there\n\nTry to exit it first."),
        ("a b c d e\nf g\nF G", "a b c d e\nf g"),
    ],
)
def test_it_ends_where_a_line_begins_again(text: str, kept: str, size: int) -> None:
    assert shown(text, size).strip() == kept
