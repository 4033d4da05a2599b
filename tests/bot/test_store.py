"""The store: compare-and-swap, rollback, and what is kept of customers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import text

from bot import store
from bot.store import Alias, Reply, Store
from data.errors import Conflict, DeskmateError, NotFound
from data.records import Turn


@pytest.fixture
def desk(tmp_path: Path) -> Store:
    return Store(tmp_path / "deskmate.db")


def test_promote_is_compare_and_swap(desk: Store) -> None:
    with desk.begin() as connection:
        assert store.read_alias(connection) is None
        assert store.promote(connection, "a", expected=0, who="x") == Alias("live", "a", 1)
        assert store.promote(connection, "b", expected=1, who="x").generation == 2
    with pytest.raises(Conflict, match="generation 2, not 1"), desk.begin() as connection:
        store.promote(connection, "c", expected=1, who="x")
    with desk.begin() as connection:
        assert store.read_alias(connection) == Alias("live", "b", 2)
        assert store.previous(connection) == "a"
        assert connection.scalar(text("select count(*) from audit")) == 2


def test_what_a_server_took_back_is_not_gone_back_to(desk: Store) -> None:
    with desk.begin() as connection:
        for release, who in (("a", "x"), ("b", "x"), ("broken", "x"), ("b", f"{store.TAKEN_BACK}it did not load")):
            store.promote(connection, release, who=who)
        assert store.previous(connection) == "a"
        store.promote(connection, "a", who="x")
        assert store.previous(connection) == "b"


def test_of_many_that_saw_the_same_generation_one_wins(desk: Store) -> None:
    def attempt(number: int) -> bool:
        try:
            with desk.begin() as connection:
                store.promote(connection, f"r{number}", expected=0, who="x")
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(attempt, range(8))) == 1


def test_a_failed_transaction_leaves_no_audit_row(desk: Store) -> None:
    def flip_and_fail() -> None:
        with desk.begin() as connection:
            store.promote(connection, "a", who="x")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        flip_and_fail()
    with desk.begin() as connection:
        assert store.read_alias(connection) is None
        with pytest.raises(NotFound, match="no earlier release"):
            store.previous(connection)


def test_a_conversation_with_its_history(desk: Store) -> None:
    with desk.begin() as connection:
        history = (Turn(role="customer", text="hi, I am anna@example.com"), Turn(role="agent", text="hello"))
        begun = store.begin_turn(connection, "and now?", history=history, channel="api")
        assert begun.earlier == history
        store.save_reply(connection, Reply("r1", begun, "so", "student", "confident", "rel", 0.1, "stop"))
        store.save_feedback(connection, "r1", 1)
        for _ in range(2):
            store.open_handoff(connection, begun.conversation, "unsure")
        assert [entry["reason"] for entry in store.open_handoffs(connection)] == ["unsure"]
        again = store.begin_turn(connection, "and now?", turn=begun.turn)
        assert again.reply and (again.reply.text, again.conversation) == ("so", begun.conversation)
    with desk.begin() as connection:
        saved, waiting = store.read_conversation(connection, begun.conversation)
        assert [turn.text for turn in saved] == ["hi, I am [EMAIL_1]", "hello", "and now?", "so"]
        assert saved[-1].rating == 1 and waiting


def test_an_abandoned_reply_is_answered_again(desk: Store) -> None:
    with desk.begin() as connection:
        begun = store.begin_turn(connection, "hi")
        store.save_reply(connection, Reply("r1", begun, "so", "student", "confident", "rel", 0.1, store.ABANDONED))
        assert store.begin_turn(connection, "hi", turn=begun.turn).reply is None
        assert store.begin_turn(connection, "x", conversation=begun.conversation).earlier == (
            Turn(role="customer", text="hi"),
        )


def test_sqlite_is_set_up_as_it_must_be(desk: Store, tmp_path: Path) -> None:
    with desk.begin() as connection:
        asked = [connection.scalar(text(f"pragma {name}")) for name in ("journal_mode", "foreign_keys", "busy_timeout")]
    assert asked == ["wal", 1, 5000]
    (tmp_path / "bad.db").write_text("this is no database, not at all, it is a text file")
    with pytest.raises(DeskmateError, match="cannot open the database"):
        Store(tmp_path / "bad.db")
