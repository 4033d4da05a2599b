"""Search on the real desk beside what one could do without us: `make bench-retrieval CORPUS=path/to/thunderbird`.

Embeds what the newest import of workspace-thunderbird/ holds (imported first where there is none), with the time that
takes beside the model run in torch, then asks the newest fifth of the questions. Searches are timed on one core.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from bot.encoder import Encode, load_encoder, plain
from bot.knowledge import Knowledge
from bot.links import NEWEST, alike, heard, linked
from bot.loading import load
from bot.passages import searchable
from bot.weights import resolve
from data.parquet import read_rows
from data.records import Link
from eval import search
from eval.retrieval import Retrieval
from tests.bench.thunderbird import prepared

TEXTS, SAMPLE = 18_000, 1_200
CHATTED = 13  # words of a question in a chat
FEW = (0, 100, 800)  # links kept, of a desk whose agents link less
BARS = {"1": 0.25, "5": 0.50, "10": 0.62}


def seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def embedding(encode: Encode, texts: Sequence[str]) -> float:
    """Seconds for TEXTS questions, from a sample of them."""
    return seconds(lambda: encode(texts)) * TEXTS / len(texts)


def lines(found: Retrieval) -> list[str]:
    assert found.linked and found.overlap
    told = [f"linked article, {found.linked.questions} later questions: recall at 1, 5, 10"]
    told += [f"  {row.name:24}" + "".join(f"{row.at[k]:7.3f}" for k in BARS) for row in found.linked.rows]
    told += [f"  {'asked':24}" + "".join(f"{bar:7.3f}" for bar in BARS.values())]
    told += [f"past tickets, {found.overlap.questions} later questions: content shared by the best of five replies"]
    shared = (*found.overlap.rows, *found.overlap.differences)
    return told + [f"  {row.name:34}{row.mean:7.3f}  ({row.low:.3f} to {row.high:.3f})" for row in shared]


def one_core(known: Knowledge, questions: Sequence[str]) -> list[str]:
    """Milliseconds a question, of those that customers of the desk wrote and of their first words."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    try:
        chatted = [" ".join(question.split()[:CHATTED]) for question in questions]
        return [timed(known, "as written to the desk", questions), timed(known, f"of {CHATTED} words", chatted)]
    finally:
        os.sched_setaffinity(0, cores)


def timed(known: Knowledge, name: str, questions: Sequence[str]) -> str:
    def searches() -> list[object]:
        return [known.search(question) for question in questions]

    embedded, first, again = (
        seconds(work) / len(questions) * 1000
        for work in (lambda: [known.vectors([question]) for question in questions], searches, searches)
    )
    return (
        f"on one core, a question {name}: {again:.1f} ms, of which embedding it {embedded:.1f} ms; "
        f"{first:.1f} ms where the sentences of what is found were never compared before"
    )


def less_linked(known: Knowledge, links: Sequence[Link]) -> Iterator[str]:
    """What search finds where few of the links are known, without and with replies that say what an article says."""
    given, ranking = sorted(links, key=lambda link: link.created), known.ranking
    past_T = np.flatnonzero(known.opened_P)[-NEWEST:]
    said_TD, said_CD = known.said.vectors_PD[past_T], known.said.vectors_PD[ranking.piece_C]
    article_T = alike(said_TD, said_CD, ranking.first_A)
    for count in FEW:
        kept = given[:: len(given) // count][:count] if count else []
        few = linked(kept, known.store.vectors("links", [link.question for link in kept]), known.articles)
        both = heard(few, known.vectors_PD[past_T], known.opened_P[past_T], article_T)
        for name, some in ((f"{count} links known", few), ("  and what was said", both)):
            found, _ = search.linked(replace(known, ranking=replace(ranking, links=some)), given)
            assert found
            yield f"  {name:24}" + "".join(f"{found.rows[0].at[k]:7.3f}" for k in BARS)


def main() -> None:
    workspace, config = prepared(__doc__)
    tickets = workspace.latest("tickets")
    known = load(workspace, tickets, config.retrieval)
    print(f"loaded again in {seconds(lambda: load(workspace, tickets, config.retrieval)):.1f} s")
    past = [searchable(passage) for passage in known.passages if passage.kind == "ticket"]
    sample = past[:: max(1, len(past) // SAMPLE)]
    model = resolve(config.retrieval.model, workspace, "embeddings")
    torch.set_num_threads(2)
    ours, theirs = known.store.encode, plain(model)
    for name, encode in (
        ("8-bit graph", ours),
        ("torch, fp32", theirs),
        ("8-bit graph", ours),
        ("torch, fp32", theirs),
    ):
        print(f"{name}: {TEXTS:,} questions in {embedding(encode, sample):.0f} s")
    with TemporaryDirectory() as folder:
        print(f"turning the model, once: {seconds(lambda: load_encoder(model, Path(folder))):.0f} s")
    print(*one_core(known, sample[:200]), sep="\n")
    print("\n".join(lines(search.measure(known, tickets))))
    print(*less_linked(known, read_rows(tickets / "links.parquet", Link)), sep="\n")


if __name__ == "__main__":
    main()
