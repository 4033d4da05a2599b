"""A message as a person reads it: mark-up, quoted history and signatures out, lists, code and links kept.

What is left in decides what the student learns to write, so a list stays a list, a line of code stays a line
of code, and last week's mail below a reply is gone.
"""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bs4 import BeautifulSoup
    from bs4.element import PageElement, Tag

KNOWN_TAG = re.compile(
    r"</?(?:p|br|div|span|a|ul|ol|li|b|i|u|em|strong|code|pre|blockquote|h[1-6]|table|t[rdh]|tbody|thead|hr|img|dl|dt"
    r"|dd|html|head|body|style|font|small|s|sub|sup|video|details|summary|section|article)\b[^<>]*>",
    re.IGNORECASE,
)
SIMPLE_TAG = re.compile(r"<(p|/p|br ?/?)>")
ANY_TAG = re.compile(r"<[^<>]*>")
DROPPED = frozenset({"script", "style", "head", "title", "img", "video", "audio", "source", "svg", "noscript"})
HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
_BLOCKS = "p div dl dt dd table tbody thead section article main figure figcaption details summary form"
BLOCKS = HEADINGS | frozenset(_BLOCKS.split())
INVISIBLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]")
HISTORY, SIGNED = ">> ", ">>-- "  # begin the lines of what mail programs mark as such; see data/quoted.py
_QUOTES = """
    gmail_quote gmail_quote_container yahoo_quoted protonmail_quote tutanota_quote zmail_extra freshdesk_quote
    front-blockquote moz-cite-prefix
"""
QUOTES = frozenset(_QUOTES.split())
SIGNATURES = frozenset({"gmail_signature", "moz-signature", "ms-outlook-mobile-signature", "Signature"})
ORIGINAL = "-----Original Message-----"
HISTORY_BELOW = frozenset({"divRplyFwdMsg", "x_divRplyFwdMsg"})  # Outlook: in it a mail's header, below it the mail


def html_to_text(source: str, *, headings: bool = False) -> str:
    """Plain text of a message: lists as '- ' and '1.' lines, quotes as '> ', links as text (address). With `headings`,
    for an article, '# ' lines too, and code between fences, where a '#' is none."""
    if "<" not in source or not KNOWN_TAG.search(source):
        return collapse(html.unescape(source))
    tags = ANY_TAG.findall(source)
    if all(SIMPLE_TAG.fullmatch(tag) for tag in tags):
        return collapse(_simple(source))
    return collapse(_parsed(source, headings))


def _simple(source: str) -> str:
    """Paragraphs and line breaks only, which most messages are: no parser needed."""
    text = re.sub(r"\s+", " ", source)
    text = SIMPLE_TAG.sub(lambda tag: "\n" if tag[1].startswith("br") else "\n\n", text)
    return html.unescape(re.sub(r" *\n *", "\n", text))


def _parsed(source: str, headings: bool = False) -> str:
    try:
        return element_to_text(parsed(source), headings=headings)
    except (ValueError, RecursionError):
        return html.unescape(ANY_TAG.sub(" ", source))


def parsed(source: str) -> BeautifulSoup:
    """ValueError for mark-up that no parser takes."""
    from bs4 import BeautifulSoup
    from bs4.exceptions import ParserRejectedMarkup

    try:
        return BeautifulSoup(re.sub(r"^\s*<\?xml[^>]*>", "", source), "html.parser")
    except ParserRejectedMarkup as error:
        raise ValueError(f"not HTML ({error})") from error


def element_to_text(node: Tag, *, headings: bool = False) -> str:
    """As `html_to_text`, of what is inside an element. RecursionError where it is nested too deep."""
    pieces: list[str] = []
    _walk(node, pieces, headings)
    return collapse(re.sub(r"[ \t]*\n", "\n", "".join(pieces)))


def _walk(node: Tag, out: list[str], headings: bool = False) -> None:
    for child in node.children:
        name = getattr(child, "name", None)
        if name is None:
            _string(child, out)
        elif name == "br":
            out.append("\n")
        elif name == "hr":
            out.append("\n\n")
        elif name not in DROPPED:
            _element(child, name, out, headings)  # type: ignore[arg-type]


def _string(node: PageElement, out: list[str]) -> None:
    from bs4.element import PreformattedString

    if isinstance(node, PreformattedString):  # comments, doctypes, CDATA
        return
    text = re.sub(r"\s+", " ", str(node))
    out.append(text.lstrip(" ") if not out or out[-1].endswith("\n") else text)


def _element(node: Tag, name: str, out: list[str], headings: bool) -> None:
    if mark := "" if headings else _mark(node, name):
        out.append("\n\n" + _marked(_inside(node), mark) + "\n\n")
    elif not headings and not HISTORY_BELOW.isdisjoint(_named(node)):
        out.append(f"\n\n{ORIGINAL}\n{_inside(node)}\n\n")
    elif name == "pre":
        fence, code = "```" if headings else "", node.get_text().strip("\n")
        out.append("\n\n" + f"{fence}\n{code}\n{fence}".strip("\n") + "\n\n")
    elif headings and name in HEADINGS:
        title = " ".join(_inside(node).split()).rstrip(" ¶")
        out.append(f"\n\n{'#' * int(name[1])} {title}\n\n" if title else "")
    elif name == "a":
        out.append(_link(node))
    elif name in ("ul", "ol"):
        _list(node, name == "ol", out)
    elif name == "blockquote":
        out.append("\n\n" + _marked(_inside(node), "> ") + "\n\n")
    elif name == "tr":
        cells = [" ".join(_inside(cell).split()) for cell in node.find_all(["td", "th"], recursive=False)]
        out.append("\n" + " | ".join(cells) + "\n")
    elif name in BLOCKS:
        out.append("\n\n")
        _walk(node, out, headings)
        out.append("\n\n")
    else:
        _walk(node, out, headings)


def _named(node: Tag) -> set[str]:
    return {str(node.get("id") or ""), *(node.get("class") or ())}


def _mark(node: Tag, name: str) -> str:
    """How the lines begin of an element that mail programs keep history or a signature in."""
    named = _named(node)
    if not named.isdisjoint(QUOTES) or (name == "blockquote" and node.get("type") == "cite"):
        return HISTORY
    return SIGNED if not named.isdisjoint(SIGNATURES) else ""


def _marked(text: str, mark: str) -> str:
    return "\n".join(f"{mark}{line}".rstrip() for line in text.split("\n"))


def _inside(node: Tag) -> str:
    pieces: list[str] = []
    _walk(node, pieces)
    return collapse("".join(pieces))


def _list(node: Tag, ordered: bool, out: list[str]) -> None:
    out.append("\n")
    number = 0
    for child in node.children:
        if getattr(child, "name", None) is None:
            continue
        number += 1
        text = re.sub(r"\n{2,}", "\n", _inside(child))  # type: ignore[arg-type]
        mark = f"{number}. " if ordered else "- "
        if text:
            out.append(mark + text.replace("\n", "\n  ") + "\n")
    out.append("\n")


def _link(node: Tag) -> str:
    text = " ".join(_inside(node).split())
    address = str(node.get("href") or "").strip()
    if not re.match(r"https?://", address):
        return text
    if not text or (text.endswith(("…", "...")) and address.startswith(text.rstrip("…."))):
        return address
    bare = re.sub(r"^https?://(?:www\.)?|/$", "", address)
    return text if bare == re.sub(r"^https?://(?:www\.)?|/$", "", text) else f"{text} ({address})"


def collapse(text: str) -> str:
    """One space between words, at most one blank line, no invisible characters; indentation is kept."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\u2028", "\n").replace("\xa0", " ")
    text = INVISIBLE.sub("", text)
    text = re.sub(r"(?<=\S)[ \t\u2000-\u200a\u3000]+", " ", text)
    text = re.sub(r"[ \t]+$", "", text, flags=re.MULTILINE)
    return re.sub(r"\n{3,}", "\n\n", text).strip("\n").strip()


def cap_words(text: str, words: int) -> str:
    """The first `words` words, with '…' where something was cut."""
    parts = re.findall(r"\S+\s*", text)
    return text if len(parts) <= words else "".join(parts[:words]).rstrip() + " …"
