"""Tickets, what was said in them and who said it, from the separate files that some exports are.

What was said waits in a temporary SQLite file, by ticket, so that a join of a million tickets needs no memory.
"""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from data.importers.json_objects import Raw
from data.importers.lines import Unreadable
from data.importers.objects import objects
from data.importers.parts import Part

OWNERS = ("ticket_id", "conversation_id", "conversationId")
PENDING = 5000


def joined(
    tickets: Sequence[Part], said: Sequence[Part], users: Sequence[Part], key: str
) -> Iterator[tuple[str, int, Raw]]:
    """Every ticket with `key` holding what was said in it, authors with their `author_role`; (file, line, row)."""
    with TemporaryDirectory(prefix="deskmate-") as folder, closing(sqlite3.connect(Path(folder) / "said.db")) as store:
        store.execute("PRAGMA journal_mode=OFF")
        store.execute("CREATE TABLE said (owner TEXT, row BLOB)")
        roles = _roles(users)
        for part in said:
            yield from _keep(store, part, roles)
        store.execute("CREATE INDEX by_owner ON said (owner)")
        for part in tickets:
            for line, document in objects(part):
                yield part.name, line, document if isinstance(document, Unreadable) else _whole(store, document, key)


def _roles(users: Sequence[Part]) -> dict[str, str]:
    """By user id, as the desk names them."""
    found: dict[str, str] = {}
    for part in users:
        for _, document in objects(part):
            user = _object(document)
            if user and user.get("role"):
                found[str(user.get("id"))] = sys.intern(str(user["role"]))
    return found


def _keep(store: sqlite3.Connection, part: Part, roles: dict[str, str]) -> Iterator[tuple[str, int, Raw]]:
    """Store what can be read; what cannot is given back as it is, to be reported."""
    rows: list[tuple[str, bytes]] = []
    for line, document in objects(part):
        row = _object(document)
        if isinstance(document, Unreadable):
            yield part.name, line, document
            continue
        owner = next((str(row[name]) for name in OWNERS if row.get(name) is not None), "") if row else ""
        if row and owner:
            role = roles.get(str(row.get("author_id")))
            rows.append((owner, json.dumps({**row, "author_role": role}).encode() if role else document))
        elif document != b"":
            why = "not JSON" if row is None else f"no {' or '.join(OWNERS[:2])}"
            yield part.name, line, Unreadable(why)
        if len(rows) >= PENDING:
            store.executemany("INSERT INTO said VALUES (?, ?)", rows)
            rows.clear()
    store.executemany("INSERT INTO said VALUES (?, ?)", rows)


def _whole(store: sqlite3.Connection, document: bytes, key: str) -> bytes:
    ticket = _object(document)
    if ticket is None:
        return document
    found = store.execute("SELECT row FROM said WHERE owner = ? ORDER BY rowid", (str(ticket.get("id")),))
    rows = b", ".join(row for (row,) in found)
    ends = document.rstrip()
    return b"%b, %b: [%b]}" % (ends[:-1].rstrip(), json.dumps(key).encode(), rows) if rows else document


def _object(document: Raw) -> dict[str, Any] | None:
    if isinstance(document, Unreadable):
        return None
    try:
        value = json.loads(document)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
