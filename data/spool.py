"""An import while it is being read: a SQLite file, so that a million tickets are sorted and split in little memory.

    tickets      every one that was read     exchanges   what the split goes by, narrow and so quick to look through
    customers    who asked, hashed           texts       what exchanges say, as JSON, and their shingles
    rejected     rows left out at once       dropped     exchanges left out by data/split.py
    bounds       when validation and the held-out part begin; one row

It lies hidden in the draft's folder and is scratch: a killed run begins it anew, a finished one deletes it, and nothing
is written to survive a crash. All dates are microseconds since 1970.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from data.clean import cap_words
from data.errors import DeskmateError
from data.importers import reject
from data.reading import SHOWN_WORDS, Read, marks
from data.records import SPLITS, Exchange, Rejected, Split

NAME = ".spool.db"
PENDING = 500
CACHE_KIB = 64 * 1024
SHOWN_BEYOND = 20
SCHEMA = """
CREATE TABLE tickets (ticket INTEGER PRIMARY KEY, id TEXT UNIQUE, file TEXT, line INTEGER, created INTEGER,
    resolved INTEGER, links TEXT, asked TEXT);
CREATE TABLE customers (customer INTEGER PRIMARY KEY, who INTEGER UNIQUE, tickets INTEGER);
CREATE TABLE exchanges (n INTEGER PRIMARY KEY, id TEXT, ticket INTEGER, customer INTEGER, created INTEGER,
    reply INTEGER, fits INTEGER, good INTEGER, telling INTEGER, keys BLOB);
CREATE TABLE texts (n INTEGER PRIMARY KEY, grams BLOB, body TEXT);
CREATE TABLE rejected (file TEXT, line INTEGER, reason TEXT, kind TEXT, record TEXT, match TEXT, text TEXT);
CREATE TABLE stock (reply INTEGER PRIMARY KEY);
CREATE TABLE bounds (validation INTEGER, heldout INTEGER);
CREATE TABLE dropped (n INTEGER PRIMARY KEY, kind TEXT, match INTEGER);
CREATE VIEW parted AS SELECT e.*, e.reply NOT IN (SELECT reply FROM stock) AS own,
    CASE WHEN e.created >= heldout THEN 'heldout' WHEN e.created >= validation THEN 'validation' ELSE 'train' END
    AS split FROM bounds CROSS JOIN exchanges e;
CREATE VIEW kept AS SELECT * FROM parted WHERE n NOT IN (SELECT n FROM dropped);
CREATE VIEW taught AS SELECT *, good + (own AND fits) AS merit FROM kept WHERE split = 'train';
"""
REASONS = {
    "near_duplicate": "asks nearly the same as {match} ({split}), which is kept",
    "same_customer": "its customer also asked {match} ({split})",
    "beyond_limit": "beyond desk.limit_train; kept as evidence",
}


class Span(NamedTuple):
    exchanges: int
    tickets: int
    first: int
    last: int


class Spool:
    """`store` is for data/split.py too, which decides what of it is kept."""

    def __init__(self, folder: Path) -> None:
        for left in folder.glob(".*"):  # of a run that was killed
            left.unlink()
        self.path = folder / NAME
        self.counts: Counter[str] = Counter()
        self.forum = False
        self.store = sqlite3.connect(self.path)
        self.store.executescript(
            f"PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA locking_mode=EXCLUSIVE;"
            f"PRAGMA cache_size=-{CACHE_KIB}; {SCHEMA}"
        )
        self._exchanges: list[tuple[Any, ...]] = []
        self._texts: list[tuple[Any, ...]] = []
        self._count = 0

    def add(self, item: Read | Rejected) -> None:
        if isinstance(item, Rejected):
            self.reject(item)
            return
        added = self.store.execute(
            "INSERT OR IGNORE INTO tickets (id, file, line, created, resolved, links, asked) VALUES (?,?,?,?,?,?,?)",
            (item.id, *item.at, item.created, item.resolved, item.links, item.asked),
        )
        if not added.rowcount:
            self._again(item)
            return
        customer = self._customer(item.who) if item.cuts else 0
        self.counts.update(item.counts)
        self.forum |= item.forum
        if item.why:
            self.reject(item.why)
        for cut in item.cuts:
            self._count += 1
            self._exchanges.append((
                self._count, cut.id, added.lastrowid, customer, item.created,
                cut.reply, cut.fits, cut.good, cut.telling, cut.keys,
            ))  # fmt: skip
            self._texts.append((self._count, cut.grams, cut.body))
        if len(self._exchanges) >= PENDING:
            self.flush()

    def _customer(self, who: int) -> int:
        """Numbered by first appearance; 0 is nobody."""
        if not who:
            return 0
        (number,) = self.store.execute(
            "INSERT INTO customers (who, tickets) VALUES (?, 1) "
            "ON CONFLICT (who) DO UPDATE SET tickets = tickets + 1 RETURNING customer", (who,),
        ).fetchone()  # fmt: skip
        return int(number)

    def _again(self, item: Read) -> None:
        file, line = self.store.execute("SELECT file, line FROM tickets WHERE id = ?", (item.id,)).fetchone()
        where = "" if file == item.at.file else f" of {file}"
        reason = f"ticket {item.id} again, first on line {line}{where}"
        self.reject(reject(item.at, reason).model_copy(update={"kind": "again", "record": item.id, "match": item.id}))

    def reject(self, row: Rejected) -> None:
        self.counts[f"dropped: {row.kind}"] += 1
        self.store.execute(
            "INSERT INTO rejected (file, line, reason, kind, record, match, text) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (row.file, row.line, row.reason, row.kind, row.record, row.match, row.text),
        )

    def flush(self) -> None:
        self.store.executemany("INSERT INTO exchanges VALUES (?,?,?,?,?,?,?,?,?,?)", self._exchanges)
        self.store.executemany("INSERT INTO texts VALUES (?, ?, ?)", self._texts)
        self._exchanges.clear()
        self._texts.clear()

    def replies(self) -> Iterator[str]:
        """Every reply once, whoever gave it how often."""
        rows = self.store.execute(
            "SELECT json_extract(body, '$.human_reply') FROM texts "
            "WHERE n IN (SELECT min(n) FROM exchanges GROUP BY reply) ORDER BY n"
        )
        return (reply for (reply,) in rows)

    def reword(self, change: Callable[[str], str]) -> int:
        """Every reply as `change` makes it; returns how many are other than they were."""
        changed = 0
        for first in range(1, self._count + 1, PENDING):
            rows = self.store.execute("SELECT body FROM texts WHERE n BETWEEN ? AND ?", (first, first + PENDING - 1))
            for number, (body,) in enumerate(rows.fetchall(), first):
                exchange = Exchange.model_validate_json(body)
                if (reply := change(exchange.human_reply)) != exchange.human_reply:
                    self._reword(number, exchange.model_copy(update={"human_reply": reply}))
                    changed += 1
        return changed

    def _reword(self, number: int, exchange: Exchange) -> None:
        self.store.execute("UPDATE texts SET body = ? WHERE n = ?", (exchange.model_dump_json(), number))
        self.store.execute(
            "UPDATE exchanges SET reply = ?, fits = ?, telling = ? WHERE n = ?", (*marks(exchange), number)
        )

    def number(self, query: str, *values: object) -> int:
        """The first column of the first row, 0 where there is none."""
        row = self.store.execute(query, values).fetchone()
        return int(row[0] or 0) if row else 0

    def dropped(self) -> Counter[str]:
        """Exchanges left out, by kind."""
        return Counter(dict(self.store.execute("SELECT kind, count(*) FROM dropped GROUP BY kind").fetchall()))

    def spans(self) -> dict[Split, Span]:
        """Of every split how much it holds, and when that was opened."""
        rows = self.store.execute(
            "SELECT split, count(*), count(DISTINCT ticket), min(created), max(created) FROM kept GROUP BY split"
        )
        found = {split: Span(*numbers) for split, *numbers in rows}
        return {split: found.get(split, Span(0, 0, 0, 0)) for split in SPLITS}

    def exchanges(self) -> Iterator[Exchange]:
        """What is kept, oldest first, each with its split and customer."""
        rows = self.store.execute(
            "SELECT body, split, customer FROM kept JOIN texts USING (n) ORDER BY created, kept.id"
        )
        for body, split, customer in rows:
            who = f"c{customer}" if customer else ""
            yield Exchange.model_validate_json(body).model_copy(update={"split": split, "customer": who})

    def past(self) -> Iterator[Exchange]:
        """What was resolved before the first held-out ticket was opened and tells something, oldest first."""
        rows = self.store.execute(
            "SELECT body FROM parted p JOIN tickets USING (ticket) JOIN texts USING (n) "
            "WHERE split != 'heldout' AND resolved AND telling >= 0 AND (NOT ? OR telling + own >= 2) "
            "ORDER BY p.created, p.id", (self.forum,),
        )  # fmt: skip
        return (Exchange.model_validate_json(body) for (body,) in rows)

    def linking(self) -> Iterator[tuple[str, str, int, list[str]]]:
        """Of every ticket opened before the first held-out one in which agents gave addresses: its id, what was asked,
        when, and they."""
        rows = self.store.execute(
            "SELECT id, asked, created, links FROM tickets "
            "WHERE links != '' AND created < (SELECT heldout FROM bounds) ORDER BY created, id"
        )
        return ((name, asked, created, links.split("\n")) for name, asked, created, links in rows)

    def rejected(self) -> Iterator[Rejected]:
        """Rows left out at once, then exchanges; of those beyond the limit only some."""
        for row in self.store.execute("SELECT file, line, reason, kind, record, match, text FROM rejected"):
            yield Rejected(**dict(zip(Rejected.model_fields, row, strict=True)))
        for kind in REASONS:
            yield from self._left_out(kind, SHOWN_BEYOND if kind == "beyond_limit" else -1)

    def _left_out(self, kind: str, most: int) -> Iterator[Rejected]:
        rows = self.store.execute(
            "SELECT t.file, t.line, e.id, m.id, m.split, body FROM dropped d JOIN exchanges e USING (n) "
            "JOIN tickets t USING (ticket) JOIN texts USING (n) LEFT JOIN parted m ON m.n = d.match "
            "WHERE kind = ? ORDER BY e.n LIMIT ?", (kind, most),
        )  # fmt: skip
        for file, line, name, match, split, body in rows:
            asked = cap_words(Exchange.model_validate_json(body).turns[-1].text, SHOWN_WORDS)
            reason = REASONS[kind].format(match=match, split={"heldout": "held out"}.get(split, split))
            yield Rejected(
                file=file, line=line, reason=reason, kind=kind, record=name, match=match or "", text=asked
            )  # fmt: skip

    def close(self) -> None:
        self.store.close()
        self.path.unlink(missing_ok=True)


@contextmanager
def spooled(folder: Path) -> Iterator[Spool]:
    """A spool that is gone afterwards. Raises DeskmateError where the disk does not take it."""
    spool = None
    try:
        spool = Spool(folder)
        yield spool
    except sqlite3.Error as error:
        raise DeskmateError(f"cannot keep what was read in {folder}: {error}; free some space and run again") from error
    finally:
        if spool:
            spool.close()
