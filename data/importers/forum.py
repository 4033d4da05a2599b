"""A public support forum's threads: raw HTML bodies, accepted answers and votes instead of a status.

Anybody may reply on a forum, and other customers do ("same here"). A reply by somebody who is not one of the
regular helpers counts as an agent's only when the asker accepted it or readers voted for it.
"""

from __future__ import annotations

from typing import Any

from data.clean import html_to_text
from data.importers.fields import rows
from data.importers.times import instant
from data.links import relative
from data.records import Message, Ticket

NAME, SIGN = "a public forum", "threads whose messages are HTML"
STATUS = {True: "solved", False: "open", None: ""}


def fits(row: dict[str, Any]) -> bool:
    messages = row.get("messages")
    return isinstance(messages, list) and any(isinstance(each, dict) and "html" in each for each in messages)


def ticket(row: dict[str, Any]) -> Ticket:
    name = str(row.get("id") or "").strip()
    created = instant(row.get("created"))
    if not name or created is None:
        raise ValueError(f"{'created' if name else 'id'}: missing")
    topic = row.get("topic")
    tags = [*([topic] if topic else []), *(tag for tag in row.get("tags") or [] if tag != topic)]
    return Ticket(
        id=name, channel="forum", product=row.get("product") or "", locale=row.get("locale") or "",
        subject=html_to_text(row.get("subject") or ""), created=created, tags=tuple(tags),
        status=STATUS.get(row.get("solved"), ""),
        messages=tuple(_message(message) for message in rows(row["messages"], "messages") if _counts(message)),
    )  # fmt: skip


def _counts(row: dict[str, Any]) -> bool:
    passer_by = row.get("role") == "agent" and row.get("trusted") is False
    return not passer_by or bool(row.get("solution")) or (row.get("helpful_votes") or 0) > 0


def _message(row: dict[str, Any]) -> Message:
    body = row.get("html")
    if not isinstance(body, str):
        raise ValueError(f"messages.html: {type(body).__name__}, not text")
    return Message(
        id=str(row.get("id") or ""), role=row["role"], author=row.get("author") or "",
        created=instant(row.get("created")), text=html_to_text(body),
        accepted=row.get("solution") or False, votes=row.get("helpful_votes") or 0,
        links=relative(body),
    )  # fmt: skip
