"""Which answers are worth teaching: each candidate is checked against what the student will see, and ranked.

The teacher's answers, the human agent's own reply, what was said the last time and an extract of the notes compete for
each exchange. An answer is taught only where the question and the retrieved evidence support it; everything turned away
keeps its reason. The best of an exchange share its weight. Exchanges that nothing supports teach handing over instead,
the most doubtful first, up to a capped share: a small model is only as right as its evidence.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bot.desk import context
from bot.prompt import DEFERRAL
from data.exchanges import asks_back
from data.records import Answer, Exchange, Passage
from data.redact import LABEL
from data.sentences import promises, sentences
from data.text import is_deferral, is_evasion, is_repetitive, overlap, support, unsupported
from distillation.trim import trim

SHORTEST_WORDS = 5
LEAST_AGREEMENT = 0.4
TRUSTED = 0.35  # notes worth this may be taught where our agent said something else
SAME = 0.8  # of two answers that share more, one is taught
CLOSE = 0.7  # a second answer is taught where it is worth this share of the best
FULL_WORDS = 40  # up to here a longer answer helps a customer more
NARRATING = ("the customer", "our agent", "the agent", "dear customer", "customer:", "agent:", "[customer", "[name")


Rated = tuple[float, Answer]


@dataclass(frozen=True, slots=True)
class Rules:
    """`min_support`: share of content words seen in question and evidence; `deferral_share`: cap over taught rows;
    `most`: exchanges to teach, those with the best answers, 0 for all; `each`: answers of one exchange at most."""

    min_support: float
    deferral_share: float
    most: int = 0
    each: int = 1


def fault(answer: Answer, exchange: Exchange, seen: str, rules: Rules, trust: float = 0.0) -> str:
    """Why an answer must not be taught, in a few words; empty when it may be. `trust`: what its notes are worth."""
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
    agrees = answer.source == "human" or overlap(text, exchange.human_reply) >= LEAST_AGREEMENT
    if not agrees and trust < TRUSTED:
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
    """The answers to teach, the best of each exchange plus capped deferrals, and the rejected ones with reasons."""
    candidates: dict[str, list[Answer]] = defaultdict(list)
    for answer in answers:
        candidates[answer.exchange_id].append(answer)
    chosen: list[tuple[float, list[Answer]]] = []
    rejected: list[Answer] = []
    doubtful: list[Rated] = []
    for exchange in exchanges:
        passages, found = evidence[exchange.id], candidates[exchange.id]
        taught, lost = _compete(found, exchange, passages, rules)
        rejected += lost
        if taught:
            chosen.append((taught[0][0], _weighted(taught)))
        elif found:
            doubtful.append((_trust(passages), _deferral(found[0])))
    kept, spare = _best(chosen, rules.most)
    rejected += spare
    return kept + _deferrals(doubtful, kept, evidence, rules.deferral_share), rejected


def _deferrals(
    doubtful: Sequence[Rated], kept: Sequence[Answer], evidence: Mapping[str, Sequence[Passage]], share: float
) -> list[Answer]:
    """The most doubtful, those whose notes begin with an article and the others as often as among the answers: else
    the student would learn that articles are nothing to answer from."""

    def kind(answer: Answer) -> str:
        notes = evidence[answer.exchange_id]
        return notes[0].kind if notes else ""

    allowed = len(kept) * share / (1 - share)
    taught = Counter(kind(answer) for answer in kept)
    found: list[Answer] = []
    for name, count in taught.items():
        alike = sorted(
            (pair for pair in doubtful if kind(pair[1]) == name), key=lambda pair: (pair[0], pair[1].sample_id)
        )
        found += [answer for _, answer in alike[: int(allowed * count / len(kept))]]
    return found


def _compete(
    found: Sequence[Answer], exchange: Exchange, passages: Sequence[Passage], rules: Rules
) -> tuple[list[Rated], list[Answer]]:
    """Of one exchange, the answers to teach with their worth, the best first, and the others with their reasons."""
    seen, trust = context(exchange, passages), _trust(passages)
    cut = [mended(answer, seen) for answer in found]
    faults = [fault(answer, exchange, seen, rules, trust) for answer in cut]
    good = [
        (worth(answer, exchange, seen, trust), answer) for answer, reason in zip(cut, faults, strict=True) if not reason
    ]
    taught: list[Rated] = []
    for rated in sorted(good, key=lambda pair: -pair[0]):
        near = any(overlap(rated[1].text, other.text) > SAME for _, other in taught)
        if not taught or (len(taught) < rules.each and not near and rated[0] >= CLOSE * taught[0][0]):
            taught.append(rated)
    names = {answer.sample_id for _, answer in taught}
    lost = [
        _lost(answer, reason or "another answer was better")
        for answer, reason in zip(cut, faults, strict=True) if answer.sample_id not in names
    ]  # fmt: skip
    return taught, lost


def _trust(passages: Sequence[Passage]) -> float:
    return max((passage.worth for passage in passages), default=0.0)


def _weighted(taught: Sequence[Rated]) -> list[Answer]:
    """The answers of one exchange, sharing a weight of 1 by their worth, each labelled with its kind."""
    total = sum(value for value, _ in taught)
    return [
        answer.model_copy(
            update={"weight": value / total, "kind": "clarify" if asks_back(answer.text) else "answer"}
        )
        for value, answer in taught
    ]  # fmt: skip


def worth(answer: Answer, exchange: Exchange, seen: str, trust: float = 0.0) -> float:
    """Above 0: support in the evidence, agreement with what the human agent said (its own reply agrees with itself only
    as far as its evidence does; the first note whole is worth at least what is known of it), and half a point for
    being long enough to help."""
    agreement = 0.6 if answer.source == "human" else overlap(answer.text, exchange.human_reply)
    if answer.source == "notes":
        agreement = max(agreement, trust)
    deferral = 0.5 if is_deferral(answer.text) and not is_deferral(exchange.human_reply) else 0.0
    length = min(len(answer.text.split()), FULL_WORDS) / FULL_WORDS / 2
    return support(answer.text, seen) + agreement + length - deferral


def _best(chosen: Sequence[tuple[float, list[Answer]]], most: int) -> tuple[list[Answer], list[Answer]]:
    """The answers of the `most` exchanges whose best is worth most, in the order given, and the others' with reason."""
    ranked = sorted(chosen, key=lambda pair: (-pair[0], pair[1][0].sample_id))
    over = {taught[0].sample_id for _, taught in ranked[most:]} if most else set()
    kept = [answer for _, taught in chosen if taught[0].sample_id not in over for answer in taught]
    spare = [answer for _, taught in chosen if taught[0].sample_id in over for answer in taught]
    return kept, [_lost(answer, "enough better answers") for answer in spare]


def _lost(answer: Answer, why: str) -> Answer:
    return answer.model_copy(update={"kept": False, "reason": why})


def _deferral(answer: Answer) -> Answer:
    return answer.model_copy(
        update={
            "text": DEFERRAL,
            "sample_id": f"{answer.sample_id}-defer",
            "finish": "stop",
            "reason": "deferral",
            "kind": "defer",
        }
    )


def reasons(rejected: Iterable[Answer]) -> Counter[str]:
    """How many answers were turned away for what; the detail after a colon is dropped."""
    return Counter(answer.reason.partition(":")[0] for answer in rejected)
