"""How two texts are compared, without a model: what selection, confidence and evaluation must agree on.

The stages may not import each other, yet an answer must be kept, routed and judged by the same yardstick;
so the yardstick lies here. `context` is always the ticket and the evidence in one string.
"""

from __future__ import annotations

import re
from collections import Counter
from functools import lru_cache
from itertools import pairwise

WORD = re.compile(r"\w+(?:['’.@/+-]\w+)*")
_STOP = """
    a about above after again all also am an and any are aren't as at be because been before being below
    both but by can can't could did do does doing don't down during each few for from further get got
    had has have having he her here hers him his how i i'd i'll i'm i've if in into is isn't it it's its
    itself just let like may me more most my no nor not now of off on once only or other our ours out
    over own please same she should so some such than that that's the their theirs them then there
    there's these they this those through to too under until up us very was we we'd we'll we're we've
    were what when where which while who whom why will with won't would you you'd you'll you're you've
    your yours hello hi hey thanks thank dear regards best sorry glad happy help sure
"""
STOPWORDS = frozenset(_STOP.split())
_COUNTS = "one=1 two=2 three=3 four=4 five=5 six=6 seven=7 eight=8 nine=9 ten=10 twelve=12 thirty=30"
COUNTS = dict(pair.split("=") for pair in _COUNTS.split())

_STEP = re.compile(
    r"^[\s*>-]*(?:step\s+)?\d{1,2}[.):]\s+|\bstep\s+\d{1,2}\b|(?<=\s)\(?\d\)\s", re.IGNORECASE | re.MULTILINE
)
_URL = re.compile(r"(?:https?://|www\.)[^\s<>()\[\]\"'`*]+", re.IGNORECASE)
_MAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_HOST = re.compile(
    r"\b(?:[a-z0-9-]+\.){1,4}(?:com|org|net|io|dev|eu|de|fr|uk|nl|example|local|test|shop|app)\b(?:/[\w./#?=-]*)?"
)
_FILE = re.compile(
    r"(?<![\w/])(?:~?/[\w.-]+(?:/[\w.-]+)+|[\w-]+\.(?:conf|cfg|ini|exe|dll|log|txt|json|xml|ya?ml|py|sh|zip|apk))\b"
)
_CAPS = r"[A-Z][\w&'’/+-]*(?:\s+(?:of\s+|the\s+)?[A-Z0-9&][\w&'’/+-]*){0,4}"
_PATH = re.compile(rf"(?:{_CAPS}|\w[\w-]*)(?:\s*(?:>|→|›|»|->)\s*(?:{_CAPS}|\w[\w-]*))+")
_LEAD = re.compile(
    r"^(?:(?:open|go|select|choose|click|tap|press|in|under|then|to|from|on|visit|use|the|your)\s+)+",
    re.IGNORECASE,
)
_CODE = re.compile(r"#?\b(?=[A-Za-z0-9-]*\d)[A-Z][A-Z0-9]*(?:-[A-Za-z0-9]+)*\d[A-Za-z0-9]*(?:-[A-Za-z0-9]+)*\b|#\d+")
_VERSION = re.compile(r"\bv?\d+(?:\.\d+){2,}\b|\bv\d+(?:\.\d+)+\b", re.IGNORECASE)
_AMOUNT = r"(\d[\d.,]*\d|\d)"
_PRICE = re.compile(
    rf"([€$£])\s?{_AMOUNT}|{_AMOUNT}\s?(€|£|\$|euros?\b|eur\b|usd\b|gbp\b)",
    re.IGNORECASE,
)
_CURRENCY = {"€": "eur", "euro": "eur", "euros": "eur", "$": "usd", "£": "gbp"}
_NUMBER = re.compile(r"(?<![\w.,])(\d+(?:[.,]\d+)*)(\s?%)?")


def _any(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.IGNORECASE)


_DEFER = _any(
    r"(?:colleague|team ?mate|specialist|someone (?:from|on|in) (?:our|the)|member of (?:our|the) team"
    r"|human agent)"
    r"[^.!?]{0,40}\b(?:will|can|to|is going to|takes?)\b",
    r"\b(?:pass|hand|forward|transfer|escalat)(?:e|s|ed|ing)?\b[^.!?]{0,40}"
    r"\b(?:to (?:a|an|our|the|my) (?:colleague|team|specialist|person|human|agent)|over to|on to|along to)\b",
)
_EVADE = _any(
    r"\b(?:does|do|did|is|are|was)(?: not|n['’]t)\s+(?:\w+\s+){0,2}?(?:address|cover|mention|contain|provide"
    r"|specif|include|discuss|say|state|available|clear from)",
    r"\bno (?:information|mention|details?|instructions?)\b",
    r"\b(?:don['’]t|do not|cannot|can['’]t|unable to|not able to) (?:have|find|answer|provide|assist|help)\b",
    r"\b(?:contact|reach out to|get in touch with|consult|refer to|check with)\b[^.!?]{0,40}"
    r"\b(?:support|team|customer (?:service|care)|manufacturer|documentation|manual|notes|article|us)\b",
    r"\b(?:provide|share|give|send)\b[^.!?]{0,20}\b(?:more|additional|further) "
    r"(?:information|details?|context)\b",
    r"\bas an ai\b|\blanguage model\b",
)
_FILLER = _any(
    r"\bsorry (?:to hear|for|about|that|but)\b|\bhere to (?:help|assist)\b",
    r"\b(?:happy|glad) to (?:help|assist)\b",
    r"\bthank(?:s| you)\b|\blet (?:me|us) know\b|\bfeel free\b|\bhow (?:can|may) (?:i|we) (?:help|assist)\b",
    r"\bi (?:understand|apologi[sz]e)\b|\bhope (?:this|that) helps\b|\bany (?:other|further) questions\b",
)


def words(text: str) -> list[str]:
    """Lower-case words and numbers in order, punctuation dropped."""
    return [word.lower().replace("’", "'") for word in WORD.findall(text)]


def content_words(text: str) -> list[str]:
    """Words that carry meaning, lightly stemmed, in order; no stopwords or short words; numbers stay."""
    return [
        _stem(word)
        for word in words(text)
        if word not in STOPWORDS and (len(word) > 2 or any(letter.isdigit() for letter in word))
    ]


@lru_cache(maxsize=1 << 16)
def _stem(word: str) -> str:
    """Plurals and -ing/-ed forms meet their stem; deliberately crude, and the same on both sides."""
    if any(letter.isdigit() for letter in word):
        return word
    word = word.removesuffix("'s")
    for ending, rest in (("ies", "y"), ("ied", "y"), ("ing", ""), ("ed", ""), ("es", ""), ("s", "")):
        if word.endswith(ending) and len(word) - len(ending) >= 3 and not word.endswith("ss"):
            word = word[: len(word) - len(ending)] + rest
            break
    if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "lsz":
        word = word[:-1]
    return word.removesuffix("e") if len(word) > 3 else word


@lru_cache(maxsize=4096)
def _counted(text: str) -> Counter[str]:
    """Content words with their counts; the same few texts are compared with many."""
    return Counter(content_words(text))


def support(reply: str, context: str) -> float:
    """Share of the reply's content words that the context holds; 0 for a reply without any."""
    said, known = _counted(reply), _counted(context)
    return sum(count for word, count in said.items() if word in known) / said.total() if said else 0.0


def bigram_precision(reply: str, context: str) -> float:
    """Share of the reply's word pairs that the context holds, in [0, 1]; 0 for fewer than two words."""
    said, known = words(reply), words(context)
    pairs = list(pairwise(said))
    seen = set(pairwise(known))
    return sum(pair in seen for pair in pairs) / len(pairs) if pairs else 0.0


def overlap(a: str, b: str) -> float:
    """F1 over the multisets of content words, in [0, 1]; symmetric."""
    left, right = _counted(a), _counted(b)
    shared = sum(min(count, right[word]) for word, count in left.items() if word in right)
    return 2 * shared / (left.total() + right.total()) if shared else 0.0


def facts(text: str) -> set[str]:
    """What a reply must not get wrong, normalised: numbers, versions, prices, addresses, codes, menus.

    A menu path counts as its steps ('a > b', 'b > c'); numbers of a list do not count.
    """
    rest = _STEP.sub(" ", re.sub(r"[*`_\"“”]+", "", text))
    found: set[str] = set()
    for pattern in (_URL, _MAIL, _HOST, _FILE):
        found |= {_address(match) for match in pattern.findall(rest)}
        rest = pattern.sub(" ", rest)
    for match in _PATH.findall(rest):
        found |= _menu(match)
    found |= {code.upper().lstrip("#").replace("-", "") for code in _CODE.findall(rest)}
    rest = _CODE.sub(" ", rest)
    found |= {"v" + version.lower().lstrip("v") for version in _VERSION.findall(rest)}
    rest = _VERSION.sub(" ", rest)
    for sign, amount, after, unit in _PRICE.findall(rest):
        currency = (sign or unit).lower()
        found.add(f"{_number(amount or after)} {_CURRENCY.get(currency, currency)}")
    rest = _PRICE.sub(" ", rest)
    return found | {_number(number) + ("%" if percent else "") for number, percent in _NUMBER.findall(rest)}


def _address(text: str) -> str:
    return re.sub(r"^(?:https?://)?(?:www\.)?", "", text.lower()).rstrip("/.,;:!?)")


def _menu(path: str) -> set[str]:
    steps = [" ".join(step.lower().split()) for step in re.split(r"\s*(?:->|[>→›»])\s*", path)]
    steps[0] = _LEAD.sub("", steps[0])
    return {f"{a} > {b}" for a, b in pairwise(steps) if len(a) > 1 and len(b) > 1}


def _number(text: str) -> str:
    """'1,000' and '1.000' become 1000, '12.50' and '12,5' become 12.5, '007' becomes 7."""
    if re.fullmatch(r"\d{1,3}(?:[.,]\d{3})+", text):
        return re.sub(r"[.,]", "", text).lstrip("0") or "0"
    whole, mark, part = re.sub(r"[.,](?=.*[.,])", "", text).replace(",", ".").partition(".")
    part = part.rstrip("0")
    return (whole.lstrip("0") or "0") + (mark + part if part else "")


def fidelity(reply: str, context: str) -> float | None:
    """Share of the reply's facts that the context holds; None when the reply states none."""
    said = facts(reply)
    return len(said & _known(context)) / len(said) if said else None


def unsupported(reply: str, context: str) -> list[str]:
    """The facts a reply states and its context does not hold, sorted: what a reader should check first."""
    return sorted(facts(reply) - _known(context))


@lru_cache(maxsize=4096)
def _known(context: str) -> frozenset[str]:
    """The context's facts and looser forms: a price without its currency, 2.3.1 for v2.3.1, 'two' as 2."""
    known = facts(context) | {_number(number) for number, _ in _NUMBER.findall(context)}
    known |= {fact.split(" ")[0].rstrip("%") for fact in known if fact[:1].isdigit()}
    known |= {fact.lstrip("v") for fact in known if fact.startswith("v")}
    return frozenset(known | {COUNTS[word] for word in words(context) if word in COUNTS})


def is_deferral(reply: str) -> bool:
    """Hands over to a colleague and says little else: honest, and counted apart from an evasion."""
    return bool(_DEFER.search(reply)) and _substance(reply, (_DEFER, _EVADE, _FILLER)) < 8


def promises_person(reply: str) -> bool:
    """Says that a colleague takes over, whatever else it says: then one must."""
    return bool(_DEFER.search(reply))


def is_evasion(reply: str, question: str = "") -> bool:
    """No answer: empty, under five words, 'not covered', 'contact support', filler or the question again.

    One that goes on to something useful, asks a pointed question or hands over to a colleague is none.
    """
    said = words(reply)
    if len(said) < 5:
        return True
    if is_deferral(reply):
        return False
    if question and _echoes(reply, question):
        return True
    if _EVADE.search(reply):
        return _substance(reply, (_EVADE, _FILLER)) < 5
    return bool(_FILLER.search(reply)) and _substance(reply, (_FILLER,)) < 2


def _echoes(reply: str, question: str) -> bool:
    new = [word for word in content_words(reply) if word not in set(content_words(question))]
    return bigram_precision(reply, question) >= 0.7 or (len(new) <= 1 and len(words(reply)) >= 8)


def _substance(reply: str, empty: tuple[re.Pattern[str], ...]) -> int:
    """Content words in the clauses that say something."""
    sentences = re.split(r"(?<=[.!?;])\s+|\n+|,\s+(?=but\b|however\b)", reply)
    return sum(len(content_words(part)) for part in sentences if not any(p.search(part) for p in empty))


def is_repetitive(reply: str) -> bool:
    """A model that went round in circles: a sentence said three times, or a third of its four-word runs."""
    sentences = [tuple(words(part)) for part in re.split(r"(?<=[.!?])\s+|\n+", reply)]
    counts = Counter(sentence for sentence in sentences if len(sentence) >= 3)
    if counts and max(counts.values()) >= 3:
        return True
    said = words(reply)
    runs = [tuple(said[start : start + 4]) for start in range(len(said) - 3)]
    return len(runs) >= 16 and len(set(runs)) / len(runs) < 0.67
