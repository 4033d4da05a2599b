"""The courtesies that a desk begins and ends its replies with: the same in every fiftieth reply, and about nothing.

"Thank you for contacting Kettlewick support!" is most of what a small model would learn to say, as it is what it reads
most. A sentence is stock only where many different replies have it at an end and it speaks politely of nothing: advice
that is often given stays, and so does all that holds an address, a number or a menu.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from data.duplicates import same_words
from data.redact import LABEL
from data.sentences import parts

SHARE, FEWEST = 0.02, 20
EDGE, WIDTH = 3, 1000
LONGEST_WORDS, LEFT_WORDS = 30, 4
POLITE = re.compile(
    r"\b(?:thank(?:s|\s+you)|(?:you['’]re|you\s+are)\s+(?:very\s+)?welcome|welcome\s+to|sorry\s+(?:to\s+hear|for\s+(?:the|any"
    r"|your))|apologi[sz]e\s+for\s+(?:the|any)|(?:any|other|more|further)\s+questions?|let\s+(?:us|me)\s+know\s+(?:if|how"
    r"|whether)|(?:glad|happy|pleased|here)\s+to\s+(?:help|assist)|hope\s+(?:this|that|it|you)|hear(?:ing)?\s+from\s+you"
    r"|(?:reach|reaching)\s+out|contacting\s+(?:us|\w+)|get\s+in\s+touch|getting\s+in\s+touch|anything\s+else"
    r"|have\s+a\s+(?:great|good|nice|lovely|wonderful)|good\s+(?:morning|afternoon|evening|luck|day)|(?:best|kind|warm)"
    r"\s+(?:regards|wishes)|cheers|greetings|hello|patience|don['’]t\s+hesitate|do\s+not\s+hesitate|feel\s+free)\b",
    re.IGNORECASE,
)
TELLS = re.compile(r"\d|://|www\.|\[(?:EMAIL|PHONE|LINK|CARD|IBAN)|\S ?> ?\S|[\"“”`()]")


def stock_sentences(replies: Iterable[str]) -> frozenset[str]:
    """What at least FEWEST and SHARE of these different replies begin or end with, in `plain` words.

    Rare sentences are forgotten on the way (lossy counting: Manku and Motwani, 2002), so that a million replies take no
    more memory than ten thousand.
    """
    seen: Counter[str] = Counter()
    missed: dict[str, int] = {}
    total = 0
    for total, reply in enumerate(replies, 1):
        for sentence in _edges(reply):
            missed.setdefault(sentence, total // WIDTH)
            seen[sentence] += 1
        if total % WIDTH == 0:
            for sentence in [each for each, count in seen.items() if count + missed[each] <= total // WIDTH]:
                del seen[sentence], missed[sentence]
    return frozenset(each for each, count in seen.items() if count >= max(FEWEST, SHARE * total))


def without_stock(reply: str, stock: frozenset[str]) -> str:
    """A reply without the stock sentences that it begins and ends with. One that says little more is left alone."""
    if not stock:
        return reply
    lines = reply.strip().split("\n")
    for at in (0, -1):
        for _ in range(EDGE):
            if not lines or not _is_stock(said := parts(lines[at]), at, stock):
                break
            lines[at] = " ".join(said[1:] if at == 0 else said[:-1])
            while lines and not lines[at].strip():
                lines.pop(at)
    left = "\n".join(lines).strip()
    return left if len(left.split()) >= LEFT_WORDS else reply


def plain(sentence: str) -> str:
    return same_words(LABEL.sub(" ", sentence))


def _is_stock(said: list[str], at: int, stock: frozenset[str]) -> bool:
    return bool(said) and not TELLS.search(said[at]) and plain(said[at]) in stock


def _edges(reply: str) -> set[str]:
    """The first and the last sentences, as far as they are polite and tell nothing."""
    lines = [line for line in reply.split("\n") if line.strip()]
    first = [part for line in lines[:EDGE] for part in parts(line)][:EDGE]
    last = [part for line in lines[-EDGE:] for part in parts(line)][-EDGE:]
    return {plain(part) for part in (*first, *last) if _polite(part)}


def _polite(sentence: str) -> bool:
    short = len(sentence.split()) <= LONGEST_WORDS
    return short and POLITE.search(sentence) is not None and TELLS.search(sentence) is None
