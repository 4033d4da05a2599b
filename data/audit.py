"""`deskmate redact --audit`: personal data planted in copies of your own tickets, to see what redaction finds there.

A hundred messages are not enough to trust a redactor by, and real personal data carries no labels; planted data does.
What must stay (versions, error codes, menus, order ids, sums) is planted too, as a redactor that eats it teaches the
student to leave it out.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from data.redact import PLAIN, redact
from data.rules import Rules

_FIRST = """
    Ann Priya Mateusz Oluwaseun Siobhán Jürgen Noémie Wei Fatima Gareth Ingrid Tomasz Lakshmi Dmitri Chiara
    Bartholomew Yuki Keisha Duncan Rosalind Hamza Linnea Piotr Marguerite Desmond Aoife Rajesh Svetlana Cormac
    Henrike Mark Grace Bob
"""
FIRST = _FIRST.split()
_LAST = """
    Okafor Lindqvist O'Brien Kowalczyk Fernández Nakamura Abernathy Haddad Petrov Whitcombe Müller Desrosiers
    Ivanova Gallagher Venkataraman Smith Castellano Thorvaldsen Mbeki Pemberton-Jones
"""
LAST = _LAST.split()
_WORDS = """
    fern amber otter quill maple heron cobalt thistle saffron willow
"""
WORDS = _WORDS.split()
HOSTS = ("example.com", "example.org", "mail.example.net", "example.co.uk")
SIGNINGS = (
    "{text}\n\nThanks,\n{name}", "{text}\n\nKind regards,\n{name}", "{text}\nMany thanks in advance!\n{name}",
    "{text}\n\nBest\n{first}", "{text}\nCheers, {first}", "{text}\n\nRegards\n{lower}", "{text}\n\n--\n{name}",
    "{text}\n\nSincerely,\n\n{name}", "Hi {first},\n\n{text}", "Hello {first}! {text}", "Dear Ms {last},\n{text}",
    "My name is {name}. {text}", "hey {lower}, {text}", "{text}\nThank you very much\n- {first}",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Plant:
    """`parts` must go (or stay); `line` holds them, and the text too where it says {text}."""

    parts: tuple[str, ...]
    line: str


@dataclass(frozen=True, slots=True)
class Finding:
    """Of `planted` things of a kind, `gone` is how many redaction replaced; `stays` says that it should have none.
    `wrong`: up to five that came out otherwise than they should."""

    kind: str
    planted: int
    gone: int
    stays: bool
    wrong: tuple[str, ...]

    @property
    def share(self) -> float:
        """Recall for personal data, false alarms for what must stay."""
        return self.gone / self.planted if self.planted else 0.0


def audit(texts: Sequence[str], each: int, seed: int = 7, rules: Rules = PLAIN) -> Iterator[Finding]:
    """Plant every kind `each` times, in texts drawn at random."""
    rng = random.Random(seed)
    for kind, make in {**PERSONAL, **NEEDED}.items():
        stays, wrong, gone = kind in NEEDED, [], 0
        for _ in range(each):
            plant = make(rng)
            found = redact(_sown(rng, plant, rng.choice(texts)), rules)
            lost = not any(re.search(rf"(?<!\w){re.escape(part)}(?!\w)", found) for part in plant.parts)
            gone += lost
            if lost == stays:
                wrong.append(plant.line.replace("{text}", "…").replace("\n", " / "))
        yield Finding(kind, each, gone, stays, tuple(wrong[:5]))


def _sown(rng: random.Random, plant: Plant, text: str) -> str:
    if "{text}" in plant.line:
        return plant.line.replace("{text}", text.strip())
    said = text.split(". ")
    said.insert(rng.randint(0, len(said)), plant.line)
    return ". ".join(said)


def _email(rng: random.Random) -> Plant:
    user = rng.choice(("{a}.{b}", "{a}{n}", "{a}_{b}", "{a}+{b}", "{A}.{B}", "{a}-{n}.{b}")).format(
        a=rng.choice(WORDS),
        b=rng.choice(WORDS),
        n=_digits(rng, 2),
        A=rng.choice(WORDS).title(),
        B=rng.choice(WORDS).title(),
    )
    address = f"{user}@{rng.choice(HOSTS)}"
    return _said(rng, address, "My address is {it}", "write to <{it}>", "({it})", "mailto:{it}", "{it}, please", "{it}")


def _phone(rng: random.Random) -> Plant:
    d = partial(_digits, rng)
    number = rng.choice(
        (f"+44 20 7946 0{d(3)}", f"+49 30 {d(8)}", f"({d(1)}17) 555-01{d(2)}", f"212-555-01{d(2)}", f"07700 900{d(3)}",
         f"+33 6 {d(2)} {d(2)} {d(2)} {d(2)}", f"+1 {d(1)}17 555 01{d(2)}", f"020 7946 0{d(3)}",
         f"+353 1 {d(3)} {d(4)}")
    )  # fmt: skip
    return _said(rng, number, "Call me on {it}", "my number is {it}", "Tel. {it}", "mobile: {it}", "{it} after six")


def _card(rng: random.Random) -> Plant:
    length = rng.choice((15, 16, 16, 16))
    start = rng.choice(("34", "37")) if length == 15 else rng.choice(("4", "51", "55", "2221", "6011"))
    number = _luhn(start + _digits(rng, length - len(start) - 1))
    gap = rng.choice(("", " ", "-"))
    if gap and length == 16:
        number = gap.join(number[place : place + 4] for place in range(0, 16, 4))
    return _said(rng, number, "card {it}", "I paid with {it} in May", "the number is {it}", "Visa {it}")


def _iban(rng: random.Random) -> Plant:
    country, length = rng.choice((("DE", 22), ("FR", 27), ("NL", 18), ("ES", 24), ("GB", 22), ("AT", 20), ("IE", 22)))
    letters = {"NL": "BANK", "GB": "WEST", "IE": "AIBK"}.get(country, "")
    body = letters + _digits(rng, length - 4 - len(letters))
    check = 98 - int("".join(str(int(letter, 36)) for letter in f"{body}{country}00")) % 97
    number = f"{country}{check:02d}{body}"
    if rng.random() < 0.5:
        number = " ".join(number[place : place + 4] for place in range(0, length, 4))
    return _said(rng, number, "Refund it to {it}", "IBAN: {it}", "my account {it} please", "IBAN {it}")


def _link(rng: random.Random) -> Plant:
    secret = "".join(rng.choice("abcdefghjkmnpqrstuvwxyz23456789") for _ in range(rng.randint(12, 40)))
    name = rng.choice(("token", "access_token", "reset", "sid", "key", "auth", "sig", "code"))
    host, page = rng.choice(("shop", "my", "files")), rng.choice(("reset", "login", "share"))
    it = f"https://{host}.example.com/{page}?{name}={secret}"
    return Plant((secret,), rng.choice(("I clicked {it} twice", "see {it}", "<{it}>")).format(it=it))


def _name(rng: random.Random) -> Plant:
    first, last = rng.choice(FIRST), rng.choice(LAST)
    line = rng.choice(SIGNINGS)
    shown = {"{name}": (first, last), "{first}": (first,), "{lower}": (first.lower(),), "{last}": (last,)}
    parts = next(words for mark, words in shown.items() if mark in line)
    filled = line.replace("{name}", f"{first} {last}").replace("{first}", first).replace("{lower}", first.lower())
    return Plant(parts, filled.replace("{last}", last))


def _passing(rng: random.Random) -> Plant:
    first, last = rng.choice(FIRST), rng.choice(LAST)
    lines = (
        "I spoke to {a} on Tuesday",
        "{a} {b} told me to wait",
        "My colleague {a} has the same",
        "I sent it to {a} {b}",
    )
    line = rng.choice(lines)
    return Plant((first, last) if "{b}" in line else (first,), line.format(a=first, b=last))


def _kept(*patterns: str) -> Callable[[random.Random], Plant]:
    """Things that must stay; '#' is a digit. The sentence around comes after a bar."""

    def make(rng: random.Random) -> Plant:
        it, _, around = rng.choice(patterns).partition("|")
        it = re.sub("#", lambda _: rng.choice("123456789"), it)
        return Plant((it,), (around or "it says {it} here").format(it=it))

    return make


def _said(rng: random.Random, it: str, *lines: str) -> Plant:
    return Plant((it,), rng.choice(lines).format(it=it))


def _digits(rng: random.Random, count: int) -> str:
    return "".join(rng.choice("0123456789") for _ in range(count))


def _luhn(body: str) -> str:
    doubled = [int(d) * (2 - i % 2) for i, d in enumerate(reversed(body))]
    return body + str(-sum(n - 9 if n > 9 else n for n in doubled) % 10)


PERSONAL: dict[str, Callable[[random.Random], Plant]] = {
    "e-mail addresses": _email, "phone numbers": _phone, "payment cards": _card, "IBANs": _iban,
    "links with a secret": _link, "names where people sign and greet": _name,
    "names in passing": _passing,
}  # fmt: skip
NEEDED: dict[str, Callable[[random.Random], Plant]] = {
    "version numbers": _kept(
        "1##.#.#", "12#.#.#esr|updated to {it} today", "v#.##.#", "#.#.####|build {it}", "10.0.19###.###"
    ),
    "error codes": _kept(
        "0x8007####|Error {it}", "E0#|it shows {it}", "550 5.7.#", "HTTP 50#", "SSL_ERROR_##", "-####|error {it}"
    ),
    "menu names": _kept(
        "Tools > Account Settings|go to {it} and wait", "Mark as Read|choose {it}", "Send Later|press {it}",
        "Get Messages|click {it} again", "Best Match|sort by {it}", "Grant Access|click {it}", "Sign in|go to {it}",
    ),
    "order ids and sums": _kept(
        "KW-4####|order {it}", "£1##.99", "$1,2##.00", "#######|ticket {it}", "2025-0#-1# 1#:3#"
    ),
    "servers and ports": _kept("imap.example.com", "smtp.example.org:587", "192.168.1.##", "port 99#|use {it}"),
}  # fmt: skip
