"""Freshdesk: tickets whose description is the first message, and conversations with `incoming` and `private`."""

from __future__ import annotations

from data.importers.fields import Row, inner, message, names, rows, text
from data.importers.fields import ticket as made
from data.records import Message, Role, Ticket

NAME, SIGN = "Freshdesk", "tickets with a description and incoming or private conversations"
CHILDREN = "conversations"
STATUS = {"2": "open", "3": "pending", "4": "resolved", "5": "closed"}
FORWARDED = "8"  # to somebody who is not the customer


def fits(row: Row) -> bool:
    return "requester_id" in row and ("responder_id" in row or "description_text" in row or CHILDREN in row)


def fits_child(row: Row) -> bool:
    return "ticket_id" in row and "incoming" in row


def ticket(row: Row) -> Ticket:
    """ValueError where a field is missing or of the wrong type, and for spam and deleted tickets."""
    for name in ("spam", "deleted"):
        if row.get(name):
            raise ValueError(f"the ticket is {name}")
    first = message(
        {"id": "description", "created_at": row.get("created_at")}, "customer",
        text(row, "description", "description_text"), author=text(row, "requester_id"),
    )  # fmt: skip
    status = text(row, "status")
    return made(
        row, "freshdesk", [first, *(_said(each) for each in rows(row.get(CHILDREN), CHILDREN))],
        subject=text(row, "subject"), status=STATUS.get(status, status.lower()), tags=names(row.get("tags")),
        satisfaction=text(inner(row, "satisfaction_rating"), "rating"), product=text(row, "product_id"),
    )  # fmt: skip


def _said(row: Row) -> Message | None:
    """Only what is marked `private: false` was sent to the customer."""
    internal = row.get("private") is not False or text(row, "source") == FORWARDED
    role: Role = "customer" if row.get("incoming") is True else "agent"
    return message(row, role, text(row, "body", "body_text"), internal=internal, author=text(row, "user_id"))
