from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bot.quote import Quotes, quotable, quoted
from data.records import Passage

TOPICS = ("refund", "label", "descale")
ARTICLE = Passage(
    id="a", kind="article", title="Returns", score=0.2,
    text="A refund takes five working days. Print the label from My orders",
)  # fmt: skip
TICKET = Passage(
    id="t-1", kind="ticket", title="E04", score=0.1,
    text="Customer: E04, how do I descale?\nAgent: I've sent a descale sachet today. Descale it with one sachet.",
)  # fmt: skip


class Bag:
    """Embeds a text by the topics it names, and counts how many texts it was asked for."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        self.asked += len(texts)
        return np.array([[float(topic in text.lower()) for topic in TOPICS] for text in texts], np.float32)


def test_the_nearest_sentence_is_marked_on_its_passage_alone() -> None:
    bag = Bag()
    quotes = Quotes(bag)
    marked = quotes.mark([ARTICLE, TICKET], bag(["how do I descale"])[0])
    assert [passage.quote for passage in marked] == ["", "Descale it with one sachet."]
    assert quoted(marked) == "Descale it with one sachet."
    assert quoted(quotes.mark([ARTICLE, TICKET], bag(["where is the label"])[0])) == "Print the label from My orders."


def test_of_two_equally_near_sentences_the_nearer_passage_s_is_taken() -> None:
    quotes = Quotes(Bag())
    other = TICKET.model_copy(update={"text": "Customer: money?\nAgent: Your refund is on its way to the bank."})
    assert quoted(quotes.mark([other, ARTICLE], np.array([1.0, 0.0, 0.0]))) == "A refund takes five working days."


def test_sums_and_days_of_another_customers_case_are_not_quoted() -> None:
    refund = np.array([1.0, 0.0, 0.0])
    for line in ("The refund of £89 is with your bank.", "Your refund is there by Thursday."):
        case = TICKET.model_copy(update={"text": f"Customer: money?\nAgent: {line}"})
        assert quoted(Quotes(Bag()).mark([case], refund)) == ""
    price = ARTICLE.model_copy(update={"text": "The refund is less £3.50 for the label."})
    assert quoted(Quotes(Bag()).mark([price], refund)), "what an article says holds for everybody"


def test_no_reply_begins_with_a_heading_or_a_step_alone() -> None:
    article = ARTICLE.model_copy(update={"text": "Cannot print any label\nPrint the label at home, please."})
    quotes, label = Quotes(Bag()), np.array([0.0, 1.0, 0.0])
    assert quoted(quotes.mark([article], label)) == "Print the label at home, please."
    assert quotes.excerpt([article], label).startswith("Cannot print any label")


def test_a_past_reply_that_names_somebody_is_not_quoted() -> None:
    named = TICKET.model_copy(update={"text": "Customer: money?\nAgent: Ask [PERSON] about the refund of the order."})
    assert quotable(named) == []


def test_a_sentence_is_embedded_once() -> None:
    bag = Bag()
    quotes = Quotes(bag)
    for _ in range(3):
        quotes.mark([ARTICLE, TICKET], np.array([1.0, 0.0, 0.0]))
    assert bag.asked == len(quotable(ARTICLE)) + len(quotable(TICKET))


def test_an_excerpt_holds_the_nearest_sentences_in_the_order_of_the_notes() -> None:
    quotes = Quotes(Bag())
    twice = [ARTICLE, TICKET, TICKET.model_copy(update={"id": "t-2"})]
    assert quotes.excerpt(twice, np.array([0.5, 0.0, 1.0]), 2) == (
        "A refund takes five working days. Descale it with one sachet."
    ), "the same sentence is not said twice"


def test_nothing_to_quote_is_no_opening() -> None:
    bare = Passage(id="b", kind="article", title="Sizes", text="| Size | Price |\nSee also:")
    assert quoted(Quotes(Bag()).mark([bare], np.zeros(3))) == ""
    assert quoted([]) == ""
