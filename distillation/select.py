"""Which answers are worth teaching: each candidate is checked against what the student will see, and ranked.

The teacher's answers, the human agent's own reply and an extract of the notes compete for each exchange. An answer is
taught only where the question and the retrieved evidence support it; everything turned away keeps its reason. Some of
the exchanges that nothing supports teach handing over instead, up to a capped share: a small model is only as right as
its evidence.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bot.desk import context
from bot.prompt import DEFERRAL
from data.records import Answer, Exchange, Passage
from data.redact import LABEL
from data.sentences import promises, sentences
from data.text import is_deferral, is_evasion, is_repetitive, overlap, support, unsupported
from distillation.trim import trim

SHORTEST_WORDS = 5
LEAST_AGREEMENT = 0.4
NARRATING = ("the customer", "our agent", "the agent", "dear customer", "customer:", "agent:", "[customer", "[name")


@dataclass(frozen=True, slots=True)
class Rules:
    """`min_support`: share of content words seen in question and evidence; `deferral_share`: cap over taught rows;
    `most`: answers to teach, the best of them, 0 for all."""

    min_support: float
    deferral_share: float
    most: int = 0


def fault(answer: Answer, exchange: Exchange, seen: str, rules: Rules) -> str:
    """Why an answer must not be taught, in a few words; empty when it may be."""
    text = answer.text
    if answer.finish == "length" or text.rstrip().endswith(("…", "...")):
        return "cut off"
    if len(text.split()) < SHORTEST_WORDS:
        return "too short"
    if is_evasion(text, exchange.question):
        return "evades the question"
    if is_repetitive(text):
        return "repeats itself"
    if answer.source == "hindsight" and _narrates(text):
        return "narrates instead of replying"
    missing = unsupported(text, seen)
    if missing:
        return f"not in the evidence: {', '.join(missing[:3])}"
    if support(text, seen) < rules.min_support:
        return "little support in the evidence"
    if answer.source != "human" and overlap(text, exchange.human_reply) < LEAST_AGREEMENT:
        return "has little of what our agent said"
    if LABEL.search(text):
        return "names somebody"
    if any(promises(sentence) for sentence in sentences(text)):
        return "promises what a model cannot do"
    return ""


def mended(answer: Answer, seen: str) -> Answer:
    """The answer cut back to what the evidence holds, where enough of it is left; else as it was."""
    kept = "" if answer.finish == "length" else trim(answer.text, seen)
    return answer.model_copy(update={"text": kept, "reason": "trimmed"}) if kept not in ("", answer.text) else answer


def _narrates(text: str) -> bool:
    start = text[:160].lower()
    return any(phrase in start for phrase in NARRATING)


def select(
    answers: Iterable[Answer],
    exchanges: Sequence[Exchange],
    evidence: Mapping[str, Sequence[Passage]],
    rules: Rules,
) -> tuple[list[Answer], list[Answer]]:
    """The answers to teach (one an exchange, plus capped deferrals) and the rejected ones with reasons.

    The best of an exchange is the one with the most support in the evidence plus the most agreement with the human
    reply; a human reply agrees with itself only as far as its evidence does.
    """
    candidates: dict[str, list[Answer]] = defaultdict(list)
    for answer in answers:
        candidates[answer.exchange_id].append(answer)
    chosen: list[tuple[float, Answer]] = []
    rejected: list[Answer] = []
    unsupported: list[Answer] = []
    for exchange in exchanges:
        seen = context(exchange, evidence[exchange.id])
        found = [mended(answer, seen) for answer in candidates[exchange.id]]
        reasons = [fault(answer, exchange, seen, rules) for answer in found]
        good = [answer for answer, reason in zip(found, reasons, strict=True) if not reason]
        best = max(good, key=lambda answer: worth(answer, exchange, seen), default=None)
        for answer, reason in zip(found, reasons, strict=True):
            if answer is not best:
                rejected.append(_lost(answer, reason or "another answer was better"))
        if best is not None:
            chosen.append((worth(best, exchange, seen), best))
        elif found:
            unsupported.append(_deferral(found[0]))
    kept, spare = _best(chosen, rules.most)
    rejected += spare
    allowed = int(len(kept) * rules.deferral_share / (1 - rules.deferral_share))
    return kept + sorted(unsupported, key=lambda answer: answer.sample_id)[:allowed], rejected


def worth(answer: Answer, exchange: Exchange, seen: str) -> float:
    """Between 0 and 2: support in the evidence plus agreement with what the human agent said."""
    agreement = 0.6 if answer.source == "human" else overlap(answer.text, exchange.human_reply)
    deferral = 0.5 if is_deferral(answer.text) and not is_deferral(exchange.human_reply) else 0.0
    return support(answer.text, seen) + agreement - deferral


def _best(chosen: Sequence[tuple[float, Answer]], most: int) -> tuple[list[Answer], list[Answer]]:
    """The `most` answers of greatest worth, in the order given, and the others with their reason."""
    ranked = sorted(chosen, key=lambda pair: (-pair[0], pair[1].sample_id))
    over = {answer.sample_id for _, answer in ranked[most:]} if most else set()
    kept = [answer for _, answer in chosen if answer.sample_id not in over]
    return kept, [_lost(answer, "enough better answers") for _, answer in chosen if answer.sample_id in over]


def _lost(answer: Answer, why: str) -> Answer:
    return answer.model_copy(update={"kept": False, "reason": why})


def _deferral(answer: Answer) -> Answer:
    return answer.model_copy(
        update={
            "text": DEFERRAL,
            "sample_id": f"{answer.sample_id}-defer",
            "finish": "stop",
            "reason": "deferral",
        }
    )


def reasons(rejected: Iterable[Answer]) -> Counter[str]:
    """How many answers were turned away for what; the detail after a colon is dropped."""
    return Counter(answer.reason.partition(":")[0] for answer in rejected)
