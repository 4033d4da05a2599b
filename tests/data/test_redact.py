"""What goes, and above all what stays."""

import pytest

from data.redact import count, redact


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("write to ann.lee+x@example.co.uk please", "[EMAIL]"),
        ("<ANN@EXAMPLE.COM>", "[EMAIL]"),
        ('"...ümit55@example.org" and no more', "[EMAIL]"),
        ("account example@example.net_2 is mine", "[EMAIL]"),
        ("call +44 20 7946 0958 today", "[PHONE]"),
        ("call (817) 555-0170.", "[PHONE]"),
        ("555-0115 is mine", "[PHONE]"),
        ("ring 07700 900123", "[PHONE]"),
        ("my phone number is 5550143", "[PHONE]"),
        ("card 4111 1111 1111 1111 expired", "[CARD]"),
        ("378282246310005", "[CARD]"),
        ("pay to GB82 WEST 1234 5698 7654 32 and tell me", "[IBAN]"),
        ("de89370400440532013000", "[IBAN]"),
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
    assert redact("https://shop.example.org/reset?token=abcd1234efgh") == "https://shop.example.org/[LINK]"
    assert redact("https://ann:pw@files.example.org/x") == "https://files.example.org/[LINK]"
    assert redact("https://example.org/a?utm_source=mail&page=2") == "https://example.org/a?page=2"
    assert redact("http:///broken") == "http:///broken"


def test_redacting_twice_changes_nothing() -> None:
    once = redact("ann@example.com, +44 20 7946 0958, 4111111111111111")
    assert redact(once) == once
