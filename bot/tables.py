"""The tables of deskmate.db.

    conversations ──< turns ──< feedback       aliases (live → release, generation)
          └────────< handoffs                  audit   (every flip of an alias, in the same transaction)

A bot turn's `answers` is the customer's turn it replies to; a customer's turn sent twice is stored once.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    DateTime,
    Engine,
    Float,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    create_engine,
    event,
)  # fmt: skip
from sqlalchemy.exc import SQLAlchemyError

from data.errors import DeskmateError

metadata = MetaData()

conversations = Table(
    "conversations", metadata,
    Column("id", String(64), primary_key=True),
    Column("channel", String(16), nullable=False),
    Column("created", DateTime(timezone=True), nullable=False),
)  # fmt: skip
turns = Table(
    "turns", metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("id", String(64), unique=True, nullable=False),
    Column("conversation", ForeignKey("conversations.id"), nullable=False, index=True),
    Column("role", String(16), nullable=False),
    Column("text", Text, nullable=False),
    Column("answers", String(64), nullable=False, default="", index=True),
    Column("route", String(16), nullable=False, default=""),
    Column("reason", String(32), nullable=False, default=""),
    Column("release", String(64), nullable=False, default=""),
    Column("seconds", Float, nullable=False, default=0.0),
    Column("finish", String(16), nullable=False, default=""),
    Column("created", DateTime(timezone=True), nullable=False),
)  # fmt: skip
feedback = Table(
    "feedback", metadata,
    Column("turn", ForeignKey("turns.id"), primary_key=True),
    Column("value", Integer, nullable=False),
    Column("comment", Text, nullable=False, default=""),
    Column("created", DateTime(timezone=True), nullable=False),
)  # fmt: skip
handoffs = Table(
    "handoffs", metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("conversation", ForeignKey("conversations.id"), nullable=False, index=True),
    Column("reason", String(32), nullable=False),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("open", Boolean, nullable=False, default=True),
)  # fmt: skip
aliases = Table(
    "aliases", metadata,
    Column("name", String(32), primary_key=True),
    Column("release", String(64), nullable=False),
    Column("generation", Integer, nullable=False),
)  # fmt: skip
audit = Table(
    "audit", metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("alias", String(32), nullable=False),
    Column("from_release", String(64)),
    Column("to_release", String(64), nullable=False),
    Column("who", String(128), nullable=False),
    Column("created", DateTime(timezone=True), nullable=False),
)  # fmt: skip


def connect(database: Path | str) -> Engine:
    """The database, made if it is not there. A path is SQLite; a URL is whatever SQLAlchemy can open."""
    url = f"sqlite:///{database}" if isinstance(database, Path) else database
    if isinstance(database, Path):
        database.parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare)
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    try:
        metadata.create_all(engine)
    except SQLAlchemyError as error:
        reason = str(error.__cause__ or error).splitlines()[0]
        raise DeskmateError(f"cannot open the database {database} ({reason}); is it a file of ours?") from error
    return engine


def _prepare(connection: sqlite3.Connection, _: Any) -> None:
    """WAL so that readers never wait; SQLAlchemy, not the driver, begins transactions."""
    connection.isolation_level = None
    for pragma in ("busy_timeout=5000", "journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}").close()
