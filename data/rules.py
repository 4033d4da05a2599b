"""What a desk says about its redaction, at import and at serving: what is nobody's secret, and who finds names."""

from __future__ import annotations

import re
from dataclasses import dataclass

from data import names

DOMAIN = re.compile(r"@?(?:[\w-]+\.)+[^\W\d_]{2,24}")
ADDRESS = re.compile(r"[\w+-][\w.+'-]*@(?:[\w-]+\.)+[^\W\d_]{2,24}")
NUMBER = re.compile(r"\+?\d[\d\s()./-]{5,24}\d")
FEWEST_DIGITS = 7


@dataclass(frozen=True, slots=True)
class Rules:
    """`own`: the desk's own e-mail domains, addresses and telephone numbers, which agents must be able to repeat.
    `names_model`: a spaCy model that finds names beside the built-in finder, '' for none."""

    own: tuple[str, ...] = ()
    names_model: str = ""

    def recogniser(self) -> names.Recogniser:
        """Raises BadInput where the model cannot be had."""
        return names.recogniser(self.names_model)

    def owns_address(self, address: str) -> bool:
        """Its own, or one of a domain of its own or below it."""
        address = address.casefold().removeprefix("mailto:")
        host = address.rpartition("@")[2]
        return any(
            mine == address or ("@" not in mine and f".{host}".endswith(f".{mine}"))
            for mine in (each.strip().casefold().removeprefix("@") for each in self.own)
        )

    def owns_number(self, digits: str) -> bool:
        """However it is written: +44 20 7946 0000, 0044 20 …, 020 7946 0000."""
        core = digits.lstrip("0")
        return len(core) >= FEWEST_DIGITS and any(_digits(each).endswith(core) for each in self.own)


def checked(own: tuple[str, ...]) -> tuple[str, ...]:
    """As they are. ValueError names one that is no domain, address or telephone number."""
    for each in own:
        if not any(form.fullmatch(each.strip()) for form in (DOMAIN, ADDRESS, NUMBER)):
            raise ValueError(f"{each!r} is no e-mail domain, address or telephone number")
    return own


def _digits(each: str) -> str:
    return re.sub(r"\D", "", each.replace("(0)", "")) if NUMBER.fullmatch(each.strip()) else ""
