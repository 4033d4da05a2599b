"""Articles from Markdown, wiki mark-up and JSON lines; passages."""

import gzip
import json
from pathlib import Path

import pytest

from data.articles import load_articles, read_articles
from data.articles.passages import chunks
from data.errors import BadInput
from data.records import Article
from data.wiki import wiki_to_text


def test_markdown_folder(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "returns.md").write_text("# Returns\n\nYou have 30 days.\n\n## Label\n\nIt costs £3.50.\n")
    (tmp_path / "front.md").write_text("---\ntitle: 'Front'\nurl: https://example.org/f\n---\nText here.\n")
    (tmp_path / "bad.md").write_bytes(b"\xff\xfe\xff")
    found, rejected = load_articles(tmp_path)
    assert [(a.id, a.title, a.url) for a in found] == [
        ("front", "Front", "https://example.org/f"),
        ("sub/returns", "Returns", ""),
    ]
    assert rejected[0].file == "bad.md"
    passages = chunks(found[1])
    assert [(p.id, p.title, p.text) for p in passages] == [
        ("sub/returns#1", "Returns", "You have 30 days."),
        ("sub/returns#2", "Returns > Label", "It costs £3.50."),
    ]


def test_json_lines_and_bad_rows(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.gz"
    rows = [
        json.dumps({"id": 1, "title": "One", "text": "<p>Hello</p>"}),
        "{bad",
        json.dumps({"id": 2, "title": "Two"}),
        json.dumps({"id": 3, "title": "Drei", "wiki": "x", "locale": "de"}),
        json.dumps({"id": 1, "title": "Again", "text": "x"}),
        json.dumps({"id": 4, "title": "Four", "wiki": "'''Bold'''"}),
    ]
    path.write_bytes(gzip.compress("\n".join(rows).encode()))
    found, rejected = load_articles(path)
    assert [(a.id, a.text) for a in found] == [("1", "Hello"), ("4", "Bold")]
    assert [bad.line for bad in rejected] == [2, 3, 4, 5]


def test_nothing_to_read(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no article in it"):
        read_articles(tmp_path)
    with pytest.raises(BadInput, match="no such file"):
        read_articles(tmp_path / "x")


@pytest.mark.parametrize(
    ("wiki", "text"),
    [
        (
            "{for win,mac}Go to {menu Tools > Options}.{/for} {for linux}Go to {menu Edit}.{/for}",
            "On Windows and macOS: Go to Tools > Options. On Linux: Go to Edit.",
        ),
        (
            "Press {for win}{key Ctrl+S}{/for}{for not win}{key Cmd+S}{/for} now",
            "Press (on Windows: Ctrl+S) (not on Windows: Cmd+S) now",
        ),
        ("Click {menu {for win}Tools{/for}}.", "Click (on Windows: Tools)."),
        ("{for mac}\n#One\n#Two\n{/for}", "On macOS:\n1. One\n2. Two"),
        ("{for win}Click A.{/for}{for mac}Click B.{/for}", "On Windows: Click A. On macOS: Click B."),
        ("Click Help.{for win}Then Exit.{/for}", "Click Help. (on Windows: Then Exit.)"),
        ("{for win}{for tb115}New{/for}{/for}", "On Windows: From version 115: New"),
        ("{for mac}\n=On a Mac=\nDo it.\n{/for}", "# On a Mac\n\nOn macOS:\nDo it."),
        ("#One\n#*sub\n#;[[Image:x]]\n#Two", "1. One\n  - sub\n2. Two"),
        (
            "<!-- note -->__TOC__\n=Title=\n==Sub==\n[[Image:a|width=2]] [[T:x]]text",
            "# Title\n\n## Sub\n\ntext",
        ),
        (
            "See [[Page name|the page]], [[Other]] and [https://example.org/a this].",
            "See the page, Other and this.",
        ),
        ("'''b''' ''i'' <code>x</code> {note}n{/note} {button OK} <account>", "b i x n OK <account>"),
        ("{|\n! A !! B\n|-\n| 1 || 2\n|}", "A | B\n\n1 | 2"),
    ],
)
def test_wiki(wiki: str, text: str) -> None:
    assert wiki_to_text(wiki) == text


def test_chunks_keep_to_their_size_and_lose_no_word() -> None:
    body = (
        "\n\n".join(" ".join(f"w{p}x{n}" for n in range(50)) for p in range(7)) + "\n\n" + "long " * 400 + ". End here."
    )
    passages = chunks(Article(id="a", title="T", text=body), words=120)
    assert all(len(p.text.split()) <= 120 + 25 for p in passages)
    assert " ".join(p.text for p in passages).split() == body.split()
    assert len({p.id for p in passages}) == len(passages)


def test_headings_inside_code_are_no_headings() -> None:
    (passage,) = chunks(Article(id="a", title="T", text="Run:\n```\n# not a heading\n```"))
    assert "# not a heading" in passage.text


def test_a_link_to_a_file_beside_it_keeps_its_words_alone(tmp_path: Path) -> None:
    text = (
        "# Pause\n\nYou can [skip or pause](skip.md#how), see [our page](https://shop.example/a) or ![a photo](p.png)."
    )
    (tmp_path / "pause.md").write_text(text)
    (found,), _ = load_articles(tmp_path)
    assert found.text == "You can skip or pause, see [our page](https://shop.example/a) or ![a photo](p.png)."
