"""Stock sentences: those that a desk begins and ends many replies with, and never what a reply tells."""

import time
from collections import Counter
from collections.abc import Iterator

import pytest

from data import stock
from data.stock import stock_sentences, without_stock

HELLO, BYE = "Thank you for contacting Kettlewick support!", "Please let us know if you have any other questions."
ADVICE = "Please unplug the grinder first."


def replies(count: int, every: int = 1) -> Iterator[str]:
    for n in range(count):
        told = f"Lift burr {n} out and brush it."
        yield f"{HELLO} Hi [PERSON_{n}]! {told}\n\n{ADVICE}\n\n{BYE}" if n % every == 0 else f"{told} {ADVICE}"


def test_what_many_replies_begin_and_end_with_is_stock_and_advice_is_not() -> None:
    assert stock_sentences(replies(100)) == {stock.plain(HELLO), stock.plain(BYE)}
    assert stock_sentences(replies(2000, every=50)) == {stock.plain(HELLO), stock.plain(BYE)}


@pytest.mark.parametrize(("count", "every"), [(stock.FEWEST - 1, 1), (2000, 55), (0, 1)])
def test_what_few_replies_say_is_not(count: int, every: int) -> None:
    assert stock_sentences(replies(count, every)) == frozenset()


@pytest.mark.parametrize(
    "told",
    ["Thank you for waiting: it takes 20 minutes.", "Please let us know if Tools > Options is missing.",
     "Thanks, see https://help.example.com please.", "Feel free to write to [EMAIL_1]."],
)  # fmt: skip
def test_what_tells_something_is_not(told: str) -> None:
    assert stock_sentences(f"Reply {n} says so. {told}" for n in range(100)) == frozenset()


def test_only_ends_go_and_what_is_left_is_as_it_was() -> None:
    known = stock_sentences(replies(100))
    steps = f"1. Open it.\n2. {BYE} Close it.\n\n    code  stays"
    assert without_stock(f"{HELLO} {steps}\n\n{BYE} {BYE}", known) == steps
    assert without_stock(f"{HELLO.upper()}\n{ADVICE}\n\n{BYE}\n", known) == ADVICE
    assert without_stock(f"{HELLO} {BYE}", known) == f"{HELLO} {BYE}", "nothing else was said"
    assert without_stock(f"{HELLO} Yes, do. {BYE}", known) == f"{HELLO} Yes, do. {BYE}"
    assert without_stock(f" {ADVICE}", frozenset()) == f" {ADVICE}"


def test_rare_sentences_are_forgotten_and_frequent_ones_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[Counter[str]] = []

    class Watched(Counter[str]):
        def __init__(self) -> None:
            super().__init__()
            held.append(self)

    monkeypatch.setattr(stock, "WIDTH", 50)
    monkeypatch.setattr(stock, "Counter", Watched)
    said = (f"Thank you {'x' * n}. Middle. {BYE if n % 20 == 0 else 'Cheers ' + 'y' * n}" for n in range(2000))
    assert stock_sentences(said) == {stock.plain(BYE)}
    assert 0 < len(held[0]) < 300


@pytest.mark.parametrize("piece", ["Thank you. ", "\n", " ", "thank ", "thank  ", "Thank you\n", "a. ", ">", "[EMAIL "])
def test_nobody_waits_for_a_reply_made_to_be_slow(piece: str) -> None:
    text = piece * (40_000 // len(piece))
    began = time.perf_counter()
    stock_sentences([text])
    without_stock(text, frozenset({"thank you"}))
    assert time.perf_counter() - began < 1.0
