"""Damaged exports of four help desks, read: `make bench-mutations` reads 10,000 and prints what came of them.

Each is two to six tickets with one thing wrong: cut off, bytes or types changed, a field gone or huge, another
encoding, two files glued together. None may raise anything but BadInput, every bad row has a file and a line, and no
internal note may come out of any.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tqdm import tqdm

from data.errors import BadInput
from data.exchanges import cut
from data.importers import read
from data.records import Rejected
from tests.data.exports import ALL

JUNK: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    1e308,
    "",
    "x",
    "\0",
    [],
    [None],
    [[]],
    {},
    {"id": []},
    "2025-13-45",
    "\ud800",
)
NEVER = ("public", "private", "incoming", "part_type", "type", "redacted", "state", "source", "author_id", "status")


def run(folder: Path, count: int, seed: int) -> Counter[str]:
    """Read `count` damaged exports; how many tickets and rejected rows came of them, and how many none at all."""
    rng = random.Random(seed)
    found: Counter[str] = Counter()
    path = folder / "export"
    for _ in tqdm(range(count), desc="damaged exports", unit=" exports", disable=None):
        path.write_bytes(damaged(rng))
        try:
            rows = list(read(path))
        except BadInput:
            found["refused"] += 1
            continue
        for row in rows:
            if isinstance(row, Rejected):
                found["rejected"] += 1
                assert row.line >= 1 and row.file and row.reason, row
            else:
                found["tickets"] += 1
                assert not any("SECRET" in exchange.model_dump_json() for exchange in cut(row)), row
    return found


def damaged(rng: random.Random) -> bytes:
    make = rng.choice(list(ALL.values()))
    rows: list[Any] = [make(number) for number in range(1, rng.randint(3, 7))]
    if rng.random() < 0.5:
        _types(rng, rows)
    text = rng.choice(WRAPPINGS)(rows).encode("utf-8", "surrogatepass")
    return text if rng.random() < 0.3 else rng.choice(BREAKS)(rng, text)


def _types(rng: random.Random, rows: list[Any]) -> None:
    """A field somewhere inside is of another type, gone or huge; never one that says whether a note is internal."""
    place: Any = rng.choice(rows)
    while True:
        keys = [key for key in place if key not in NEVER] if isinstance(place, dict) else range(len(place))
        if not keys:
            return
        key = rng.choice(list(keys))
        if isinstance(place[key], dict | list) and place[key] and rng.random() < 0.7:
            place = place[key]
            continue
        if isinstance(place, dict) and rng.random() < 0.3:
            del place[key]
        else:
            place[key] = "word " * 100_000 if rng.random() < 0.02 else rng.choice(JUNK)
        return


WRAPPINGS: tuple[Callable[[list[Any]], str], ...] = (
    json.dumps,
    lambda rows: json.dumps(rows, indent=2),
    lambda rows: "\n".join(json.dumps(row) for row in rows),
    lambda rows: json.dumps({"count": len(rows), "tickets": rows}, ensure_ascii=False),
)


def _cut(rng: random.Random, text: bytes) -> bytes:
    return text[: rng.randrange(len(text))]


def _bytes(rng: random.Random, text: bytes) -> bytes:
    """Bytes outside of words, so that no "private" becomes something else: brackets, quotes and commas go wrong."""
    changed = bytearray(text)
    for _ in range(rng.randint(1, 8)):
        place = rng.randrange(len(changed))
        if changed[place] in b'{}[]",:\n ':
            changed[place] = rng.choice(b'{}[]",:\n \x00\xff')
    return bytes(changed)


def _glued(rng: random.Random, text: bytes) -> bytes:
    return text + rng.choice((b"", b"\n", b",", b"]")) + text[rng.randrange(len(text)) :]


def _encoded(rng: random.Random, text: bytes) -> bytes:
    name = rng.choice(("utf-16", "utf-32", "utf-8-sig", "cp500"))
    return text.decode("utf-8", "replace").encode(name, "replace")


def _zipped(rng: random.Random, text: bytes) -> bytes:
    packed = gzip.compress(text)
    return packed if rng.random() < 0.3 else packed[: rng.randrange(20, len(packed))]


BREAKS = (_cut, _bytes, _glued, _encoded, _zipped)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        found = run(Path(folder), options.count, options.seed)
    print(
        f"{options.count:,} damaged exports: no crash, no internal note let through; {found['tickets']:,} tickets "
        f"read, {found['rejected']:,} rows reported, {found['refused']:,} exports refused with one line"
    )


if __name__ == "__main__":
    main()
