"""What goes, and above all what stays."""

import time

import pytest

from data.exchanges import impersonal
from data.redact import Redactor, anonymous, count, redact
from data.rules import Rules, checked


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("write to ann.lee+x@example.co.uk please", "[EMAIL_1]"),
        ("<ANN@EXAMPLE.COM>", "[EMAIL_1]"),
        ('"...ümit55@example.org" and no more', "[EMAIL_1]"),
        ("account example@example.net_2 is mine", "[EMAIL_1]"),
        ("call +44 20 7946 0958 today", "[PHONE_1]"),
        ("call (817) 555-0170.", "[PHONE_1]"),
        ("555-0115 is mine", "[PHONE_1]"),
        ("ring 07700 900123", "[PHONE_1]"),
        ("my phone number is 5550143", "[PHONE_1]"),
        ("card 4111 1111 1111 1111 expired", "[CARD_1]"),
        ("378282246310005", "[CARD_1]"),
        ("pay to GB82 WEST 1234 5698 7654 32 and tell me", "[IBAN_1]"),
        ("de89370400440532013000", "[IBAN_1]"),
    ],
)
def test_personal_data_goes(text: str, label: str) -> None:
    assert label in redact(text)
    assert count(redact(text)) == 1
    assert not any(part in redact(text) for part in ("0170", "0958", "1111", "WEST", "ann.lee"))


@pytest.mark.parametrize(
    "text",
    [
        "Thunderbird 102.6.1 and 128.3.2esr",
        "order KW-48213",
        "error 0x80072EE7, code E04, SMTP 550 5.7.1",
        "at 14:00 on 2025-03-01 12:30:05",
        "imap.gmail.com port 993, smtp.gmail.com:587",
        "192.168.1.10 and 127.0.0.1:1143",
        "£129.99, $1,299.00 and 349 EUR",
        "bug 1810345 and part BR-G58",
        "build 20230101123456",
        "1,234,567 messages, 500 MB",
        "4111 1111 1111 1112",
        "GB82 WEST 1234 5698 7654 33",
        "ISBN 978-3-16-148410-0",
        "see https://support.mozilla.org/en-US/kb/imap-synchronization#w_configuring",
        "between 40 and 100 °C, 18 g in 25-30 s",
    ],
)
def test_what_an_answer_must_repeat_stays(text: str) -> None:
    assert redact(text) == text


def test_links_with_secrets_keep_their_host_only() -> None:
    assert redact("https://shop.example.org/reset?token=abcd1234efgh") == "https://shop.example.org/[LINK_1]"
    assert redact("https://ann:pw@files.example.org/x") == "https://files.example.org/[LINK_1]"
    assert redact("https://example.org/a?utm_source=mail&page=2") == "https://example.org/a?page=2"
    assert redact("http:///broken") == "http:///broken"


def test_redacting_twice_changes_nothing() -> None:
    once = redact("ann@example.com, +44 20 7946 0958, 4111111111111111")
    assert redact(once) == once


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("It hums.\n\nThanks,\nAnn Lee", "Ann"),
        ("It hums.\nMany thanks in advance!\nTregarth", "Tregarth"),
        ("It hums.\nbest regards\nann", "ann"),
        ("It hums. Kind regards, Zach", "Zach"),
        ("It hums. Thanks\n\nKind regards,\nBob Lee", "Bob"),
        ("It hums.\nCheers\n...Roland", "Roland"),
        ("It hums.\n\n--\nBill", "Bill"),
        ("Hi Desmond, lift the burr.", "Desmond"),
        ("Dear Mrs O'Neill,\nlift the burr.", "Neill"),
        ("hello ann, lift the burr", "ann"),
        ("My name is Jürgen Groß and it hums.", "Jürgen"),
        ("This is Ann from accounts.", "Ann"),
        ("@gillian_b try that", "gillian"),
        ("Please ask Dr. Watson", "Watson"),
    ],
)
def test_names_go_where_people_sign_greet_and_introduce_themselves(text: str, name: str) -> None:
    assert name not in redact(text)
    assert count(redact(text)) == 1


@pytest.mark.parametrize(
    "text",
    [
        "Thanks in advance\nfor your help",
        "Hi there, hi all, Hello everyone,\ndear support team,",
        "Go to Tools > Account Settings > Mark as read.\n\nThanks!",
        "Thank you\n\nWindows 11, Thunderbird 128",
        "Best,\n1. Open Settings\n2. Close it",
        "Thanks. Will it work in May?",
        "this is strange and my name is wrong in the list",
        "I get Error 0x80004005 at Send Later",
    ],
)
def test_what_is_no_name_stays(text: str) -> None:
    assert redact(text) == text


def test_people_of_a_conversation_are_kept_apart_and_only_it_can_turn_them_back() -> None:
    redactor = Redactor(["Fran"])
    said = [
        "Hi, I wrote as ann@example.com.\nThanks,\nAnn Lee",
        "Hi Ann, Fran here. I mailed ANN@example.com.\nRegards,\nTom",
    ]
    for text in said:
        redactor.meet(text)
    found = [redactor(text) for text in said]
    assert found[0] == "Hi, I wrote as [EMAIL_1].\nThanks,\n[PERSON_1]"
    assert found[1] == "Hi [PERSON_1], [PERSON_3] here. I mailed [EMAIL_1].\nRegards,\n[PERSON_2]"
    assert (
        redactor.restore("Dear [PERSON_1], see [EMAIL_1] and [PHONE_1].")
        == "Dear Ann Lee, see ann@example.com and [PHONE_1]."
    )
    assert [redactor(text) for text in found] == found


OWN = Rules(("kettlewick.example", "@shop.example", "desk@mail.example", "+44 20 7946 0000"))


@pytest.mark.parametrize(
    "text",
    [
        "write to Help@kettlewick.example or help@uk.kettlewick.example",
        "mailto:sales@shop.example",
        "desk@mail.example",
        "call +44 20 7946 0000, 020 7946 0000, (020) 7946 0000 or 0044 20 7946 0000",
        "Tel: 020 79460000 or +44 (0)20 7946 0000",
    ],
)
def test_what_is_the_desks_own_stays(text: str) -> None:
    assert Redactor(rules=OWN)(text) == text
    assert Redactor()(text) != text


@pytest.mark.parametrize(
    "text", ["ann@mail.example", "ann@notkettlewick.example", "kettlewick.example@example.com", "020 7946 0001",
             "+49 20 7946 0000"],
)  # fmt: skip
def test_what_only_resembles_the_desks_own_goes(text: str) -> None:
    assert Redactor(rules=OWN)(text) == Redactor()(text) != text


@pytest.mark.parametrize("own", ["Acme", "mail.", "a@b", "12345", "ann@", "acme.example and more"])
def test_what_nobody_can_own_is_refused(own: str) -> None:
    with pytest.raises(ValueError, match="no e-mail domain, address or telephone number"):
        checked((own,))
    assert checked(OWN.own) == OWN.own


def test_labels_shown_elsewhere_have_no_number() -> None:
    assert anonymous("[PERSON_2] at [EMAIL_11], [x_1]") == "[PERSON] at [EMAIL], [x_1]"
    assert count(anonymous("[PERSON_2]")) == 1


def test_labels_of_earlier_turns_are_not_given_again() -> None:
    redactor = Redactor()
    for text in ("mail [EMAIL_2]", "or ann@example.com"):
        redactor.meet(text)
    assert redactor("or ann@example.com") == "or [EMAIL_3]"
    assert redactor.restore("[EMAIL_2] [EMAIL_3]") == "[EMAIL_2] ann@example.com"


@pytest.mark.parametrize(
    "piece",
    [" ", "\n", "a", "A ", "@", "thanks ", "Thanks, ", "hi  ", "Hi A", "my name is ", "this is ", "-", "\n-A", ". ",
     "Best\n", "1 ", "Dear Mr ", "thanks" + " " * 500, "this is " + "x" * 500, "+1 ", "http://", "[PERSON_1]"],
)  # fmt: skip
def test_nobody_waits_for_a_text_made_to_be_slow(piece: str) -> None:
    text = piece * (40_000 // len(piece))
    began = time.perf_counter()
    redact(text)
    impersonal(text)
    assert time.perf_counter() - began < 2.0
