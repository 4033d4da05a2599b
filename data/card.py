"""The dataset card beside an imported desk's Parquet files, and what makes `datasets.load_dataset` find them.

datasets.load_dataset("workspace/tickets/<id>", "exchanges")     # train, validation and heldout are a column
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from data.records import Exchange, Split

PARTS = {
    "exchanges": "a moment an agent had to answer: the conversation so far, the reply that was given, how it was taken",
    "passages": "what replies may rest on: pieces of articles and resolved past tickets",
    "articles": "the help centre, as text",
    "rejected": "rows that could not be used, with file, line and reason",
}
LEFT_OUT = {
    "other_languages": "tickets in other languages",
    "merged": "tickets merged into others",
    "without_answer": "tickets without a customer's question followed by an agent's reply",
    "near_duplicates": "training questions nearly the same as a held-out one",
    "beyond_limit": "training exchanges beyond `desk.limit_train` (kept as evidence)",
    "rejected": "rows that could not be used; see rejected.parquet",
}
SPLITS: tuple[Split, ...] = ("train", "validation", "heldout")


def card(desk: str, why: str, exchanges: Sequence[Exchange], counts: Mapping[str, float]) -> str:
    """Markdown with the front matter that `datasets` reads. `why`: how the export was recognised."""
    configs = "\n".join(
        f"- config_name: {name}\n  data_files: {name}.parquet" + ("\n  default: true" if name == "exchanges" else "")
        for name in PARTS
    )
    files = "\n".join(f"- `{name}.parquet`: {what}" for name, what in PARTS.items())
    rows = "\n".join(_row(split, [each for each in exchanges if each.split == split]) for split in SPLITS)
    left = "\n".join(f"- {int(counts[name]):,} {what}" for name, what in LEFT_OUT.items() if counts.get(name))
    return CARD.format(
        configs=configs, desk=desk, why=why, files=files, rows=rows, left=left or "- nothing",
        redactions=int(counts["redactions"]), notes=int(counts["internal_notes_kept_out"]),
    )  # fmt: skip


def _row(split: Split, held: Sequence[Exchange]) -> str:
    days = sorted(each.created for each in held)
    span = f"{days[0]:%Y-%m-%d} to {days[-1]:%Y-%m-%d}" if days else ""
    return f"| {split} | {len(held):,} | {len({each.ticket_id for each in held}):,} | {span} |"


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

{left}
"""
