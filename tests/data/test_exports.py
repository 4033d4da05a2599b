"""The four help desks' exports, in every wrapping they come in: what is understood, and what never gets through."""

import gzip
import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from data.articles import load_articles
from data.errors import BadInput
from data.exchanges import cut
from data.importers import find, read
from data.importers.json_objects import objects
from data.importers.parts import Part
from data.preview import preview
from data.records import Rejected, Ticket
from tests.bench.mutations import run
from tests.data.exports import ALL, REPLIED, THANKED, Row, freshdesk, helpscout, intercom, zendesk

Make = Callable[[int], Row]
desks = pytest.mark.parametrize(("name", "make"), ALL.items(), ids=ALL)


def tickets(path: Path) -> list[Ticket]:
    found = list(read(path))
    assert all(isinstance(each, Ticket) for each in found), found
    return [each for each in found if isinstance(each, Ticket)]


@desks
def test_a_conversation_is_understood_and_notes_never_get_through(tmp_path: Path, name: str, make: Make) -> None:
    path = tmp_path / "export"
    path.write_text(json.dumps(make(7)))
    assert find(path, {}).why.startswith(f"{name}: ")
    (ticket,) = tickets(path)
    assert (ticket.id, ticket.subject, ticket.tags) == ("7", "Grinder", ("grinders",))
    assert ticket.satisfaction in ("good", "5", "great")
    assert ticket.created.isoformat() == "2025-03-01T10:00:00+00:00"
    (exchange,) = cut(ticket)
    assert exchange.turns[0].text == "My grinder hums but does not turn."
    assert exchange.human_reply == REPLIED
    assert exchange.reaction == "thanked"
    assert "SECRET" not in exchange.model_dump_json()
    assert [m.text for m in ticket.messages if m.visibility == "public" and m.role != "system"][-1] == THANKED
    assert any("SECRET" in m.text for m in ticket.messages)  # they were there to be kept out


@desks
@pytest.mark.parametrize("wrap", ["array", "pretty", "lines", "page", "gzip", "zip", "folder", "bom"])
def test_in_every_wrapping(tmp_path: Path, name: str, make: Make, wrap: str) -> None:
    rows = [make(number) for number in range(1, 6)]
    path = tmp_path / "export.json"
    if wrap == "array":
        path.write_text(json.dumps(rows))
    elif wrap == "pretty":
        path.write_text(json.dumps(rows, indent=2))
    elif wrap == "lines":
        path.write_text("\n".join(json.dumps(row, sort_keys=True) for row in rows))
    elif wrap == "page":
        page = {
            "count": 5,
            "next": None,
            "tickets" if name == "Zendesk" else "conversations": rows,
            "meta": {"more": False},
        }
        path.write_text(json.dumps({"page": 1, "_embedded": {"conversations": rows}} if name == "Help Scout" else page))
    elif wrap == "gzip":
        path.write_bytes(gzip.compress(json.dumps(rows, indent=1).encode()))
    elif wrap == "bom":
        path.write_bytes(b"\xef\xbb\xbf" + json.dumps(rows).encode())
    elif wrap == "zip":
        path = tmp_path / "export.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for row in rows:
                archive.writestr(f"x/{row['id']}.json", json.dumps(row, indent=2))
            archive.writestr("__MACOSX/x/._1.json", b"\0\1")
            archive.writestr("readme.txt", "hello")
    else:
        path = tmp_path / "folder"
        path.mkdir()
        for row in rows:
            (path / f"{row['id']}.json").write_text(json.dumps(row))
    assert [ticket.id for ticket in tickets(path)] == ["1", "2", "3", "4", "5"]


def test_one_ticket_over_several_lines_is_no_page_of_comments(tmp_path: Path) -> None:
    row = {name: value for name, value in zendesk(7).items() if not isinstance(value, list) or name == "comments"}
    path = tmp_path / "export.json"
    path.write_text(json.dumps(row, indent=2))
    assert [ticket.id for ticket in tickets(path)] == ["7"]


@pytest.mark.parametrize(
    ("make", "child", "owner"),
    [(zendesk, "comments", "ticket_id"), (freshdesk, "conversations", "ticket_id"),
     (intercom, "conversation_parts", "conversation_id"), (helpscout, "threads", "conversationId")],
)  # fmt: skip
def test_tickets_and_what_was_said_in_separate_files(tmp_path: Path, make: Make, child: str, owner: str) -> None:
    rows = [make(number) for number in (1, 2, 3)]
    whole = [cut(ticket) for ticket in _read(tmp_path / "whole.json", rows)]
    said = []
    for row in rows:
        inside = row.pop("_embedded", row).pop(child)
        said += [{owner: row["id"], **each} for each in (inside[child] if isinstance(inside, dict) else inside)]
    folder = tmp_path / "apart"
    folder.mkdir()
    (folder / "a_tickets.json").write_text(json.dumps(rows))
    (folder / "b_said.jsonl").write_text(
        "\n".join(json.dumps(each) for each in [*said, {**said[0], owner: None}]) + "\n{bad"
    )
    found = list(read(folder))
    assert [cut(each) for each in found if isinstance(each, Ticket)] == whole
    bad = [(each.file, each.line) for each in found if isinstance(each, Rejected)]
    assert bad == [("b_said.jsonl", len(said) + 1), ("b_said.jsonl", len(said) + 2)]


def test_only_what_an_export_calls_a_saved_reply_is_a_macro(tmp_path: Path) -> None:
    for name, make in ALL.items():
        (ticket,) = _read(tmp_path / "x.json", [make(1)])
        macros = [m.text for m in ticket.messages if m.macro]
        assert macros == ([REPLIED] if name == "Help Scout" else [])
    row = helpscout(1)
    for thread in row["_embedded"]["threads"]:
        thread |= {"savedReplyId": None, "saved_reply_id": 0}
    assert not any(m.macro for m in _read(tmp_path / "y.json", [row])[0].messages)


def _read(path: Path, rows: list[Row]) -> list[Ticket]:
    path.write_text(json.dumps(rows))
    return tickets(path)


def test_zendesk_users_say_who_is_of_the_desk(tmp_path: Path) -> None:
    row = zendesk(1)
    said = [{"ticket_id": 1, **comment} for comment in row.pop("comments")]
    said.append({**said[-1], "id": 9, "author_id": 51, "body": "Me too, says a friend in copy."})
    users = [{"id": 50, "role": "end-user"}, {"id": 51, "role": "end-user"}, {"id": 90, "role": "agent"}]
    for name, rows in (("tickets", [row]), ("comments", said), ("users", users)):
        (tmp_path / f"{name}.json").write_text(json.dumps({name: rows, "count": len(rows)}))
    assert "authors from users.json" in find(tmp_path, {}).why
    (ticket,) = tickets(tmp_path)
    assert [m.role for m in ticket.messages if m.author in ("50", "51")] == ["customer", "customer", "customer"]


def test_an_agent_who_asks_is_a_customer_and_a_missing_first_message_is_the_description(tmp_path: Path) -> None:
    row = zendesk(1)
    row["requester_id"] = 90  # the agent asks; nobody else is of the desk
    (ticket,) = _read(tmp_path / "a.json", [row])
    assert [m.role for m in ticket.messages if m.author == "90"] == ["customer"] * 3
    row = zendesk(1)
    row["comments"] = row["comments"][4:5]
    (ticket,) = _read(tmp_path / "b.json", [row])
    assert (ticket.messages[0].role, ticket.messages[0].text) == ("customer", "plain")


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({**zendesk(), "status": "deleted"}, "deleted"),
        ({**freshdesk(), "spam": True}, "spam"),
        ({**freshdesk(), "conversations": "none"}, "not a list"),
        ({**helpscout(), "state": "deleted"}, "deleted"),
        ({**intercom(), "source": {"body": ["x"], "author": {"type": "user"}}}, "body"),
        ({**zendesk(), "created_at": "soon"}, "no date"),
        ({**zendesk(), "id": None}, "id: missing"),
        ({**zendesk(), "comments": [], "description": None}, "nothing was said"),
    ],
)
def test_what_cannot_be_used_says_why(tmp_path: Path, row: Row, why: str) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text(json.dumps(zendesk(1)) + "\n" + json.dumps(row))
    good, bad = read(path)
    assert isinstance(good, Ticket)
    assert isinstance(bad, Rejected) and why in bad.reason and bad.line == 2


def test_a_damaged_object_costs_only_itself(tmp_path: Path) -> None:
    text = json.dumps([zendesk(number) for number in range(1, 6)], indent=1)
    place = text.index('"id": 3,\n  "subject"')
    path = tmp_path / "x.json"
    path.write_text(text[:place] + text[place:].replace('"solved"', '"solved', 1))
    found = list(read(path))
    assert [each.id for each in found if isinstance(each, Ticket)] == ["1", "2", "4", "5"]
    bad = [each for each in found if isinstance(each, Rejected)]
    assert bad[0].line == text.count("\n", 0, place)


def test_numbers_lines_and_holds_one_chunk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("data.importers.json_objects.CHUNK", 7)
    path = tmp_path / "x.json"
    path.write_text('{"count": 2, "tickets": [\n {"id": "a]}\\"{"},\n\n {"id": 2,\n  "x": [{}]}\n], "end": {"id": 3}}')
    assert list(objects(Part(path, "x"))) == [(2, b'{"id": "a]}\\"{"}'), (4, b'{"id": 2,\n  "x": [{}]}')]


def test_nothing_known_is_one_clear_line(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.json").write_text('[{"x": 1}]')
    with pytest.raises(BadInput, match="none of its 2 files"):
        read(tmp_path)


def test_mutated_exports_never_crash_and_never_let_a_note_through(tmp_path: Path) -> None:
    found = run(tmp_path, count=400, seed=5)
    assert found["rejected"] > 20
    assert found["tickets"] > 400


def test_a_preview_shows_what_is_understood_and_keeps_out_what_importing_does(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    merged = {**zendesk(3), "status": "closed", "tags": ["closed_by_merge"]}
    path.write_text(json.dumps([zendesk(1), {**freshdesk(2), "spam": True}, merged], indent=1))
    shown = "\n".join(preview(path, {}, False))
    assert shown.startswith(f"{path}: Zendesk: ")
    assert "SECRET" not in shown
    assert "customer   My grinder hums but does not turn." in shown
    assert (
        f"x.json, line {len(json.dumps([zendesk(1)], indent=1).splitlines())}: cannot be used: the ticket is spam"
        in shown
    )
    assert "→ 1 exchange\n" in shown and "→ 0 exchanges: merged into another" in shown
    assert len(list(preview(path, {}, False, count=1))) == 10


def test_a_table_in_a_zip(tmp_path: Path) -> None:
    path = tmp_path / "export.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(
            "out/tickets.csv", "id,question,reply,created\n7,It hums,Unplug it.,2025-03-01\n8,x,,2025-03-01\n"
        )
    good, bad = read(path)
    assert isinstance(good, Ticket) and good.id == "7"
    assert isinstance(bad, Rejected) and (bad.file, bad.line) == ("export.zip/out/tickets.csv", 3)


@pytest.mark.parametrize("names", [("tickets.json",), ("a/tickets.json", "a/users.json", "b.txt")])
def test_a_zip_with_a_password_is_one_clear_line(tmp_path: Path, names: tuple[str, ...]) -> None:
    path = tmp_path / "export.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, json.dumps(zendesk(1)))
    content = bytearray(path.read_bytes())
    for mark, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        for found in re.finditer(re.escape(mark), content):
            content[found.start() + flags] |= 1  # says that it is encrypted
    path.write_bytes(content)
    for opens in (read, load_articles):
        with pytest.raises(BadInput, match=r"export\.zip: the zip has a password; unpack it"):
            opens(path)
