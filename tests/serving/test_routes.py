"""Which route answers, and why: every way a model can fail, before and after commit."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from bot.config import Serving
from bot.launch import identity
from bot.prompt import DEFERRAL, FRAME, SYSTEM
from bot.router import BROKEN_OFF, HANDOFF, TEXTS
from data.workspace import Workspace
from tests.engine_server import FOREVER, Script
from tests.serving.desk import (
    PASSAGE,
    SURE,
    TEACHER,
    Desk,
    ScriptedLauncher,
    config,
    content,
    make_release,
    running,
    text_of,
)  # fmt: skip

LONG = "one two three four five six seven eight nine ten"


def test_a_sure_student_answers(desk: Desk) -> None:
    reply = desk.ask()
    body = reply.json()
    assert body["choices"][0]["message"]["content"] == SURE.text
    assert (reply.headers["x-route"], body["deskmate"]["reason"]) == ("student", "confident")
    assert body["deskmate"]["evidence"] == ["Descaling"]
    assert body["usage"]["completion_tokens"] == 5


def test_an_unsure_student_is_replaced_by_the_teacher_unseen(desk: Desk, launcher: ScriptedLauncher) -> None:
    launcher.worth = 0.1
    found = desk.chat()
    routes = [data for name, data in found if name == "route"]
    assert routes[-1]["route"] == "teacher"
    assert routes[-1]["reason"] == "unsure"
    assert text_of(found) == TEACHER.text
    assert "amend" not in dict(found)


def test_what_no_notes_are_near_to_goes_to_a_person_and_no_model_is_asked(
    desk: Desk, launcher: ScriptedLauncher
) -> None:
    launcher.standing = "far"
    before = [len(server.requests) for server in launcher.servers.values()]
    reply = desk.ask("Do you have a shop in Berlin?")
    assert (reply.headers["x-route"], reply.json()["deskmate"]["reason"]) == ("human", "no_notes")
    assert content(reply) == HANDOFF
    assert reply.json()["deskmate"]["handoff"] == {"reason": "no_notes"}
    assert [len(server.requests) for server in launcher.servers.values()] == before


def test_a_greeting_is_the_teachers_and_gets_no_notes(desk: Desk, launcher: ScriptedLauncher) -> None:
    launcher.standing = "small_talk"
    reply = desk.ask("hi")
    assert (reply.headers["x-route"], reply.json()["deskmate"]["reason"]) == ("teacher", "small_talk")
    assert reply.json()["deskmate"]["evidence"] == []
    assert PASSAGE.text not in str(launcher.servers["teacher"].requests[-1])


def test_a_student_that_reads_out_its_instructions_is_replaced_unseen(desk: Desk, launcher: ScriptedLauncher) -> None:
    launcher.servers["one"].reply = lambda _: Script(SYSTEM)
    found = desk.chat()
    assert text_of(found) == TEACHER.text
    assert SYSTEM[:12] not in str(found)


@pytest.mark.parametrize("ours", [SYSTEM, f"{FRAME[1]} it left on Monday.", f"{FRAME[0]} where is it"])
def test_with_one_token_held_more_are_while_it_may_be_reading_out(
    tmp_path: Path, launcher: ScriptedLauncher, ours: str
) -> None:
    launcher.servers["one"].reply = lambda _: Script(ours)
    make_release(Workspace(tmp_path), "one")
    with running(tmp_path, launcher, config(hold_tokens=Serving().hold_tokens)) as desk:
        found = desk.chat()
        assert text_of(found) == TEACHER.text
        launcher.servers["one"].reply = lambda _: Script("We answer within two days.")
        assert text_of(desk.chat()) == "We answer within two days."


BEFORE = {
    "stall": Script(first_delay=FOREVER),
    "stall while held": Script(LONG, stall_after=2),
    "cut": Script(LONG, cut_after=1),
    "garble": Script(LONG, garble_after=1),
    "error": Script(LONG, error_after=1),
    "nothing": Script(empty=True),
    "no words": Script(""),
    "no finish": Script("one two", finish=False),
    "500": Script(status=500),
    "429": Script(status=429),
}


@pytest.mark.parametrize("script", BEFORE.values(), ids=BEFORE)
@pytest.mark.parametrize("stream", [False, True])
def test_a_student_that_fails_before_commit_leaves_no_trace(
    desk: Desk, launcher: ScriptedLauncher, script: Script, stream: bool
) -> None:
    launcher.servers["one"].reply = lambda _: script
    if script.first_delay or script.stall_after:
        launcher.impatient()
    reply = desk.ask(stream=stream)
    assert reply.headers["x-route"] == "teacher"
    assert "student_failed" in reply.text
    assert content(reply) == TEACHER.text


AFTER = {
    "stall": Script(LONG, stall_after=5),
    "cut": Script(LONG, cut_after=5),
    "garble": Script(LONG, garble_after=5),
    "error": Script(LONG, error_after=5),
    "loop": Script("turn it off and on again " * 12),
}


@pytest.mark.parametrize("script", AFTER.values(), ids=AFTER)
def test_after_commit_the_chat_page_is_told_and_gets_the_teacher(
    desk: Desk, launcher: ScriptedLauncher, script: Script
) -> None:
    launcher.servers["one"].reply = lambda _: script
    if script.first_delay or script.stall_after:
        launcher.impatient()
    found = desk.chat()
    names = [name for name, _ in found]
    assert names.index("amend") > names.index("delta")
    assert text_of(found) == TEACHER.text
    assert [data["route"] for name, data in found if name == "route"][-1] == "teacher"
    assert dict(found)["done"]["finish"] == "stop"


@pytest.mark.parametrize("script", AFTER.values(), ids=AFTER)
def test_after_commit_an_api_stream_ends_honestly(desk: Desk, launcher: ScriptedLauncher, script: Script) -> None:
    launcher.servers["one"].reply = lambda _: script
    if script.first_delay or script.stall_after:
        launcher.impatient()
    reply = desk.ask(stream=True)
    assert reply.headers["x-route"] == "student"
    assert BROKEN_OFF.strip() in reply.text
    assert '"handoff":{"reason":"student_stopped"}' in reply.text
    assert reply.text.endswith("data: [DONE]\n\n")
    assert [row["reason"] for row in desk.rows("handoffs")] == ["student_stopped"]


def test_plain_json_has_shown_nothing_yet_so_the_teacher_may_answer(desk: Desk, launcher: ScriptedLauncher) -> None:
    launcher.servers["one"].reply = lambda _: Script(LONG, cut_after=5)
    reply = desk.ask()
    assert reply.headers["x-route"] == "teacher"
    assert reply.json()["choices"][0]["message"]["content"] == TEACHER.text


def test_when_both_fail_a_person_is_promised_and_told(desk: Desk, launcher: ScriptedLauncher) -> None:
    for name in ("one", "teacher"):
        launcher.servers[name].reply = lambda _: Script(status=500)
    found = desk.chat()
    assert text_of(found) == HANDOFF
    assert dict(found)["handoff"]["reason"] == "teacher_failed"
    assert dict(found)["done"]["finish"] == "handoff"
    assert [row["open"] for row in desk.rows("handoffs")] == [1]


def test_when_both_break_off_the_page_still_ends_honestly(desk: Desk, launcher: ScriptedLauncher) -> None:
    for name in ("one", "teacher"):
        launcher.servers[name].reply = lambda _: Script(LONG, cut_after=6)
    found = desk.chat()
    assert text_of(found).endswith(BROKEN_OFF)
    assert dict(found)["done"]["finish"] == "handoff"


@pytest.mark.parametrize(
    ("text", "reason"),
    [("I want to talk to a real person", "asked_for_person"), ("My lawyer will hear of this", "legal"),
     ("There is smoke coming out of the grinder", "danger"), ("My account was hacked", "account_security")],
)  # fmt: skip
def test_some_things_are_for_people(desk: Desk, launcher: ScriptedLauncher, text: str, reason: str) -> None:
    asked = len(launcher.servers["one"].requests)
    found = desk.chat(text)
    assert text_of(found) == TEXTS[reason]
    assert [data["route"] for name, data in found if name == "route"][-1] == "human"
    assert len(launcher.servers["one"].requests) == asked
    assert desk.rows("handoffs")[0]["reason"] == reason


def test_a_promised_colleague_is_put_on_the_list(desk: Desk, launcher: ScriptedLauncher) -> None:
    launcher.servers["one"].reply = lambda _: Script("A colleague will take over and reply to you.")
    found = desk.chat()
    assert dict(found)["handoff"]["reason"] == "promised_person"
    assert [row["reason"] for row in desk.rows("handoffs")] == ["promised_person"]


def test_one_promised_after_an_answer_is_too(desk: Desk, launcher: ScriptedLauncher) -> None:
    told = "Empty the tank, fill it with citric acid and water, run it twice and rinse it with fresh water."
    launcher.servers["one"].reply = lambda _: Script(f"{told}\n\nI'm passing it to a colleague.")
    found = desk.chat()
    assert text_of(found).startswith(told) and dict(found)["handoff"]["reason"] == "promised_person"


def test_a_teacher_that_is_still_loading_delays_nobody(tmp_path: Path, launcher: ScriptedLauncher) -> None:
    launcher.teacher_delay = FOREVER
    launcher.worth = 0.1
    make_release(Workspace(tmp_path), "one")
    with running(tmp_path, launcher, config(hold_tokens=3)) as desk:
        assert desk.client.get("/readyz").status_code == 200
        found = desk.chat()
        assert text_of(found) == HANDOFF
        assert dict(found)["handoff"]["reason"] == "unsure"


def test_a_teacher_that_does_not_help_is_not_asked_by_an_unsure_student(
    tmp_path: Path, launcher: ScriptedLauncher
) -> None:
    make_release(Workspace(tmp_path), "one", unhelpful=identity(config().teacher))
    with running(tmp_path, launcher, config(hold_tokens=3)) as desk:
        launcher.servers["one"].reply = lambda _: Script(DEFERRAL)
        deferred = desk.chat()
        launcher.worth = 0.1
        unsure = desk.chat()
    for found, reason in ((deferred, "student_deferred"), (unsure, "unsure")):
        assert (text_of(found), dict(found)["handoff"]["reason"]) == (HANDOFF, reason)
    with running(tmp_path, launcher, config(ask_teacher="always")) as desk:
        assert text_of(desk.chat()) == TEACHER.text


def test_a_dead_student_is_noticed_and_started_again(desk: Desk, launcher: ScriptedLauncher) -> None:
    launcher.students[-1].up = False
    assert desk.client.get("/readyz").status_code == 503
    assert desk.ask().json()["deskmate"]["reason"] == "student_down"
    for _ in range(100):
        if desk.client.get("/readyz").status_code == 200:
            break
        time.sleep(0.05)
    assert desk.ask().headers["x-route"] == "student"


def test_models_see_labels_and_the_customer_reads_their_own_words(desk: Desk, launcher: ScriptedLauncher) -> None:
    launcher.servers["one"].reply = lambda _: Script(
        "Dear [PERSON_1] , we wrote to [EMAIL _1] [EMAIL_1] [EMAIL_2] [x]."
    )
    reply = desk.ask("Where is my code? It should go to ann.lee@example.com.\nThanks,\nAnn Lee")
    sent = str(launcher.servers["one"].requests[-1])
    assert "ann.lee" not in sent and "Ann" not in sent and "[EMAIL_1]" in sent
    assert content(reply) == "Dear Ann Lee , we wrote to [EMAIL _1] ann.lee@example.com [EMAIL_2] [x]."
    stored = desk.state.workspace.root.joinpath("deskmate.db").read_bytes()
    assert b"ann.lee" not in stored


def test_the_desks_own_address_is_no_label_for_anybody(tmp_path: Path, launcher: ScriptedLauncher) -> None:
    make_release(Workspace(tmp_path), "one")
    values = config()
    own = values.model_copy(update={"desk": values.desk.model_copy(update={"own": ("kettlewick.example",)})})
    launcher.servers["one"].reply = lambda _: Script("Write to help@kettlewick.example, not to ann@example.com.")
    with running(tmp_path, launcher, own) as desk:
        first = desk.chat("I wrote to help@kettlewick.example from ann@example.com.")
        desk.chat("And then?", conversation=first[0][1]["conversation"])
        sent = str(launcher.servers["one"].requests[-1])
        assert sent.count("help@kettlewick.example") == 2 and "ann@" not in sent
        assert [row["text"] for row in desk.rows("turns")][:2] == [
            "I wrote to help@kettlewick.example from [EMAIL_1].",
            "Write to help@kettlewick.example, not to [EMAIL_1].",
        ]
