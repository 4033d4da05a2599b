"""The whole loop with real weights for the student and a scripted teacher: every command, then a reply over HTTP."""

from __future__ import annotations

import contextlib
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from data.parquet import read_rows
from data.records import Exchange
from data.reviews import exchange_of, read_sheet, write_sheet
from data.workspace import Workspace, manifest_of
from eval.calibration import Judged
from tests.engine_server import EngineServer, Script

pytestmark = pytest.mark.slow
DESKMATE = str(Path(sys.executable).with_name("deskmate"))
SMALL = (
    "desk.limit_train=10", "desk.validation=10", "desk.heldout=4", "teaching.limit=3", "training.rank=4",
    "evaluation.limit=2", "evaluation.max_tokens=16", "evaluation.resamples=200", "serving.port=0",
    "serving.max_tokens=16",
)  # fmt: skip
REPLY = "You have 30 days from delivery. Start it in My orders > Return an item."


@pytest.fixture(scope="module")
def teacher() -> Iterator[EngineServer]:
    server = EngineServer().start()
    server.reply = lambda _: Script(REPLY)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, teacher: EngineServer, starter_workspace: Workspace) -> list[str]:
    """A workspace in which every command of the loop has run; the words that address it."""
    root = tmp_path_factory.mktemp("loop")
    (root / "weights").symlink_to((starter_workspace.root / "weights").resolve())
    words = [f"workspace={root}", f"teacher.url={teacher.url}", *SMALL]
    settings = [word for setting in words for word in ("--set", setting)]
    for command in ("import", "teach", "train", "optimise", "evaluate", "release create"):
        done = subprocess.run([DESKMATE, *command.split(), *settings], capture_output=True, text=True)
        assert done.returncode == 0, f"{command}: {done.stderr[-2000:]}"
    return settings


def test_a_release_says_from_which_worth_the_student_answers_and_who_takes_the_others(made: list[str]) -> None:
    judged = read_rows(workspace(made).latest("report") / "calibration.parquet", Judged)
    assert {row.source for row in judged} == {"student", "teacher"}, "nobody reviewed so new exchanges"
    assert all(row.sound is not None for row in judged)
    said = subprocess.run([DESKMATE, "release", "create", *made], check=True, capture_output=True, text=True).stdout
    assert re.search(r"; (the student answers from a worth of .*\(checks: |of 10 judged too few)", said), said
    assert re.search(r"; the others go to .* \(of the teacher's \d replies to the test \d are sound\)", said), said


def workspace(made: list[str]) -> Workspace:
    return Workspace(Path(made[1].removeprefix("workspace=")))


def test_every_artefact_names_what_it_came_from(made: list[str]) -> None:
    found = workspace(made)
    model = manifest_of(found.latest("model"))
    student = manifest_of(found.find("student", model.inputs["student"]))
    corpus = manifest_of(found.find("corpus", student.inputs["corpus"]))
    assert corpus.inputs["tickets"] == found.latest("tickets").name
    assert model.counts["top1_agreement"] >= 0.75
    report = found.latest("report")
    page = (report / "report.html").read_text()
    assert "<script src" not in page
    assert "http-equiv" not in page


def test_run_again_every_command_finds_its_work_done(made: list[str], teacher: EngineServer) -> None:
    asked = len(teacher.requests)
    for command in ("import", "teach", "train", "optimise", "evaluate", "release create"):
        subprocess.run([DESKMATE, *command.split(), *made], check=True, capture_output=True)
    assert len(teacher.requests) == asked
    for kind in ("tickets", "corpus", "student", "model", "report"):
        assert len(list(workspace(made).latest(kind).parent.glob(f"{kind}-*"))) == 1


def test_served_with_real_weights_it_answers_and_leaves_quietly(made: list[str]) -> None:
    process = subprocess.Popen(
        [DESKMATE, "serve", *made], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )  # fmt: skip
    assert process.stdout
    try:
        url = next(found[0] for line in process.stdout if (found := re.search(r"http://[0-9.:]+", line)))
        body = {"model": "deskmate", "messages": [{"role": "user", "content": "How long may I return a kettle?"}]}
        reply = httpx.post(f"{url}/v1/chat/completions", json=body, timeout=120)
        assert reply.status_code == 200
        assert reply.headers["x-route"] in {"student", "teacher"}
        assert reply.json()["choices"][0]["message"]["content"].strip()
        assert httpx.get(f"{url}/readyz").status_code == 200
        assert "deskmate_replies_total" in httpx.get(f"{url}/metrics").text
        assert "<title>" in httpx.get(url).text
    finally:
        process.send_signal(signal.SIGTERM)
        code = process.wait(60)
        process.stdout.close()
    assert code == 0


def test_optimise_killed_at_several_moments_ends_with_the_same_model(made: list[str]) -> None:
    words = [DESKMATE, "optimise", *made, "--set", "optimise.quantisation=F16"]
    subprocess.run(words, check=True, capture_output=True)
    whole = workspace(made).latest("model")
    expected = manifest_of(whole)
    shutil.rmtree(whole)
    for seconds in (3, 6, 9):
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
        process.kill()
        process.wait()
    subprocess.run(words, check=True, capture_output=True)
    found = manifest_of(workspace(made).latest("model"))
    assert found.id == expected.id
    assert found.files["model.gguf"] == expected.files["model.gguf"]
    assert not list(whole.parent.glob(".partial-*"))


def test_what_a_team_writes_into_the_sheet_counts_after_the_next_import(made: list[str], tmp_path: Path) -> None:
    sheet = tmp_path / "reviews.xlsx"

    def run(*words: str) -> str:
        return subprocess.run([DESKMATE, *words, *made], check=True, capture_output=True, text=True).stdout

    assert run("review", str(sheet), "--questions", "3").startswith(f"{sheet}: 6 rows to score")
    write_sheet(sheet, [row | {"score": "1", "wrong": "y"} for row in read_sheet(sheet).rows])
    assert "6 rows" in run("review", str(sheet), "--questions", "3")
    rows = read_sheet(sheet).rows
    assert [row["score"] for row in rows] == ["1"] * 6 + [""] * 6, "what was scored stays"
    assert "\n6 of 6 reviews count" in run("import", "--set", f"desk.reviews={sheet}")
    split = {each.id: each.split for each in exchanges(made)}
    asked = {exchange_of(row) for row in rows}
    assert [split[name] for name in asked].count("validation") == 2, "a third is for the threshold"
    assert "heldout" not in {split[name] for name in asked}
    run("review", str(sheet), "--questions", "1", "--set", f"desk.reviews={sheet}")  # searched as reviewed


def exchanges(made: list[str]) -> list[Exchange]:
    return read_rows(workspace(made).latest("tickets") / "exchanges.parquet", Exchange)
