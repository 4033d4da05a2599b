"""SIGKILL in the middle of a command, then the same command again: the same artefact, nothing lost, nothing twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from data.parquet import read_rows
from data.records import Answer
from data.workspace import Workspace, manifest_of
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
    words = ["teach", "--set", f"teacher.url={engine_server.url}", "--set", "teaching.limit=24"]
    stored: list[str] = []
    for target in (4, 10):
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
    assert len(set(taught)) == len(taught) == 24
    assert set(stored) <= set(taught)
    again = Counter(json.dumps(body["messages"]) for body in engine_server.requests)
    repeated = sum(count - 1 for count in again.values())
    assert repeated <= 2 * 4, "only what was in flight at a kill is asked again"
    assert sum(asked.values()) < sum(again.values())


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
