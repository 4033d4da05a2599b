"""`deskmate import`: a desk's export and articles become one 'tickets' artefact of exchanges and evidence.

    rows ──read() in two processes──▶ Spool ──divide()──▶ exchanges, passages, links, rejected

Past tickets count as evidence only up to the first held-out one, so that no report is won by looking ahead. Results
are taken in file order, so that a rerun makes the same rows; the spool holds them on disk, so that a million tickets
need no more memory than a thousand.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from functools import partial
from itertools import chain, islice
from pathlib import Path

from data.articles import files, load_articles
from data.articles.passages import chunks
from data.card import LEFT_OUT, NO_REVIEW, card
from data.clean import cap_words
from data.errors import BadInput, DeskmateError
from data.importers import Source
from data.links import Linked
from data.parquet import write_rows
from data.reading import Read, moment, read
from data.records import Article, Exchange, Link, Passage, Rejected, Review
from data.redact import PLAIN, anonymous
from data.reviews import Sheet, load_reviews, read_sheet
from data.rules import Rules
from data.split import divide
from data.spool import Spool, spooled
from data.stock import stock_sentences, without_stock
from data.workspace import Workspace, digest, file_sha256, manifest_of, write_bytes

CODE = "import-12"
QUESTION_WORDS = 80
BATCH = 200
BIG_BYTES = 2_000_000


def import_desk(
    workspace: Workspace, source: Source, articles: Path | None, *, columns: dict[str, str],
    first_reply_only: bool, heldout: int, validation: int, limit_train: int, rules: Rules = PLAIN,
    reviews: Path | None = None,
) -> Path:  # fmt: skip
    """Read, cut, redact, split and write; returns the finished folder (at once if it was made before)."""
    rules.recogniser()  # missing, it is missing before anything is read
    inputs = {"tickets": _fingerprint(source.path, (part.path for part in source.parts))}
    if articles is not None:
        inputs["articles"] = _fingerprint(articles, (part.path for part in files(articles)))
    sheet = Sheet("", []) if reviews is None else read_sheet(reviews)
    if sheet.rows:
        inputs["reviews"] = digest(sheet.rows)
    draft = workspace.draft("tickets", inputs, {
        "columns": columns, "first_reply_only": first_reply_only, "heldout": heldout,
        "validation": validation, "limit_train": limit_train, "code": CODE, "rules": asdict(rules),
    })  # fmt: skip
    if draft.done:
        return draft.final
    try:
        found, damaged = load_articles(articles) if articles is not None else ([], [])
        with spooled(draft.path) as spool:
            _gather(spool, source, first_reply_only, rules)
            _without_stock(spool)
            divide(spool, heldout, validation, limit_train)
            for row in damaged:
                spool.reject(row.model_copy(update={"kind": "article"}))
            counts = _write(draft.path, spool, found, sheet)
            text = card(source.path.name, source.why, spool.spans(), counts)
        write_bytes(draft.path / "README.md", text.encode())
    except DeskmateError:
        workspace.discard(draft)
        raise
    return draft.finish(counts)


def _fingerprint(path: Path, inside: Iterable[Path]) -> str:
    """Of a file its hash, of a folder one over all that is read in it."""
    if path.is_file():
        return file_sha256(path)
    return digest({file.relative_to(path).as_posix(): file_sha256(file) for file in inside})


def _gather(spool: Spool, source: Source, first_reply_only: bool, rules: Rules) -> None:
    from tqdm import tqdm

    for item in tqdm(_items(source, first_reply_only, rules), desc="tickets", unit=" tickets", disable=None):
        spool.add(item)
    spool.flush()
    if not spool.number("SELECT 1 FROM exchanges LIMIT 1"):
        why = next((f"; line {bad.line}: {bad.reason}" for bad in spool.rejected() if bad.kind == "unreadable"), "")
        raise BadInput(f"{source.path}: no English ticket with a customer's question and an agent's reply{why}")


def _without_stock(spool: Spool) -> None:
    """What the desk begins and ends its replies with, whatever they say: see data/stock.py."""
    if stock := stock_sentences(spool.replies()):
        spool.counts["cleaned: stock sentences"] = spool.reword(partial(without_stock, stock=stock))


def _items(source: Source, first_reply_only: bool, rules: Rules) -> Iterator[Read | Rejected]:
    work = partial(read, first_reply_only, secrets.token_bytes(16), rules=rules)
    rows = source.rows()
    batches = iter(lambda: list(islice(rows, BATCH)), [])
    if sum(path.stat().st_size for path in {part.path for part in source.parts}) < BIG_BYTES:
        for batch in batches:
            yield from work(batch)
        return
    with ProcessPoolExecutor(2) as pool:
        try:
            waiting = [pool.submit(work, batch) for batch in islice(batches, 6)]
            while waiting:
                yield from waiting.pop(0).result()
                waiting += [pool.submit(work, batch) for batch in islice(batches, 1)]
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _write(folder: Path, spool: Spool, articles: Sequence[Article], sheet: Sheet) -> dict[str, float]:
    """The Parquet files; returns what the manifest counts."""
    pieces = [piece for article in articles for piece in chunks(article)]
    reviewed, left = _reviews(spool, sheet, chain(pieces, _past(spool)))
    counts = _counts(spool)
    counts |= {"reviews": write_rows(folder / "reviews.parquet", reviewed, Review), **left}
    counts["articles"] = write_rows(folder / "articles.parquet", articles, Article)
    counts["links"] = write_rows(folder / "links.parquet", _links(spool, articles), Link)
    write_rows(folder / "exchanges.parquet", spool.exchanges(), Exchange)
    write_rows(folder / "rejected.parquet", spool.rejected(), Rejected)
    counts["passages"] = write_rows(folder / "passages.parquet", chain(pieces, _past(spool)), Passage)
    counts["past_tickets"] = counts["passages"] - len(pieces)
    return counts


def _reviews(spool: Spool, sheet: Sheet, passages: Iterable[Passage]) -> tuple[list[Review], dict[str, float]]:
    """What a support team said of these passages; and how many of its rows count no more."""
    if not sheet.rows:
        return [], {}
    test = frozenset(exchange.id for exchange in spool.exchanges() if exchange.split == "heldout")
    reviewed, bad, left = load_reviews(sheet, passages, test)
    for row in bad:
        spool.reject(row)
    return reviewed, left


def _past(spool: Spool) -> Iterator[Passage]:
    for exchange in spool.past():
        asked = "\n".join(turn.text for turn in exchange.turns if turn.role == "customer")
        text = f"Customer: {cap_words(asked, QUESTION_WORDS)}\nAgent: {exchange.human_reply}"
        title = anonymous(exchange.subject or cap_words(asked, 12))
        yield Passage(
            id=exchange.id, kind="ticket", title=title, text=anonymous(text), created=exchange.created,
            topic=exchange.topic,
        )  # fmt: skip


def _links(spool: Spool, articles: Sequence[Article]) -> Iterator[Link]:
    known = Linked(articles)
    for ticket, asked, created, links in spool.linking():
        if found := known.articles(links):
            yield Link(ticket=ticket, question=asked, created=moment(created), articles=found)


def _counts(spool: Spool) -> dict[str, float]:
    """What was read, how it was split, and for each reason how many were left out for it."""
    read, dropped = spool.counts, spool.dropped()
    names = ("tickets", "messages", "internal_notes_kept_out", "redactions")
    return {
        **{name: read[name] for name in names},
        "other_languages": read["dropped: other_language"], "merged": read["dropped: merged"],
        "without_answer": read["dropped: no_answer"],
        **{split: span.exchanges for split, span in spool.spans().items()},
        "exchanges": spool.number("SELECT count(*) FROM exchanges"),
        "customers": spool.number("SELECT count(*) FROM customers"),
        "near_duplicates": dropped["near_duplicate"], "same_customer": dropped["same_customer"],
        "beyond_limit": dropped["beyond_limit"],
        "rejected": sum(read[f"dropped: {kind}"] for kind in ("unreadable", "again", "article", "review")),
        **{name: count for name, count in sorted(read.items()) if ": " in name},
        **{f"dropped: {kind}": count for kind, count in dropped.items()},
    }  # fmt: skip


def summary(path: Path) -> list[str]:
    """What `deskmate import` says when it is done."""
    counts = Counter({name: int(value) for name, value in manifest_of(path).counts.items()})
    lines = [
        f"{counts['tickets']:,} tickets, {counts['exchanges']:,} exchanges",
        f"{counts['train']:,} to train on, {counts['validation']:,} for validation, "
        f"{counts['heldout']:,} held out (the newest)",
        f"{counts['passages']:,} passages of evidence: {counts['past_tickets']:,} past replies, "
        f"{counts['passages'] - counts['past_tickets']:,} pieces of {counts['articles']:,} articles",
        f"{counts['redactions']:,} personal details redacted, "
        f"{counts['internal_notes_kept_out']:,} internal notes kept out",
    ]
    if reviews := counts["reviews"] + sum(counts[name] for name in NO_REVIEW):
        apart = ", ".join(f"{counts[name]:,} {why}" for name, why in NO_REVIEW.items())
        lines.append(f"{counts['reviews']:,} of {reviews:,} reviews count; of the others {apart}")
    return lines + [f"left out: {counts[name]:,} {what}" for name, what in LEFT_OUT.items() if counts[name]]
