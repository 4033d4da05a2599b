"""How long questions and replies are, how customers took the replies, which replies are stock texts or ask back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from data.duplicates import BOILERPLATE, same_words
from data.exchanges import asks_back
from data.records import Exchange, Reaction
from eval.examples import CLAY, MOST, OCHRE, SAGE, STONE, TERRA, Count, Group, brief, histogram, of_exchanges

WORD_EDGES = (0, 10, 20, 40, 80, 160, 320)
TURN_EDGES = (0, 1, 3, 5, 9)
REACTIONS: dict[Reaction, tuple[str, str]] = {
    "accepted": ("marked as the solution", SAGE),
    "helpful": ("voted or rated helpful", SAGE),
    "thanked": ("said thanks, or that it works now", SAGE),
    "came_back": ("wrote again", OCHRE),
    "complained": ("said that it did not help", TERRA),
    "none": ("said nothing more", CLAY),
}


def questions(exchanges: Sequence[Exchange]) -> Group:
    sizes = [len(each.turns[-1].text.split()) if each.turns else 0 for each in exchanges]
    return histogram("question", "Words in the question", exchanges, sizes, WORD_EDGES, of_exchanges)


def replies(exchanges: Sequence[Exchange]) -> Group:
    sizes = [len(each.human_reply.split()) for each in exchanges]
    return histogram("reply", "Words in the reply", exchanges, sizes, WORD_EDGES, of_exchanges)


def conversations(exchanges: Sequence[Exchange]) -> Group:
    sizes = [len(each.turns) for each in exchanges]
    return histogram("turns", "Messages before the reply", exchanges, sizes, TURN_EDGES, of_exchanges)


def reactions(exchanges: Sequence[Exchange]) -> Group:
    held: dict[Reaction, list[Exchange]] = defaultdict(list)
    for exchange in exchanges:
        held[exchange.reaction].append(exchange)
    counts = [
        Count(f"reaction-{name}", words, len(held[name]), of_exchanges(held[name]), colour=colour)
        for name, (words, colour) in REACTIONS.items()
    ]
    return Group("How the customer took the reply", tuple(counts), len(exchanges))


def habits(exchanges: Sequence[Exchange], stock: Sequence[Sequence[Exchange]]) -> Group:
    """Replies that are no answer another customer could use."""
    asking = [each for each in exchanges if asks_back(each.human_reply)]
    copied = [each for group in stock for each in group]
    counts = (
        Count("habit-asks", "ask the customer for details", len(asking), of_exchanges(asking), colour=OCHRE),
        Count("habit-stock", "are a stock text", len(copied), of_exchanges(copied), colour=STONE),
    )
    return Group("Replies that teach little", counts, len(exchanges))


def stock_texts(exchanges: Sequence[Exchange]) -> list[list[Exchange]]:
    """Replies of the same words, given three times or more, the most frequent first."""
    held: dict[str, list[Exchange]] = defaultdict(list)
    for exchange in exchanges:
        held[same_words(exchange.human_reply)].append(exchange)
    return sorted((group for group in held.values() if len(group) >= BOILERPLATE), key=len, reverse=True)


def most_copied(stock: Sequence[Sequence[Exchange]]) -> Group:
    counts = [
        Count(f"stock-{place}", f"“{brief(group[0].human_reply, 14)}”", len(group), of_exchanges(group), colour=STONE)
        for place, group in enumerate(stock[:MOST])
    ]
    return Group("The most used stock texts", tuple(counts))
