"""Personal data out, what an answer must repeat left in: the same redactor at import and when serving.

Identifiers are checked (Luhn for cards, mod 97 for IBANs, a phone number's shape and surroundings), because a
redactor that eats version numbers, order ids, error codes or prices teaches the student to leave them out. A label says
who of a conversation it stands for ("[PERSON_2]"), and only that conversation's redactor can turn it back.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from urllib.parse import urlsplit

from data import names
from data.rules import Rules

KINDS = "EMAIL|PHONE|CARD|IBAN|LINK|PERSON"
LABEL = re.compile(rf"\[(?:{KINDS})(?:_\d+)?\]")
NUMBERED = re.compile(rf"\[({KINDS})_(\d{{1,9}})\]")
EMAIL = re.compile(r"(?<![\w+-])(?:mailto:)?[\w+-][\w.+'-]*@(?:[\w-]+\.)+[^\W\d_]{2,24}(?![^\W_]|@)")
DIGIT = re.compile(r"\d")
URL = re.compile(r"\bhttps?://[^\s<>\"')\]]+", re.IGNORECASE)
SECRET = re.compile(
    r"(?:^|[?&#;/])(?:\w*token|\w*key|sig|signature|auth\w*|session\w*|sid|jwt|code|otp|pass\w*|pwd|secret|reset)=[^&\s]{4,}"
    r"|[?&#]\w+=[^&\s]*(?:@|%40)"
    r"|(?<![\w-])(?=[A-Za-z]*\d)(?=\d*[A-Za-z])[A-Za-z0-9]{28,}(?!\w)",
    re.IGNORECASE,
)
CARD = re.compile(r"(?<![\w.,/:#-])\d(?:[ -]?\d){12,18}(?![\w]|[.,/:-]\d)")
IBAN_HEAD = re.compile(r"(?<!\w)([A-Za-z]{2})\d{2}(?=[ -]?[A-Za-z0-9])")
_LENGTHS = """
    AD24 AE23 AT20 BE16 BG22 CH21 CY28 CZ24 DE22 DK18 EE20 ES24 FI18 FR27 GB22 GI23 GR27 HR21 HU28 IE22 IL23
    IS26 IT27 LI21 LT20 LU20 LV21 MC27 MT31 NL18 NO15 PL28 PT25 RO24 SA24 SE24 SI19 SK24 SM27 TR26 UA29
"""
IBAN_LENGTHS = {code[:2]: int(code[2:]) for code in _LENGTHS.split()}
TRACKING = re.compile(r"(?<=[?&])(?:utm_\w+|_gl|_ga|fbclid|gclid|mc_eid)=[^&#\s]*&?", re.IGNORECASE)
BEFORE = r"(?<![\w.,/:#=$£€+%-])"
AFTER = r"(?!\w|[.,:/-]\d|-\w|\s?(?:%|[KMGT]i?B\b|bytes\b|ms\b|px\b))"
PHONES = (
    re.compile(BEFORE + r"\+\d{1,3}[\s.-]?(?:\(0?\d{1,4}\)[\s.-]?)?\d(?:[\s.-]?\d){6,12}" + AFTER),
    re.compile(BEFORE + r"(?:1[\s.-])?(?:\(\d{3}\)\s?|\d{3}[\s.-])\d{3}[\s.-]\d{4}" + AFTER),
    re.compile(BEFORE + r"(?:\d{1,3}[ .-]){0,4}555-01\d\d" + AFTER),
    re.compile(BEFORE + r"(?:\(0\d{2,4}\)|0\d{2,4})[ /-]?\d{3,4}[ -]?\d{3,4}" + AFTER),
    re.compile(
        r"(?:\b(?:phone|telephone|tel|call|mobile|cell|whatsapp|fax|ring me|text me)\b"
        r"(?: (?:number|no|me|us|is|on|at|him|her))*[:.]?\s{0,2})(\d(?:[ .-]?\d){5,12})" + AFTER,
        re.IGNORECASE,
    ),
)

PLAIN = Rules()


class Redactor:
    """Of one conversation: the same address, number or person has the same label throughout, others have others.

    `people`: names that the export gives; more are met in the texts. `rules`: the desk's.
    """

    def __init__(self, people: Iterable[str] = (), rules: Rules = PLAIN) -> None:
        self._rules = rules
        self._labels: dict[tuple[str, str], str] = {}
        self._originals: dict[str, str] = {}
        self._people: list[str] = []
        self._taken: Counter[str] = Counter()
        self._met: dict[str, list[tuple[str, int]]] = {}
        for person in people:
            self._meet(person)

    def meet(self, text: str) -> None:
        """Learn whose names stand in a text, so that earlier and later ones lose them too, and which labels are taken
        in one that was redacted before."""
        for kind, number in NUMBERED.findall(text):
            self._taken[kind] = max(self._taken[kind], int(number))
        self._met[text] = list(names.names(text))
        for name in (*(name for name, _ in self._met[text]), *self._rules.recogniser()(text)):
            self._meet(name)

    def __call__(self, text: str) -> str:
        """E-mail addresses, phone numbers, cards, IBANs, secret links and names replaced by their labels."""
        if "://" in text:
            text = URL.sub(self._link, text)
        if "@" in text:
            text = EMAIL.sub(self._email, text)
        if DIGIT.search(text):
            text = self._ibans(text)
            text = CARD.sub(self._card, text)
            for pattern in PHONES:
                text = pattern.sub(self._phone, text)
        return self._named(text)

    def restore(self, text: str) -> str:
        """The words that this conversation's labels stand for; a label of another one stays."""
        return LABEL.sub(lambda found: self._originals.get(found[0], found[0]), text)

    def _meet(self, name: str) -> None:
        if name and not LABEL.search(name) and name not in self._people:
            self._people.append(name)

    def _label(self, kind: str, value: str, key: str) -> str:
        made = self._labels.get((kind, key))
        if made is None:
            self._taken[kind] += 1
            made = f"[{kind}_{self._taken[kind]}]"
            self._labels[kind, key] = made
            self._originals[made] = value
        return made

    def _person(self, name: str) -> str:
        """Ann, Ann Lee and ANN are one person; so are all who share a part of their name in one conversation."""
        parts = {part.rstrip(".") for part in name.casefold().split()}
        same = next((key for kind, key in self._labels if kind == "PERSON" and parts & set(key.split())), None)
        return self._label("PERSON", name, same or " ".join(sorted(parts)))

    def _named(self, text: str) -> str:
        met = self._met[text] if text in self._met else names.names(text)  # most are redacted as they were met
        found = sorted(set(met), key=lambda pair: pair[1])
        pieces, done = [], 0
        for name, place in found:
            if place >= done:
                self._meet(name)
                pieces += [text[done:place], self._person(name)]
                done = place + len(name)
        text = "".join([*pieces, text[done:]])
        known = names.everywhere(self._people)
        return known.sub(lambda each: self._person(each[0]), text) if known else text

    def _email(self, match: re.Match[str]) -> str:
        own = self._rules.owns_address(match[0])
        return match[0] if own else self._label("EMAIL", match[0], match[0].casefold())

    def _link(self, match: re.Match[str]) -> str:
        address = TRACKING.sub("", match[0])
        try:
            parts = urlsplit(address)
            host = parts.hostname
        except ValueError:
            return address
        if not host:
            return address
        rest = address.split(parts.netloc, 1)[-1]
        if "@" not in parts.netloc and not SECRET.search(rest):
            return address
        return f"{parts.scheme}://{host}/{self._label('LINK', rest.lstrip('/'), rest)}"

    def _ibans(self, text: str) -> str:
        """A country's letters and check digits open an IBAN; its length and checksum decide."""
        pieces: list[str] = []
        done = 0
        for head in IBAN_HEAD.finditer(text):
            length = IBAN_LENGTHS.get(head[1].upper(), 0)
            body = re.match(rf"(?:[ -]?[A-Za-z0-9]){{{length}}}(?!\w)", text[head.start() :]) if length else None
            if head.start() < done or body is None:
                continue
            compact = re.sub(r"[ -]", "", body[0]).upper()
            if int("".join(str(int(character, 36)) for character in compact[4:] + compact[:4])) % 97 == 1:
                pieces += [text[done : head.start()], self._label("IBAN", body[0], compact)]
                done = head.start() + body.end()
        return "".join([*pieces, text[done:]])

    def _card(self, match: re.Match[str]) -> str:
        digits = re.sub(r"\D", "", match[0])
        mastercard = len(digits) == 16 and 2221 <= int(digits[:4]) <= 2720
        if not (digits[0] in "3456" or mastercard):
            return match[0]
        doubled = [int(d) * (1 + i % 2) for i, d in enumerate(reversed(digits))]
        valid = sum(n - 9 if n > 9 else n for n in doubled) % 10 == 0
        return self._label("CARD", match[0], digits) if valid else match[0]

    def _phone(self, match: re.Match[str]) -> str:
        text = match[0]
        number = match[match.lastindex] if match.lastindex else text
        digits = re.sub(r"\D", "", number)
        if not 7 <= len(digits) <= 17 or (number.startswith("0") and not 9 <= len(digits) <= 12):
            return text
        if self._rules.owns_number(re.sub(r"\D", "", number.replace("(0)", ""))):
            return text
        return text[: len(text) - len(number)] + self._label("PHONE", number, digits)


def redact(text: str, rules: Rules = PLAIN) -> str:
    """One text on its own."""
    redactor = Redactor(rules=rules)
    redactor.meet(text)
    return redactor(text)


def anonymous(text: str) -> str:
    """A text shown outside of its conversation: labels without their number, which nobody can turn back."""
    return NUMBERED.sub(r"[\1]", text)


def count(text: str) -> int:
    """How many labels a redacted text holds."""
    return len(LABEL.findall(text))
