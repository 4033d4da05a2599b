"""The corpus page's numbers, on an invented import."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from data.errors import BadInput
from eval.corpus import Corpus, came_in, cleaned, languages, load
from eval.corpus_checks import alike, checks, parted, split_rows
from eval.corpus_left import flows, others_left
from eval.corpus_private import redacted
from eval.corpus_replies import conversations, habits, most_copied, questions, reactions, stock_texts
from eval.corpus_time import by_split, periods, topics
from eval.examples import CHARACTERS, MOST, Count, Group, brief, spread
from eval.retrieval import read
from tests.eval import inspected


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return load(inspected.made(tmp_path_factory.mktemp("workspace")))


def numbers(group: Group) -> dict[str, int]:
    return {count.label: count.count for count in group.counts}


def test_what_came_in_is_what_the_import_counted(corpus: Corpus) -> None:
    assert list(numbers(came_in(corpus)).values()) == [46, 52, 2, 3, 2]
    assert numbers(cleaned(corpus)) == {"quoted history": 30, "signature": 12, "internal notes": 3}


def test_tickets_and_questions_each_add_up(corpus: Corpus) -> None:
    tickets, parts = (flow.group for flow in flows(corpus, parted(corpus)))
    assert {count.key.removeprefix("dropped-"): count.count for count in tickets.counts} == {
        "kept-tickets": 40, "unreadable": 1, "again": 1, "other_language": 4, "merged": 1, "no_answer": 1,
    }  # fmt: skip
    assert tickets.total == sum(count.count for count in tickets.counts) == 48
    assert {count.key: count.count for count in parts.counts}["dropped-near_duplicate"] == 9, "the manifest's, not rows"
    assert parts.total == 30 + 4 + 6 + 1 + 9 + 1
    assert numbers(others_left(corpus)) == {"articles could not be read": 1}


def test_what_an_older_import_did_not_explain_is_said(tmp_path: Path) -> None:
    old = load(inspected.made(tmp_path, {"tickets": 60}))
    counts = {count.key: count.count for count in flows(old, parted(old))[0].group.counts}
    assert counts["dropped-unknown"] == 60 - 4 - 1 - 1 - 40 - 1 - 8 - 1
    assert counts["kept-tickets"] + counts["dropped-unknown"] == 60 - 6


def test_languages_open_their_own_tickets(corpus: Corpus) -> None:
    english, german, french = languages(corpus).counts
    assert (english.label, german.count, french.count) == ("English", 3, 1)
    assert {each.turns[0][1] for each in german.examples} == {inspected.GERMAN}
    assert len(french.examples) == 1


def test_replies_reactions_and_stock_texts(corpus: Corpus) -> None:
    exchanges = corpus.exchanges
    assert sum(numbers(reactions(exchanges)).values()) == 40
    stock = stock_texts(exchanges)
    assert numbers(habits(exchanges, stock)) == {"ask the customer for details": 1, "are a stock text": 3}
    assert [count.count for count in most_copied(stock).counts] == [3]
    assert numbers(conversations(exchanges)) == {"1": 39, "2 to 3": 1, "4 to 5": 0, "6 to 9": 0, "over 9": 0}
    sizes = [len(each.turns[-1].text.split()) for each in exchanges]
    assert questions(exchanges).counts[0].count == sum(size <= 10 for size in sizes)
    assert sum(numbers(questions(exchanges)).values()) == 40


def test_labels_are_counted_by_kind_and_shown_where_they_stand(corpus: Corpus) -> None:
    found = redacted(corpus)
    assert numbers(found) == {"e-mail addresses": 2, "names": 1, "phone numbers": 1}
    before, label, after = found.counts[0].examples[0].marked or ("", "", "")
    assert (before[-9:], label, after[:3]) == ("write to ", "[EMAIL_1]", " or")


def test_topics_over_time(corpus: Corpus) -> None:
    when = periods(corpus.exchanges)
    assert (when.unit, when.names[0], when.names[-1]) == ("month", "Jan 2025", "Feb 2026")
    series = topics(corpus.exchanges, when)
    assert [each.total.label for each in series][-1] == "4 other topics"
    assert len(series) == 7
    assert sum(sum(each.values) for each in series) == sum(map(sum, by_split(corpus.exchanges, when))) == 40


@pytest.mark.parametrize(
    ("first", "last", "unit", "columns"),
    [(2024, 2025, "month", 24), (2023, 2025, "quarter", 12), (2015, 2025, "year", 11), (1, 9999, "278 years", 36)],
)
def test_any_span_of_years_gives_few_columns(first: int, last: int, unit: str, columns: int) -> None:
    ends = (datetime(first, 1, 1, tzinfo=UTC), datetime(last, 12, 31, tzinfo=UTC))
    when = periods([inspected.exchange(n, created=day) for n, day in enumerate(ends)])
    assert when.unit == unit
    assert abs(len(when.names) - columns) <= 1


def test_splits_and_leaks(corpus: Corpus) -> None:
    held = parted(corpus)
    assert [(row.exchanges.count, row.tickets.count) for row in split_rows(held)] == [(30, 30), (4, 4), (6, 6)]
    assert split_rows(held)[2].days == "21 Dec 2025 to 09 Feb 2026"
    found = {check.found.key: check.found.count for check in checks(corpus, held) if check.found}
    assert found == {"check-tickets": 0, "check-late": 0, "check-evidence": 1, "check-customers": 1, "check-near": 0}


def test_a_leak_is_found_again_in_what_is_stored(corpus: Corpus) -> None:
    test = inspected.exchange(39, "heldout")
    words = test.turns
    copy = inspected.exchange(3, turns=words, subject=test.subject, ticket_id=test.ticket_id, created=test.created)
    leaky = Corpus(corpus.manifest, [copy, test])
    found = {check.found.key: check.found.count for check in checks(leaky, parted(leaky)) if check.found}
    assert found == {"check-tickets": 1, "check-late": 1, "check-evidence": 0, "check-customers": 0, "check-near": 1}
    nobody = Corpus(corpus.manifest, [each.model_copy(update={"customer": ""}) for each in (copy, test)])
    assert [check.passed for check in checks(nobody, parted(nobody)) if check.found is None] == [True]


def test_groups_of_nearly_the_same_question_are_told_by_what_was_kept(corpus: Corpus) -> None:
    groups = alike(corpus)
    assert [group.size for group in groups] == [6, 1, 1], "K-70-1 matched K-90-1, which matched K-3-1"
    assert groups[0].kept.head.startswith("K-3-1")
    assert len(groups[0].dropped) == 4
    assert groups[2].kept.note == "Not among what was kept."


def test_examples_are_few_and_short() -> None:
    assert spread(range(1000))[0] == 0
    assert spread(range(1000))[-1] == 999
    assert len(set(spread(range(1000)))) == MOST
    assert spread([1, 2]) == [1, 2]
    assert len(brief("x" * 10**6)) <= CHARACTERS + 2
    assert brief("a b c", 2) == "a b …"
    assert Group("", ()).top == 0
    assert Count("k", "l", 1).examples == ()


def test_retrieval_is_read_where_it_was_measured(tmp_path: Path) -> None:
    path = tmp_path / "x-retrieval.json"
    assert read(path) is None
    path.write_text("{")
    with pytest.raises(BadInput, match="measure again"):
        read(path)
