"""An article as a saved web page: what stands in its middle, without the site's menus, banners and scripts.

A browser is told the encoding by the server, which a saved page has lost: UTF-8 first, then what the page itself names.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING

from data.articles.public import public
from data.clean import collapse, element_to_text, parsed
from data.importers.lines import BOM, text_of
from data.records import Article

if TYPE_CHECKING:
    from bs4 import BeautifulSoup
    from bs4.element import Tag

ASIDE = ("nav", "header", "footer", "aside", "template", "form", "button", "iframe", "dialog")
CHARSET = re.compile(rb"<meta[^>]{1,200}?charset\s*=\s*[\"']?\s*([\w.:-]{2,40})", re.IGNORECASE)
HEAD = 4096


def article(source: bytes, name: str, *, url: str = "", updated: datetime | None = None) -> Article:
    """`name` is its id; `url` goes before the address that the page gives itself. ValueError says why there is none."""
    try:
        page = parsed(_decoded(source))
        middle = _middle(page)
        title = _title(page, middle) or name.rpartition("/")[2].replace("-", " ").replace("_", " ")
        for each in middle.find_all(ASIDE):
            each.decompose()
        first = middle.find("h1")
        if first is not None and _words(first) == title:
            first.decompose()
        text = element_to_text(middle, headings=True)
    except RecursionError:
        raise ValueError("its elements are nested too deep") from None
    language = page.html.get("lang") if page.html else None
    return public(name, title, text, url=url or _address(page), updated=updated, locale=str(language or ""))


def _decoded(source: bytes) -> str:
    try:
        return text_of(source.removeprefix(BOM))
    except ValueError as error:
        named = CHARSET.search(source[:HEAD])
        if named is None:
            raise ValueError(f"{error}, and the page names no other charset") from error
        charset = named[1].decode("ascii")
    try:
        return source.decode(charset)
    except (LookupError, ValueError) as error:
        raise ValueError(f"its bytes are neither UTF-8 nor {charset}, which it says they are") from error


def _middle(page: BeautifulSoup) -> Tag:
    """The only article, else the main part, else all."""
    articles = page.find_all("article")
    if len(articles) == 1:
        return articles[0]
    return page.find("main") or page.find(role="main") or page.body or page


def _title(page: BeautifulSoup, middle: Tag) -> str:
    """The article's own heading; a page's title ends with the site's name."""
    return _words(middle.find("h1")) or _words(page.title) or _words(page.find("h1"))


def _words(node: Tag | None) -> str:
    return "" if node is None else collapse(" ".join(node.get_text(" ").split())).rstrip(" ¶")


def _address(page: BeautifulSoup) -> str:
    link = page.find("link", rel="canonical")
    address = str(link.get("href") or "").strip() if link else ""
    return address if re.match(r"https?://", address) else ""
