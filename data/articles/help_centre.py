"""An article as a help centre's API or export gives it, whichever it is: the desks differ only in names.

    desk         title   body (HTML)   address     finished           for some readers only     changed
    Zendesk      title   body          html_url    draft: false       user_segment_id           edited_at
    Intercom     title   body          url         state: published                             updated_at (epoch)
    Freshdesk    title   description               status: 2          folder_visibility: not 1  updated_at
    Help Scout   name    text          publicUrl   status: published  visibility: private       updatedAt
    our own      title   text or wiki  url         (nothing said)                               updated

Intercom's `description` is a line below the title. For an article in another language its translation into English is
taken.
"""

from __future__ import annotations

from data.articles.public import is_english, public
from data.clean import html_to_text
from data.importers.fields import Row, inner, rows, text
from data.importers.times import known
from data.records import Article
from data.wiki import wiki_to_text

FINISHED = frozenset({"", "published", "2"})
OPEN = frozenset({"", "public", "1", "all"})
CHANGED = ("edited_at", "updated_at", "updatedAt", "modified_at", "updated")
BODIES = ("wiki", "body", "text", "description")


def fits(row: Row) -> bool:
    """Sections, collections and folders have a name and a description too, and are no articles."""
    row = _unwrapped(row)
    return ("title" in row and any(body in row for body in BODIES)) or ("name" in row and "text" in row)


def article(row: Row) -> Article:
    """ValueError says why there is none, or why it is left out."""
    row = _english(_unwrapped(row))
    name, title = text(row, "id"), text(row, "title", "name").strip()
    if not fits(row) or not name or not title:
        raise ValueError("an article needs id, title and text (or wiki, body, description)")
    return public(
        name, title, _body(row), url=text(row, "html_url", "publicUrl", "url"), locale=_locale(row),
        withheld=_withheld(row),
        updated=known(next((row[field] for field in CHANGED if row.get(field)), None)),
    )  # fmt: skip


def _unwrapped(row: Row) -> Row:
    """One article asked for by itself comes inside an object."""
    return inner(row, "article") if isinstance(row.get("article"), dict) else row


def _locale(row: Row) -> str:
    return text(row, "locale", "default_locale", "language")


def _english(row: Row) -> Row:
    """With its English translation's words, address and state, where it is in another language and has one."""
    if is_english(_locale(row)):
        return row
    content = inner(row, "translated_content")
    listed = rows(row.get("translations"), "translations")
    found = [value for locale, value in content.items() if isinstance(value, dict) and is_english(locale)]
    found += [each for each in listed if each.get("locale") and is_english(_locale(each))]
    return {**row, **found[0], "id": row.get("id"), "locale": "en"} if found else row


def _body(row: Row) -> str:
    if "wiki" in row:
        return wiki_to_text(text(row, "wiki"))
    if "body" in row:
        lead, body = text(row, "description"), text(row, "body")
        return "\n\n".join(part for part in (html_to_text(lead), html_to_text(body, headings=True)) if part)
    return html_to_text(text(row, "text", "description", "description_text"), headings=True)


def _withheld(row: Row) -> str:
    state = text(row, "state", "status").lower()
    if state in ("draft", "1") or _is(row, "draft"):
        return "a draft"
    if state not in FINISHED:
        return f"not published ({state[:40]})"
    if _is(row, "archived"):
        return "archived"
    if _is(row, "outdated"):
        return "marked as outdated"
    seen = text(row, "folder_visibility", "visibility").lower()
    return (
        "for some readers only" if row.get("user_segment_id") or row.get("user_segment_ids") or seen not in OPEN else ""
    )


def _is(row: Row, name: str) -> bool:
    return text(row, name).lower() not in ("", "false", "0")
