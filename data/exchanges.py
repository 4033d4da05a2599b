"""A ticket cut into exchanges: every moment an agent had to answer, the reply, how the customer took it.

Internal notes, system lines and automatic replies never get in. What a bot said is part of the conversation
but never gold. Replies in a row are one turn; on a forum, where several helpers may stand in one, gold is the
one that readers preferred.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from data.clean import collapse, html_to_text
from data.names import CLOSING
from data.quoted import cleaned
from data.records import Exchange, Message, Reaction, Ticket, Turn
from data.redact import PLAIN, Redactor
from data.rules import Rules

FEWEST_WORDS, OWN_WORDS = 4, 15
AUTOMATIC = re.compile(
    r"""\W*(?:
        (?:automatic(?:ally\ generated)?|auto)[- ]?\ ?(?:reply|response)\s*(?:[:–-]|$)
        | (?:hello|hi|dear\ \w+)?\W*(?:i(?:'m|\ am|\ will\ be)\ (?:currently\ )?)?
          (?:out\ of\ (?:the\ )?office|on\ (?:annual\ )?(?:leave|holiday|vacation))
          \s*(?:[:–.-]|$|until|from|and\ will)
        | this\ is\ an?\ automat(?:ed|ic)\ (?:reply|response|message|e-?mail)
        | (?:thank\ you\ for\ contacting\ [^.!]{1,60}[.!]\ )?
          (?:we\ have\ received\ your\ (?:request|message|e-?mail|ticket)
          | your\ (?:request|ticket|message)(?:\ \(?\#?[\w-]+\)?)?\ has\ been\ received)
    )""",
    re.IGNORECASE | re.VERBOSE,
)
MERGED = frozenset({"merged", "closed_by_merge", "merge"})
FIXED = re.compile(
    r"""\b(?:that|this|it|which|your\ \w+|everything|all)(?:\ has|\ have|'s)?\ (?:just\ )?
        (?:worked|works|did\ it|did\ the\ trick|fixed\ it|solved\ it|helped)
    | \b(?:works?|working)\ (?:now|again|perfectly|great|fine\ now) | \bnow\ (?:it\ )?works?\b
    | problem\ (?:is\ )?(?:now\ )?(?:solved|fixed|resolved)
    | \b(?:sorted|solved|fixed|resolved)\ (?:it|now|the\ (?:problem|issue))
    | \b(?:is|are|now|all)\ (?:solved|fixed|sorted|resolved)\b""",
    re.IGNORECASE | re.VERBOSE,
)
COMPLAINT = re.compile(
    r"""\b(?:not|never|nothing)\ (?:work|help|fix|solve|change|resolve)
    | n['’]t\ (?:work|help|fix|solve|change|make)
    | \bno\ (?:luck|joy|change|effect|difference|help|go)\b
    | \b(?:still|again)\ (?:not|no|there|the\ same|doesn|won|can|get|having|broken|fail)
    | \bsame\ (?:problem|issue|error|result|thing)\b | \bunfortunately\b | \bi['’]m\ afraid\b
    | did\ nothing | useless | unhelpful | ridiculous | disappoint | unacceptable | to\ no\ avail""",
    re.IGNORECASE | re.VERBOSE,
)
THANKS = re.compile(
    r"\b(?:thanks?|thank you|thx|cheers|ta|perfect|brilliant|great|wonderful|appreciate\w*|excellent)\b",
    re.IGNORECASE,
)
ASKS = re.compile(
    r"""\?\W*$ | \bbe\ more\ specific\b | \bmore\ (?:information|details?)\b | \bmisunderst
    | \b(?:unclear|not\ clear|not\ sure|don['’]t\ understand)\b[^.]{0,20}\b(?:question|ask|mean|what)""",
    re.IGNORECASE | re.VERBOSE,
)
NAME = re.compile(r"[^\W\d_][^\W\d_'’ .-]+(?: [^\W\d_][^\W\d_'’.-]*){0,2}")
GREETING = re.compile(
    r"^\W*(?:hi|hello|hey|dear|good (?:morning|afternoon|evening)|thanks|thank you)\b[ ,]*"
    r"(?:mrs?|ms|miss|dr)?\.?[ ]*\[PERSON_\d+\]\s*[,.!:–-]*\s*",
    re.IGNORECASE,
)
SIGNED = re.compile(
    rf"(?<=\S)(?:(?<=[.!?])\s*+|[ \t]*+\n\s*+)(?:{CLOSING}\s*+[,.!–-]*+\s*+)?[\s~/–-]*+\[PERSON_\d+\]"
    r"(?:\n.{0,60}){0,3}\s*$",
    re.IGNORECASE,
)
ADDRESSED = re.compile(r",\s*\[PERSON_\d+\](?=[,.!?;:])")
PLEASED = frozenset({"good", "great", "positive", "satisfied", "happy", "thumbs_up", "5", "5.0", "4", "4.0"})
DISPLEASED = frozenset({"bad", "negative", "unsatisfied", "dissatisfied", "thumbs_down", "1", "1.0", "2", "2.0"})
GOOD: frozenset[Reaction] = frozenset({"accepted", "helpful", "thanked"})


@dataclass(frozen=True, slots=True)
class Block:
    """Messages in a row from one side: all of what was said, and the part that may be gold."""

    customer: bool
    text: str
    gold: str = ""
    accepted: bool = False
    votes: int = 0


def cut(
    ticket: Ticket, first_reply_only: bool = False, counts: Counter[str] | None = None, rules: Rules = PLAIN
) -> list[Exchange]:
    """The exchanges of a ticket, ids '<ticket>-1', '<ticket>-2' …; none of a ticket merged into another.

    Splits are given later (data.split); until then all say 'train'. `counts` is told of every message that lost
    something, by 'cleaned: quoted history', 'cleaned: signature' and so on.
    """
    redactor = redactor_of(ticket, rules)
    blocks = [] if is_merged(ticket) else _blocks(ticket, redactor, Counter() if counts is None else counts)
    subject = redactor(" ".join(html_to_text(ticket.subject).split()))
    found: list[Exchange] = []
    turns: list[Turn] = []
    number = 0
    for place, block in enumerate(blocks):
        if not block.customer and turns:
            number += 1
            if len(block.gold.split()) >= FEWEST_WORDS:
                found.append(Exchange(
                    id=f"{ticket.id}-{number}", ticket_id=ticket.id, subject=subject, product=ticket.product,
                    topic=ticket.tags[0] if ticket.tags else "", created=ticket.created, split="train",
                    turns=tuple(turns), human_reply=block.gold, reaction=_reaction(ticket, blocks, place),
                ))  # fmt: skip
        if block.customer or turns:  # what an agent says before the customer has asked answers nothing
            turns.append(Turn(role="customer" if block.customer else "agent", text=block.text))
        if found and first_reply_only:
            break
    return found


def is_merged(ticket: Ticket) -> bool:
    """Another ticket holds the same conversation."""
    return ticket.status.lower() in MERGED or not MERGED.isdisjoint(ticket.tags)


def redactor_of(ticket: Ticket, rules: Rules = PLAIN) -> Redactor:
    """It has met everybody in the ticket before it sees the first word."""
    people = (m.author for m in ticket.messages if m.role in ("customer", "agent") and NAME.fullmatch(m.author))
    redactor = Redactor(people, rules)
    for message in ticket.messages:
        redactor.meet(message.text)
    return redactor


def _blocks(ticket: Ticket, redactor: Redactor, counts: Counter[str]) -> list[Block]:
    said: list[tuple[Message, str]] = []
    for message in ticket.messages:
        if message.visibility != "public" or message.role == "system":
            continue
        if AUTOMATIC.match(message.text):
            counts["cleaned: automatic reply"] += 1
            continue
        own = cleaned(message.text)
        counts.update(f"cleaned: {kind}" for kind in own.taken)
        if message.role == "bot":
            counts["cleaned: bot turn"] += 1
        if text := redactor(own.text):
            said.append((message, text))
    forum = ticket.channel == "forum"
    rows = [list(group) for _, group in groupby(said, key=lambda pair: pair[0].role == "customer")]
    return [_block(row, forum, counts) for row in rows]


def _block(said: Sequence[tuple[Message, str]], forum: bool, counts: Counter[str]) -> Block:
    whole = "\n\n".join(text for _, text in said)
    agents = [(message, text) for message, text in said if message.role == "agent"]
    if not agents:
        return Block(customer=said[0][0].role == "customer", text=whole)
    agents = _own(agents, counts)
    best = max(agents, key=lambda pair: (pair[0].accepted, pair[0].votes))[0]
    gold = [impersonal(text) for message, text in agents if not forum or message.author == best.author]
    return Block(False, whole, "\n\n".join(gold), best.accepted, best.votes)


def _own(agents: list[tuple[Message, str]], counts: Counter[str]) -> list[tuple[Message, str]]:
    """Without macros, where an agent says enough beside them: a macro alone is what the desk answers."""
    own = [(message, text) for message, text in agents if not message.macro]
    if len(own) == len(agents) or sum(len(text.split()) for _, text in own) < OWN_WORDS:
        return agents
    counts["cleaned: macro"] += len(agents) - len(own)
    return own


def impersonal(reply: str) -> str:
    """A reply without whom it greets, addresses and is signed by: what it tells everybody who asks the same."""
    reply = GREETING.sub("", SIGNED.sub("", reply))
    return collapse(ADDRESSED.sub("", reply)) or reply


def _reaction(ticket: Ticket, blocks: Sequence[Block], place: int) -> Reaction:
    block = blocks[place]
    if block.accepted or block.votes > 0:
        return "accepted" if block.accepted else "helpful"
    if place + 1 < len(blocks):
        return reaction_of(blocks[place + 1].text)
    score = (ticket.satisfaction or "").lower()
    return "helpful" if score in PLEASED else "complained" if score in DISPLEASED else "none"


def reaction_of(words: str) -> Reaction:
    """How a customer's next message takes the reply: 'it works' or 'no change', else a bare 'thanks'."""
    start = collapse(words)[:400]
    fixed, complaint = FIXED.search(start), COMPLAINT.search(start)
    if complaint and (not fixed or complaint.start() <= fixed.start()):
        return "complained"
    if fixed:
        return "thanked"
    polite = THANKS.search(start) and "?" not in words and len(words.split()) <= 60
    return "thanked" if polite else "came_back"


def asks_back(reply: str) -> bool:
    """Whether half of an agent's sentences or more ask for details: right for that customer, no answer for another."""
    said = [part for part in re.split(r"(?<=[.!?])\s+|\n+", reply) if part.strip()]
    return 2 * sum(bool(ASKS.search(part)) for part in said) >= len(said)
