"""Intercom: a conversation whose `source` is the first message and whose parts are all the others.

A part that is no note and carries words was read by the customer, a closing or assigning one too; kinds that we do not
know are taken for internal.
"""

from __future__ import annotations

from data.importers.fields import Row, inner, message, names, rows, text
from data.importers.fields import ticket as made
from data.records import Message, Role, Ticket

NAME, SIGN = "Intercom", "conversations with a source and parts"
CHILDREN = "conversation_parts"
PUBLIC = frozenset({"comment", "open", "close", "assignment", "quick_reply"})
ROLES: dict[str, Role] = {
    "user": "customer", "lead": "customer", "contact": "customer", "admin": "agent", "teammate": "agent",
    "team": "agent", "bot": "bot", "operator": "bot",
}  # fmt: skip


def fits(row: Row) -> bool:
    return isinstance(row.get("source"), dict) and (CHILDREN in row or row.get("type") == "conversation")


def fits_child(row: Row) -> bool:
    return "part_type" in row and "conversation_id" in row


def ticket(row: Row) -> Ticket:
    """ValueError where a field is missing or of the wrong type."""
    parts = row.get(CHILDREN)
    source = inner(row, "source")
    first = {"created_at": row.get("created_at"), **source, "part_type": "comment"}
    within = rows(parts.get(CHILDREN) if isinstance(parts, dict) else parts, CHILDREN)
    tags = row.get("tags")
    rating = inner(row, "conversation_rating")
    return made(
        row, "intercom", [_said(part) for part in (first, *within)], status=text(row, "state"),
        subject=text(row, "title") or text(source, "subject"), satisfaction=text(rating, "rating"),
        tags=names(tags.get("tags") if isinstance(tags, dict) else tags), locale=_locale(row),
    )  # fmt: skip


def _said(part: Row) -> Message | None:
    author = inner(part, "author")
    if part.get("redacted"):
        return None
    return message(
        part, ROLES.get(text(author, "type"), "system"), text(part, "body"),
        internal=part.get("part_type") not in PUBLIC, author=text(author, "id"),
    )  # fmt: skip


def _locale(row: Row) -> str:
    return text(inner(row, "custom_attributes"), "Language", "language")
