"""`deskmate import --dry-run`: how an export was recognised and its first tickets as they will be understood."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path

from data.clean import cap_words
from data.exchanges import cut, is_merged
from data.importers import find, parse
from data.language import is_english, language
from data.quoted import strip_quotes
from data.records import Message, Rejected, Ticket
from data.redact import PLAIN, redact
from data.rules import Rules

SHOWN_WORDS = 25


def preview(
    path: Path, columns: Mapping[str, str], first_reply_only: bool, count: int = 10, rules: Rules = PLAIN
) -> Iterator[str]:
    """Lines to print; nothing is written. Raises BadInput as importing does."""
    source = find(path, columns)
    yield f"{path}: {source.why}"
    for at, row in islice(source.rows(), count):
        yield ""
        read = parse(at, row)
        if isinstance(read, Rejected):
            yield f"{at.file}, line {at.line}: cannot be used: {read.reason}"
        else:
            yield from _shown(read, first_reply_only, rules)


def _shown(ticket: Ticket, first_reply_only: bool, rules: Rules) -> Iterator[str]:
    about = [
        f"{ticket.created:%Y-%m-%d %H:%M}",
        ticket.status,
        language(ticket),
        ticket.product,
        ", ".join(ticket.tags),
    ]
    yield f"ticket {ticket.id}: {redact(ticket.subject, rules)} ({'; '.join(filter(None, about))})"
    for message in ticket.messages:
        yield f"  {_who(message):<10} {_words(message, rules)}"
    found = cut(ticket, first_reply_only, rules=rules) if is_english(ticket) else []
    why = ": merged into another" if is_merged(ticket) else "" if is_english(ticket) else ": not English"
    yield f"  → {len(found)} exchange{'' if len(found) == 1 else 's'}{why if not found else ''}"


def _who(message: Message) -> str:
    return "note" if message.visibility == "internal" else message.role


def _words(message: Message, rules: Rules) -> str:
    if message.visibility == "internal" or message.role == "system":
        return "(kept out)"
    return " ".join(redact(cap_words(strip_quotes(message.text), SHOWN_WORDS), rules).split())
