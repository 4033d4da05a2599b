"""The corpus page as a lead opens it: it stands alone, every count leads to examples, words stay words."""

from __future__ import annotations

import re
import webbrowser
from html.parser import HTMLParser
from pathlib import Path

import pytest

from bot.cli.inspect import inspect, run_inspect
from bot.config import load as configure
from data.records import Manifest
from data.workspace import Workspace
from eval.charts import columns, stack
from eval.corpus import Corpus, load
from eval.corpus_page import render
from eval.retrieval import At, Linked, Overlap, Retrieval, Search, Shared
from eval.retrieval_charts import differences
from tests.eval import inspected

MEASURED = Retrieval(
    linked=Linked(questions=412, rows=(At(name="Deskmate", at={"1": 0.31, "10": 0.7}), At(name="BM25", at={"1": 0.2}))),
    overlap=Overlap(
        questions=500, rows=(Shared(name="Deskmate", mean=0.2, low=0.18, high=0.22),),
        differences=(Shared(name="Deskmate - BM25", mean=0.03, low=0.01, high=0.05),),
    ),
    milliseconds=4.2,
    examples=(Search(question=inspected.HOSTILE, found=("One", "Two"), wanted="Two", rank=2), Search(question="?")),
)  # fmt: skip


class Reader(HTMLParser):
    """What a browser would find: tags, ids, addresses, headings, and tags that never close."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.addresses: list[str] = []
        self.headings: list[int] = []
        self.open: list[str] = []
        self.unlabelled = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.append(tag)
        self.ids += [value or "" for name, value in attrs if name == "id"]
        self.addresses += [value or "" for name, value in attrs if name in ("href", "src")]
        self.unlabelled += tag == "svg" and not (found.get("aria-label") or found.get("aria-hidden"))
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag not in ("meta", "rect", "path"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self.open:
            assert self.open.pop() == tag, f"</{tag}> closes something else"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return load(inspected.made(tmp_path_factory.mktemp("workspace")))


@pytest.fixture(scope="module")
def page(corpus: Corpus) -> str:
    return render(corpus, "Kettlewick & <Co>", MEASURED)


def parsed(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    return reader


def test_the_page_stands_alone(page: str) -> None:
    reader = parsed(page)
    assert {"script", "link", "img", "iframe", "form"}.isdisjoint(reader.tags)
    assert all(address.startswith("#") for address in reader.addresses)
    assert "@import" not in page
    assert "url(" not in page
    assert not re.search(r"\son\w+=", re.sub(r"&lt;.*?&gt;", "", page))


def test_every_link_leads_somewhere_and_ids_are_unique(page: str) -> None:
    reader = parsed(page)
    assert len(reader.ids) == len(set(reader.ids))
    assert {address[1:] for address in reader.addresses} <= set(reader.ids)
    assert not reader.open or reader.open == ["html"]


def test_every_count_opens_examples(page: str) -> None:
    opened = re.findall(r'<summary class="row">(.*?)</summary>\s*<(ul|div) class="(?:examples|pair)"', page, re.DOTALL)
    assert len(opened) == page.count('<summary class="row">') > 50
    closed = re.findall(r'<span class="row">.*?<b>([\d,]+)</b>', page, re.DOTALL)
    assert set(closed) == {"0"}, "only nothing opens nothing"
    for key in ("dropped-merged", "reaction-none", "label-email", "topic-0", "split-heldout", "check-customers"):
        assert re.search(rf'id="eg-{key}"[^>]*>\s*<li>', page), key


def test_words_of_customers_stay_words(page: str) -> None:
    assert "<b>bold</b>" not in page
    assert "evil.example/x>" not in page
    assert "&lt;script&gt;" in page
    assert "{{ 7*7 }}" in page
    assert "Kettlewick &amp; &lt;Co&gt;" in page
    assert "<i>odd</i>" not in page


def test_it_reads_aloud_in_order(page: str) -> None:
    reader = parsed(page)
    assert reader.headings[0] == 1
    assert reader.headings.count(1) == 1
    assert all(after <= before + 1 for before, after in zip(reader.headings, reader.headings[1:], strict=False))
    assert reader.unlabelled == 0
    assert page.count("<caption>") == page.count("<table>")
    assert page.index('class="skip"') < page.index("<header>")


def test_what_needs_a_look_is_said_first(page: str) -> None:
    verdict = page[page.index('class="verdict look"') : page.index("<nav")]
    assert "1 row of the export could not be read" in verdict
    assert "Customers who are in the test and learned from: 1" in verdict


def test_retrieval_in_counts(page: str, corpus: Corpus) -> None:
    assert "128 of 412" in page
    assert "was number 2" in page
    assert differences(MEASURED) == ["Deskmate - BM25: +3.0 words in 100, between +1.0 and +5.0; surely more."]
    assert "run <code>deskmate inspect --retrieval</code>" in render(corpus, "D")


@pytest.mark.parametrize("counts", [{}, {"tickets": 0.0}, {"dropped: near_duplicate": 0.0}])
def test_missing_parts_are_left_out_or_said(tmp_path: Path, counts: dict[str, float]) -> None:
    found = load(inspected.made(tmp_path, counts))
    page = render(found, "D", Retrieval())
    assert "did not record what was cleaned" in page
    assert "did not record languages" in page
    reader = parsed(page)
    assert {address[1:] for address in reader.addresses} <= set(reader.ids)


def test_an_import_of_nothing_is_a_page_too(corpus: Corpus) -> None:
    empty = Manifest(id="t", kind="tickets", created=corpus.manifest.created)
    page = render(Corpus(empty, []), "D")
    assert "There are no answered questions." in page
    reader = parsed(page)
    assert {address[1:] for address in reader.addresses} <= set(reader.ids)


def test_the_page_is_bounded(corpus: Corpus) -> None:
    long = "x" * 5_000 + " word" * 5_000
    rows = [
        inspected.exchange(n % 900, id=str(n), topic=f"topic {n} {long[:3000]}", human_reply=long, subject=long)
        for n in range(100)
    ]
    assert len(render(Corpus(corpus.manifest, rows, corpus.rejected * 200), "D").encode()) < 3_000_000


def test_the_command_writes_beside_the_imports(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = inspected.made(tmp_path)
    before = {path: path.read_bytes() for path in made.iterdir()}
    inspect(settings=[f"workspace={tmp_path}"])
    page = tmp_path / "inspect" / f"{made.name}.html"
    assert capsys.readouterr().out == f"page {page}\n"
    assert "Not measured yet" in page.read_text()
    assert {path: path.read_bytes() for path in made.iterdir()} == before
    page.with_name(f"{made.name}-retrieval.json").write_text(MEASURED.model_dump_json())
    workspace = Workspace(tmp_path)
    assert "128 of 412" in run_inspect(workspace, configure(None, [])).read_text()


@pytest.mark.parametrize(("terminal", "no_open", "opened"), [(True, False, 1), (True, True, 0), (False, False, 0)])
def test_it_opens_only_for_somebody_at_a_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, terminal: bool, no_open: bool, opened: int
) -> None:
    inspected.made(tmp_path)
    asked: list[str] = []
    monkeypatch.setattr(webbrowser, "open", asked.append)
    monkeypatch.setattr("sys.stdout.isatty", lambda: terminal)
    inspect(no_open=no_open, settings=[f"workspace={tmp_path}"])
    assert len(asked) == opened
    assert all(address.startswith("file://") for address in asked)


def test_charts_of_nothing_and_of_one() -> None:
    assert "<rect" not in columns("nothing", [[0]], ["#000"], ("Jan", "Jan"), 0)
    assert columns("one", [[3, 1]], ["#000", "#fff"], ("Jan", "Jan"), 4).count("<rect") == 2
    assert stack("nothing", [0, 0], ["#000", "#fff"]).count("<rect") == 0
