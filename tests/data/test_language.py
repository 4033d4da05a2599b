"""The export's word counts; without it, enough words of the customer's decide."""

from datetime import UTC, datetime

import pytest

from data.language import is_english, language
from data.records import Message, Ticket


def asked(text: str, locale: str = "") -> Ticket:
    question = Message(id="q", role="customer", text=text)
    reply = Message(id="a", role="agent", text="Bitte ziehen Sie den Stecker und warten Sie eine Minute.")
    return Ticket(id="1", locale=locale, created=datetime(2025, 1, 1, tzinfo=UTC), messages=(question, reply))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("My grinder hums but the burrs do not turn any more.", "en"),
        ("Meine Mühle brummt nur noch, das Mahlwerk dreht sich nicht mehr.", "de"),
        ("La machine ne chauffe plus depuis ce matin, que dois-je faire ?", "fr"),
        ("E05", "en"),
        ("order KW-48440 ??", "en"),
        ("ok thx", "en"),
    ],
)
def test_words_decide_where_the_export_says_nothing(text: str, found: str) -> None:
    assert language(asked(text)) == found


def test_what_the_export_says_counts() -> None:
    assert not is_english(asked("My grinder hums but the burrs do not turn.", "de"))
    assert is_english(asked("Meine Mühle brummt nur noch und dreht sich nicht.", "en-GB"))
