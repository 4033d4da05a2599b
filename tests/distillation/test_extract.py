from __future__ import annotations

from datetime import UTC, datetime

from bot.quote import quotable
from data.records import Exchange, Passage, Turn
from data.text import overlap, support
from distillation.extract import extract

ARTICLE = Passage(
    id="a", kind="article", title="Returns",
    text="Returns are free above £40. Start in **My orders > Return an item** within 30 days.\n"
    "1. Print the label.\n2. Tape it over the old one.\n| Size | Price |\nWe love coffee beans from Brazil, roasted …",
)  # fmt: skip
TICKET = Passage(
    id="t0-1", kind="ticket", title="Label lost",
    text="Customer: I lost it\nAgent: I've sent a new label for KW-48213. You can print the label again in My orders. "
    "Your refund takes 5 working days once the parcel is here. Is there anything else I could do?",
)  # fmt: skip


def exchange(reply: str) -> Exchange:
    return Exchange(
        id="t1-1", ticket_id="t1", subject="Return", product="", topic="", created=datetime(2026, 1, 2, tzinfo=UTC),
        split="train", turns=(Turn(role="customer", text="How do I return it?"),), human_reply=reply,
    )  # fmt: skip


def test_only_what_may_be_said_to_another_customer_is_quotable() -> None:
    assert quotable(ARTICLE) == [
        "Returns are free above £40.", "Start in My orders > Return an item within 30 days.",
        "Tape it over the old one.",
    ]  # fmt: skip
    assert quotable(TICKET) == [
        "You can print the label again in My orders.", "Your refund takes 5 working days once the parcel is here.",
    ]  # fmt: skip


def test_the_sentences_nearest_to_the_reply_are_chosen_in_the_order_of_the_notes() -> None:
    reply = "Once we have the parcel the refund takes 5 working days. Start in My orders, within 30 days of delivery."
    made = extract(exchange(reply), [ARTICLE, TICKET])
    assert made == (
        "Start in My orders > Return an item within 30 days. Your refund takes 5 working days once the parcel is here."
    )
    assert overlap(made, reply) > max(overlap(line, reply) for line in quotable(ARTICLE) + quotable(TICKET))
    assert support(made, f"{ARTICLE.text}\n{TICKET.text}") == 1.0


def test_nothing_is_made_of_notes_that_say_something_else() -> None:
    assert extract(exchange("Bananas grow beneath purple mountains."), [ARTICLE, TICKET]) == ""
    assert extract(exchange("Anything at all."), []) == ""
