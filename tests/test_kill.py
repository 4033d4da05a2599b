"""SIGKILL in the middle of a command, then the same command again: the same artefact, nothing lost, nothing twice."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.config import Config
from bot.journal import journal_of, stored
from bot.launch import identity
from bot.ledger import costs, total
from data.parquet import read_rows
from data.records import Answer
from data.workspace import Workspace, manifest_of
from distillation.asking import jobs_for
from tests.distillation import desk
from tests.engine_server import EngineServer, Script

DESKMATE = str(Path(sys.executable).with_name("deskmate"))


def command(workspace: Path, *words: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([DESKMATE, *words, "--set", f"workspace={workspace}"], stderr=subprocess.DEVNULL)


def kill(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()


def test_import_killed_at_several_moments_ends_with_the_same_id(tmp_path: Path) -> None:
    whole = command(tmp_path / "whole", "import")
    assert whole.wait(60) == 0
    for seconds in (0.3, 0.6, 0.9, 1.2):
        process = command(tmp_path / "killed", "import")
        time.sleep(seconds)
        kill(process)
    assert command(tmp_path / "killed", "import").wait(60) == 0
    whole, killed = (manifest_of(Workspace(tmp_path / name).latest("tickets")) for name in ("whole", "killed"))
    assert whole.id.rpartition("-")[2] == killed.id.rpartition("-")[2]
    assert whole.files == killed.files
    assert not list((tmp_path / "killed" / "tickets").glob(".partial-*"))


@pytest.mark.slow
def test_teach_killed_twice_repeats_no_answer(
    tmp_path: Path, engine_server: EngineServer, starter_workspace: Workspace
) -> None:
    (tmp_path / "weights").symlink_to((starter_workspace.root / "weights").resolve())
    engine_server.reply = lambda _: Script("You can start it in My orders > Return an item within 30 days.", delay=0.02)
    assert command(tmp_path, "import").wait(60) == 0
    words = ["teach", "--set", f"teacher.url={engine_server.url}", "--set", "teaching.limit=16"]
    stored: list[str] = []
    for target in (3, 7):
        process = command(tmp_path, *words)
        while len(journal := _journal(tmp_path)) < target:
            assert process.poll() is None
            time.sleep(0.05)
        kill(process)
        journal = _journal(tmp_path)
        assert journal[: len(stored)] == stored
        stored = journal
    asked = Counter(json.dumps(body["messages"]) for body in engine_server.requests)
    assert command(tmp_path, *words).wait(120) == 0
    corpus = Workspace(tmp_path).latest("corpus")
    answered = read_rows(corpus / "answers.parquet", Answer)
    answered += read_rows(corpus / "rejected.parquet", Answer)
    taught = [row.sample_id for row in answered if row.source == "hindsight" and not row.sample_id.endswith("-defer")]
    assert len(set(taught)) == len(taught) == 16
    assert set(stored) <= set(taught)
    again = Counter(json.dumps(body["messages"]) for body in engine_server.requests)
    repeated = sum(count - 1 for count in again.values())
    assert repeated <= 2 * 4, "only what was in flight at a kill is asked again"
    assert sum(asked.values()) < sum(again.values())


@pytest.mark.slow
def test_teach_killed_at_random_moments_loses_nothing_and_asks_nothing_twice(
    tmp_path: Path, engine_server: EngineServer
) -> None:
    engine_server.reply = lambda body: replace(desk.says_the_notes(body), first_delay=0.15)
    config = desk.configured(tmp_path, engine_server.url, "teaching.samples=3")
    teacher, made = identity(config.teacher), desk.desk(config, 40)
    jobs = {job.sample_id(teacher): job for row in made.part("train") for job in jobs_for(made, row, config.teaching)}
    path, moment = journal_of(Workspace(tmp_path), teacher), random.Random(7)
    kept: list[str] = []
    for number in range(20):
        before, more = len(engine_server.requests), moment.randrange(1, 14) if number % 4 else 0
        process = taught_apart(config)
        while len(engine_server.requests) < before + more:
            assert process.is_alive()
            time.sleep(0.01)
        process.join(moment.uniform(0, 0.2))
        assert process.is_alive()
        process.kill()
        process.join()
        asked = {(body["messages"][-1]["content"], body["seed"]) for body in engine_server.requests[before:]}
        assert asked.isdisjoint((jobs[name].messages[-1]["content"], jobs[name].seed) for name in kept)
        found = [answer.sample_id for answer in stored(path, Answer)]
        assert found[: len(kept)] == kept
        kept = found
    assert 15 < len(kept) < 120
    corpus = desk.teach(config, 40)
    answers = stored(path, Answer)
    assert sorted(answer.sample_id for answer in answers) == sorted(jobs), "every answer, once"
    spent = total(costs(path))
    assert (spent.answers, spent.tokens) == (120, sum(answer.completion_tokens for answer in answers))
    whole, before = manifest_of(corpus), len(engine_server.requests)
    shutil.rmtree(corpus)
    for _ in range(5):
        process = taught_apart(config)
        process.join(moment.uniform(0.05, 0.5))
        process.kill()
        process.join()
    again = manifest_of(desk.teach(config, 40))
    assert (again.id, again.files, again.counts) == (whole.id, whole.files, whole.counts)
    assert len(engine_server.requests) == before, "choosing again costs nothing"


def taught_apart(config: Config) -> Any:
    """`deskmate teach` from evidence on, in a process of its own that is quick to start."""
    forked = multiprocessing.get_context("forkserver")
    forked.set_forkserver_preload(["tests.distillation.desk", "openai", "pyarrow.parquet"])
    process = forked.Process(target=desk.teach, args=(config, 40))
    process.start()
    return process


def _journal(workspace: Path) -> list[str]:
    found = list((workspace / "answers").glob("*.jsonl"))
    lines = found[0].read_bytes().split(b"\n")[:-1] if found else []
    return [json.loads(line)["sample_id"] for line in lines]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["import", "no-such-file.jsonl"], "no-such-file"),
        (["teach"], "deskmate import"),
        (["train"], "deskmate teach"),
        (["evaluate"], "deskmate import"),
        (["import", "--set", "desk.tickts=1"], "did you mean tickets?"),
        (["release", "promote", "nothing"], "nothing"),
        (["serve", "--set", "serving.port=0"], "release"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(tmp_path: Path, words: list[str], said: str) -> None:
    done = subprocess.run(
        [DESKMATE, *words, "--set", f"workspace={tmp_path}"], capture_output=True, text=True, env=dict(os.environ)
    )
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
