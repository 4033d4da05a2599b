"""What of a passage is matched with a question, shown to a model, and could be said to a customer."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from data.records import ANSWER, Passage

ASKED_WORDS = 16
FIRST_WORDS, LAST_WORDS = 25, 20
CODE = re.compile(r"\b[A-Z]{1,2}-?\d{1,4}\b")
END = re.compile(r"(?<!\d)[.!?][\"'”’)*]*(?=\s)|\n")


def searchable(passage: Passage) -> str:
    """What of a passage is matched: an article's text, but only the question of a past ticket."""
    body = passage.text.partition(ANSWER)[0].removeprefix("Customer: ") if passage.kind == "ticket" else passage.text
    return f"{passage.title}\n{body}"


def compared(question: str) -> str:
    """What of a question is compared: how it begins and how it ends, where most customers say what they want.

    On the real desk notes found by that were as good as those found by its first 90 words, in two thirds of the time;
    by its first 50 words they were worse (README, "What search finds").
    """
    words = question.split()
    return question if len(words) <= FIRST_WORDS + LAST_WORDS else " ".join(words[:FIRST_WORDS] + words[-LAST_WORDS:])


def explained(question: str, found: Iterable[Passage]) -> frozenset[str]:
    """The codes (of an error, a part) that the question names and an article among the found explains."""
    asked = frozenset(CODE.findall(question))
    articles = [each for each in found if each.kind == "article"] if asked else []
    return asked & {code for each in articles for code in CODE.findall(_whole_text(each))}


def names(passage: Passage, codes: frozenset[str]) -> bool:
    """Whether a passage may answer about these codes, if any: what E05 means is no answer about E01."""
    return not codes or not codes.isdisjoint(CODE.findall(_whole_text(passage)))


def answering(found: Sequence[Passage], codes: frozenset[str]) -> list[int]:
    """Places of those that may answer about these codes: under whose heading, or for whose past question, they stand,
    if an article's heading is among them; else all that name them. A page says E01 to tell it from its own E1."""
    if not codes:
        return list(range(len(found)))
    headed = [place for place, each in enumerate(found) if codes & set(CODE.findall(_heading(each)))]
    if any(found[place].kind == "article" for place in headed):
        return headed
    return [place for place, each in enumerate(found) if names(each, codes)]


def _heading(passage: Passage) -> str:
    return searchable(passage) if passage.kind == "ticket" else passage.title


def _whole_text(passage: Passage) -> str:
    return f"{passage.title}\n{passage.text}"


def spoken(passage: Passage) -> str:
    """What of a passage could be said to a customer: a past ticket's reply, an article's text."""
    _, mark, reply = passage.text.partition(ANSWER)
    return reply if mark and passage.kind == "ticket" else passage.text


def read_on(passage: Passage) -> str:
    """Where a customer reads on: a piece of an article is seldom all of what to do."""
    return f"Full article: {passage.url}" if passage.kind == "article" and passage.url else ""


def shorten(passage: Passage, words: int) -> str:
    """What of a passage is shown: of a past ticket little of the question and `words` of the reply, the evidence."""
    asked, mark, reply = passage.text.partition(ANSWER)
    if passage.kind == "ticket" and mark:
        return f"{cap(asked, ASKED_WORDS)}{ANSWER}{_whole(cap(reply, words))}"
    return _whole(cap(passage.text, words))


def cap(text: str, words: int) -> str:
    """The first `words` words, their spacing kept, and an ellipsis where there were more."""
    parts = re.findall(r"\S+\s*", text)
    return text if len(parts) <= words else "".join(parts[:words]).rstrip() + " …"


def _whole(text: str) -> str:
    """A capped text without the sentence or step that was cut in the middle, unless half of it would go: what breaks
    off in the notes is repeated, broken off, to the customer."""
    if not text.endswith(" …"):
        return text
    end = max((match.end() for match in END.finditer(text)), default=0)
    return text[:end].rstrip() if end >= len(text) / 2 else text


def article_of(passage: Passage) -> str:
    """The id of the article that a piece is from."""
    return passage.id.rpartition("#")[0]


def ticket_of(passage: Passage) -> str:
    """The id of the ticket that a passage is from; an article's own id for a piece of an article."""
    return passage.id.rpartition("-")[0] if passage.kind == "ticket" else passage.id
