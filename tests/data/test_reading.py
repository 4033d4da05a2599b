"""What one row becomes on its way to the spool."""

from __future__ import annotations

import json
from typing import Any

import pytest

from data.importers import At
from data.reading import Read, read
from data.records import Rejected

AT = At("t.jsonl", 3)
KB = "https://shop.com/kb"


def said(role: str, text: str, **more: object) -> dict[str, object]:
    return {"role": role, "text": text, **more}


def one(*messages: dict[str, object], first_reply_only: bool = False, key: bytes = b"k", **more: object) -> Any:
    row = {"id": "T", "created": "2025-01-01", "subject": "Grinder", "messages": list(messages), **more}
    return read(first_reply_only, key, [(AT, json.dumps(row).encode())])[0]


ASKED = said("customer", "My grinder hums, mail me at ann@example.com please.", author="ann@example.com")
NOTE = said("agent", f"SECRET, see {KB}/internal-page", visibility="internal", author="SECRET1")
REPLY = said("agent", f"Please read {KB}/clean-the-burrs?token=abcdef and try that again.")
MORE = said("agent", f"And once more {KB}/lift-the-burr as well.")
THANKS = said("customer", f"Thanks, I also found {KB}/mine")


def test_links_of_all_public_replies_are_kept_whole_and_no_others() -> None:
    item = one(NOTE, ASKED, REPLY, NOTE, THANKS, MORE, first_reply_only=True)
    assert isinstance(item, Read)
    assert item.links.split("\n") == ["shop.com/clean-the-burrs", "shop.com/lift-the-burr"]
    assert item.asked == "Grinder\nMy grinder hums, mail me at [EMAIL_1] please."
    assert len(item.cuts) == 1


def test_a_link_without_a_host_is_kept_beside_the_others() -> None:
    item = one(ASKED, said("agent", f'<p>Read <a href="/kb/descale?key=abcd">this</a>, and {KB}/dry.</p>'))
    assert item.links.split("\n") == ["shop.com/dry", "-/descale"]


def test_a_reply_that_is_a_bare_link_answers_too() -> None:
    item = one(ASKED, said("agent", f"See {KB}/lift-the-burr"))
    assert (item.cuts, item.why.kind, item.links) == ([], "no_answer", "shop.com/lift-the-burr")
    assert item.asked == "Grinder\nMy grinder hums, mail me at [EMAIL_1] please."
    assert one(ASKED, said("agent", f"See {KB}/lift-the-burr"), status="merged").links == ""
    assert one(REPLY).links == ""


@pytest.mark.parametrize(
    ("changes", "kind", "reason"),
    [
        ({"locale": "de-AT"}, "other_language", "in another language: de"),
        ({"status": "merged"}, "merged", "merged into another ticket"),
        ({}, "no_answer", "no customer's question followed by an agent's reply"),
    ],
)
def test_why_nothing_came_of_it(changes: dict[str, object], kind: str, reason: str) -> None:
    item = one(NOTE, ASKED, said("bot", "Thank you for writing."), **changes)
    assert isinstance(item.why, Rejected)
    assert (item.why.kind, item.why.reason, item.why.record, item.why.line) == (kind, reason, "T", 3)
    assert item.why.text == "Grinder\nMy grinder hums, mail me at [EMAIL_1] please."
    assert item.counts["dropped"] == 0
    assert item.counts[f"language: {'de' if changes.get('locale') else 'en'}"] == 1


def test_nothing_internal_is_told_of_what_was_left_out() -> None:
    assert one(NOTE, said("agent", "We called.")).why.text == ""
    long = one(said("customer", "word " * 500), NOTE).why.text
    assert len(long.split()) == 41
    assert "SECRET" not in long


def test_who_asked_is_hidden_behind_the_key() -> None:
    who = one(NOTE, ASKED, REPLY).who
    assert who == one(said("customer", "Again.", author=" ANN@example.com"), REPLY).who != 0
    assert who != one(ASKED, REPLY, key=b"other").who
    assert one(said("customer", "My grinder hums.", author="Fran"), REPLY).who == 0
    assert one(said("customer", "My grinder hums."), REPLY).who == 0
    assert "ann@" not in repr(one(NOTE, ASKED, REPLY))
