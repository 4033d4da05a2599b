"""Train, validation and held-out by time: a desk is asked tomorrow's questions with yesterday's knowledge.

Whole tickets move together, and everything held out was opened later than everything trained on. From the newest to the
oldest, what asks nearly the same as something newer in validation or the held-out part is left out, and what is by a
customer of theirs; of train questions that are nearly the same the best to learn from is kept. All that is left out
names what it matched.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from data.duplicates import BOILERPLATE, KEYS, Asked, Grams, repeats
from data.errors import BadInput
from data.spool import Spool

BEST = "FROM taught ORDER BY merit DESC, created DESC, id DESC"  # taken well, of fitting length and own words; newest
Left = tuple[int, str, int]
CROWD, CROWD_SHARE = 20, 0.1  # tickets of one author beyond both: a shared mailbox or web form, no customer


def divide(spool: Spool, heldout: int, validation: int, limit_train: int = 0) -> None:
    """Raises BadInput where too few exchanges, dates too alike or too few customers leave none for training."""
    store = spool.store
    spool.flush()
    store.execute("CREATE INDEX by_age ON exchanges (created, id)")
    store.execute("CREATE INDEX by_ticket ON exchanges (ticket)")
    store.execute("INSERT INTO stock SELECT reply FROM exchanges GROUP BY reply HAVING count(*) >= ?", (BOILERPLATE,))
    _bound(spool, heldout, validation)
    _enough(spool, heldout, validation)
    _without_crowds(spool)
    asked, people = Asked(), dict[int, int]()
    _leave_out(spool, _newer(spool, asked, people))
    _leave_out(spool, _known(spool, asked, people))
    _enough(spool, heldout, validation)
    _leave_out(spool, _repeated(spool))
    if limit_train > 0:
        store.execute(f"INSERT INTO dropped SELECT n, 'beyond_limit', NULL {BEST} LIMIT -1 OFFSET ?", (limit_train,))


def _bound(spool: Spool, heldout: int, validation: int) -> None:
    """At least so many of the newest on either side, never between tickets opened at the same moment."""
    end = spool.number("SELECT max(created) FROM exchanges") + 1
    held = _newest(spool, end, heldout)
    spool.store.execute("INSERT INTO bounds VALUES (?, ?)", (_newest(spool, held, validation), held))


def _newest(spool: Spool, end: int, count: int) -> int:
    """When the newest `count` exchanges before `end` begin."""
    if count <= 0:
        return end
    row = spool.store.execute(
        "SELECT min(created) FROM (SELECT created FROM exchanges WHERE created < ? ORDER BY created DESC LIMIT ?)",
        (end, count),
    ).fetchone()
    return end if row[0] is None else int(row[0])


def _enough(spool: Spool, heldout: int, validation: int) -> None:
    held, train = (spool.number("SELECT 1 FROM kept WHERE split = ? LIMIT 1", each) for each in ("heldout", "train"))
    if held and train:
        return
    total, apart = spool.number("SELECT count(*) FROM exchanges"), spool.number("SELECT count(*) FROM dropped")
    dates = spool.number("SELECT count(DISTINCT created) FROM exchanges")
    why = f", {apart} of them by the same customers or nearly the same questions as those," if apart else ""
    when = f", begun at {dates} different times only," if not apart and dates < min(total, heldout + validation) else ""
    raise BadInput(
        f"{total} usable exchanges{why or when} leave none to train on after {heldout} held out "
        f"and {validation} to validate; lower desk.heldout and desk.validation, or import more tickets"
    )


def _without_crowds(spool: Spool) -> None:
    most = max(CROWD, CROWD_SHARE * spool.number("SELECT count(DISTINCT ticket) FROM exchanges"))
    spool.store.execute(
        "UPDATE exchanges SET customer = 0 WHERE customer IN (SELECT customer FROM customers WHERE tickets > ?)",
        (most,),
    )
    spool.store.execute("DELETE FROM customers WHERE tickets > ?", (most,))


def _leave_out(spool: Spool, left: Iterator[Left]) -> None:
    spool.store.executemany("INSERT INTO dropped VALUES (?, ?, ?)", left)


def _rows(spool: Spool, *, train: bool) -> Iterator[tuple[int, int, int, str, Grams]]:
    """(number, ticket, customer, split, shingles), newest first."""
    rows = spool.store.execute(
        "SELECT n, ticket, customer, split, grams FROM parted p JOIN texts USING (n) WHERE (split = 'train') = ? "
        "ORDER BY p.created DESC, p.id DESC", (train,),
    )  # fmt: skip
    for number, ticket, customer, split, grams in rows:
        yield number, ticket, customer, split, np.frombuffer(grams, np.uint64)


def _newer(spool: Spool, asked: Asked, people: dict[int, int]) -> Iterator[Left]:
    """Of validation and the held-out part; fills `asked` and, by customer, `people` with what is kept."""
    tested: dict[int, int] = {}
    for number, ticket, customer, split, grams in _rows(spool, train=False):
        if split == "validation" and customer in tested:
            yield number, "same_customer", tested[customer]
        elif (match := asked.nearest(ticket, grams)) is not None:
            yield number, "near_duplicate", match
        else:
            asked.add(number, ticket, grams)
            if customer:
                people.setdefault(customer, number)
                if split == "heldout":
                    tested.setdefault(customer, number)


def _known(spool: Spool, asked: Asked, people: dict[int, int]) -> Iterator[Left]:
    """Of train what would give away an answer of the other parts."""
    for number, ticket, customer, _, grams in _rows(spool, train=True):
        if customer in people:
            yield number, "same_customer", people[customer]
        elif (match := asked.nearest(ticket, grams)) is not None:
            yield number, "near_duplicate", match


def _repeated(spool: Spool) -> Iterator[Left]:
    count = spool.number("SELECT count(*) FROM taught")
    numbers_N, tickets_N = np.zeros(count, np.int64), np.zeros(count, np.int64)
    keys_NK = np.zeros((count, KEYS), np.uint32)
    rows: Any = spool.store.execute(f"SELECT n, ticket, keys {BEST}")
    for place, (number, ticket, keys) in enumerate(rows):
        numbers_N[place], tickets_N[place], keys_NK[place] = number, ticket, np.frombuffer(keys, np.uint32)

    def shingles(place: int) -> Grams:
        row = spool.store.execute("SELECT grams FROM texts WHERE n = ?", (int(numbers_N[place]),)).fetchone()
        return np.frombuffer(row[0], np.uint64)

    for place, match in repeats(keys_NK, tickets_N, shingles):
        yield int(numbers_N[place]), "near_duplicate", int(numbers_N[match])
