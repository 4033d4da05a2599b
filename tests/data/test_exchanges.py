"""Traps of a help desk's conversations."""

from collections import Counter
from datetime import UTC, datetime

import pytest

from data.exchanges import asks_back, cut, reaction_of
from data.records import Message, Ticket

REPLY = "Unplug it and lift the upper burr."


def said(role: str, text: str, **more: object) -> Message:
    return Message.model_validate({"id": text[:8], "role": role, "text": text, **more})


def ticket(*messages: Message, **more: object) -> Ticket:
    values = {
        "id": "T",
        "created": datetime(2025, 3, 1, tzinfo=UTC),
        "tags": ("grinder", "x"),
        "messages": messages,
    }
    return Ticket.model_validate({**values, **more})


def test_two_replies_are_two_exchanges() -> None:
    first, second = cut(
        ticket(
            said("customer", "It hums."),
            said("agent", REPLY),
            said("customer", "Which one is it?"),
            said("agent", "The black one, on top."),
        )
    )
    assert (first.id, second.id, first.topic) == ("T-1", "T-2", "grinder")
    assert (first.reaction, second.reaction) == ("came_back", "none")
    assert [turn.role for turn in second.turns] == ["customer", "agent", "customer"]
    assert second.turns[1].text == first.human_reply == REPLY


def test_first_reply_only() -> None:
    talk = [said("customer", "It hums."), said("agent", REPLY)] * 2
    assert len(cut(ticket(*talk), first_reply_only=True)) == 1


def test_internal_notes_and_system_lines_never_get_in() -> None:
    (exchange,) = cut(
        ticket(
            said("customer", "It hums."),
            said("agent", "SECRET he is a known troublemaker", visibility="internal"),
            said("system", "SECRET assigned to Mara"),
            said("agent", REPLY),
            said("bot", "SECRET x", visibility="internal"),
        )
    )
    assert "SECRET" not in exchange.model_dump_json()


def test_a_bot_is_heard_but_never_gold() -> None:
    (exchange,) = cut(
        ticket(
            said("customer", "It hums."),
            said("bot", "Have you tried our help pages already?"),
            said("customer", "Yes."),
            said("agent", REPLY),
        )
    )
    assert exchange.human_reply == REPLY
    assert [turn.role for turn in exchange.turns] == ["customer", "agent", "customer"]
    (mixed,) = cut(
        ticket(
            said("customer", "It hums."),
            said("bot", "One moment please, human coming."),
            said("agent", REPLY),
        )
    )
    assert mixed.human_reply == REPLY
    assert cut(ticket(said("customer", "It hums."), said("bot", "Have you tried our help pages?"))) == []


def test_messages_in_a_row_are_one_turn() -> None:
    (exchange,) = cut(
        ticket(
            said("customer", "It hums."),
            said("customer", "And smells."),
            said("agent", "Unplug it now.", author="a"),
            said("agent", "Then lift the upper burr out.", author="b"),
        )
    )
    assert exchange.turns[0].text == "It hums.\n\nAnd smells."
    assert exchange.human_reply == "Unplug it now.\n\nThen lift the upper burr out."


def test_on_a_forum_the_preferred_helper_is_gold() -> None:
    (exchange,) = cut(
        ticket(
            said("customer", "It hums."),
            said("agent", "No idea at all, sorry.", author="a"),
            said("agent", REPLY, author="b", votes=2),
            channel="forum",
        )
    )
    assert exchange.human_reply == REPLY
    assert exchange.reaction == "helpful"


def test_missing_first_message_and_agent_acting_for_a_customer() -> None:
    assert cut(ticket(said("agent", "Customer called: it hums and does not turn."), said("agent", REPLY))) == []
    (exchange,) = cut(
        ticket(
            said("agent", "We noticed your parcel is late."),
            said("customer", "Yes, where is it?"),
            said("agent", REPLY),
        )
    )
    assert [turn.role for turn in exchange.turns] == ["customer"]


@pytest.mark.parametrize(
    "auto",
    [
        "Automatic reply: I am away",
        "Out of office until Monday",
        "Hi, I am on annual leave until 3 May.",
        "This is an automated message, do not reply",
        "Your request (#123) has been received and will be reviewed.",
    ],
)
def test_automatic_replies_are_no_turns(auto: str) -> None:
    talk = ticket(said("customer", "It hums."), said("agent", auto), said("agent", REPLY), said("customer", auto))
    (exchange,) = cut(talk)
    assert exchange.human_reply == REPLY
    assert exchange.reaction == "none"


def test_what_was_taken_out_of_which_message_is_counted_once_each() -> None:
    counts: Counter[str] = Counter(messages=9)
    talk = ticket(
        said("customer", "It hums.\n\nBest regards,\nAnn Lee\n\nOn 3 Jan 2025 Mara wrote:\n> Old\n> words"),
        said("system", "Assigned to Mara.\n\nBest regards,\nAnn"),
        said("agent", "A note.\n\nSent from my iPhone", visibility="internal"),
        said("bot", "Have you tried our help pages already?"),
        said("agent", "This is an automated message, do not reply"),
        said("agent", f"{REPLY}\n\nSent from my iPhone\n\nNeed help? Visit our Help Centre"),
        said("agent", "And then put it back in again."),
    )
    (exchange,) = cut(talk, counts=counts)
    assert exchange.human_reply == f"{REPLY}\n\nAnd then put it back in again."
    assert counts == {
        "messages": 9, "cleaned: quoted history": 1, "cleaned: signature": 2, "cleaned: bot turn": 1,
        "cleaned: automatic reply": 1, "cleaned: boilerplate": 1,
    }  # fmt: skip


def test_a_macro_beside_an_agents_own_words_is_not_gold_and_alone_it_is() -> None:
    macro = said("agent", "Thank you for writing, somebody will read it soon.", macro=True)
    own = said("agent", f"{REPLY} Then brush it, put it back, turn it to the left and wait for a minute.")
    counts: Counter[str] = Counter()
    (exchange,) = cut(ticket(said("customer", "It hums."), macro, own), counts=counts)
    assert (exchange.human_reply, counts["cleaned: macro"]) == (own.text, 1)
    short = said("agent", "Hope that helps you.")
    (exchange,) = cut(ticket(said("customer", "It hums."), macro, short), counts=(counts := Counter()))
    assert (exchange.human_reply, counts["cleaned: macro"]) == (f"{macro.text}\n\n{short.text}", 0)


def test_talking_about_auto_replies_is_a_turn() -> None:
    assert cut(ticket(said("customer", "Auto reply does not work, how do I set it?"), said("agent", REPLY)))


def test_merged_tickets_and_short_replies_are_left_out() -> None:
    talk = (said("customer", "It hums."), said("agent", REPLY))
    assert cut(ticket(*talk, tags=("closed_by_merge",))) == cut(ticket(*talk, status="merged")) == []
    assert cut(ticket(said("customer", "It hums."), said("agent", "Please call us"))) == []


def test_texts_are_cleaned_and_redacted() -> None:
    (exchange,) = cut(
        ticket(
            said("customer", "Mail me at ann@example.com\n-- \nAnn"),
            said("agent", f"{REPLY}\n\n> Mail me at ann@example.com"),
            subject="ann@example.com has <b>a</b> problem",
        )
    )
    assert exchange.subject == "[EMAIL_1] has a problem"
    assert exchange.turns[0].text == "Mail me at [EMAIL_1]"
    assert exchange.human_reply == REPLY


@pytest.mark.parametrize(
    ("words", "reaction"),
    [
        ("Thank you so much!", "thanked"),
        ("That worked, cheers", "thanked"),
        ("It works now. It had not worked before.", "thanked"),
        ("Thanks, but that didn't work", "complained"),
        ("Still no luck", "complained"),
        ("Nothing works now", "complained"),
        ("Sorry. It's still there.", "complained"),
        ("Thanks for the reply. Where is that menu?", "came_back"),
        ("I use Windows 11.", "came_back"),
    ],
)
def test_reactions(words: str, reaction: str) -> None:
    assert reaction_of(words) == reaction


def test_accepted_beats_words_and_satisfaction_fills_in() -> None:
    talk = (said("customer", "It hums."), said("agent", REPLY, accepted=True), said("customer", "no change"))
    assert cut(ticket(*talk))[0].reaction == "accepted"
    plain = (said("customer", "It hums."), said("agent", REPLY))
    assert cut(ticket(*plain, satisfaction="good"))[0].reaction == "helpful"
    assert cut(ticket(*plain, satisfaction="bad"))[0].reaction == "complained"


@pytest.mark.parametrize(
    ("reply", "asks"),
    [
        ("I am unclear on the question. If I am misunderstanding, please provide more information.", True),
        ("Which version do you use? What does it say?", True),
        ("Open Settings. Then choose Privacy. Did that help?", False),
        ("For more information see the article. Open Settings, then choose Privacy. Restart it.", False),
    ],
)
def test_a_reply_that_only_asks_back_is_told_from_an_answer(reply: str, asks: bool) -> None:
    assert asks_back(reply) is asks


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (
            "Hi Ann,\n\nLift the upper burr out.\n\nKind regards,\nTom Baker\nKettlewick Support",
            "Lift the upper burr out.",
        ),
        ("That isn't right, Ann, and we will send it. Tom", "That isn't right, and we will send it."),
        ("Lift the upper burr out, Ann. Then wait.\nTom", "Lift the upper burr out. Then wait."),
        ("Dear Mrs Lee, lift the upper burr out.", "lift the upper burr out."),
        ("Ask Tom about the burr.", "Ask [PERSON_1] about the burr."),
    ],
)
def test_what_is_taught_greets_and_names_nobody(reply: str, told: str) -> None:
    asks = said("customer", "My burr is stuck. What now?", author="Ann Lee")
    made = ticket(asks, said("agent", reply, author="Tom Baker"))
    (exchange,) = cut(made)
    assert exchange.human_reply == told
