"""What its writer wrote in this message: quoted history, signatures and footers out, and said what was taken.

Mail programs mark history in many ways; each is known here by its own line or, in HTML, by its element, whose lines
data/clean.py begins with HISTORY. Nothing is taken from a message that is nothing else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from data.clean import HISTORY, SIGNED, collapse
from data.signatures import Taken, without_ends

LONGEST_HEADER = 300
WRAPPED = 3
HEADERS = 5
OPENS = re.compile(r"(?:On|Am|Le|El|Il|Op|Em|Den|Dnia|W dniu)\b")
WROTE = re.compile(r"\b(?:wrote|schrieb|a écrit|escribió|ha scritto|schreef|escreveu|skrev|napisała?)\b")
OURSELVES = re.compile(r"\b(?:I|we|you|he|she|they|it|ich|wir)\s(?:wrote|schrieb)|\bschrieb(?:en)?\s(?:ich|wir)\b")
CLOCKED = re.compile(r"\d:\d\d|@")
DATED = re.compile(r"\d{4}-\d\d-\d\d\b[^<>]{1,120}<[^<>\s]{3,80}>:$")
SAID = re.compile(r"\W{0,4}\S.{0,60}\bsaid\W{0,3}$")
TITLE = re.compile(
    r"(?:original|forwarded) (?:message|appointment)|(?:ursprüngliche|weitergeleitete) nachricht"
    r"|message (?:d['’]origine|transféré)|mensaje (?:original|reenviado)|messaggio (?:originale|inoltrato)"
    r"|oorspronkelijk bericht",
    re.IGNORECASE,
)
BEGINS = re.compile(r"begin forwarded message:|anfang der weitergeleiteten nachricht:", re.IGNORECASE)
ABOVE = re.compile(
    r"##-.{1,200}-##|[-–—=#* ]{0,40}+(?:please )?(?:(?:type|write|enter) (?:your )?)?reply above this line\b",
    re.IGNORECASE,
)
FROM = re.compile(r"[*_]{0,2}(?:From|Von|De|Da|Van|Från|Fra|Od)\s?:[*_]{0,2}\s", re.IGNORECASE)
DETAIL = re.compile(
    r"[*_]{0,2}(?:Sent|Date|To|Cc|Subject|Reply-To|Gesendet|Datum|An|Betreff|Envoyé|À|Objet|Enviado(?: el)?|Fecha|Para"
    r"|Asunto|Inviato|Data|A|Oggetto|Verzonden|Aan|Onderwerp|Assunto|Skickat|Till|Ämne)\s?:[*_]{0,2}(?:\s|$)",
    re.IGNORECASE,
)
ONE_LINE = re.compile(r"\*?From:\*? .{1,200}\bSent: ")
RULE = re.compile(r"_{20,}")
OUTLOOK_RULE = 32
MARKS = re.compile(rf"^(?:{re.escape(SIGNED)}|(?:> ?)+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What is left of a message, and the kinds of things that were taken out of it."""

    text: str
    taken: frozenset[Taken] = frozenset()


def strip_quotes(text: str) -> str:
    """The text of `cleaned`."""
    return cleaned(text).text


def cleaned(text: str) -> Cleaned:
    """Without quoted history, signatures and footers. A message that is nothing else is kept, unquoted."""
    own, signed = _own(text)
    if not own:
        return Cleaned(collapse(MARKS.sub("", text)))
    left, taken = without_ends(own)
    history: set[Taken] = {"quoted history"} if len(own.split()) + signed < len(text.split()) else set()
    return Cleaned(left, taken | history | ({"signature"} if signed else set()))


def _own(text: str) -> tuple[str, int]:
    """The lines that are no history, and how many words of signatures that HTML marks were among the others."""
    lines = text.split("\n")
    kept: list[str] = []
    number = signed = 0
    while number < len(lines):
        bare = lines[number].strip()
        count = _attribution(lines, number)
        quoted = (count > 0 or SAID.match(bare) is not None) and _next(lines, number + max(count, 1)).startswith(">")
        if (count and not quoted) or _opens(bare) or _is_header(lines, number):
            break
        if bare.startswith(SIGNED.strip()):
            signed += len(bare.split())
        elif not (quoted or _is_quote(bare)):
            kept.append(lines[number])
        number += max(count, 1)
    return collapse("\n".join(kept)), signed


def _opens(bare: str) -> bool:
    """All below is history."""
    if bare.startswith(("--", "*--")) and TITLE.fullmatch(bare.strip("-*_ ")):
        return True
    return bool(ABOVE.match(bare) or BEGINS.fullmatch(bare) or ONE_LINE.match(bare))


def _is_header(lines: list[str], number: int) -> bool:
    """Who, when, to whom, about what: a few lines in a row, below a rule or not."""
    bare = lines[number].strip()
    if RULE.fullmatch(bare):
        return len(bare) == OUTLOOK_RULE or FROM.match(_next(lines, number + 1)) is not None
    if not FROM.match(bare):
        return False
    below = [line.strip() for line in lines[number + 1 : number + 1 + HEADERS]]
    return sum(bool(DETAIL.match(line)) for line in below) >= (1 if "@" in bare else 2)


def _attribution(lines: list[str], number: int) -> int:
    """How many lines from here on say who wrote what follows: 0 is none, and often it is wrapped."""
    joined = lines[number].strip()
    wrapped = OPENS.match(joined) is not None
    for count in range(1, WRAPPED + 1):
        if len(joined) > LONGEST_HEADER or not joined:
            return 0
        if joined.endswith(":"):
            return count if _says_who(joined, wrapped) else 0
        if not wrapped or number + count >= len(lines):
            return 0
        joined = f"{joined} {lines[number + count].strip()}"
    return 0


def _says_who(line: str, dated: bool) -> bool:
    if DATED.match(line):
        return True
    told = any(character.isdigit() for character in line) if dated else CLOCKED.search(line)
    return bool(told and WROTE.search(line) and not OURSELVES.search(line))


def _is_quote(line: str) -> bool:
    """'> old text' is a quote; '> Tools > Options' is a menu path somebody wrapped."""
    return line.startswith(">") and (line.startswith((HISTORY.strip(), "> >")) or " > " not in line[1:])


def _next(lines: list[str], number: int) -> str:
    """The first line from here on that is not blank; looks only a little further, as a text may be all blank."""
    return next((bare for line in lines[number : number + 20] if (bare := line.strip())), "")
