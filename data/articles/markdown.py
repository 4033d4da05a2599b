"""An article written in Markdown, with or without front matter; its text stays Markdown, which models read well."""

from __future__ import annotations

import re

from data.articles.public import public
from data.clean import collapse
from data.importers.lines import text_of
from data.importers.times import known
from data.records import Article

BESIDE = re.compile(r"(?<!!)\[([^\]\n]+)\]\((?![a-z][a-z0-9+.-]*:)[^()\s]*\)", re.IGNORECASE)


def article(source: bytes, name: str) -> Article:
    """`name`: its path without the ending, which is its id unless it gives another. ValueError says why there is
    none."""
    fields, text = _front_matter(text_of(source).removeprefix("\ufeff"))
    first = re.search(r"^#\s+(.+)$", text, re.MULTILINE)
    spoken = name.rpartition("/")[2].replace("-", " ").replace("_", " ")
    title = fields.get("title") or (first[1].strip() if first else spoken)
    if first and first[1].strip() == title:
        text = text[: first.start()] + text[first.end() :]
    text = BESIDE.sub(r"\1", text)  # where another file lies is nothing that a customer could open
    return public(
        fields.get("id") or name, title, collapse(text), url=fields.get("url", ""),
        updated=known(fields.get("updated")), locale=fields.get("locale") or fields.get("lang") or "",
        withheld="a draft" if fields.get("draft", "").lower() == "true" else "",
    )  # fmt: skip


def _front_matter(text: str) -> tuple[dict[str, str], str]:
    """The 'key: value' lines between two '---' at the very top, if there are any."""
    block = re.match(r"---\r?\n(.*?)\r?\n---\r?\n", text, re.DOTALL)
    if block is None:
        return {}, text
    pairs = (line.partition(":") for line in block[1].splitlines())
    return {key.strip(): value.strip().strip("\"'") for key, _, value in pairs}, text[block.end() :]
