"""`deskmate import`: a desk's export and articles become one 'tickets' artefact of exchanges and evidence.

Past tickets count as evidence only up to the first held-out one, so that no report is won by looking ahead.
Parsing runs in two processes where the file is big; results are taken in file order, so a rerun makes the
same rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from itertools import islice
from pathlib import Path

from data.articles import files, load_articles
from data.articles.passages import chunks
from data.card import LEFT_OUT, card
from data.clean import cap_words
from data.errors import BadInput, DeskmateError
from data.exchanges import GOOD, asks_back, cut, is_merged
from data.importers import At, Row, Source, parse, reject
from data.language import is_english
from data.parquet import write_rows
from data.records import Article, Exchange, Passage, Rejected
from data.redact import anonymous
from data.redact import count as labels_in
from data.split import Parts, boilerplate, divide, same_words
from data.workspace import Workspace, digest, file_sha256, manifest_of, write_bytes

CODE = "import-6"
QUESTION_WORDS = 80
TELLING_WORDS = 20
RESOLVED = frozenset({"", "solved", "closed", "resolved", "archived", "done"})
BATCH = 200
BIG_BYTES = 2_000_000


@dataclass(frozen=True, slots=True)
class Piece:
    """What one row became; small enough to travel between processes."""

    at: At
    ticket: str
    created: datetime
    exchanges: list[Exchange]
    counts: Counter[str]
    forum: bool
    resolved: bool


@dataclass(slots=True)
class Gathered:
    exchanges: list[Exchange] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    unresolved: set[str] = field(default_factory=set)
    forum: bool = False


def import_desk(
    workspace: Workspace, source: Source, articles: Path | None, *, columns: dict[str, str],
    first_reply_only: bool, heldout: int, validation: int, limit_train: int,
) -> Path:  # fmt: skip
    """Read, cut, redact, split and write; returns the finished folder (at once if it was made before)."""
    inputs = {"tickets": _fingerprint(source.path, (part.path for part in source.parts))}
    if articles is not None:
        inputs["articles"] = _fingerprint(articles, (part.path for part in files(articles)))
    draft = workspace.draft("tickets", inputs, {
        "columns": columns, "first_reply_only": first_reply_only, "heldout": heldout,
        "validation": validation, "limit_train": limit_train, "code": CODE,
    })  # fmt: skip
    if draft.done:
        return draft.final
    try:
        found, damaged = load_articles(articles) if articles is not None else ([], [])
        gathered = _gather(source, first_reply_only)
        parts = divide(gathered.exchanges, heldout, validation, limit_train)
        passages = [piece for article in found for piece in chunks(article)] + list(_past(gathered, parts))
        rejected = [*gathered.rejected, *damaged, *_dropped(parts)]
        write_rows(draft.path / "exchanges.parquet", parts.exchanges, Exchange)
        write_rows(draft.path / "passages.parquet", passages, Passage)
        write_rows(draft.path / "articles.parquet", found, Article)
        write_rows(draft.path / "rejected.parquet", rejected, Rejected)
        counts = _counts(gathered, parts, passages, len(found), len(damaged))
        write_bytes(draft.path / "README.md", card(source.path.name, source.why, parts.exchanges, counts).encode())
    except DeskmateError:
        workspace.discard(draft)
        raise
    return draft.finish(counts)


def _fingerprint(path: Path, inside: Iterable[Path]) -> str:
    """Of a file its hash, of a folder one over all that is read in it."""
    if path.is_file():
        return file_sha256(path)
    return digest({file.relative_to(path).as_posix(): file_sha256(file) for file in inside})


def _gather(source: Source, first_reply_only: bool) -> Gathered:
    gathered = Gathered()
    seen: dict[str, At] = {}
    for result in _progress(_pieces(source, first_reply_only)):
        if isinstance(result, Rejected):
            gathered.rejected.append(result)
        elif result.ticket in seen:
            first = seen[result.ticket]
            where = "" if first.file == result.at.file else f" of {first.file}"
            gathered.rejected.append(
                reject(result.at, f"ticket {result.ticket} again, first on line {first.line}{where}")
            )
        else:
            seen[result.ticket] = result.at
            gathered.counts += result.counts
            gathered.exchanges += result.exchanges
            gathered.forum |= result.forum
            if not result.resolved:
                gathered.unresolved.add(result.ticket)
    if not gathered.exchanges:
        why = next((f"; line {bad.line}: {bad.reason}" for bad in gathered.rejected), "")
        raise BadInput(f"{source.path}: no English ticket with a customer's question and an agent's reply{why}")
    return gathered


def _pieces(source: Source, first_reply_only: bool) -> Iterator[Piece | Rejected]:
    work = partial(_work, first_reply_only)
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


def _work(first_reply_only: bool, batch: list[tuple[At, Row]]) -> list[Piece | Rejected]:
    return [_piece(first_reply_only, at, row) for at, row in batch]


def _piece(first_reply_only: bool, at: At, row: Row) -> Piece | Rejected:
    ticket = parse(at, row)
    if isinstance(ticket, Rejected):
        return ticket
    counts = Counter(tickets=1, internal_notes_kept_out=sum(m.visibility == "internal" for m in ticket.messages))
    english = is_english(ticket)
    found = cut(ticket, first_reply_only) if english else []
    if not english:
        counts["other_languages"] += 1
    elif is_merged(ticket):
        counts["merged"] += 1
    elif not found:
        counts["without_answer"] += 1
    else:
        last = found[-1]
        texts = [last.subject, last.human_reply, *(turn.text for turn in last.turns)]
        counts["redactions"] += sum(map(labels_in, texts))
    resolved = ticket.channel == "forum" or ticket.status.lower() in RESOLVED
    return Piece(at, ticket.id, ticket.created, found, counts, ticket.channel == "forum", resolved)


def _progress(pieces: Iterable[Piece | Rejected]) -> Iterable[Piece | Rejected]:
    from tqdm import tqdm

    return tqdm(pieces, desc="tickets", unit=" tickets", disable=None)


def _past(gathered: Gathered, parts: Parts) -> Iterator[Passage]:
    """Resolved exchanges of tickets opened before the first held-out one, as evidence."""
    stock = boilerplate(gathered.exchanges)
    for exchange in sorted(gathered.exchanges, key=lambda each: (each.created, each.id)):
        if exchange.created >= parts.first_heldout or exchange.ticket_id in gathered.unresolved:
            continue
        if exchange.reaction == "complained" or (gathered.forum and not _telling(exchange, stock)):
            continue
        asked = "\n".join(turn.text for turn in exchange.turns if turn.role == "customer")
        text = f"Customer: {cap_words(asked, QUESTION_WORDS)}\nAgent: {exchange.human_reply}"
        title = anonymous(exchange.subject or cap_words(asked, 12))
        yield Passage(id=exchange.id, kind="ticket", title=title, text=anonymous(text), created=exchange.created)


def _telling(exchange: Exchange, stock: frozenset[str]) -> bool:
    """On a forum many replies ask back, chat or repeat a stock text; those are no evidence."""
    reply = exchange.human_reply
    long = len(reply.split()) >= TELLING_WORDS and not reply.rstrip().endswith("?")
    return not asks_back(reply) and (exchange.reaction in GOOD or (long and same_words(reply) not in stock))


def _dropped(parts: Parts) -> list[Rejected]:
    return [
        Rejected(
            file="exchanges",
            line=0,
            reason=f"exchange {name} asks nearly the same as held-out {other}; not trained on",
        )
        for name, other in parts.near_duplicates
    ]


def _counts(gathered: Gathered, parts: Parts, passages: list[Passage], articles: int, damaged: int) -> dict[str, float]:
    per_split = Counter(exchange.split for exchange in parts.exchanges)
    names = (
        "tickets",
        "internal_notes_kept_out",
        "redactions",
        "other_languages",
        "merged",
        "without_answer",
    )
    past = sum(passage.kind == "ticket" for passage in passages)
    return {
        **{name: gathered.counts[name] for name in names},
        **{name: per_split[name] for name in ("train", "validation", "heldout")},
        "exchanges": len(gathered.exchanges), "near_duplicates": len(parts.near_duplicates),
        "beyond_limit": parts.passed_over, "articles": articles, "passages": len(passages),
        "past_tickets": past, "rejected": len(gathered.rejected) + damaged,
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
    return lines + [f"left out: {counts[name]:,} {what}" for name, what in LEFT_OUT.items() if counts[name]]
