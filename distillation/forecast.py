"""What is still to be asked of the teacher, told before it is: from the answers there are so far."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from bot.config import Config
from bot.desk import Desk
from data.records import Answer
from distillation.select import Rules, fault, mended, reasons

MANY = 64
LONG_SECONDS = 600.0
BYTES_A_TOKEN = 105  # of soft labels, where nine are kept a place: 68 in their journal, 36 in the corpus
BYTES_A_CHARACTER = 2.0  # journal and corpus hold the words once each; the corpus is compressed, the rest is ids


@dataclass(frozen=True, slots=True)
class Forecast:
    """Of what is to come: `exchanges`, and the `answers` to them. `reasons`: why those of the `checked` answers that do
    not pass were turned away, the commonest first."""

    exchanges: int
    answers: int
    prompt_tokens: int
    tokens: int
    seconds: float
    bytes: int
    euros: float
    checked: int
    passed: int
    reasons: tuple[tuple[str, int], ...]

    @property
    def long(self) -> bool:
        return self.exchanges > MANY or self.seconds > LONG_SECONDS

    @property
    def turned_away(self) -> str:
        return ", ".join(f"{count} {why}" for why, count in self.reasons[:3])

    def lines(self) -> list[str]:
        """In plain words."""
        passed = f"{self.passed:,} of the {self.checked:,} answers so far pass the checks"
        return [
            f"still to ask: {self.exchanges:,} exchanges, {self.answers:,} answers",
            f"  that takes about {duration(self.seconds)} and {self.euros:,.2f} euros of machine time, as "
            "teacher.euros_per_hour has it",
            f"  tokens: {rounded(self.prompt_tokens)} to read, {rounded(self.tokens)} to write; "
            f"{rounded(self.bytes)}B on disk",
            f"  {passed}" + (f"; turned away: {self.turned_away}" if self.reasons else ""),
        ]


def forecast(
    given: Sequence[Answer], missing: Sequence[str], desk: Desk, config: Config, *, at_once: int, soft: bool
) -> Forecast:
    """`given`: the answers so far, of which `at_once` were made together; `missing`: the exchange id of every answer
    that is to come; `soft`: with soft labels. Raises ValueError for no answers so far."""
    count = len(missing)
    seconds = count * fmean(answer.seconds for answer in given) / max(1, at_once)
    why = faults(given, desk, config)
    return Forecast(
        exchanges=len(set(missing)), answers=count,
        prompt_tokens=round(count * fmean(answer.prompt_tokens for answer in given)),
        tokens=round(count * fmean(answer.completion_tokens for answer in given)),
        seconds=seconds, bytes=round(count * fmean(_bytes(answer, soft) for answer in given)),
        euros=seconds / 3600 * config.teacher.euros_per_hour,
        checked=len(given), passed=len(given) - why.total(), reasons=tuple(why.most_common()),
    )  # fmt: skip


def faults(given: Sequence[Answer], desk: Desk, config: Config) -> Counter[str]:
    """Why answers would not be taught, each by its own worth: no other candidate is looked at."""
    rules = Rules(config.teaching.min_support, 0.0)
    exchanges = {exchange.id: exchange for exchange in desk.exchanges}
    found = []
    for answer in given:
        exchange = exchanges[answer.exchange_id]
        seen = desk.context(exchange)
        trust = max((passage.worth for passage in desk.evidence[exchange.id]), default=0.0)
        found.append(answer.model_copy(update={"reason": fault(mended(answer, seen), exchange, seen, rules, trust)}))
    return reasons(answer for answer in found if answer.reason)


def _bytes(answer: Answer, soft: bool) -> float:
    words = len(answer.model_dump_json()) + BYTES_A_CHARACTER * len(answer.text)
    return words + (BYTES_A_TOKEN * answer.completion_tokens if soft else 0)


def duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    if minutes < 1:
        return f"{seconds:.0f} s"
    hours, left = divmod(minutes, 60)
    return f"{left} min" if not hours else f"{hours:,} h {left} min" if hours < 10 else f"{round(minutes / 60):,} h"


def rounded(count: float) -> str:
    """Two digits of a large number: 340,000 as 340 k."""
    for size, name in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if count >= size:
            return f"{count / size:.1f}{name}" if count < 10 * size else f"{count / size:,.0f}{name}"
    return f"{count:.0f} "
