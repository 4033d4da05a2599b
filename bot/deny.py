"""What no model may answer, however sure it is: a person was asked for, law, harm, danger, a stolen account.

Patterns rather than a model: they must be right on the first token, explainable, and never talked out of. They are
meant to catch the plain cases; a false alarm costs a colleague a minute. Each has a kind and honest text, which
promises nothing but what happens: a person reads it.
"""

from __future__ import annotations

import re
from typing import Literal

Denied = Literal["asked_for_person", "legal", "self_harm", "danger", "account_security"]

_PERSON = r"(?:human|(?:real |actual |live )?person|someone|somebody|representative|manager|supervisor)"
_REAL = r"(?:a |an )?(?:real |actual |live )"
_SMOKE = r"(?:smok(?:e|ing)|spark(?:s|ing))"

_BODY = r"(?:hand|finger|thumb|wrist|arm|foot|feet|toe|leg|knee|head|face|eye|lip|mouth|tongue|throat|skin)s?"

_SELF_HARM = (
    r"kill(?:ing)? myself", r"\bsuicid", r"end(?:ing)? my (?:own )?life", r"(?:hurt|harm)(?:ing)? myself",
    r"want to die", r"self[- ]harm",
)  # fmt: skip
_DANGER = (
    r"caught (?:on )?fire", r"\bon fire\b", r"in flames", r"burst into flame", r"electric(?:al)? shock",
    r"electrocut", r"got a shock", r"explod(?:ed|ing)", r"carbon monoxide", r"gas leak", r"\bambulance",
    _SMOKE + r"\b[^.!?]{0,25}\b(?:coming|came|comes|pour\w*|out of)\b",
    r"\b(?:coming|came|started|starts|began|seeing|is|was) (?:\w+ ){0,2}" + _SMOKE + r"\b",
    r"(?:smell(?:s|ed)?|stinks?) (?:of|like) (?:burn\w*|melt\w*) (?:plastic|rubber|wir\w+|cables?|electr\w+)",
    r"\b(?:burn(?:ed|t)|scald(?:ed)?|injured|hurt) (?:my (?!coffee|tea|milk|beans)|his |her |our |myself|me\b|him\b)",
    r"\b(?:cut|sliced|slashed|crushed|trapped|broke) (?:my|his|her|our|their) (?:\w+ )?" + _BODY + r"\b",
    r"\b(?:cut|sliced) (?:my|him|her)sel(?:f|ves)\b", r"\b(?:is|am|are|was|still|started|keeps) bleeding\b",
    r"\ballergic reaction", r"\bin a rash\b", r"\b" + _BODY + r"\b (?:\w+ ){0,3}(?:swelled|swollen|swelling)\b",
    r"\b(?:i|he|she|child|son|daughter|baby|toddler|kid|dog|cat)\b(?: \w+){0,2} (?:swallowed|choked on)\b",
    r"\b(?:go|went|going|taken|rushed|ended up)\b (?:\w+ ){0,4}(?:hospital|a ?& ?e|emergency room|walk-in centre)\b",
)  # fmt: skip
_LEGAL = (
    r"\b(?:lawyers?|solicitors?|attorneys?)\b", r"legal (?:action|proceedings)", r"\bsu(?:e|ing) (?:you|your)\b",
    r"take (?:you|this) to court", r"see you in court", r"small claims", r"class action",
)  # fmt: skip
_ACCOUNT = (
    r"\b(?:account|e-?mail|profile|login)\b[^.!?]{0,25}\b(?:hacked|hijacked|stolen|compromised|taken over)\b",
    r"hack(?:ed|ing)? (?:in)?to my", r"hacked my", r"stole my (?:account|password|card)", r"identity theft",
    r"some(?:one|body)(?: else)?\b[^.!?]{0,25}\b(?:into|access(?:ed)?|using|used|changed) (?:to )?"
    r"my (?:account|password|card|e-?mail)",
    r"orders? (?:that )?i (?:did ?n.?t|never|did not) (?:make|place)",
)  # fmt: skip
_ASKED = (
    r"\b(?:speak|talk|chat|connect(?: me)?|put me through|pass me on|transfer(?: me)?|hand me over)\b"
    r"[^.!?]{0,8}\b(?:to|with) (?:a |an |another |some |your |the )?" + _PERSON + r"\b",
    r"\b(?:speak|talk) (?:to|with) (?:an? )?(?:support |live |human )?agent\b",
    r"\b(?:human|real person|live agent)\b[^.!?]{0,12}\bplease", r"\bplease\b[^.!?]{0,12}\b(?:a human|real person)\b",
    r"\b(?:want|need|get me|give me) " + _REAL + r"(?:human|person|agent)\b",
    r"is there " + _REAL + r"?(?:human|person)\b",
    r"\b(?:want|need|get me|give me) a (?:human|person|manager)\b", r"not (?:a|another) (?:bot|robot|machine)\b",
)  # fmt: skip


def _any(patterns: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.IGNORECASE)


RULES: tuple[tuple[Denied, re.Pattern[str]], ...] = (
    ("self_harm", _any(_SELF_HARM)),
    ("danger", _any(_DANGER)),
    ("legal", _any(_LEGAL)),
    ("account_security", _any(_ACCOUNT)),
    ("asked_for_person", _any(_ASKED)),
)

TEXTS: dict[str, str] = {
    "asked_for_person": "Of course. I've passed your message to a colleague, and a person will reply to you.",
    "legal": (
        "Thank you for telling us. This deserves a careful answer from a person, so I've passed your message to "
        "a colleague who can look into it properly."
    ),
    "self_harm": (
        "I'm really sorry you're going through this, and I'm glad you said it. Please reach out to someone right "
        "now: if you might be in danger, call your local emergency number, or talk to a crisis line or someone "
        "you trust. I'm only a program, so I've also passed your message to a colleague."
    ),
    "danger": (
        "Your safety comes first. If it is safe to do so, unplug it and stop using it; if anyone is hurt or there "
        "is fire or smoke, keep away and call your local emergency number. I've passed this to a colleague as "
        "urgent."
    ),
    "account_security": (
        "I'm sorry, that is worrying. Please don't post passwords or codes here, and change your password if you "
        "still can. I've passed this to a colleague as urgent, who will help you secure the account."
    ),
}


def deny(question: str) -> Denied | None:
    """Why this must go to a person at once, if it must. The gravest reason wins."""
    straight = question.replace("\u2019", "'")
    return next((reason for reason, pattern in RULES if pattern.search(straight)), None)
