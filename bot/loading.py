"""An imported desk's knowledge, made ready to be searched: embedded, gathered, fitted on its reviews, each once.

Whatever took long is kept under workspace/knowledge, named by what it follows from.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from bot.briefs import ROWS, gather_briefs, most_asked, nearest_past, shares_of
from bot.cosines import Floats
from bot.encoder import Vectors, load_encoder
from bot.fitting import STRENGTH, fitted
from bot.knowledge import SEARCH, SMALL_TALK, Knowledge
from bot.links import ENOUGH, NEWEST, Opened, alike, heard, linked
from bot.passages import article_of, compared, searchable, ticket_of
from bot.quote import Quotes, quotable
from bot.ranking import Ranking, load_words
from bot.readers import readers_of
from bot.reranking import chooser
from bot.vectors import Store, once
from bot.weights import resolve
from bot.worth import GOOD, SHIPPED, WRONG, Weights, all_said
from data.parquet import read_any, read_rows
from data.records import Exchange, Link, Passage, Review
from data.workspace import Workspace, digest, file_sha256

if TYPE_CHECKING:
    from bot.config import Retrieval

CODE = "knowledge-6"


def load(workspace: Workspace, tickets: Path, settings: Retrieval) -> Knowledge:
    """The knowledge of one imported desk; embeds what was not embedded before and keeps the vectors beside it."""
    passages = read_rows(tickets / "passages.parquet", Passage)
    folder = workspace.root / "knowledge"
    encoder = load_encoder(resolve(settings.model, workspace, "embeddings"), folder / "encoders")
    store = Store(folder, settings.model, encoder)
    texts = [searchable(passage) for passage in passages]
    name = digest([settings.model, CODE, *_hashes(tickets, "passages", "links")])
    judged = digest([name, SEARCH, STRENGTH, GOOD, WRONG, *_hashes(tickets, "exchanges", "reviews")])
    said = all_said(store, name, passages)
    opened_P = np.array([passage.created.timestamp() if passage.created else 0.0 for passage in passages])
    ranking = _ranking(store, name, tickets, passages, texts, said.vectors_PD, opened_P)
    owner_P = np.unique([ticket_of(passage) for passage in passages], return_inverse=True)[1]
    kept = f"{name}-{settings.tickets}-{settings.articles}"
    briefs_BN = once(
        folder / f"{kept}.npy",
        lambda: gather_briefs(ranking, texts, opened_P, owner_P, settings.tickets, settings.articles),
    )
    choose, mark = chooser(settings, [passages[place] for place in briefs_BN[:, 0]])
    past_R = np.flatnonzero(opened_P)[-ROWS:]
    asked = partial(store.vectors, "questions", [compared(texts[place]) for place in past_R])  # only where it is needed
    nearest_R = once(
        folder / f"{kept}-{SEARCH}-nearest-past.npy",
        lambda: nearest_past(asked(), owner_P[past_R], ranking.vectors_PD, owner_P, briefs_BN),
    )
    known = Knowledge(
        f"{judged}{mark}", passages, ranking.vectors_PD, opened_P, briefs_BN, shares_of(briefs_BN),
        np.zeros(0, np.intp), settings.prefer, settings.margin, settings.words, Quotes(encoder), ranking,
        said, readers_of(read_any(tickets / "reviews.parquet", Review), [each.id for each in passages]), store,
        far=float(np.quantile(nearest_R, settings.far)) if len(nearest_R) else -1.0,
        talk_SD=encoder(list(SMALL_TALK)), choose=choose, places=_by_ticket(passages),
    )  # fmt: skip
    known = replace(known, weights=_weights(known, tickets, folder / f"{kept}-{judged}-weights.npy"))
    answered_R = once(
        folder / f"{kept}{mark}-{digest([judged, settings.margin])}-answered.npy",
        lambda: known.answered(past_R, asked()),
    )
    return _readied(replace(known, ready_R=most_asked(answered_R, len(briefs_BN))[: settings.ready]))


def _by_ticket(passages: Sequence[Passage]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = defaultdict(list)
    for place, passage in enumerate(passages):
        if passage.kind == "ticket":
            found[ticket_of(passage)].append(place)
    return dict(found)


def _readied(known: Knowledge) -> Knowledge:
    """With the sentences of the briefs most asked for embedded, which most quotes come from."""
    lines = sorted({line for brief in known.ready() for passage in brief for line in quotable(passage)})
    known.quotes.known |= zip(lines, known.store.vectors("quotes", lines), strict=True)
    return known


def _hashes(tickets: Path, *names: str) -> list[str]:
    paths = [tickets / f"{name}.parquet" for name in names]
    return [file_sha256(path) if path.is_file() else "" for path in paths]


def _ranking(
    store: Store, name: str, tickets: Path, passages: Sequence[Passage], texts: Sequence[str], said_PD: Vectors,
    opened_P: Opened,
) -> Ranking:  # fmt: skip
    piece_C = np.array([place for place, passage in enumerate(passages) if passage.kind == "article"], np.intp)
    article_C = [article_of(passages[place]) for place in piece_C]
    first_A = np.array([n for n, name in enumerate(article_C) if n == 0 or name != article_C[n - 1]], np.intp)
    vectors_PD = store.vectors("passages", texts)
    given = read_any(tickets / "links.parquet", Link)
    links = linked(given, store.vectors("links", [link.question for link in given]), [article_C[n] for n in first_A])
    if len(given) < ENOUGH and len(first_A):
        past_T = np.flatnonzero(opened_P)[-NEWEST:]
        article_T = once(store.folder / f"{name}-heard.npy", lambda: alike(said_PD[past_T], said_PD[piece_C], first_A))
        links = heard(links, vectors_PD[past_T], opened_P[past_T], article_T)
    words = load_words(store.folder / f"{name}-words", [f"{passage.title}\n{passage.text}" for passage in passages])
    return Ranking(vectors_PD, piece_C, first_A, links, words)


@dataclass(frozen=True, slots=True)
class Reviewed:
    """What was said of N notes: their features [N, F], whether each was good and wrong, for which exchange."""

    features_NF: Floats
    good_N: npt.NDArray[np.bool_]
    wrong_N: npt.NDArray[np.bool_]
    question_N: npt.NDArray[np.str_]


def reviewed(known: Knowledge, tickets: Path) -> Reviewed:
    """The reviews of train exchanges (thresholds are read off the others), each note with its record from other
    tickets."""
    by_question: dict[str, list[Review]] = defaultdict(list)
    for review in read_any(tickets / "reviews.parquet", Review):
        by_question[review.exchange].append(review)
    every = read_rows(tickets / "exchanges.parquet", Exchange)
    wanted = [each for each in every if each.split == "train" and each.id in by_question]
    places = {passage.id: place for place, passage in enumerate(known.passages)}
    found = [
        known.features(exchange, vector, np.array([places[review.passage] for review in by_question[exchange.id]]))
        for exchange, vector in zip(wanted, known.embed(wanted), strict=True)
    ]
    rows = [review for exchange in wanted for review in by_question[exchange.id]]
    return Reviewed(
        np.concatenate(found) if found else np.zeros((0, len(SHIPPED.good_F)), np.float32),
        np.array([review.good for review in rows], np.bool_),
        np.array([review.wrong for review in rows], np.bool_), np.array([review.exchange for review in rows], np.str_),
    )  # fmt: skip


def _weights(known: Knowledge, tickets: Path, path: Path) -> Weights:
    """What notes are worth on this desk: as elsewhere (bot/worth.py), as far as its reviews do not say otherwise."""

    def made() -> Floats:
        said = reviewed(known, tickets)
        pairs = ((said.good_N, SHIPPED.good_F), (said.wrong_N, SHIPPED.wrong_F))
        return np.stack([fitted(said.features_NF, label_N, prior_F) for label_N, prior_F in pairs]).astype(np.float32)

    return Weights(*once(path, made)) if known.readers.by_ticket else SHIPPED
