"""The passages that retrieval searches: an article cut on its headings and paragraphs.

A passage carries 'Article > Heading' as its title, so that a model that sees only the passage still knows what it is
about.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from data.clean import collapse
from data.records import Article, Passage

HEADING = re.compile(r"^(#{1,6})\s+(.+?)\s*#*$")
FEW_WORDS = 25


def chunks(article: Article, words: int = 120) -> list[Passage]:
    """Passages of about `words` words, never across a heading; a short rest joins the piece before it."""
    passages: list[Passage] = []
    for heading, body in _sections(article.text):
        title = f"{article.title} > {heading}" if heading else article.title
        for piece in _pieces(body, words):
            name = f"{article.id}#{len(passages) + 1}"
            passages.append(Passage(id=name, kind="article", title=title, text=piece, url=article.url))
    return passages


def _sections(text: str) -> Iterator[tuple[str, str]]:
    heading, body, fenced = "", list[str](), False
    for line in text.split("\n"):
        fenced ^= line.lstrip().startswith("```")
        found = None if fenced else HEADING.match(line)
        if found is None:
            body.append(line)
            continue
        yield heading, collapse("\n".join(body))
        heading, body = found[2], []
    yield heading, collapse("\n".join(body))


def _pieces(body: str, words: int) -> list[str]:
    pieces: list[str] = []
    size = 0
    for glue, part in _parts(body, words):
        length = len(part.split())
        if pieces and size + length <= words:
            pieces[-1] += glue + part
            size += length
        else:
            pieces.append(part)
            size = length
    if len(pieces) > 1 and len(pieces[-1].split()) < FEW_WORDS:
        rest = pieces.pop()
        pieces[-1] += "\n" + rest
    return pieces


def _parts(body: str, words: int) -> Iterator[tuple[str, str]]:
    """Paragraphs; long ones by line, then by sentence, then by count; each with what rejoins it."""
    for paragraph in body.split("\n\n"):
        if len(paragraph.split()) <= words:
            yield from [("\n\n", paragraph)] if paragraph.strip() else []
            continue
        for line in paragraph.split("\n"):
            for sentence in [line] if len(line.split()) <= words else re.split(r"(?<=[.!?])\s+", line):
                counted = sentence.split()
                short = len(counted) <= words
                parts = (
                    [sentence] if short else [" ".join(counted[n : n + words]) for n in range(0, len(counted), words)]
                )
                yield from (("\n" if sentence == line else " ", part) for part in parts if part.strip())
