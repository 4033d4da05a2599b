"""The corpus page: one HTML file that shows a support lead what the bot will learn from, before anything is taught.

Decides order and wording only; every number is a `Count`, which opens its examples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from eval import corpus_replies
from eval.charts import columns, meter
from eval.corpus import Corpus, came_in, cleaned, languages
from eval.corpus_checks import Check, Held, alike, checks, parted, split_rows
from eval.corpus_left import SPLITS, Flow, flows, others_left
from eval.corpus_private import redacted
from eval.corpus_time import Periods, Series, by_split, periods, topics
from eval.examples import Count, Group, brief
from eval.page import page
from eval.retrieval import Retrieval
from eval.retrieval_charts import charts, differences


@dataclass(frozen=True, slots=True)
class Notice:
    """Something worth a look, and where on the page it is."""

    words: str
    href: str


@dataclass(frozen=True, slots=True)
class Times:
    """Topics and splits over the same periods; drawings go with their series."""

    when: Periods
    series: list[Series]
    drawings: list[Markup]
    splits: Markup
    split_counts: list[list[int]]


def render(corpus: Corpus, desk: str, retrieval: Retrieval | None = None) -> str:
    """The HTML text."""
    held = parted(corpus)
    exchanges = corpus.exchanges
    stock = corpus_replies.stock_texts(exchanges)
    habits = corpus_replies.habits(exchanges, stock)
    tested, private = checks(corpus, held), redacted(corpus)
    ways = flows(corpus, held)
    spoken = languages(corpus)
    return page(
        "corpus.html.jinja", desk=desk, corpus=corpus, manifest=corpus.manifest, split_names=SPLITS, meter=meter,
        cards=_cards(corpus, held, ways, private), notices=_notices(corpus, ways, tested, habits),
        came=came_in(corpus), cleaned=cleaned(corpus), flows=ways, others=others_left(corpus),
        times=_times(corpus), languages=spoken,
        lengths=[corpus_replies.questions(exchanges), corpus_replies.conversations(exchanges)],
        replies=[corpus_replies.reactions(exchanges), corpus_replies.replies(exchanges), habits],
        stock=corpus_replies.most_copied(stock), stock_texts=len(stock), private=private, splits=split_rows(held),
        checks=tested, alike=alike(corpus),
        alike_lost=corpus.dropped.get("near_duplicate", 0), alike_kept=len(corpus.left_out.get("near_duplicate", [])),
        retrieval=retrieval, brief=brief,
        drawn=charts(retrieval) if retrieval else [], differences=differences(retrieval) if retrieval else [],
    )  # fmt: skip


def _cards(corpus: Corpus, held: Held, ways: Sequence[Flow], private: Group) -> list[tuple[str, str, Count]]:
    """What a lead asks first: (css class, link, count)."""
    tickets = ways[0].group
    left = tickets.total - tickets.counts[0].count
    return [
        ("", "#eg-in-tickets", Count("", "tickets read", corpus.count("tickets") or len(corpus.tickets))),
        ("ochre", "#left", Count("", "tickets left out", left)),
        ("", "#eg-kept-train", Count("", "answered questions to learn from", len(held["train"]))),
        ("terra", "#eg-kept-heldout", Count("", "kept for the test", len(held["heldout"]))),
        ("clay", "#private", Count("", "personal details replaced", private.total)),
    ]


def _notices(corpus: Corpus, ways: Sequence[Flow], tested: Sequence[Check], habits: Group) -> list[Notice]:
    read, dropped = max(1, ways[0].group.total), corpus.dropped
    found = [
        Notice(f"{check.name}: {check.found.count:,}, where 0 is fair.", "#splits")
        for check in tested
        if check.found and not check.passed
    ]
    if (lost := dropped.get("unreadable", 0)) * 100 > read:
        found.append(
            Notice(f"{lost:,} row{'s' if lost > 1 else ''} of the export could not be read.", "#eg-dropped-unreadable")
        )
    if (foreign := dropped.get("other_language", 0)) * 10 > read:
        found.append(Notice(f"{foreign:,} tickets are in another language, which the student does not learn.",
                            "#eg-dropped-other_language"))  # fmt: skip
    asking = habits.counts[0].count
    if asking * 5 > len(corpus.exchanges):
        found.append(Notice(f"{asking:,} replies ask for details and answer nothing yet.", "#eg-habit-asks"))
    if not corpus.articles:
        found.append(Notice("No articles were imported: past replies are all there is to look up.", "#came"))
    return found


def _times(corpus: Corpus) -> Times | None:
    if not corpus.exchanges:
        return None
    when = periods(corpus.exchanges)
    series = topics(corpus.exchanges, when)
    named = max((max(each.values) for each in series if not each.others), default=0)
    counts = by_split(corpus.exchanges, when)
    stacks = list(zip(*counts, strict=True))
    colours = [colour for _, colour in SPLITS.values()]
    spoken = f"Answered questions in each {when.unit}, by what they are for; the table below has the numbers"
    split_chart = columns(spoken, stacks, colours, _ends(when), max(map(sum, stacks)))
    return Times(when, series, [_drawn(each, when, named) for each in series], split_chart, counts)


def _drawn(series: Series, when: Periods, top: int) -> Markup:
    peak = max(range(len(series.values)), key=series.values.__getitem__)
    spoken = (
        f"{series.total.label}: {series.total.count:,} in all, most in {when.names[peak]} with {series.values[peak]:,}"
    )
    stacks = [[value] for value in series.values]
    return columns(spoken, stacks, [series.total.colour], _ends(when), series.values[peak] if series.others else top)


def _ends(when: Periods) -> tuple[str, str]:
    return when.names[0], when.names[-1]
