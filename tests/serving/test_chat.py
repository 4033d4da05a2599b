"""The chat page's protocol, and what is remembered of a conversation."""

from __future__ import annotations

import json
import logging
import re

import pytest

from tests.engine_server import Script
from tests.serving.desk import PASSAGE, SURE, TEACHER, Desk, ScriptedLauncher, text_of


def test_named_events_in_order(desk: Desk) -> None:
    found = desk.chat()
    names = [name for name, _ in found]
    assert names[0] == "route" and names[-2:] == ["sources", "done"]
    assert re.fullmatch("(route )+(delta )+sources done ", " ".join(names) + " ")
    route = [data for name, data in found if name == "route"][-1]
    assert route["words"] == "answered instantly"
    assert route["release"].startswith("release-") and route["generation"] == 1
    assert dict(found)["sources"]["sources"][0]["title"] == PASSAGE.title


def test_the_page_hears_that_the_teacher_is_being_asked(desk: Desk, launcher: ScriptedLauncher) -> None:
    launcher.worth = 0.1
    pending = [data["pending"] for name, data in desk.chat() if name == "route"]
    assert pending == [True, True, False]


def test_a_conversation_goes_on_and_can_be_read_again(desk: Desk, launcher: ScriptedLauncher) -> None:
    first = desk.chat("My kettle is furred up")
    conversation = first[0][1]["conversation"]
    desk.chat("And how often?", conversation=conversation)
    asked = launcher.servers["one"].requests[-1]["messages"]
    assert [m["content"] for m in asked[1:]] == ["My kettle is furred up", SURE.text, "And how often?"]
    read = desk.client.get(f"/chat/conversations/{conversation}").json()
    assert [turn["role"] for turn in read["turns"]] == ["customer", "bot", "customer", "bot"]
    assert read["turns"][1]["words"] == "answered instantly"
    assert read["handoff"] is False
    assert desk.client.get("/chat/conversations/nobody").status_code == 404


def test_feedback_persists_and_may_be_changed(desk: Desk) -> None:
    turn = dict(desk.chat())["done"]["turn"]
    for value, comment in ((1, ""), (-1, "wrong, mail me at anna@example.com")):
        body = {"turn": turn, "value": value, "comment": comment}
        assert desk.client.post("/chat/feedback", json=body).json() == {"saved": True}
    (row,) = desk.rows("feedback")
    assert (row["turn"], row["value"], row["comment"]) == (turn, -1, "wrong, mail me at [EMAIL_1]")
    assert desk.client.post("/chat/feedback", json={"turn": "nope", "value": 1}).status_code == 404
    assert desk.client.post("/chat/feedback", json={"turn": turn, "value": 7}).status_code == 400


def test_the_same_turn_sent_again_is_answered_once(desk: Desk, launcher: ScriptedLauncher) -> None:
    turn = "0123456789abcdef0123"
    first = desk.chat(turn=turn)
    again = desk.chat(turn=turn)
    assert text_of(first) == text_of(again) == SURE.text
    assert dict(first)["done"]["turn"] == dict(again)["done"]["turn"]
    assert len(launcher.servers["one"].requests) == 2  # the golden prompt and one answer
    assert len(desk.rows("turns")) == 2


def test_the_customers_words_are_saved_before_a_model_is_asked(desk: Desk, launcher: ScriptedLauncher) -> None:
    seen: list[str] = []

    def reply(_: object) -> Script:
        seen.extend(row["text"] for row in desk.rows("turns"))
        return SURE

    launcher.servers["one"].reply = reply
    desk.chat("Is it safe?")
    assert seen == ["Is it safe?"]


def test_what_is_stored_and_logged_is_redacted(
    desk: Desk, launcher: ScriptedLauncher, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "deskmate")
    launcher.servers["one"].reply = lambda _: Script("I wrote to anna@example.com for you.")
    found = desk.chat("I am anna@example.com, card 4111 1111 1111 1111")
    assert "anna@example.com" in text_of(found)  # the customer's own stream is theirs
    texts = [row["text"] for row in desk.rows("turns")]
    assert texts == ["I am [EMAIL_1], card [CARD_1]", "I wrote to [EMAIL_1] for you."]
    lines = [json.loads(r.message) for r in caplog.records if r.name == "deskmate.replies"]
    assert lines[-1]["route"] == "student" and lines[-1]["first_seconds"] > 0
    assert "anna" not in caplog.text and "card" not in caplog.text
    assert found[0][1]["conversation"] not in caplog.text


def test_bad_turns_are_refused_in_one_line(desk: Desk) -> None:
    for body in (
        {"text": ""},
        {"text": "   "},
        {"text": "x" * 9000},
        {"text": "hi", "turn": "short"},
        {"txt": "hi"},
    ):
        reply = desk.client.post("/chat/turns", json=body)
        assert reply.status_code == 400
        assert "\n" not in reply.json()["error"]["message"]
    plain = desk.client.post("/chat/turns", content='{"text": "hi"}', headers={"content-type": "text/plain"})
    assert plain.status_code == 400  # a form on another site cannot speak for the customer


def test_the_page_is_served_with_a_strict_policy(desk: Desk) -> None:
    page = desk.client.get("/")
    assert page.status_code == 200
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy
    for path in re.findall(r'(?:src|href)="([^"]+)"', page.text):
        assert not path.startswith("http")
        assert desk.client.get(path).status_code == 200
    for name in ("chat.js", "page.js", "reply.js"):
        script = desk.client.get(f"/{name}")
        assert script.headers["content-type"].startswith("text/javascript")
        assert "innerHTML" not in script.text and "http://" not in script.text.replace("http://www.w3.org", "")
    assert desk.client.get("/nowhere").json()["error"]["code"] == "NotFound"


def test_metrics_count_replies_by_route(desk: Desk, launcher: ScriptedLauncher) -> None:
    desk.chat()
    launcher.worth = 0.1
    assert text_of(desk.chat()) == TEACHER.text
    page = desk.client.get("/metrics").text
    assert 'deskmate_replies_total{finish="stop",reason="confident",route="student"} 1.0' in page
    assert 'deskmate_replies_total{finish="stop",reason="unsure",route="teacher"} 1.0' in page
    assert 'deskmate_first_token_seconds_count{route="student"} 1.0' in page
    assert "deskmate_in_flight 0.0" in page
    assert desk.client.get("/livez").status_code == 200
