"""A site's pages as wget or HTTrack saved them, beside the sitemap that says which of them count and when they changed.

    dump/help.example.com/sitemap.xml              <loc>https://help.example.com/hc/returns</loc>
    dump/help.example.com/hc/returns.html          or hc/returns, hc/returns/index.html; or without the host's folder

A sitemap needs no document type, and one that declares entities can fill any memory, so such a file is refused. A page
is looked up among the names that were found, never on the disk, so no address leads out of the folder.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import PurePosixPath
from typing import NamedTuple
from urllib.parse import unquote, urlsplit
from xml.parsers import expat

from data.importers import At, reject
from data.importers.lines import DAMAGE
from data.importers.parts import Part
from data.importers.times import known
from data.records import Rejected

ENDINGS = ("", ".html", ".htm", "/index.html", "/index.htm")


class Saved(NamedTuple):
    """A page that a sitemap lists; `name`, its path on the site, is its article's id."""

    part: Part
    name: str
    url: str
    updated: datetime | None


@dataclass(slots=True)
class Dump:
    sitemaps: list[Part] = field(default_factory=list)
    pages: list[Saved] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)

    @property
    def files(self) -> list[Part]:
        return [*self.sitemaps, *(page.part for page in self.pages)]


def is_sitemap(name: str) -> bool:
    file = name.rpartition("/")[2].lower()
    return file.startswith("sitemap") and file.endswith((".xml", ".xml.gz"))


def dump(files: Mapping[str, Part]) -> Dump:
    """All pages that the sitemaps among `files` list, by path in the folder; a page that was not saved is rejected."""
    made = Dump()
    seen: set[str] = set()
    for name, part in files.items():
        if not is_sitemap(name):
            continue
        made.sitemaps.append(part)
        for line, url, changed in _listed(part, made.rejected):
            if url in seen:
                continue
            seen.add(url)
            place = next((place for place in _places(url, name) if place in files), None)
            if place is None:
                made.rejected.append(reject(At(part.name, line), f"not among the saved pages: {url}"))
            else:
                made.pages.append(Saved(files[place], _name(url), url, known(changed)))
    return made


def _places(url: str, sitemap: str) -> Iterator[str]:
    """Where a page may lie: in a folder named like its host, or beside the sitemap or above it."""
    try:
        address = urlsplit(url)
    except ValueError:
        return
    folders = [str(folder) for folder in PurePosixPath(sitemap).parents]
    roots = [f"{folder}/{address.netloc}" for folder in folders] + folders
    query = f"?{address.query}" if address.query else ""
    for path in dict.fromkeys((address.path, unquote(address.path))):
        bare = path.strip("/")
        for root in roots:
            for ending in (*((query, f"{query}.html") if query else ()), *ENDINGS):
                yield str(PurePosixPath(root, f"{bare}{ending}".lstrip("/")))


def _name(url: str) -> str:
    address = urlsplit(url)
    path = unquote(address.path).strip("/") or "index"
    return f"{path}?{address.query}" if address.query else path


def _listed(part: Part, rejected: list[Rejected]) -> list[tuple[int, str, str]]:
    """Line, address and date of each page, as far as the file can be read."""
    reader = _Reader()
    try:
        with part.open() as stream:
            reader.parser.ParseFile(stream)
    except (expat.ExpatError, ValueError, LookupError, *DAMAGE) as error:
        rejected.append(reject(At(part.name, reader.parser.CurrentLineNumber), f"the sitemap cannot be read: {error}"))
    return reader.listed


class _Reader:
    """`urlset > url > loc, lastmod`, whatever the namespace; a picture's `loc` lies deeper and is no page."""

    def __init__(self) -> None:
        self.listed: list[tuple[int, str, str]] = []
        self.parser = expat.ParserCreate(namespace_separator=" ")
        self.parser.StartDoctypeDeclHandler = self._doctype
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._data
        self._path: list[str] = []
        self._page: dict[str, str] = {}
        self._line = 0

    def _doctype(self, *_: object) -> None:
        raise ValueError("it declares a document type, which no sitemap needs")

    def _start(self, name: str, _: dict[str, str]) -> None:
        self._path.append(name.rpartition(" ")[2].lower())
        if self._path == ["urlset", "url"]:
            self._page, self._line = {}, self.parser.CurrentLineNumber

    def _data(self, text: str) -> None:
        if self._path[:2] == ["urlset", "url"] and len(self._path) == 3:
            self._page[self._path[2]] = self._page.get(self._path[2], "") + text

    def _end(self, _: str) -> None:
        if self._path == ["urlset", "url"] and (url := self._page.get("loc", "").strip()):
            self.listed.append((self._line, url, self._page.get("lastmod", "").strip()))
        self._path.pop()
