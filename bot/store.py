"""What is remembered of customers and releases: conversations, feedback, handoffs, and which release is live.

Every function takes an open connection, so that one transaction can hold several of them: a flip and its
audit row, a batch of replies. All texts pass `redact` here, on the only way in.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from sqlalchemy import Connection, func, insert, select, update

from bot.tables import aliases, audit, connect, conversations, feedback, handoffs, turns
from data.errors import Conflict, NotFound
from data.records import Turn
from data.redact import PLAIN, redact
from data.rules import Rules

LIVE = "live"
TAKEN_BACK = "server: "  # begins who flipped where a server went back from a release that did not load
ABANDONED = "abandoned"


@dataclass(frozen=True, slots=True)
class Alias:
    name: str
    release: str
    generation: int


@dataclass(frozen=True, slots=True)
class Saved:
    """One stored turn; `text` is redacted. `rating` is the customer's, 0 if none."""

    id: str
    role: str
    text: str
    route: str = ""
    reason: str = ""
    release: str = ""
    finish: str = ""
    rating: int = 0


@dataclass(frozen=True, slots=True)
class Begun:
    """A customer's turn that is safe on disk. `reply` is there when this very turn was answered before."""

    conversation: str
    turn: str
    earlier: tuple[Turn, ...]
    reply: Saved | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    id: str
    begun: Begun
    text: str
    route: str
    reason: str
    release: str
    seconds: float
    finish: str


class Store:
    """deskmate.db of a workspace. `begin()` is one transaction: all of it happens, or nothing. What is said is redacted
    by the desk's `rules`, so that a model reads earlier turns as it reads the last one."""

    def __init__(self, database: Path | str, rules: Rules = PLAIN) -> None:
        self._engine = connect(database).execution_options(rules=rules)

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        with self._engine.begin() as connection:
            yield connection

    def close(self) -> None:
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def new_id() -> str:
    """128 random bits: knowing a conversation's id is the right to read it."""
    return secrets.token_hex(16)


def begin_turn(
    connection: Connection, text: str, *, conversation: str = "", turn: str = "", channel: str = "chat",
    history: Sequence[Turn] = (),
) -> Begun:  # fmt: skip
    """Save a customer's turn. The same `turn` id again changes nothing and finds its reply, if it has one.

    `history` (of clients that keep it themselves) is stored only when it begins a conversation. Raises
    NotFound.
    """
    if turn and (again := _again(connection, turn)):
        return again
    if conversation and not connection.scalar(select(conversations.c.id).where(conversations.c.id == conversation)):
        raise NotFound(f"no conversation {conversation[:64]}; leave it out to begin one")
    earlier = _earlier(connection, conversation) if conversation else tuple(history)
    if not conversation:
        conversation = new_id()
        connection.execute(insert(conversations).values(id=conversation, channel=channel, created=_now()))
        for old in history:
            _add(connection, new_id(), conversation, "customer" if old.role == "customer" else "bot", old.text)
    begun = Begun(conversation, turn or new_id(), earlier)
    _add(connection, begun.turn, conversation, "customer", text)
    return begun


def save_reply(connection: Connection, reply: Reply) -> None:
    connection.execute(
        insert(turns).values(
            id=reply.id, conversation=reply.begun.conversation, role="bot", text=_redacted(connection, reply.text),
            answers=reply.begun.turn, route=reply.route, reason=reply.reason, release=reply.release,
            seconds=round(reply.seconds, 3), finish=reply.finish, created=_now(),
        )
    )  # fmt: skip


def save_feedback(connection: Connection, turn: str, value: int, comment: str = "") -> None:
    """A thumb for one reply; a second one replaces the first. Raises NotFound."""
    if not connection.scalar(select(turns.c.number).where(turns.c.id == turn, turns.c.role == "bot")):
        raise NotFound(f"no reply {turn[:64]} to rate")
    row = {"value": value, "comment": _redacted(connection, comment), "created": _now()}
    if not connection.execute(update(feedback).where(feedback.c.turn == turn).values(**row)).rowcount:
        connection.execute(insert(feedback).values(turn=turn, **row))


def open_handoff(connection: Connection, conversation: str, reason: str) -> None:
    """Put a conversation on the people's list; one that is already on it stays there once."""
    waiting = select(handoffs.c.id).where(handoffs.c.conversation == conversation, handoffs.c.open)
    if connection.scalar(waiting) is None:
        connection.execute(insert(handoffs).values(conversation=conversation, reason=reason, created=_now(), open=True))


def open_handoffs(connection: Connection) -> list[dict[str, str]]:
    """Conversations that wait for a person, longest first."""
    rows = connection.execute(select(handoffs).where(handoffs.c.open).order_by(handoffs.c.id))
    return [
        {"conversation": row.conversation, "reason": row.reason, "created": row.created.isoformat()} for row in rows
    ]


def read_conversation(connection: Connection, conversation: str) -> tuple[list[Saved], bool]:
    """Its turns in order, and whether a person is to reply. Raises NotFound."""
    rows = connection.execute(
        select(turns, feedback.c.value)
        .outerjoin(feedback, feedback.c.turn == turns.c.id)
        .where(turns.c.conversation == conversation)
        .order_by(turns.c.number)
    ).all()
    if not rows:
        raise NotFound(f"no conversation {conversation[:64]}")
    waiting = select(func.count()).where(handoffs.c.conversation == conversation, handoffs.c.open)
    saved = [
        Saved(row.id, row.role, row.text, row.route, row.reason, row.release, row.finish, row.value or 0)
        for row in rows
        if row.finish != ABANDONED or row is rows[-1]
    ]
    return saved, bool(connection.scalar(waiting))


def read_alias(connection: Connection, name: str = LIVE) -> Alias | None:
    row = connection.execute(select(aliases).where(aliases.c.name == name)).one_or_none()
    return Alias(row.name, row.release, row.generation) if row else None


def promote(connection: Connection, release: str, *, expected: int | None = None, who: str, name: str = LIVE) -> Alias:
    """Point an alias at a release: compare-and-swap on its generation, with the audit row, in this
    transaction.

    `expected` is the generation the caller saw (0: there is none yet; None: whatever it is now). Raises
    Conflict.
    """
    now = read_alias(connection, name)
    generation = now.generation if now else 0
    if expected is not None and expected != generation:
        raise Conflict(f"{name} is at generation {generation}, not {expected}; look at it again, then promote")
    if now is None:
        connection.execute(insert(aliases).values(name=name, release=release, generation=1))
    else:
        same = (aliases.c.name == name) & (aliases.c.generation == generation)
        if not connection.execute(
            update(aliases).where(same).values(release=release, generation=generation + 1)
        ).rowcount:
            raise Conflict(f"{name} was changed by somebody else just now; look at it again, then promote")
    connection.execute(
        insert(audit).values(
            alias=name, from_release=now.release if now else None, to_release=release, who=who, created=_now()
        )
    )
    return Alias(name, release, generation + 1)


def previous(connection: Connection, name: str = LIVE) -> str:
    """The release that was live before the last flip, those that a server took back apart. Raises NotFound."""
    before: list[str | None] = []
    flips = select(audit.c.from_release, audit.c.who).where(audit.c.alias == name).order_by(audit.c.id)
    for flip in connection.execute(flips):
        if flip.who.startswith(TAKEN_BACK):
            before = before[:-1]
        else:
            before.append(flip.from_release)
    if not before or not before[-1]:
        raise NotFound("there is no earlier release to go back to")
    return before[-1]


def _again(connection: Connection, turn: str) -> Begun | None:
    """A turn we already have: sent again by a client that lost its connection."""
    row = connection.execute(select(turns).where(turns.c.id == turn, turns.c.role == "customer")).one_or_none()
    if row is None:
        return None
    reply = connection.execute(
        select(turns).where(turns.c.answers == turn).order_by(turns.c.number.desc()).limit(1)
    ).one_or_none()
    saved = None
    if reply is not None and reply.finish != ABANDONED:
        saved = Saved(reply.id, "bot", reply.text, reply.route, reply.reason, reply.release, reply.finish)
    return Begun(row.conversation, turn, _earlier(connection, row.conversation, before=row.number), saved)


def _earlier(connection: Connection, conversation: str, before: int | None = None) -> tuple[Turn, ...]:
    said = (turns.c.conversation == conversation) & (turns.c.text != "") & (turns.c.finish != ABANDONED)
    query = select(turns.c.role, turns.c.text).where(said)
    if before is not None:
        query = query.where(turns.c.number < before)
    rows = connection.execute(query.order_by(turns.c.number))
    return tuple(Turn(role="customer" if row.role == "customer" else "agent", text=row.text) for row in rows)


def _add(connection: Connection, turn: str, conversation: str, role: str, text: str) -> None:
    connection.execute(
        insert(turns).values(
            id=turn, conversation=conversation, role=role, text=_redacted(connection, text),
            created=_now(), answers="", route="", reason="", release="", seconds=0.0, finish="",
        )
    )  # fmt: skip


def _redacted(connection: Connection, text: str) -> str:
    return redact(text, connection.get_execution_options()["rules"])


def _now() -> datetime:
    return datetime.now(UTC)
