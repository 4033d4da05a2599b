"""Help Scout: conversations with threads, the newest first; only customers' and sent messages are public."""

from __future__ import annotations

from data.importers.fields import Row, inner, message, names, rows, text
from data.importers.fields import ticket as made
from data.records import Message, Role, Ticket

NAME, SIGN = "Help Scout", "conversations with threads"
CHILDREN = "threads"
CUSTOMER, AGENT = frozenset({"customer", "beaconchat", "chat"}), frozenset({"message"})
UNSENT = frozenset({"draft", "hidden", "underreview"})


def fits(row: Row) -> bool:
    embedded = row.get("_embedded")
    within = CHILDREN in embedded if isinstance(embedded, dict) else isinstance(row.get(CHILDREN), list)
    return within or ("mailboxId" in row and "subject" in row)


def fits_child(row: Row) -> bool:
    return ("conversation_id" in row or "conversationId" in row) and ("created_by" in row or "createdBy" in row)


def ticket(row: Row) -> Ticket:
    """ValueError where a field is missing or of the wrong type, and for spam and deleted conversations."""
    for name in ("status", "state"):
        if row.get(name) in ("spam", "deleted"):
            raise ValueError(f"the conversation is {row[name]}")
    return made(
        row, "helpscout", [_said(thread) for thread in _threads(row)], subject=text(row, "subject"),
        status=text(row, "status"), tags=names(row.get("tags"), "tag"),
        satisfaction=text(inner(row, "rating"), "rating"),
    )  # fmt: skip


def _threads(row: Row) -> list[Row]:
    embedded = inner(row, "_embedded").get(CHILDREN)
    own = row.get(CHILDREN)  # a number of threads where the threads are embedded
    return rows(embedded if embedded is not None else own if isinstance(own, list) else None, CHILDREN)


def _said(thread: Row) -> Message | None:
    """A line item is what the system did; phone notes, forwards and drafts never went to the customer."""
    kind, author = text(thread, "type").lower(), inner(thread, "createdBy") or inner(thread, "created_by")
    role: Role = "system" if kind == "lineitem" else "customer" if text(author, "type") == "customer" else "agent"
    public = kind in CUSTOMER | AGENT | {"lineitem"} and text(thread, "state") not in UNSENT
    return message(
        thread, role, text(thread, "body", "text"), internal=not public, author=text(author, "id"),
        macro=role == "agent" and text(thread, "savedReplyId", "saved_reply_id") not in ("", "0"),
    )  # fmt: skip
