"""Our own Ticket shape, one JSON object a line; message ids and dates may be missing, bodies may be HTML."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from data.clean import html_to_text
from data.importers.fields import rows
from data.importers.times import instant
from data.links import relative
from data.records import Message, Ticket

NAME, SIGN = "Deskmate", "tickets with messages"


def fits(row: dict[str, Any]) -> bool:
    return "messages" in row


def ticket(row: dict[str, Any]) -> Ticket:
    """ValueError (ValidationError is one) where a field is missing or of the wrong type."""
    name = str(row.get("id") or "").strip()
    if not name:
        raise ValueError("id: missing")
    said = rows(row["messages"], "messages")
    if not said:
        raise ValueError("messages: the ticket has none")
    messages = tuple(_message(message, f"{name}-m{number}") for number, message in enumerate(said, 1))
    created = instant(row.get("created")) or min((m.created for m in messages if m.created), default=None)
    if created is None:
        raise ValueError("created: missing on the ticket and on every message; the split goes by time")
    values = _known(row, Ticket) | {"id": name, "created": created, "messages": messages}
    if isinstance(score := values.get("satisfaction"), int | float):
        values["satisfaction"] = str(score)
    return Ticket.model_validate(values)


def _known(row: dict[str, Any], kind: type[BaseModel]) -> dict[str, Any]:
    """Exports carry more than we need; what we do not know is left behind, null means not given."""
    return {key: row[key] for key in kind.model_fields if row.get(key) is not None}


def _message(row: dict[str, Any], fallback: str) -> Message:
    body = row.get("text")
    if not isinstance(body, str):
        raise ValueError(f"messages.text: {type(body).__name__}, not text")
    values = _known(row, Message)
    values |= {
        "id": str(row.get("id") or fallback),
        "created": instant(row.get("created")),
        "text": html_to_text(body),
        "links": relative(body),
    }
    return Message.model_validate(values)
