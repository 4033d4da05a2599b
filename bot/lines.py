"""A small model that lost its place says a paragraph again, a little otherwise each time, and what it changes is wrong.

So a reply ends where a line begins as an earlier one did (bot/guards.py). Until that is known of a line, what there is
of it is held back.
"""

from __future__ import annotations

import re
from typing import Generic, TypeVar

WORDS = 4  # by which a line is known; a shorter one by all that it says, if that is more than a word
WORD = re.compile(r"\w+")
ITEM = re.compile(r"\s*(?:[-*•]|\d{1,2}[.)])\s")  # of a list: its items may well begin alike
Piece = TypeVar("Piece")


class FreshLines(Generic[Piece]):
    """Pieces of a text that grows, each given back once it may be shown. `again`: a line began as one before it, and
    nothing of it was given back."""

    def __init__(self) -> None:
        self._begun: set[tuple[str, ...]] = set()
        self._line = ""
        self._counted = False
        self._held: list[Piece] = []
        self.again = False

    def add(self, piece: Piece, text: str) -> list[Piece]:
        """What may be shown now that `piece` says `text`, which may begin a line but goes on in no other."""
        shown = []
        if text.startswith("\n"):
            shown = self.end()
            self._line, self._counted = "", False
        self._held.append(piece)
        self._line += text
        if len(WORD.findall(self._line)) > WORDS:
            self._count()
        return shown + (self._taken() if self._counted or not self._begun else [])

    def end(self) -> list[Piece]:
        """What may be shown now that the line says no more."""
        self._count()
        return self._taken()

    def _count(self) -> None:
        begins = tuple(WORD.findall(self._line.lower())[:WORDS])
        if not self._counted and len(begins) > 1:
            self._counted = True
            self.again = self.again or (begins in self._begun and not ITEM.match(self._line))
            self._begun.add(begins)

    def _taken(self) -> list[Piece]:
        if self.again:
            return []
        taken, self._held = self._held, []
        return taken
