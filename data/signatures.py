"""How messages end that say nothing more: names and addresses below 'Best regards', footers, disclaimers, telephones.

Only what stands at the end goes, and only while every line of it looks like that: a serial number, a version or a
question below a name is part of the message.
"""

from __future__ import annotations

import re
from typing import Literal

from data.clean import collapse
from data.names import CLOSING

Taken = Literal["quoted history", "signature", "boilerplate"]
SIGNATURE_LINES, CONTACT_LINES, DISCLAIMER_LINES, MOST_ENDS = 15, 8, 60, 12
LONGEST_LINE, LONGEST_DISCLAIMER = 200, 4000
_DEVICE = (
    r"(?:i(?:phone|pad|pod)|mac\b|android|samsung|galaxy|huawei|xiaomi|pixel|blackberry|nokia|windows phone"
    r"|(?:mobile|cell|smart)?\s?phone\b|mobile\b|tablet|handy\b|mail for|mail app|outlook|yahoo|aol|gmail|gmx|web\.de"
    r"|proton ?mail|hotmail|fairphone|oneplus|motorola)"
)
SENT_FROM = re.compile(
    rf"\W{{0,3}}(?:(?:sent|posted)\s(?!.*\b(?:it|to|never|not|but|is|was|i)\b)(?:from|via|with|using)\b.{{0,20}}?{_DEVICE}.{{0,60}}"
    rf"|(?:diese nachricht wurde )?von mein\w{{1,2}}\b.{{0,20}}?{_DEVICE}.{{0,20}} gesendet\W?"
    rf"|(?:gesendet (?:von|mit)|envoyé (?:de|depuis|avec)|enviado (?:desde|do|de|a partir)|inviato (?:da|dal)"
    rf"|verstuurd vanaf|verzonden (?:vanaf|met)|skickat från|sendt fra|wysłane z|odesláno z|отправлено с)\b"
    rf".{{0,20}}?{_DEVICE}.{{0,60}}|lähetetty iphonesta|(?:get|holen sie sich|télécharger|obtener|scarica|download) "
    r"outlook (?:for|für|pour|para|per|voor) (?:ios|android|mac|windows|mobile)\b.{0,60}"
    r"|outlook für (?:ios|android) beziehen.{0,60})",
    re.IGNORECASE,
)
_HOST = r"\(?(?:https?://)?[\w.-]{1,80}/?\)?"
FOOTER = re.compile(
    r"\W{0,3}(?:(?:need (?:more |any )?help|(?:any|more|have a) questions?)\?.{0,20}"
    r"\b(?:help cent(?:re|er)|knowledge base|support (?:page|site|cent)|faqs?\b|help pages?|website|community)"
    rf"|(?:please )?(?:visit|browse|see) our (?:help cent(?:re|er)|knowledge base|faqs?|help pages?|website)"
    rf"(?: at| here| online)?[: ]{{0,2}}(?:{_HOST})?\W{{0,2}}$"
    r"|(?:©|\(c\) \d|copyright (?:©|\(c\)|\d))|(?:click here )?to unsubscribe\b|(?:manage|update) your preferences\W*+$"
    r"|you(?:['’]re| are) receiving this\b.{0,30}\bbecause\b|this e-?mail is a service from\b"
    r"|(?:powered|delivered) by (?:zendesk|intercom|freshdesk|help ?scout|front|hubspot)\b"
    r"|please (?:do not|don['’]t) reply (?:directly )?to this (?:e-?mail|message)\b"
    r"|(?:please )?consider the environment before|view (?:this e-?mail )?in (?:your |a )?browser\W*+$|virus-free\b"
    r"|this (?:e-?mail|message) has been (?:scanned|checked)\b|how would you rate the (?:support|help|service)\b"
    r"|registered (?:in england|office)\b|follow us on\b"
    r"|\[[A-Z0-9]{5,6}-[A-Z0-9]{4,5}\]$|ref:_\w+.{0,60}:ref$)",
    re.IGNORECASE,
)
_SOCIAL = """
    facebook twitter x instagram linkedin youtube tiktok pinterest mastodon bluesky threads
"""
SOCIAL = frozenset(_SOCIAL.split())
DISCLAIMER = re.compile(
    r"\W{0,10}(?:(?:legal |e-?mail )?disclaimer\b|confidentiality\b|(?:important|legal|privacy) notice\b"
    r"|(?:the )?(?:information|contents?)\b.{0,60}\b(?:e-?mail|message|communication|transmission)\b"
    r"|(?:this|any) (?:e-?mail|message|communication|transmission)\b|if you are not the (?:intended|named)"
    r"|if you (?:have )?received this (?:e-?mail|message|communication)|(?:the |any )?views (?:and|or) opinions\b"
    r"|diese (?:e-?mail|nachricht)|ce (?:message|courriel|mail)\b|este (?:mensaje|correo)|questo messaggio"
    r"|dit (?:e-?mail)?bericht|den här e-post)",
    re.IGNORECASE,
)
LEGAL = re.compile(
    r"confidential|privileged|intended (?:solely|only|for|recipient)|notify the sender|views of the (?:company|author)"
    r"|vertraulich|confidentiel|confidencial|riservat|vertrouwelijk|konfidentiell|liab(?:le|ility) for",
    re.IGNORECASE,
)
CLOSES = re.compile(
    rf"(?:{CLOSING}|mit (?:freundlichen|besten|vielen|herzlichen) grü(?:ß|ss)en|(?:viele|liebe|beste) grü(?:ß|ss)e|mfg"
    r"|(?:bien )?cordialement|(?:un )?saludos?|atentamente|(?:met vriendelijke|vriendelijke) groet(?:en)?"
    r"|cordiali saluti|med vänliga? hälsning(?:ar)?)[ ]?[,.!;:–-]{0,3}",
    re.IGNORECASE,
)
GRATEFUL = re.compile(r"thank|thx|\bta\b|cheers", re.IGNORECASE)
_LINKS = "van|von|de|da|del|der|la"
_CAPITAL = r"[A-ZÀ-ÖØ-Þ][\w.'’-]{0,30}"
PERSON = re.compile(
    rf"(?:{_CAPITAL}|{_LINKS})(?: (?:{_CAPITAL}|&|{_LINKS}|at|from|of)){{0,4}}(?:, [A-Z][\w.]{{1,5}})?"
    r"(?: \([\w/ ]{1,20}\))?,?"
)
PHONE = re.compile(
    r"(?:(?:tel|phone|telephone|mobile|mob|cell|fax|office|direct|[tmpf])\b[.: ]{1,3})?\+?[\d\s()./-]{7,30}",
    re.IGNORECASE,
)
REACHED = re.compile(
    rf"(?:(?:e-?mail|web|[ew])\b\W{{1,3}})?<?(?:[\w.+-]{{1,60}}@[\w.-]{{3,60}}|(?:https?://|www\.){_HOST})>?",
    re.IGNORECASE,
)
ADDRESS = re.compile(
    r"\b(?i:street|st|road|rd|avenue|ave|lane|ln|drive|square|court|suite|floor|p\.?o\.? box|boulevard|blvd|quay|rue"
    r"|calle|platz|straat)\b|(?i:stra(?:ß|ss)e)\b|\b[A-Z]{1,2}\d[A-Z\d]? \d[A-Z]{2}\b|\b[A-Z]{2} \d{5}\b"
    r"|^(?:[A-Z]{1,2}-)?\d{4,5} [A-Z]"
)
_SMALL = """
    of and the for de la at in to a an on & | · • - – — /
"""
SMALL = frozenset(_SMALL.split())
_TOLD = """
    windows mac macos linux ubuntu android ios iphone ipad thunderbird firefox chrome edge safari outlook version model
    order serial number error code ps p.s edit note update please invoice
"""
TOLD = frozenset(_TOLD.split())  # of a line that tells something and introduces nobody


def without_ends(text: str) -> tuple[str, frozenset[Taken]]:
    """A text without signature and footers, and which of both it had. One that is nothing else is kept."""
    lines = text.split("\n")
    kept = [line for line in lines if len(line) > LONGEST_LINE or not SENT_FROM.fullmatch(line.strip())]
    taken: set[Taken] = {"signature"} if len(kept) < len(lines) else set()
    for _ in range(MOST_ENDS):
        while kept and not kept[-1].strip():
            kept.pop()
        if end := _footer(kept):
            taken.add("boilerplate")
        elif end := _signature(kept):
            taken.add("signature")
        else:
            break
        del kept[-end:]
    left = collapse("\n".join(kept)) if taken else text
    return (left, frozenset(taken)) if left else (text, frozenset())


def _footer(lines: list[str]) -> int:
    """How many lines at the end are one: a line of its own, or a paragraph that a lawyer wrote."""
    if not lines:
        return 0
    last = lines[-1].strip()
    if len(last) <= LONGEST_LINE and (FOOTER.match(last) or _is_social(last)):
        return 1
    near = [line.strip() for line in lines[-DISCLAIMER_LINES:]]
    start = next((at for at in range(len(near) - 1, -1, -1) if not near[at]), -1) + 1
    said = " ".join(near[start:])
    if len(said) <= LONGEST_DISCLAIMER and "?" not in said and DISCLAIMER.match(said) and LEGAL.search(said):
        return len(near) - start
    return 0


def _is_social(line: str) -> bool:
    """'Facebook | Twitter', with their addresses or without."""
    words = [word for word in re.split(r"[\s|·•,()/-]+", line.casefold()) if word and not word.startswith("http")]
    return len(words) > 1 and not SOCIAL.isdisjoint(words) and all(w in SOCIAL or _is_site(w) for w in words)


def _is_site(word: str) -> bool:
    return word.removesuffix(".com").removeprefix("www.") in SOCIAL


def _signature(lines: list[str]) -> int:
    """How many lines at the end are one. Thanks stay, and who says them: a customer's are an answer to a reply."""
    for up in range(1, min(SIGNATURE_LINES, len(lines)) + 1):
        bare = lines[-up].strip()
        if bare in ("--", "—", "–"):
            return up
        if len(bare) <= LONGEST_LINE and CLOSES.fullmatch(bare):
            below = [line.strip() for line in lines[len(lines) - up + 1 :]]
            return _below(bare, below) if up < len(lines) else 0
    return 0


def _below(closing: str, below: list[str]) -> int:
    said = [line for line in below if line]
    if not 1 <= len(said) <= CONTACT_LINES or not PERSON.fullmatch(said[0]) or not all(map(_is_contact, said[1:])):
        return 0
    if GRATEFUL.search(closing):
        return len(below) - below.index(said[1]) if len(said) > 1 else 0
    return len(below) + 1


def _is_contact(line: str) -> bool:
    """A title, a company, a telephone number, where to reach or to find somebody; nothing that tells or asks."""
    words = line.split()
    if (
        len(line) > 80
        or len(words) > 10
        or " > " in line
        or not TOLD.isdisjoint(w.strip(".,:;").casefold() for w in words)
    ):
        return False
    if PHONE.fullmatch(line) or REACHED.fullmatch(line):
        return True
    if any(character.isdigit() for character in line):
        return ADDRESS.search(line) is not None
    named = all(word[0].isupper() or word in SMALL for word in (w.strip("(),.") or "-" for w in words))
    return named and not line.endswith(("?", "!", ":")) and (not line.endswith(".") or len(words) <= 4)
