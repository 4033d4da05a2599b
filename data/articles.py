"""Knowledge-base articles from Markdown, wiki mark-up or JSON lines, and the passages retrieval searches.

A passage is cut on headings and paragraphs and carries 'Article > Heading' as its title, so that a model that
sees only the passage still knows what it is about.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from data.clean import collapse, html_to_text
from data.errors import BadInput
from data.importers.lines import Unreadable, numbered_lines, text_of
from data.importers.objects import load
from data.records import Article, Passage, Rejected
from data.wiki import wiki_to_text

HEADING = re.compile(r"^(#{1,6})\s+(.+?)\s*#*$")
FEW_WORDS = 25


def read_articles(path: Path) -> list[Article]:
    """All readable articles of a Markdown folder or a JSON-lines file. Raises BadInput for none."""
    return load_articles(path)[0]


def load_articles(path: Path) -> tuple[list[Article], list[Rejected]]:
    """The articles, and the rows or files that could not be read."""
    if not path.exists():
        raise BadInput(f"{path}: no such file or folder; check desk.articles")
    if path.is_dir() and (path / "articles.jsonl").is_file():
        path = path / "articles.jsonl"
    found: list[Article] = []
    rejected: list[Rejected] = []
    names: set[str] = set()
    for item in _markdown(path) if path.is_dir() else _rows(path):
        if isinstance(item, Article) and item.id in names:
            item = Rejected(file=path.name, line=0, reason=f"another article has the id {item.id} too")
        if isinstance(item, Rejected):
            rejected.append(item)
        else:
            names.add(item.id)
            found.append(item)
    if not found:
        why = f" ({rejected[0].file}:{rejected[0].line} {rejected[0].reason})" if rejected else ""
        raise BadInput(f"{path}: no article in it{why}; give a folder of .md files or JSON lines with id, title, text")
    return found, rejected


def _markdown(folder: Path) -> Iterator[Article | Rejected]:
    for file in sorted(folder.rglob("*.md")):
        name = file.relative_to(folder).with_suffix("").as_posix()
        try:
            text = text_of(file.read_bytes()).removeprefix("\ufeff")
        except (OSError, ValueError) as error:
            yield Rejected(file=file.name, line=0, reason=str(error))
            continue
        fields, text = _front_matter(text)
        first = re.search(r"^#\s+(.+)$", text, re.MULTILINE)
        title = fields.get("title") or (first[1].strip() if first else file.stem.replace("-", " ").replace("_", " "))
        if first and first[1].strip() == title:
            text = text[: first.start()] + text[first.end() :]
        yield Article(id=fields.get("id") or name, title=title, url=fields.get("url", ""), text=collapse(text))


def _front_matter(text: str) -> tuple[dict[str, str], str]:
    """The 'key: value' lines between two '---' at the very top, if there are any."""
    block = re.match(r"---\r?\n(.*?)\r?\n---\r?\n", text, re.DOTALL)
    if block is None:
        return {}, text
    pairs = (line.partition(":") for line in block[1].splitlines())
    return {key.strip(): value.strip().strip("\"'") for key, _, value in pairs}, text[block.end() :]


def _rows(path: Path) -> Iterator[Article | Rejected]:
    for number, row in numbered_lines(path):
        if row == b"":
            continue
        try:
            if isinstance(row, Unreadable):
                raise ValueError(row.reason)
            value = load(row)
            if str(value.get("locale") or "en").startswith("en"):
                yield _article(value)
        except (ValueError, RecursionError) as error:
            yield Rejected(file=path.name, line=number, reason=str(error).splitlines()[0][:200])


def _article(row: dict[str, Any]) -> Article:
    body = row.get("wiki") if "wiki" in row else row.get("text")
    if not isinstance(body, str) or not isinstance(row.get("title"), str) or row.get("id") in (None, ""):
        raise ValueError("an article needs id, title and text (or wiki)")
    text = wiki_to_text(body) if "wiki" in row else html_to_text(body)
    return Article(id=str(row["id"]), title=row["title"].strip(), url=str(row.get("url") or ""), text=text)


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
