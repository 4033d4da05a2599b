"""What any source's article must be before it may be evidence: finished, for every reader, in English, with words.

What is not is left out with the reason: a draft taught today is a false promise to customers tomorrow.
"""

from __future__ import annotations

from datetime import datetime

from data.records import Article


def public(
    name: str, title: str, text: str, *, url: str = "", updated: datetime | None = None, locale: str = "",
    withheld: str = "",
) -> Article:  # fmt: skip
    """ValueError with the reason where it is left out. `withheld`: why its authors do not show it to everybody."""
    if withheld:
        raise ValueError(f"left out: {withheld}")
    if not is_english(locale):
        raise ValueError(f"left out: in another language ({locale[:20]})")
    if not text:
        raise ValueError("it has no text")
    return Article(id=name, title=title, url=url, text=text, updated=updated)


def is_english(locale: str) -> bool:
    """Of 'en', 'en-us', 'en_GB'; and where no locale is told."""
    return locale.lower().replace("_", "-").partition("-")[0] in ("", "en", "eng", "english")
