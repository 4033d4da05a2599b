"""Help centres' articles in every wrapping: what becomes evidence, and what no customer may read never does."""

import contextlib
import gzip
import json
import random
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from data.articles import files, load_articles
from data.articles.passages import chunks
from data.errors import BadInput
from tests.bench.mutations import BREAKS
from tests.data.help_centres import ALL, PAGE, TEXT, Row, freshdesk, helpscout, intercom, zendesk

Make = Callable[..., Row]
desks = pytest.mark.parametrize("make", ALL.values(), ids=ALL)


def write(path: Path, *rows: object) -> Path:
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return path


def reasons(path: Path) -> list[str]:
    """Why all but the first article were left out."""
    found, rejected = load_articles(path)
    assert len(found) == 1
    assert "SECRET" not in found[0].model_dump_json()
    return [bad.reason for bad in rejected]


@desks
def test_an_article_keeps_headings_lists_links_tables_and_code(tmp_path: Path, make: Make) -> None:
    (found,), rejected = load_articles(write(tmp_path / "export", make(7)))
    assert (found.id, found.title, found.text, rejected) == ("7", "Clean the grinder", TEXT, [])
    assert found.updated == datetime(2025, 3, 1, 10, tzinfo=UTC)
    assert found.url in {"", *(f"https://help.example.com/{at}/7" for at in ("hc/articles", "en/articles", "article"))}
    assert [piece.title for piece in chunks(found)] == [
        f"Clean the grinder{rest}" for rest in ("", " > Take it apart", " > Codes")
    ]


@desks
@pytest.mark.parametrize("wrap", ["array", "pretty", "lines", "page", "gzip", "zip", "folder", "one by one"])
def test_in_every_wrapping(tmp_path: Path, make: Make, wrap: str) -> None:
    rows = [make(number) for number in (1, 2, 3)]
    path = tmp_path / "export"
    if wrap == "array":
        path.write_text(json.dumps(rows))
    elif wrap == "pretty":
        path.write_text(json.dumps({"articles": rows}, indent=2))
    elif wrap == "lines":
        write(path, *rows)
    elif wrap == "page":
        path.write_text(json.dumps(PAGES[make](rows)))
    elif wrap == "gzip":
        path.write_bytes(gzip.compress(json.dumps(rows).encode()))
    elif wrap == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("kb/1.json", json.dumps({"articles": rows[:2]}))
            archive.writestr("kb/2.json", json.dumps({"articles": rows[2:]}))
    else:
        path.mkdir()
        for row in rows:
            (path / f"{row['id']}.json").write_text(
                json.dumps({"article": row} if wrap == "one by one" else row, indent=2)
            )
    found, rejected = load_articles(path)
    assert ([each.id for each in found], rejected) == (["1", "2", "3"], [])


PAGES: dict[Make, Callable[[list[Row]], Row]] = {
    zendesk: lambda rows: {"meta": {"more": False}, "links": {"next": None}, "articles": rows, "sections": [{"id": 9}]},
    intercom: lambda rows: {
        "type": "list", "pages": {"type": "pages", "next": {"page": 2, "starting_after": "x"}, "page": 1},
        "total_count": 3, "data": rows,
    },
    freshdesk: lambda rows: {"results": rows, "total": 3},
    helpscout: lambda rows: {"articles": {"page": 1, "pages": 1, "count": 3, "items": rows}},
}  # fmt: skip


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (zendesk(2, draft=True), "a draft"),
        (zendesk(2, archived=True), "archived"),
        (zendesk(2, outdated=True), "marked as outdated"),
        (zendesk(2, user_segment_id=5), "for some readers only"),
        (zendesk(2, user_segment_ids=[5]), "for some readers only"),
        (zendesk(2, locale="de"), "in another language (de)"),
        (intercom(2, state="draft"), "a draft"),
        (intercom(2, default_locale="fr"), "in another language (fr)"),
        (freshdesk(2, status=1), "a draft"),
        (freshdesk(2, folder_visibility=3), "for some readers only"),
        (helpscout(2, status="notpublished"), "not published (notpublished)"),
        (helpscout(2, visibility="private"), "for some readers only"),
        ({"id": 2, "title": "Ours", "text": "x", "status": "review"}, "not published (review)"),
    ],
)
def test_what_not_every_customer_may_read_is_left_out(tmp_path: Path, row: Row, reason: str) -> None:
    row |= {name: "SECRET" for name in ("body", "text", "description") if name in row}
    assert reasons(write(tmp_path / "export", zendesk(1), row)) == [f"left out: {reason}"]


def test_an_english_translation_stands_for_an_article_in_another_language(tmp_path: Path) -> None:
    german = {"locale": "de", "title": "Mühle", "body": "SECRET"}
    english = {"locale": "en-gb", "title": "Grinder", "body": "<p>Unplug it.</p>", "draft": False}
    rows = [
        zendesk(1, **german, translations=[german, {**english, "id": 88, "html_url": "https://example.com/en"}]),
        zendesk(2, **german, translations=[german, {**english, "draft": True}]),
        intercom(3, default_locale="de", title="Mühle", body="SECRET", translated_content={
            "type": "article_translated_content", "de": None,
            "en": {"type": "article_content", "title": "Grinder", "body": "<p>Unplug it.</p>", "state": "published",
                   "url": "https://example.com/en"},
        }),
    ]  # fmt: skip
    found, rejected = load_articles(write(tmp_path / "export", *rows))
    assert [(a.id, a.title, a.text, a.url) for a in found] == [
        (name, "Grinder", "Unplug it.", "https://example.com/en") for name in ("1", "3")
    ]
    assert [(bad.line, bad.reason) for bad in rejected] == [(2, "left out: a draft")]


def test_two_articles_with_one_id_and_rows_that_are_none(tmp_path: Path) -> None:
    rows = [
        zendesk(1), zendesk(1, title="Again"), zendesk(2, body=None), zendesk(3, title=None, name=None),
        zendesk(4, body=["x"]), {"id": 5, "name": "Section", "description": "no article"}, ["a list"],
        zendesk(6, translations="x", locale="de"),
    ]  # fmt: skip
    path = write(tmp_path / "export", *rows)
    path.write_bytes(path.read_bytes() + b'\n\n{"id": 9, \xff}\n' + b"[" * 100_000)
    found, rejected = load_articles(path)
    assert [a.title for a in found] == ["Clean the grinder"]
    assert [bad.line for bad in rejected] == [2, 3, 4, 5, 6, 7, 8, 10, 11]
    assert [bad.reason[:24] for bad in rejected][:3] == [
        "another article has the ",
        "it has no text",
        "an article needs id, tit",
    ]


def test_a_date_nobody_can_read_costs_no_article(tmp_path: Path) -> None:
    (found,), _ = load_articles(write(tmp_path / "export", zendesk(1, edited_at="last spring")))
    assert found.updated is None


def test_intercoms_line_below_the_title_is_kept(tmp_path: Path) -> None:
    (found,), _ = load_articles(write(tmp_path / "export", intercom(1, description="For all grinders.")))
    assert found.text == "For all grinders.\n\n" + TEXT


def test_other_files_of_an_export_are_told_once_and_read_no_further(tmp_path: Path) -> None:
    write(tmp_path / "articles.json", {"articles": [zendesk(1)]})
    write(tmp_path / "sections.json", *({"id": n, "name": "Section", "description": "x"} for n in range(99)))
    found, rejected = load_articles(tmp_path)
    assert len(found) == 1
    assert [(bad.file, bad.reason) for bad in rejected] == [
        ("sections.json", "none of the first objects in it is an article")
    ]


def test_damaged_archives_are_one_clear_line(tmp_path: Path) -> None:
    path = tmp_path / "export"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.json", json.dumps([zendesk(1)]))
    whole = path.read_bytes()
    path.write_bytes(whole[:30] + b"\0\1\2\3" * 50 + whole[230:])
    with pytest.raises(BadInput, match="damaged"):
        load_articles(path)
    path.write_bytes(gzip.compress(json.dumps([zendesk(1)] * 500).encode())[:200])
    with pytest.raises(BadInput, match="no article in it"):
        load_articles(path)


def test_a_zip_of_an_unknown_version_is_one_clear_line(tmp_path: Path) -> None:
    path = tmp_path / "export"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.json", json.dumps([zendesk(1)]))
    changed = bytearray(path.read_bytes())
    changed[changed.index(b"PK\x01\x02") + 6] = 200
    path.write_bytes(changed)
    with pytest.raises(BadInput, match=r"damaged \(zip file version"):
        load_articles(path)


def test_damaged_files_raise_nothing_but_bad_input(tmp_path: Path) -> None:
    rng = random.Random(7)
    exports = [json.dumps([make(n) for n, make in enumerate(ALL.values(), 1)]).encode(), PAGE.encode()]
    read = 0
    for _ in range(400):
        (tmp_path / "export").write_bytes(rng.choice(BREAKS)(rng, rng.choice(exports)))
        with contextlib.suppress(BadInput):
            read += len(load_articles(tmp_path / "export")[0])
    assert read > 200


def test_every_file_that_is_read_counts_as_input(tmp_path: Path) -> None:
    for name in ("a.md", "b.html", "c.json", "d.jsonl.gz", "style.css", ".hidden.md"):
        (tmp_path / name).write_text("x")
    assert [part.name for part in files(tmp_path)] == ["a.md", "b.html", "c.json", "d.jsonl.gz"]
    (tmp_path / "articles.jsonl").write_text("")
    assert [part.name for part in files(tmp_path)] == ["articles.jsonl"]
    with pytest.raises(BadInput, match="no such file"):
        files(tmp_path / "missing")
