"""Saved web pages, alone, mixed with Markdown, or as a site's mirror beside its sitemap."""

import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from data.articles import files, load_articles
from data.articles.passages import chunks
from data.errors import BadInput
from data.records import Article
from tests.data.help_centres import PAGE, TEXT

SITE = "https://help.example.com"
BOMB = '<!DOCTYPE lolz [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'


def page(folder: Path, name: str, source: str | bytes = PAGE) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(source if isinstance(source, bytes) else source.encode())


def sitemap(*pages: str, doctype: str = "", root: str = "urlset") -> str:
    listed = "".join(
        f"<url>\n<loc>{SITE}{each}</loc><lastmod>2025-03-01</lastmod>"
        "<i:image><i:loc>https://cdn.example.com/x.png</i:loc></i:image></url>\n"
        for each in pages
    )
    spaces = (
        'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9" xmlns:i="http://www.google.com/schemas/sitemap-image/1.1"'
    )
    return f'<?xml version="1.0" encoding="UTF-8"?>{doctype}\n<{root} {spaces}>{listed}</{root}>'


def simple(title: str, body: str = "<p>Text.</p>") -> str:
    return f"<html><head><title>{title}</title></head><body>{body}</body></html>"


def one(folder: Path) -> Article:
    (found,), rejected = load_articles(folder)
    assert rejected == []
    return found


def test_a_page_is_its_article_without_the_site_around_it(tmp_path: Path) -> None:
    page(tmp_path, "help/clean.html")
    found = one(tmp_path)
    assert (found.id, found.title, found.text) == ("help/clean", "Clean the grinder", TEXT)
    assert found.url == f"{SITE}/clean"
    assert [p.title for p in chunks(found)][1] == "Clean the grinder > Take it apart"


@pytest.mark.parametrize(
    ("body", "title", "text"),
    [
        ("<main><h1>Returns</h1><p>30 days.</p></main><p>menu</p>", "Returns", "30 days."),
        ("<article>a</article><article>b</article><div role='main'><p>c</p></div>", "Site", "c"),
        ("<div><h3>Part<a class='headerlink' href='#p'>¶</a></h3>One<br>two</div>", "Site", "### Part\n\nOne\ntwo"),
        ("<p>1</p><h1>Other</h1><p>2</p>", "Other", "1\n\n2"),
        ("<ul><li><h4>Step</h4>Press</li></ul><figure><img src='x'><figcaption>Lid</figcaption></figure>", "Site",
         "- Step\n\n  Press\n\nLid"),
    ],
)  # fmt: skip
def test_title_and_middle(tmp_path: Path, body: str, title: str, text: str) -> None:
    page(tmp_path, "a.htm", simple("Site", body))
    found = one(tmp_path)
    assert (found.title, found.text.replace("\n  Press", "\n\n  Press")) == (title, text)


def test_a_page_that_is_not_utf8(tmp_path: Path) -> None:
    source = simple("Café", "<meta http-equiv='Content-Type' content='text/html; charset=iso-8859-1'><p>£3</p>")
    page(tmp_path, "declared.html", source.encode("latin-1"))
    page(tmp_path, "silent.html", simple("Café").encode("latin-1"))
    page(tmp_path, "wrong.html", b"<meta charset=utf-16>\xff\xff")
    page(tmp_path, "odd.html", b"<meta charset=zip>\xff\xff")
    page(tmp_path, "bom.html", b"\xef\xbb\xbf" + simple("BOM").encode())
    found, rejected = load_articles(tmp_path)
    assert [(a.title, a.text) for a in found] == [("BOM", "Text."), ("Café", "£3")]
    assert [bad.file for bad in rejected] == ["odd.html", "silent.html", "wrong.html"]
    assert "names no other charset" in rejected[1].reason


def test_pages_in_other_languages_without_words_or_too_deep(tmp_path: Path) -> None:
    page(tmp_path, "de.html", "<html lang='de-DE'><body><p>Hallo</p></body></html>")
    page(tmp_path, "empty.html", simple("Moved", "<script>x</script>"))
    page(tmp_path, "deep.html", simple("Deep", "<div>" * 20_000 + "x"))
    page(tmp_path, "good.html", "\n<?xml version='1.0'?>" + simple("Good"))
    found, rejected = load_articles(tmp_path)
    assert [a.title for a in found] == ["Good"]
    assert [(bad.file, bad.reason) for bad in rejected] == [
        ("de.html", "left out: in another language (de-DE)"),
        ("deep.html", "its elements are nested too deep"),
        ("empty.html", "it has no text"),
    ]


def test_markdown_and_pages_in_one_folder_or_zip_have_the_same_ids(tmp_path: Path) -> None:
    folder = tmp_path / "kb"
    page(folder, "a/returns.md", "# Returns\n\n30 days.")
    page(folder, "draft.md", "---\ntitle: No\ndraft: true\n---\nSECRET")
    page(folder, "b.html")
    page(folder, "c.json", '[{"id": "c", "title": "C", "text": "x"}]')
    with zipfile.ZipFile(tmp_path / "kb.zip", "w") as archive:
        for file in sorted(folder.rglob("*.*")):
            archive.write(file, f"export-2025/{file.relative_to(folder)}")
    assert [a.id for a in load_articles(folder)[0]] == ["a/returns", "b", "c"]
    assert load_articles(folder)[0] == load_articles(tmp_path / "kb.zip")[0]
    assert [bad.reason for bad in load_articles(folder)[1]] == ["left out: a draft"]


def test_a_name_that_leads_out_of_a_zip_is_harmless(tmp_path: Path) -> None:
    path = tmp_path / "in" / "evil.zip"
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../../escaped.md", "# Out\n\nText.")
        archive.writestr("/etc/absolute.html", simple("Absolute"))
    found, _ = load_articles(path)
    assert [a.id for a in found] == ["escaped", "etc/absolute"]
    assert [each.name for each in tmp_path.rglob("*")] == ["in", "evil.zip"]


MIRROR = (
    "help.example.com/index.html", "help.example.com/hc/clean.html", "help.example.com/hc/returns/index.html",
    "help.example.com/hc/plain", "help.example.com/hc/caf\u00e9.html", "help.example.com/faq?id=3.html",
)  # fmt: skip
LISTED = ("/", "/hc/clean", "/hc/returns/", "/hc/plain", "/hc/caf%C3%A9", "/faq?id=3")


@pytest.mark.parametrize("host", ["help.example.com/", ""])
@pytest.mark.parametrize("at", ["sitemap.xml", "help.example.com/sitemap.xml", "help.example.com/hc/sitemap_en.xml"])
def test_a_mirror_however_it_was_saved(tmp_path: Path, host: str, at: str) -> None:
    for number, name in enumerate(MIRROR):
        page(tmp_path, name.replace("help.example.com/", host), simple(f"Page {number}"))
    page(tmp_path, at.replace("help.example.com/", host), sitemap(*LISTED))
    page(tmp_path, f"{host}hc/unlisted.html", simple("SECRET"))
    page(tmp_path, f"{host}style.css", "p {}")
    found, rejected = load_articles(tmp_path)
    assert rejected == []
    assert [(a.title, a.url) for a in found] == [(f"Page {n}", f"{SITE}{each}") for n, each in enumerate(LISTED)]
    assert [a.id for a in found] == ["index", "hc/clean", "hc/returns", "hc/plain", "hc/café", "faq?id=3"]
    assert {a.updated for a in found} == {datetime(2025, 3, 1, tzinfo=UTC)}
    assert len(files(tmp_path)) == 7


def test_a_listed_page_that_was_not_saved_is_told(tmp_path: Path) -> None:
    page(tmp_path, "sitemap.xml", sitemap("/a", "/../../../etc/passwd", "/gone"))
    page(tmp_path, "sitemap-index.xml", sitemap("/index-of-sitemaps", root="sitemapindex"))
    page(tmp_path, "sitemap2.xml", sitemap("/a", "/b") + "cut off")
    page(tmp_path, "a.html", simple("A"))
    page(tmp_path, "b.html", simple("B"))
    found, rejected = load_articles(tmp_path)
    assert [a.title for a in found] == ["A", "B"]
    assert [(bad.file, bad.line, bad.reason[:30]) for bad in rejected] == [
        ("sitemap.xml", 4, "not among the saved pages: htt"),
        ("sitemap.xml", 6, "not among the saved pages: htt"),
        ("sitemap2.xml", 6, "the sitemap cannot be read: ju"),
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_sitemap_with_entities_is_refused(tmp_path: Path, encoding: str) -> None:
    source = sitemap("/a&b;", doctype=BOMB).replace("UTF-8", encoding)
    page(tmp_path, "sitemap.xml", source.encode(encoding))
    page(tmp_path, "a.html", simple("A"))
    with pytest.raises(BadInput, match="it declares a document type"):
        load_articles(tmp_path)
