"""Which articles our agents link: what they gave as the answer, and so what a search for that question should find.

An address is known by its last step, as help centres write it: .../articles/360001-Cleaning-the-burrs, .../kb/cleaning.
Of a ticket only host and last step are stored, so that no secret in a link's query is. What a page of the help centre
calls its neighbours, /kb/cleaning, is an address of the desk's own, whose host need not be told.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from urllib.parse import unquote, urlsplit

from data.records import Article
from data.redact import URL

RELATIVE = re.compile(r"""\bhref\s*=\s*["']?(/[^"'<>\s]+)""", re.IGNORECASE)
OWN = "-"  # stands for the host of an address without one, and is no host
NUMBER = re.compile(r"\d{5,}(?=$|[-_.])")  # no year
SHORTEST = 4
PAGE = re.compile(r"\.(?:html?|md|php|aspx)$")
# Last steps that half the web has: an article that is called so is not known by it.
_NOTHING = """
    about article articles contact docs download faq help home index kb login search support topics welcome en-us
"""
NOTHING = frozenset(_NOTHING.split())


def addresses(text: str) -> list[str]:
    """'host/last step' of every address in a text, in order."""
    return [found for match in URL.finditer(text) if (found := _address(match[0]))]


def relative(markup: str) -> tuple[str, ...]:
    """The addresses that a message's mark-up gives without their host, or their scheme, as `addresses` does."""
    return tuple(found for match in RELATIVE.finditer(markup) if (found := _address(match[1], OWN)))


def _address(url: str, unsaid: str = "") -> str:
    try:
        parts = urlsplit(url.rstrip(".,;:!?*_’”"))
        host = (parts.hostname or unsaid).removeprefix("www.")
    except ValueError:
        return ""
    last = unquote(parts.path.rstrip("/").rpartition("/")[2]).casefold()
    last = PAGE.sub("", " ".join(last.split()))
    return f"{host}/{last}" if host and last else ""


class Linked:
    """Articles by what an address of theirs ends with."""

    def __init__(self, articles: Iterable[Article]) -> None:
        """What two articles of a host would be known by is dropped: it tells neither."""
        self._known: dict[tuple[str, str], set[str]] = defaultdict(set)
        for article in articles:
            host, _, last = _address(article.url).partition("/")
            for key in {last, _number(last), article.id.rpartition("/")[2].casefold()}:
                if len(key) >= SHORTEST and key not in NOTHING:
                    self._known[host, key].add(article.id)
                    self._known[OWN, key].add(article.id)

    def articles(self, links: Iterable[str]) -> tuple[str, ...]:
        """Ids of the articles that the addresses lead to, in order, each once."""
        found: dict[str, None] = {}
        for link in links:
            host, _, last = link.partition("/")
            for key in (last, _number(last)):
                named = self._known.get((host, key)) or self._known.get(("", key), set())
                if len(named) == 1:
                    found.update(dict.fromkeys(named))
                    break
        return tuple(found)


def _number(last: str) -> str:
    found = NUMBER.match(last)
    return found[0] if found else ""
