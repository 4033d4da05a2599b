"""Imports of 10,000, 100,000 and 1,000,000 invented tickets: how long, and in how much memory.

Each size is imported in a process of its own. Memory is the most that the importing process and one of its two
workers held, and the three together at most; time should grow with the tickets, memory hardly at all.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import random
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from pathlib import Path
from tempfile import TemporaryDirectory

from data.importers import find
from data.importing import import_desk
from data.workspace import Workspace, manifest_of

SIZES = ((10_000, 3000), (100_000, 3000), (100_000, 0), (1_000_000, 3000))
WORDS = [f"{a}{b}{c}" for a in "bcdfglmnprst" for b in ("a", "e", "io", "u") for c in ("n", "rk", "lla", "tch", "st")]
VOCABULARY = [f"{word}{end}" for end in ("", "ing", "ed", "er", "ly", "able", "s", "ion") for word in WORDS]
WEIGHTS = list(accumulate(1 / (place + 2) for place in range(len(VOCABULARY))))
GERMAN = "Meine Mühle brummt nur noch und dreht sich nicht, was kann ich jetzt noch tun, damit sie wieder mahlt?"
START = datetime(2020, 1, 1, tzinfo=UTC)


def rows(count: int, seed: int = 7) -> Iterator[str]:
    """3 of 100 in another language, 2 merged, 1 damaged, 5 nearly the same as an earlier one, 1 of 200 twice."""
    rng = random.Random(seed)
    asked = [_words(rng, 40, 60) for _ in range(200)]
    for number in range(count):
        lot = rng.random()
        question = GERMAN if lot < 0.03 else _words(rng, 40, 60)
        if lot > 0.95:
            question = f"{rng.choice(asked)} {number}"
        elif rng.random() < 0.01:
            asked[rng.randrange(len(asked))] = question
        line = json.dumps(_ticket(rng, number, question, merged=0.03 <= lot < 0.05), ensure_ascii=False)
        yield line[: rng.randrange(2, len(line))] if 0.05 <= lot < 0.06 else line
        if rng.random() < 0.005:
            yield line


def _ticket(rng: random.Random, number: int, question: str, *, merged: bool) -> dict[str, object]:
    who, when = f"user-{rng.randrange(10**6)}", START + timedelta(minutes=2 * number)
    said = [("customer", question, "public"), ("agent", _words(rng, 30, 50), "public")]
    said += [("agent", "SECRET " + _words(rng, 5, 10), "internal")] * (rng.random() < 0.2)
    said += [("customer", rng.choice(("Thanks, that fixed it!", _words(rng, 10, 30))), "public")] * (rng.random() < 0.6)
    return {
        "id": f"T{number}", "subject": _words(rng, 3, 8), "created": when.isoformat(), "tags": [rng.choice(WORDS[:20])],
        "status": "merged" if merged else "solved",
        "messages": [
            {"role": role, "text": text, "visibility": seen, "author": who if role == "customer" else "Ann"}
            for role, text, seen in said
        ],
    }  # fmt: skip


def _words(rng: random.Random, least: int, most: int) -> str:
    return " ".join(rng.choices(VOCABULARY, cum_weights=WEIGHTS, k=rng.randint(least, most))).capitalize() + "."


def measure(path: Path, folder: Path, limit: int) -> dict[str, float]:
    """One import in this process; call it in a fresh one. Memory in bytes."""
    began = time.perf_counter()
    made = import_desk(
        Workspace(folder), find(path, {}), None, columns={}, first_reply_only=False, heldout=1000, validation=500,
        limit_train=limit,
    )  # fmt: skip
    seconds = time.perf_counter() - began
    own, one = (resource.getrusage(who).ru_maxrss * 1024 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    counts = manifest_of(made).counts
    names = ("tickets", "train", "near_duplicates", "same_customer")
    return {"seconds": seconds, "own": own, "worker": one, **{name: counts[name] for name in names}}


def run(count: int, limit: int) -> dict[str, float]:
    with TemporaryDirectory(prefix="deskmate-bench-", dir=os.environ.get("BENCH_FOLDER")) as name:
        path = Path(name) / "tickets.jsonl.gz"
        with gzip.open(path, "wt", encoding="utf-8", compresslevel=1) as stream:
            stream.writelines(f"{row}\n" for row in rows(count))
        done = subprocess.run(
            [sys.executable, "-m", "tests.bench.million", "--measure", str(path), str(limit)],
            stdout=subprocess.PIPE, check=True, text=True,
        )  # fmt: skip
        found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
        return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--most", type=int, default=1_000_000, help="leave out larger sizes")
    parser.add_argument("--measure", nargs=2, metavar=("FILE", "LIMIT"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        path = Path(options.measure[0])
        print(json.dumps(measure(path, path.parent / "workspace", int(options.measure[1]))))
        return
    print(
        "| tickets | limit_train | seconds | tickets a second | memory, MB | of a worker | all three | train | near |"
    )
    print("|---|---|---|---|---|---|---|---|---|", flush=True)
    for count, limit in SIZES:
        if count <= options.most:
            of = run(count, limit)
            own, worker = of["own"] / 1e6, of["worker"] / 1e6
            speed = f"{of['seconds']:.0f} | {count / of['seconds']:,.0f}"
            memory = f"{own:.0f} | {worker:.0f} | {own + 2 * worker:.0f}"
            kept = f"{of['train']:,.0f} | {of['near_duplicates']:,.0f}"
            print(f"| {count:,} | {limit:,} | {speed} | {memory} | {kept} |", flush=True)


if __name__ == "__main__":
    main()
