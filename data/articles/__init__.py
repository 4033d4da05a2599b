"""A help centre's articles, recognised by what is in the files: they are the evidence that replies rest on.

    path ──members()──▶ files ──┬─▶ help_centre    JSON of Zendesk, Intercom, Freshdesk, Help Scout or our own
                                ├─▶ markdown       .md
                                ├─▶ pages          HTML
                                └─▶ sitemap        a saved site: the pages that its sitemap lists, and no others

A folder, a zip or one file; a folder with an articles.jsonl is that file alone. What cannot be read, or is not for
every customer to read, is a Rejected with file, line and reason; BadInput is raised only where nothing is left. Nothing
is ever fetched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from data.articles import help_centre, markdown, pages, sitemap
from data.errors import BadInput
from data.importers import At, reject, sample
from data.importers.lines import BOM, DAMAGE, LONGEST, Unreadable, damaged
from data.importers.objects import load, objects
from data.importers.parts import READ, Part, members
from data.records import Article, Rejected

MARKDOWN = (".md", ".markdown")
PAGES = (".html", ".htm", ".xhtml")
HEAD = 512
Found = tuple[At, Article | Rejected]


def read_articles(path: Path) -> list[Article]:
    """All readable articles. Raises BadInput for none."""
    return load_articles(path)[0]


def load_articles(path: Path) -> tuple[list[Article], list[Rejected]]:
    """The articles, and what could not be read or was left out."""
    found: dict[str, Article] = {}
    rejected: list[Rejected] = []
    for at, item in _each(path):
        if isinstance(item, Rejected):
            rejected.append(item)
        elif item.id in found:
            rejected.append(reject(at, f"another article has the id {item.id} too"))
        else:
            found[item.id] = item
    if not found:
        why = f" ({rejected[0].file}:{rejected[0].line} {rejected[0].reason})" if rejected else ""
        raise BadInput(
            f"{path}: no article in it{why}; give a help centre's JSON export, a folder of .md or .html files, "
            "or JSON lines with id, title, text"
        )
    return list(found.values()), rejected


def files(path: Path) -> list[Part]:
    """Every file that `load_articles` reads. Raises BadInput for a path that is not there."""
    inside, dump = _opened(path)
    return dump.files if dump else list(inside.values())


def _opened(path: Path) -> tuple[dict[str, Part], sitemap.Dump | None]:
    """What may hold articles, by its path in the folder or zip; the listed pages where there is a sitemap."""
    if not path.exists():
        raise BadInput(f"{path}: no such file or folder; check desk.articles")
    alone = path / "articles.jsonl"
    every = members(alone if path.is_dir() and alone.is_file() else path)
    inside = _places(every)
    if any(map(sitemap.is_sitemap, inside)):
        return inside, sitemap.dump(inside)
    if len(every) == 1 and every[0].path == path and not every[0].member:
        return inside, None
    return {name: part for name, part in inside.items() if name.lower().endswith((*MARKDOWN, *PAGES, *READ))}, None


def _places(every: list[Part]) -> dict[str, Part]:
    """By path; without the only folder at a zip's top, so that an article has the same id however it was packed."""
    names = [part.member or part.name for part in every]
    tops = {name.partition("/")[0] if "/" in name else "" for name in names}
    if all(part.member for part in every) and len(tops) == 1 and "" not in tops:
        names = [name.partition("/")[2] for name in names]
    return dict(zip(names, every, strict=True))


def _each(path: Path) -> Iterator[Found]:
    inside, dump = _opened(path)
    if dump is None:
        for name, part in inside.items():
            yield from _of(part, name, alone=len(inside) == 1)
        return
    yield from ((At(bad.file, bad.line), bad) for bad in dump.rejected)
    for page in dump.pages:
        yield _one(page.part, partial(pages.article, name=page.name, url=page.url, updated=page.updated))


def _of(part: Part, name: str, alone: bool) -> Iterator[Found]:
    """The articles in one file of a folder, or in the only one."""
    stem = "/".join(step for step in name.rpartition(".")[0].split("/") if step not in ("", ".", "..")) or name
    if name.lower().endswith(MARKDOWN):
        yield _one(part, partial(markdown.article, name=stem))
    elif name.lower().endswith(PAGES) or _begins_like_a_page(part):
        yield _one(part, partial(pages.article, name=stem))
    elif alone or any(map(help_centre.fits, sample(part))):
        yield from _rows(part)
    else:
        at = At(part.name, 1)
        yield at, reject(at, "none of the first objects in it is an article")


def _begins_like_a_page(part: Part) -> bool:
    try:
        with part.open() as stream:
            return stream.read(HEAD).removeprefix(BOM).lstrip().startswith(b"<")
    except DAMAGE:
        return False


def _one(part: Part, read: Callable[[bytes], Article]) -> Found:
    at = At(part.name, 0)
    try:
        with part.open() as stream:
            content = stream.read(LONGEST)
        if len(content) == LONGEST:
            raise ValueError("longer than 8 MB")
        return at, read(content)
    except DAMAGE as error:
        return at, reject(at, damaged(error).reason)
    except ValueError as error:
        return at, reject(at, str(error).splitlines()[0])


def _rows(part: Part) -> Iterator[Found]:
    for line, row in objects(part):
        at = At(part.name, line)
        try:
            if isinstance(row, Unreadable):
                raise ValueError(row.reason)
            if row != b"":
                yield at, help_centre.article(load(row))
        except (ValueError, RecursionError) as error:
            yield at, reject(at, str(error).splitlines()[0])
