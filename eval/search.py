"""How well search finds what an agent used, on questions asked after everything that it was shown and fitted on.

Two questions, each beside what a desk could do without us. Where agents linked an article: is it among the first k?
Beside it BM25 alone, and always naming the articles linked most. Of past tickets: how much does the best of five
replies share with what our agent said? Beside it BM25 alone, and five tickets of the same topic drawn at random.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from statistics import fmean

import numpy as np
import numpy.typing as npt

from bot.knowledge import Knowledge
from bot.passages import searchable
from bot.ranking import nearness
from data.parquet import read_any
from data.records import ANSWER, Link, Passage
from data.text import overlap
from eval.retrieval import At, Linked, Overlap, Retrieval, Search, Shared
from eval.statistics import Bootstrap, Interval

LATER = 0.2  # share of the questions, the newest, that are asked
MOST = 500
FEWEST = 20
PLACES = (1, 5, 10)
OF = 5
SHOWN = 12
US, WORDS, POPULAR, CHANCE = "Deskmate", "BM25 alone", "always the most linked", "same topic, at random"
Floats = npt.NDArray[np.float32]


def measure(known: Knowledge, tickets: Path) -> Retrieval:
    """Both questions as far as the desk has enough to ask, and what a search takes."""
    found, examples = linked(known, read_any(tickets / "links.parquet", Link))
    past = [place for place, passage in enumerate(known.passages) if passage.kind == "ticket"]
    texts = [searchable(known.passages[place]) for place in past[-200:]]
    return Retrieval(
        linked=found, overlap=_overlap(known, past), milliseconds=milliseconds(known, texts) if texts else None,
        examples=examples,
    )  # fmt: skip


def milliseconds(known: Knowledge, questions: Sequence[str]) -> float:
    """The mean of whole searches, embedding included; the first is not counted."""
    known.search(questions[0])
    started = time.perf_counter()
    for question in questions:
        known.search(question)
    return (time.perf_counter() - started) / len(questions) * 1000


def linked(known: Knowledge, links: Sequence[Link]) -> tuple[Linked | None, tuple[Search, ...]]:
    """Of the newest `links`, whether search finds them; and some of the searches, to be read."""
    ordered = sorted(links, key=lambda link: link.created)
    later = ordered[len(ordered) - min(MOST * 2, int(len(ordered) * LATER)) :]
    if len(later) < FEWEST:
        return None, ()
    cut = later[0].created.timestamp()
    number = {article: place for place, article in enumerate(known.articles)}
    wanted = [{number[article] for article in link.articles if article in number} for link in later]
    ranking, vectors_ED = known.ranking, known.vectors([link.question for link in later])
    often_A = ranking.links.often(cut).astype(np.float32)
    counts = [ranking.counts(link.question) for link in later]
    ways: dict[str, list[Floats]] = {
        US: [ranking.articles(vector, of, cut) for vector, of in zip(vectors_ED, counts, strict=True)],
        WORDS: [np.maximum.reduceat(of[ranking.piece_C], ranking.first_A) for of in counts],
        POPULAR: [often_A] * len(later),
    }
    rows = tuple(
        At(name=name, at={str(k): _recall(scores, wanted, k) for k in PLACES}) for name, scores in ways.items()
    )
    asked = [each for each in zip(later, ways[US], wanted, strict=True) if each[2]]
    examples = (_example(known, *each) for each in asked[:: max(1, len(asked) // SHOWN)][:SHOWN])
    return Linked(questions=len(later), rows=rows), tuple(examples)


def _first(scores: Floats, count: int) -> list[int]:
    return [int(place) for place in np.argsort(-scores, kind="stable")[:count]]


def _recall(scores: Sequence[Floats], wanted: Sequence[set[int]], k: int) -> float:
    """The mean share of the linked articles that are among the first k."""
    return fmean(
        len(set(_first(of, k)) & sought) / len(sought) for of, sought in zip(scores, wanted, strict=True) if sought
    )


def _example(known: Knowledge, link: Link, scores: Floats, sought: set[int]) -> Search:
    titles = known.article_titles
    order = _first(scores, len(scores))
    rank = min(order.index(article) for article in sought) + 1
    found = tuple(titles[article] for article in order[:OF])
    return Search(question=link.question, found=found, wanted=titles[order[rank - 1]], rank=rank)


def _overlap(known: Knowledge, past: Sequence[int]) -> Overlap | None:
    later = past[len(past) - min(MOST, int(len(past) * LATER)) :]
    if len(later) < FEWEST:
        return None
    older = np.array([place for place in past if known.opened_P[place] < known.opened_P[later[0]]], np.intp)
    asked = dict(zip(later, known.vectors([searchable(known.passages[place]) for place in later]), strict=True))
    chance = random.Random(7)

    def same_topic(passage: Passage) -> list[int]:
        alike = [place for place in older if known.passages[place].topic == passage.topic]
        return chance.sample(alike, min(OF, len(alike)))

    ways: dict[str, Callable[[int, Floats], Iterable[int]]] = {
        US: lambda place, of: older[_first(nearness(known.vectors_PD[older] @ asked[place], of[older]), OF)],
        WORDS: lambda _, of: older[_first(of[older], OF)],
        CHANCE: lambda place, _: same_topic(known.passages[place]),
    }
    shared: dict[str, list[float]] = {name: [] for name in ways}
    for place in later:
        of = known.ranking.counts(searchable(known.passages[place]))
        for name, way in ways.items():
            shared[name].append(_best(known.passages, place, way(place, of)))
    owners = [known.passages[place].id.rpartition("-")[0] for place in later]
    resampled = Bootstrap(owners, resamples=2000)
    return Overlap(
        questions=len(later), rows=tuple(_shared(name, resampled.mean(values)) for name, values in shared.items()),
        differences=tuple(
            _shared(f"{US} − {name}", resampled.difference(shared[US], shared[name])) for name in (WORDS, CHANCE)
        ),
    )  # fmt: skip


def _best(passages: Sequence[Passage], place: int, found: Iterable[int]) -> float:
    own = passages[place].text.partition(ANSWER)[2]
    return max((overlap(own, passages[other].text.partition(ANSWER)[2]) for other in found), default=0.0)


def _shared(name: str, interval: Interval | None) -> Shared:
    assert interval is not None, "there are questions, and none is missing"
    return Shared(name=name, mean=interval.estimate, low=interval.low, high=interval.high)
