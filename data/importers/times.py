"""One instant in UTC from what exports write as a date: ISO with any zone, epoch (milli)seconds, e-mail."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


def instant(value: object) -> datetime | None:
    """None where nothing is given; ValueError where it is no date. A time without a zone is taken as UTC."""
    if value is None or value == "":
        return None
    try:
        if (isinstance(value, int | float) and value is not True) or (
            isinstance(value, str) and re.fullmatch(r"\d{9,13}", value)
        ):
            seconds = float(value)
            return datetime.fromtimestamp(seconds / 1000 if seconds > 1e11 else seconds, UTC)
        if isinstance(value, str):
            return _utc(_written(value.strip()))
    except (ValueError, OverflowError, OSError, TypeError):
        pass
    raise ValueError(f"created: {str(value)[:40]!r} is no date we know; write it like 2025-03-01 14:05")


def known(value: object) -> datetime | None:
    """As `instant`, but None too where it is no date, for what can do without one."""
    try:
        return instant(value)
    except ValueError:
        return None


def _written(text: str) -> datetime:
    text = re.sub(r"\s*(?:UTC|GMT)$", "+00:00", text)
    try:
        return datetime.fromisoformat(re.sub(r"\s+(?=[+-]\d\d:?\d\d$)", "", text))
    except ValueError:
        return parsedate_to_datetime(text)


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
