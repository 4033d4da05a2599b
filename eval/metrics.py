"""How one reply is scored without a judge: cheap measures whose worth has been measured, and what they miss.

The text measures themselves lie in `data.text`, because selection and confidence use them too.
"""

from __future__ import annotations

from data.text import (
    bigram_precision,
    content_words,
    fidelity,
    is_deferral,
    is_evasion,
    is_repetitive,
    overlap,
    unsupported,
    words,
)

Metrics = dict[str, float | None]
WEAK_EVIDENCE = 0.4


def grounding(reply: str, evidence_text: str) -> float:
    """Share of the reply's word pairs found in ticket and evidence, in [0, 1].

    Chosen over larger judges because on 318 replies with three human ratings each it correlates .695 with
    human faithfulness (AUC .935 for "unfaithful"), against .654 for BERT knowledge precision and .289 for a
    reference-based LLM judge (evaluation.md, section 2). It misses a swapped number: pair it with `fidelity`.
    """
    return bigram_precision(reply, evidence_text)


def content_overlap(a: str, b: str) -> float:
    """F1 over stemmed content words, in [0, 1]; a tie-break only, as two good replies may share few words."""
    return overlap(a, b)


def evasion(reply: str, question: str) -> bool:
    """Says it is not covered, sends the customer elsewhere or echoes them, and adds nothing."""
    return is_evasion(reply, question)


def deferral(reply: str) -> bool:
    """Hands over to a colleague: honest, and never counted as an evasion."""
    return is_deferral(reply)


def length(reply: str) -> int:
    """Words in the reply."""
    return len(words(reply))


def quality(grounded: float, faithful: float | None, failed: bool) -> float:
    """One number to sort and plot by: mean of grounding and fidelity, 0 for an evasion or a loop."""
    if failed:
        return 0.0
    return grounded if faithful is None else (grounded + faithful) / 2


def measure(reply: str, question: str, context: str, *, teacher: str | None, human: str | None) -> Metrics:
    """Every metric of one reply. `teacher` and `human` are replies to compare with, None to skip that."""
    grounded, faithful = grounding(reply, context), fidelity(reply, context)
    evades, loops = evasion(reply, question), is_repetitive(reply)
    return {
        "quality": quality(grounded, faithful, evades or loops),
        "grounding": grounded,
        "fidelity": faithful,
        "overlap_teacher": None if teacher is None else content_overlap(reply, teacher),
        "overlap_human": None if human is None else content_overlap(reply, human),
        "evasion": float(evades),
        "deferral": float(deferral(reply)),
        "repetitive": float(loops),
        "unsupported": float(len(unsupported(reply, context))),
        "words": float(length(reply)),
    }


def evidence_reach(human_reply: str, context: str) -> float:
    """Share of our agent's content words that ticket and evidence hold: low means an article is missing."""
    said, known = set(content_words(human_reply)), set(content_words(context))
    return len(said & known) / len(said) if said else 1.0
