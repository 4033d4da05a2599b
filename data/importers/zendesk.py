"""Zendesk: tickets with their comments, as its JSON export has them or joined from files of comments and users.

Only what `public` calls true is shown to anybody: a comment that does not say is taken for an internal note.
"""

from __future__ import annotations

from data.importers.fields import Row, inner, message, names, rows, text
from data.importers.fields import ticket as made
from data.records import Message, Role, Ticket

NAME, SIGN = "Zendesk", "tickets with a requester and public or internal comments"
CHILDREN = "comments"
SYSTEM = "-1"
STAFF = frozenset({"agent", "admin"})


def fits(row: Row) -> bool:
    return "requester_id" in row and ("comments" in row or isinstance(row.get("via"), dict) or "submitter_id" in row)


def fits_child(row: Row) -> bool:
    return "ticket_id" in row and "public" in row and "author_id" in row


def ticket(row: Row) -> Ticket:
    """ValueError where a field is missing or of the wrong type, and for a deleted ticket."""
    if row.get("status") == "deleted":
        raise ValueError("the ticket was deleted")
    comments = rows(row.get(CHILDREN), CHILDREN)
    requester = text(row, "requester_id") or text(inner(row, "requester"), "id")
    said = [_said(comment, requester) for comment in comments]
    description = text(row, "description")
    if description and row.get("is_public") is not False and not any(m and m.role == "customer" for m in said):
        said.insert(0, message({"id": "description", **_date(row)}, "customer", description, author=requester))
    rating = inner(row, "satisfaction_rating")
    return made(
        row, "zendesk", said, subject=text(row, "subject", "raw_subject"), status=text(row, "status"),
        tags=names(row.get("tags")), satisfaction=text(rating, "score"), locale=text(inner(row, "requester"), "locale"),
    )  # fmt: skip


def _said(comment: Row, requester: str) -> Message | None:
    author = text(comment, "author_id")
    body = text(comment, "html_body", "plain_body", "body")
    return message(
        comment, _role(comment, author, requester), body, internal=comment.get("public") is not True, author=author
    )


def _role(comment: Row, author: str, requester: str) -> Role:
    """Who asks is the customer, whatever else they are; others by what the users' file says, else of the desk."""
    if author == SYSTEM:
        return "system"
    kind = text(comment, "author_role")
    return "customer" if author == requester or (kind and kind not in STAFF) else "agent"


def _date(row: Row) -> Row:
    return {"created_at": row.get("created_at")}
