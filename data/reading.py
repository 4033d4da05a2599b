"""One row of an export, read to the end: what becomes of it, small enough to travel between processes.

Whatever takes time is done here, in several processes, so that the one that writes (data/spool.py) only writes.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from data.clean import cap_words, html_to_text
from data.duplicates import grams, keys, number_of, same_words
from data.exchanges import AUTOMATIC, GOOD, asks_back, cut, is_merged, redactor_of
from data.importers import At, Row, parse, reject
from data.language import language
from data.links import addresses
from data.quoted import strip_quotes
from data.records import Exchange, Message, Rejected, Ticket
from data.redact import PLAIN
from data.redact import count as labels_in
from data.rules import Rules

SHOWN_WORDS = 40
FITTING_WORDS = range(15, 161)
TELLING_WORDS = 20
RESOLVED = frozenset({"", "solved", "closed", "resolved", "archived", "done"})
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Cut(NamedTuple):
    """One exchange. `reply` stands for the words of the reply; `fits`: it is of a length worth learning; `good`: it was
    taken well; `telling`: for a forum's evidence, 0 never, 1 if it is no stock text, 2 always, and -1 where the
    customer complained; `keys` and `grams` are for finding duplicates; `body` is the exchange as JSON."""

    id: str
    reply: int
    fits: bool
    good: bool
    telling: int
    keys: bytes
    grams: bytes
    body: str


@dataclass(frozen=True, slots=True)
class Read:
    """A ticket, and what was cut from it or `why` nothing was. `created` in microseconds; `who` stands for the
    customer, 0 for nobody; `links`: addresses that agents gave, one a line, in answer to `asked`."""

    at: At
    id: str
    created: int
    forum: bool
    resolved: bool
    who: int
    links: str
    asked: str
    counts: Counter[str]
    cuts: list[Cut]
    why: Rejected | None


def read(
    first_reply_only: bool, key: bytes, batch: list[tuple[At, Row]], rules: Rules = PLAIN
) -> list[Read | Rejected]:
    """`key` hides who the customers are, `rules` are the desk's for redaction."""
    return [_row(first_reply_only, key, rules, at, row) for at, row in batch]


def _row(first_reply_only: bool, key: bytes, rules: Rules, at: At, row: Row) -> Read | Rejected:
    ticket = parse(at, row)
    if isinstance(ticket, Rejected):
        return ticket
    spoken = language(ticket).lower().replace("_", "-").partition("-")[0][:8]
    counts = Counter({
        "tickets": 1, "messages": len(ticket.messages), f"language: {spoken}": 1,
        "internal_notes_kept_out": sum(m.visibility == "internal" for m in ticket.messages),
    })  # fmt: skip
    found = cut(ticket, first_reply_only, counts, rules) if spoken.startswith("en") else []
    if found:
        last = found[-1]
        texts = [last.subject, last.human_reply, *(turn.text for turn in last.turns)]
        counts["redactions"] += sum(map(labels_in, texts))
    asked = "" if found else _asked(ticket, rules)
    why = None if found else _why(at, ticket, spoken, asked)
    links = _links(ticket) if found or (asked and why and why.kind == "no_answer") else []
    forum = ticket.channel == "forum"
    return Read(
        at, ticket.id, microseconds(ticket.created), forum, forum or ticket.status.lower() in RESOLVED,
        _who(ticket, key), "\n".join(links), (found[0].question if found else asked) if links else "", counts,
        [cut_of(each) for each in found], why,
    )  # fmt: skip


def _why(at: At, ticket: Ticket, spoken: str, asked: str) -> Rejected:
    kind, reason = "no_answer", "no customer's question followed by an agent's reply"
    if not spoken.startswith("en"):
        kind, reason = "other_language", f"in another language: {spoken}"
    elif is_merged(ticket):
        kind, reason = "merged", "merged into another ticket"
    text = cap_words(asked, SHOWN_WORDS)
    return reject(at, reason).model_copy(update={"kind": kind, "record": ticket.id, "text": text})


def _asked(ticket: Ticket, rules: Rules) -> str:
    """The customer's subject and first words, redacted, of a ticket from which nothing was cut."""
    words = next((m.text for m in ticket.messages if _asks(m) and not AUTOMATIC.match(m.text)), "")
    redactor = redactor_of(ticket, rules)
    return "\n".join([redactor(html_to_text(ticket.subject)), redactor(strip_quotes(words))]).strip() if words else ""


def _asks(message: Message) -> bool:
    return message.role == "customer" and message.visibility == "public"


def _who(ticket: Ticket, key: bytes) -> int:
    """By a name that is one person's: an id or an address. 'Fran' may be anybody."""
    author = next((m.author for m in ticket.messages if _asks(m)), "").strip().casefold()
    one = "@" in author or any(character.isdigit() for character in author)
    return (number_of(author, key) or 1) if one else 0


def _links(ticket: Ticket) -> list[str]:
    said = [m for m in ticket.messages if m.role == "agent" and m.visibility == "public"]
    return list(dict.fromkeys(address for m in said for address in (*addresses(m.text), *m.links)))


def cut_of(exchange: Exchange) -> Cut:
    shingles = grams(exchange.question)
    reply, fits, telling = marks(exchange)
    return Cut(
        exchange.id, reply, fits, exchange.reaction in GOOD, telling, keys(shingles), shingles.tobytes(),
        exchange.model_dump_json(),
    )  # fmt: skip


def marks(exchange: Exchange) -> tuple[int, bool, int]:
    """What a Cut says of the reply's words: `reply`, `fits` and `telling`."""
    reply = exchange.human_reply
    return number_of(same_words(reply)), len(reply.split()) in FITTING_WORDS, _telling(exchange)


def _telling(exchange: Exchange) -> int:
    """On a forum many replies ask back, chat or repeat a stock text; those are no evidence."""
    reply = exchange.human_reply
    if exchange.reaction == "complained":
        return -1
    if asks_back(reply):
        return 0
    if exchange.reaction in GOOD:
        return 2
    return int(len(reply.split()) >= TELLING_WORDS and not reply.rstrip().endswith("?"))


def microseconds(when: datetime) -> int:
    return (when - EPOCH) // timedelta(microseconds=1)


def moment(microseconds: int) -> datetime:
    return EPOCH + timedelta(microseconds=microseconds)
