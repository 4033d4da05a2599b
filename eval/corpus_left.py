"""What was left out, and why: every ticket and every answered question goes one way, and the ways add up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from data.records import Split
from eval.charts import stack
from eval.corpus import EXCHANGE_KINDS, TICKET_KINDS, Corpus
from eval.corpus_checks import Held
from eval.examples import CLAY, MOSS, OCHRE, RUST, SAGE, STONE, TERRA, Count, Group, of_exchanges, of_rejected

KINDS: dict[str, tuple[str, str, str]] = {
    "unreadable": ("could not be read", "broken or incomplete rows of the export", RUST),
    "again": ("came twice", "the first one is kept", STONE),
    "other_language": ("are in another language", "the student learns English", OCHRE),
    "merged": ("were merged into another ticket", "the other one holds the conversation", MOSS),
    "no_answer": ("have no answer to learn from", "no customer’s question followed by an agent’s reply", CLAY),
    "same_customer": ("are by a customer of the test", "the student may not learn what it is tested on", MOSS),
    "near_duplicate": ("ask nearly the same as another", "one of them is enough, and the test has to be fair", OCHRE),
    "beyond_limit": ("are beyond the limit you set", "desk.limit_train; still looked up as past replies", CLAY),
    "article": ("articles could not be read", "", RUST),
    "review": ("reviews could not be read", "", RUST),
}
SPLITS: dict[Split, tuple[str, str]] = {
    "train": ("to learn from", SAGE),
    "validation": ("to check the learning", STONE),
    "heldout": ("kept for the test", TERRA),
}


@dataclass(frozen=True, slots=True)
class Flow:
    """One bar cut into the ways that things went, and its parts as rows."""

    group: Group
    chart: Markup


def flows(corpus: Corpus, held: Held) -> list[Flow]:
    """Of the tickets, and of the answered questions cut from them."""
    lost = sum(corpus.dropped.get(kind, 0) for kind in ("other_language", "merged", "no_answer"))
    kept = max(0, (corpus.count("tickets") or len(corpus.tickets) + lost) - lost)
    apart = sum(corpus.dropped.get(kind, 0) for kind in EXCHANGE_KINDS)
    unknown = max(0, kept - len(corpus.tickets) - apart)
    used = Count(
        "kept-tickets", "hold an answered question or more", kept - unknown, of_exchanges(corpus.tickets), colour=SAGE
    )
    tickets = [used, *_dropped(corpus, TICKET_KINDS)]
    if unknown:
        tickets.append(Count("dropped-unknown", "were left out, and why was not recorded", unknown, colour=STONE))
    parts = [
        Count(f"kept-{split}", words, len(held[split]), of_exchanges(held[split]), colour=colour)
        for split, (words, colour) in SPLITS.items()
    ]
    questions = [*parts, *_dropped(corpus, EXCHANGE_KINDS)]
    return [_flow("tickets in the export", tickets), _flow("answered questions", questions)]


def others_left(corpus: Corpus) -> Group:
    """What was left out and is neither ticket nor answered question."""
    kinds = [kind for kind in corpus.dropped if kind not in TICKET_KINDS + EXCHANGE_KINDS]
    return Group("Also left out", tuple(_dropped(corpus, kinds)), bars=False)


def _dropped(corpus: Corpus, kinds: Sequence[str]) -> list[Count]:
    found = []
    for kind in kinds:
        words, hint, colour = KINDS.get(kind, (kind.replace("_", " "), "", STONE))
        if count := corpus.dropped.get(kind):
            rows = of_rejected(corpus.left_out.get(kind, []))
            found.append(Count(f"dropped-{kind.replace(' ', '_')}", words, count, rows, hint, colour))
    return found


def _flow(what: str, parts: Sequence[Count]) -> Flow:
    total = sum(part.count for part in parts)
    title = f"Of {total:,} {what}"
    spoken = f"{title}: " + "; ".join(f"{part.count:,} {part.label}" for part in parts)
    chart = stack(spoken, [part.count for part in parts], [part.colour for part in parts])
    return Flow(Group(title, tuple(parts), total), chart)
