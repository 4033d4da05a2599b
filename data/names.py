"""Whose names stand in a message: where people sign, greet one another and say who they are.

The built-in finder, without a model: it trusts places, not words, so that Mark is a name below "Regards," and a menu
entry elsewhere. A name met in one of those places is then replaced wherever the conversation writes it. A desk may add
a Recogniser, which finds names in passing too, and takes other things for names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache

from data.errors import BadInput

Recogniser = Callable[[str], Iterable[str]]  # the names in a text

LETTERS = r"[^\W\d_]+(?:['’-][^\W\d_]+)*"
WORD = rf"[^\W\d_]{LETTERS}"
CAPITAL = rf"(?-i:[A-ZÀ-ÖØ-Þ])(?:['’]?{LETTERS}|\.|(?![^\W\d_]))"
# Every run of spaces is taken at once (`++`, `*+`): a customer who sends fifty thousand of them waits no longer.
CLOSING = (
    r"(?:(?:(?:many|best|kind|kindest|warm|warmest)\s++)?(?:thanks|thank\s++you|thx|ta|cheers|regards|wishes|best|br|rgds"
    r"|sincerely|greetings|yours(?:\s++(?:truly|sincerely|faithfully))?|take\s++care|respectfully|cordially)\b"
    r"(?:\s++(?:so\s++much|very\s++much|a\s++lot|again|in\s++advance|and\s++(?:kind\s++)?regards"
    r"|for\s++(?:your|the|any)\s++\w++(?:\s++\w++)?))*)"
)
AGAIN = r"(?!(?:thanks?|regards|best|cheers|kind|many|sincerely|greetings|yours|warm)\b)"  # two closings in a row
FULL = rf"({CAPITAL}(?:[ \t]++{CAPITAL}){{0,2}})"
SIGNED = (
    re.compile(rf"^[ \t]*+{CLOSING}[ \t]*+[,.!;:–-]*+[ \t]*+\n++[ \t.~/–-]*+{AGAIN}({WORD}(?:[ \t]++{CAPITAL}){{0,2}})"
               r"[ \t]*+[.,!]?[ \t]*+$", re.IGNORECASE | re.MULTILINE),
    re.compile(rf"(?:^|[.!?][ \t]++){CLOSING}(?:[ \t]*+[,.!–-]++)?[ \t]++{FULL}[ \t]*+$", re.IGNORECASE | re.MULTILINE),
    re.compile(rf"\n[ \t]*+(?:--[ \t]*+\n?[ \t]*+|[–—~/][ \t]*+|-){FULL}\s*+\Z", re.IGNORECASE),
)  # fmt: skip
GREETED = re.compile(
    rf"^[ \t]*+(?:hi|hello|hey|dear|hiya|good\s++(?:morning|afternoon|evening)|thanks?(?:\s++you)?)[ \t]*+,?[ \t]*+"
    rf"(?<=[ \t,])(?:(?:mr|mrs|ms|miss|dr|prof)\b\.?[ \t]*+)?({CAPITAL}(?:[ \t]++{CAPITAL})?)[ \t]*+(?=[,.!:;–-]|$)",
    re.IGNORECASE | re.MULTILINE,
)
LOWER_GREETED = re.compile(rf"^[ \t]*+(?:hi|hello|hey|dear)[ \t]++({WORD})[ \t]*+[,!]", re.IGNORECASE | re.MULTILINE)
TITLED = re.compile(rf"\b(?:Mr|Mrs|Ms|Miss|Dr|Prof)\b\.?[ \t]++({CAPITAL}(?:[ \t]++{CAPITAL})?)")
SAYS = re.compile(
    rf"\b(?:my\s++name(?:\s++is|['’]s)|i\s++am\s++called"
    rf"|this\s++is(?=\s++\S{{1,40}}+(?:\s++\S{{1,40}}+)?\s++(?:from|here|speaking)\b))[ \t]++"
    rf"{FULL}(?=[ \t]++[a-z]|[ \t]*+[,.!;–-]|[ \t]*+$)",
    re.IGNORECASE | re.MULTILINE,
)
HANDLE = re.compile(
    r"(?<![\w@./\]-])@(?!import\b|media\b|namespace\b|font-face\b|charset\b)([A-Za-z][\w-]{2,30}+)(?![.@(]\w)"
)
_NOBODY = """
    all again agent anyone any everybody everyone folks friend friends gang guys help here hi hello in it ladies
    madam me moderator moderators mods mozilla no ok okay people please regards sir sirs somebody someone sorry
    support team thanks thank that the them there this to tom-tom us users very volunteers we world yes you your
    advance cheers best for my and but so if is are was will can could would should not just also wishes kind edit
    update ps nb sent from customer service desk helpdesk office care community forum admin administrator gentlemen
    greetings sincerely much
"""
# Words as often as names: a name only where one signs or is greeted.
_AMBIGUOUS = """
    art april august bill bob brook chase chip christian dawn dean dell drew faith frank grace grant guy hope iris
    jack jean joy june junior king lane lee long mark max may miles mike olive pat penny pierce ray rich rob robin
    rod rose ruby rusty sky star sue summer sunny ted victor violet wade ward will win windows yahoo gmail outlook
    thunderbird apple google microsoft linux mac
"""

ROLES = frozenset({"customer", "support", "team", "service", "volunteer", "volunteers", "desk", "much"})
PIECE = 50_000  # characters that a model reads at once
NOBODY, AMBIGUOUS = frozenset(_NOBODY.split()), frozenset(_AMBIGUOUS.split())


def names(text: str) -> Iterator[tuple[str, int]]:
    """Every name in a place where one signs, is greeted or says who one is, with its offset."""
    for pattern in (*SIGNED, GREETED, LOWER_GREETED, TITLED, SAYS, HANDLE):
        for found in pattern.finditer(text):
            name = found[1].rstrip(".")
            words = [word.casefold().rstrip(".") for word in name.split()]
            if pattern is HANDLE and words[0] in AMBIGUOUS:
                continue
            shouted = len(name) > 4 and name.isupper() and text.isupper()
            if len(name) > 1 and words[0] not in NOBODY and ROLES.isdisjoint(words) and not shouted:
                yield name, found.start(1)


@lru_cache(maxsize=1)
def recogniser(model: str) -> Recogniser:
    """Who a spaCy model, by its name or directory, takes for a person; loaded once in a process, '' finds nobody.

    Raises BadInput where spaCy or the model is missing.
    """
    if not model:
        return lambda _: ()
    try:
        import spacy
    except ImportError as error:
        raise BadInput("desk.names_model needs spaCy: pip install 'deskmate[names]'") from error
    try:
        found = spacy.load(model)
    except (OSError, ValueError) as error:
        raise BadInput(
            f"desk.names_model: no spaCy model {model!r} here: python -m spacy download {model}, or name its directory"
        ) from error

    def people(text: str) -> Iterator[str]:
        for start in range(0, len(text), PIECE):
            for entity in found(text[start : start + PIECE]).ents:
                if entity.label_ in ("PERSON", "PER") and _may_be(name := entity.text.strip()):
                    yield name

    return people


def _may_be(name: str) -> bool:
    words = [word.casefold() for word in name.split()]
    letters = len(name) > 2 and not any(c.isdigit() or c in "@/_<>|:[]" for c in name)
    return letters and not name.islower() and words[0] not in NOBODY and ROLES.isdisjoint(words)


def everywhere(people: Iterable[str]) -> re.Pattern[str] | None:
    """Finds these names and their parts as whole words; ambiguous ones only beside another part."""
    parts: set[str] = set()
    for name in people:
        whole = name.split()
        parts.add(name)
        parts |= {word for word in whole if len(word) > 2 and word.casefold() not in AMBIGUOUS | NOBODY}
    safe = sorted((part for part in parts if part.casefold() not in AMBIGUOUS and len(part) > 2), key=len, reverse=True)
    forms = dict.fromkeys(form for part in safe for form in (part, part.title(), part.upper()) if not form.islower())
    return re.compile(rf"(?<![\w@.-])(?:{'|'.join(map(re.escape, forms))})(?![\w@]|\.\w)") if forms else None
