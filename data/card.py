"""The dataset card beside an imported desk's Parquet files, and what makes `datasets.load_dataset` find them.

datasets.load_dataset("workspace/tickets/<id>", "exchanges")     # train, validation and heldout are a column
"""

from __future__ import annotations

from collections.abc import Mapping

from data.reading import moment
from data.records import SPLITS, Split
from data.spool import Span

PARTS = {
    "exchanges": "a moment an agent had to answer: the conversation so far, the reply that was given, how it was taken",
    "passages": "what replies may rest on: pieces of articles and resolved past tickets",
    "articles": "the help centre, as text",
    "links": "past questions and the articles that agents linked in answer to them",
    "reviews": "what a support team said of passages as replies",
    "rejected": "what was left out, with file, line, reason and, where it is for another row, which",
}
LEFT_OUT = {
    "other_languages": "tickets in other languages",
    "merged": "tickets merged into others",
    "without_answer": "tickets without a customer's question followed by an agent's reply",
    "near_duplicates": "questions nearly the same as another one",
    "same_customer": "questions of customers who are in the test or in validation",
    "beyond_limit": "training exchanges beyond `desk.limit_train` (kept as evidence)",
    "rejected": "rows that could not be used; see rejected.parquet",
}
NO_REVIEW = {
    "stale_reviews": "are of words that are gone",
    "test_reviews": "of the test's questions",
    "dropped: review": "cannot be read (rejected.parquet)",
}
REASONS = {
    "unreadable": "rows of the export that could not be read",
    "again": "tickets that came before under the same id",
    "other_language": "tickets in another language",
    "merged": "tickets merged into another, which holds the conversation",
    "no_answer": "tickets without a customer's question followed by an agent's reply",
    "same_customer": "exchanges of customers who are in the test or in validation, which must not be taught",
    "near_duplicate": "exchanges that ask nearly the same (Jaccard of 5-word shingles 0.6 or more) as one that is kept",
    "beyond_limit": "training exchanges beyond `desk.limit_train`, kept as evidence; a few are shown",
    "article": "articles that could not be read or are not for everybody",
    "review": "rows of the sheet of reviews that could not be read",
}


def card(desk: str, why: str, spans: Mapping[Split, Span], counts: Mapping[str, float]) -> str:
    """Markdown with the front matter that `datasets` reads. `why`: how the export was recognised."""
    configs = "\n".join(
        f"- config_name: {name}\n  data_files: {name}.parquet" + ("\n  default: true" if name == "exchanges" else "")
        for name in PARTS
    )
    files = "\n".join(f"- `{name}.parquet`: {what}" for name, what in PARTS.items())
    rows = "\n".join(_row(split, spans[split]) for split in SPLITS)
    left = "\n".join(
        f"| {kind} | {int(counts[f'dropped: {kind}']):,} | {what} |"
        for kind, what in REASONS.items()
        if counts.get(f"dropped: {kind}")
    )
    return CARD.format(
        configs=configs, desk=desk, why=why, files=files, rows=rows, left=left or "| nothing | | |",
        redactions=int(counts["redactions"]), notes=int(counts["internal_notes_kept_out"]),
    )  # fmt: skip


def _row(split: Split, span: Span) -> str:
    days = f"{moment(span.first):%Y-%m-%d} to {moment(span.last):%Y-%m-%d}" if span.exchanges else ""
    return f"| {split} | {span.exchanges:,} | {span.tickets:,} | {days} |"


CARD = """---
configs:
{configs}
---

# Support exchanges of {desk}

Made by Deskmate from {why}. Private: these are customers' words, for the desk's own use.

{files}

| split | exchanges | tickets | opened |
|---|---|---|---|
{rows}

Split by the time a ticket was opened: what is held out is newer than all that is taught, and no held-out ticket is
among the evidence.

## Personal data

{redactions:,} details were replaced by labels: `[EMAIL_1]`, `[PHONE_1]`, `[CARD_1]`, `[IBAN_1]`, `[LINK_1]`,
`[PERSON_1]`; the same one throughout a ticket, without a number in passages. {notes:,} internal notes were kept out. A
name in passing, away from greetings and signatures, may be left: `deskmate redact --audit` shows what is found.

## Left out

Each with file, line and reason in `rejected.parquet`; the last three kinds of exchanges stay among the evidence.

| kind | how many | what |
|---|---|---|
{left}
"""
