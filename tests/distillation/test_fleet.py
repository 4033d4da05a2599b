"""Two replicas on this machine, one of them killed: no answer lost, none made twice, each with its soft labels."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from bot.answering import Ask, Job, answer_all
from bot.config import Model
from bot.engine import Engine
from bot.journal import Journal, stored
from data.errors import ConfigError
from data.records import Answer
from data.workspace import Workspace
from distillation import fleet
from distillation.fleet import Part, answer_batch
from distillation.label_journal import LabelJournal
from distillation.softlabels import Origin, SoftLabels, from_rows
from distillation.voices import many
from tests.engine_server import EngineServer, Script

TEACHER = "fake"
ORIGIN = Origin(teacher="t", revision="r", tokenizer="k", template="p", vocabulary=9, largest_id=8)


class Served:
    """Answers through the scripted server, one at a time; the soft labels are the job's seed."""

    origin = ORIGIN

    def __init__(self, url: str) -> None:
        self.url = url

    def answer(self, jobs: Iterable[Job]) -> Iterator[tuple[Job, Answer, SoftLabels | None]]:
        for job in jobs:
            made: list[Answer] = []
            asks = [Ask(Engine(self.url, TEACHER), TEACHER, job)]
            asyncio.run(answer_all(asks, parallel=1, sink=made.append, label="x"))
            yield job, made[0], labels(job)


def labels(job: Job) -> SoftLabels:
    return from_rows([job.seed], [[job.seed, job.seed, 1]], np.log([[0.9, 0.9, 0.1]]))


def jobs(count: int) -> list[Job]:
    """Two samples a prompt."""
    asked = [[{"role": "user", "content": f"Question {number // 2}"}] for number in range(count)]
    return [Job(f"e{n // 2}", "teacher", messages, ("a",), 20, 0.7, n) for n, messages in enumerate(asked)]


def asked(server: EngineServer) -> Counter[int]:
    return Counter(body["seed"] for body in server.requests)


def keeping(path: Path) -> fleet.Keep:
    """What teaching does with answers: its own journals, each answer in them once."""
    whole = Part(path)

    def keep(answer: Answer, found: SoftLabels | None, origin: Origin | None) -> None:
        if answer.sample_id not in {each.sample_id for each in whole.answers.answers}:
            assert origin is not None
            whole.labels.begin(origin)
            whole.add(answer, found)

    return keep


def teach(url: str, path: Path, wanted: list[Job]) -> None:
    """As teaching does: only what its journal lacks is asked for."""
    make, done = partial(Served, url), {answer.sample_id for answer in Journal(path).answers}
    missing = [job for job in wanted if job.sample_id(TEACHER) not in done]
    fleet.teach(missing, path.with_suffix(".fleet"), TEACHER, make, keeping(path), replicas=2, batch=6)


def check(path: Path, wanted: list[Job]) -> None:
    names = [answer.sample_id for answer in Journal(path).answers]
    assert sorted(names) == sorted(job.sample_id(TEACHER) for job in wanted)
    kept = LabelJournal(path.with_suffix(".labels"))
    assert kept.origin == ORIGIN
    found = kept.get(names)
    assert all(found[job.sample_id(TEACHER)].tokens_T.tolist() == [job.seed] for job in wanted)
    assert not path.with_suffix(".fleet").exists()


def test_batch_given_to_another_replica_asks_only_for_what_is_missing(
    tmp_path: Path, engine_server: EngineServer
) -> None:
    who = Served(engine_server.url)
    dead, alive = Part(tmp_path / "1.jsonl"), Part(tmp_path / "2.jsonl")
    answer_batch(jobs(6)[:3], tmp_path, dead, TEACHER, who)
    with (tmp_path / "1.jsonl").open("ab") as stream:
        stream.write(b'{"sample_id": "torn')
    assert answer_batch(jobs(6), tmp_path, alive, TEACHER, who) == 3
    assert set(asked(engine_server).values()) == {1}


def test_what_was_handed_on_before_a_kill_is_handed_on_once(tmp_path: Path, engine_server: EngineServer) -> None:
    path, who = tmp_path / "t.jsonl", Served(engine_server.url)
    folder = path.with_suffix(".fleet")
    for name in "12":  # both have finished all: the second was given the first's batch while it was cut off
        part = Part(folder / f"{name}.jsonl")
        part.labels.begin(ORIGIN)
        for job, answer, found in who.answer(jobs(4)):
            part.add(answer, found)
            if name == "1" and job.seed < 2:
                keeping(path)(answer, found, ORIGIN)
    asked_before = len(engine_server.requests)
    teach(engine_server.url, path, jobs(4))
    check(path, jobs(4))
    assert len(engine_server.requests) == asked_before


async def test_replicas_are_asked_for_in_the_teachers_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine_server: EngineServer
) -> None:
    model = Model(name="t", engine="vllm", replicas=3)
    given: dict[str, object] = {}

    def run(wanted: list[Job], folder: Path, teacher: str, make: object, keep: fleet.Keep, **more: object) -> None:
        given.update(more, wanted=wanted, teacher=teacher)
        for job, answer, found in Served(engine_server.url).answer(jobs(3)):
            keep(answer.model_copy(update={"sample_id": job.sample_id(teacher)}), found, ORIGIN)

    monkeypatch.setattr(fleet, "teach", run)
    labels, made = LabelJournal(tmp_path / "t.labels"), list[Answer]()
    say = many(Workspace(tmp_path), model, labels, tmp_path / "t.fleet")
    done = {jobs(3)[0].sample_id("t")}
    await say(jobs(3), done, made.append)
    assert given["replicas"] == 3 and given["wanted"] == jobs(3)[1:] and given["teacher"] == "t"
    assert [answer.sample_id for answer in made] == [job.sample_id("t") for job in jobs(3)[1:]]
    assert len(labels) == 3
    with pytest.raises(ConfigError, match="needs vLLM"):
        many(Workspace(tmp_path), model.model_copy(update={"url": "http://x/v1"}), labels, tmp_path / "t.fleet")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_killed_replica_costs_only_what_it_had_in_hand(tmp_path: Path, engine_server: EngineServer) -> None:
    engine_server.reply = lambda _: Script("Rinse it twice and brew again.", delay=0.03)
    path, wanted = tmp_path / "t.jsonl", jobs(48)
    run = partial(teach, engine_server.url, path, wanted)
    worker = multiprocessing.get_context("spawn").Process(target=run)  # Ray ends the process it was started in
    worker.start()
    victim = _first_with(path.with_suffix(".fleet"), answers=3)
    os.kill(victim, signal.SIGKILL)
    worker.join(300)
    assert not worker.is_alive()
    check(path, wanted)
    repeated = sum(count - 1 for count in asked(engine_server).values())
    assert repeated <= 1, "only what was in flight at the kill is asked again"
    before = len(engine_server.requests)
    run()
    assert len(engine_server.requests) == before
    check(path, wanted)


def _first_with(folder: Path, answers: int) -> int:
    """The process id of the first replica that has so many answers; two are at work by then."""
    limit = time.monotonic() + 240
    while time.monotonic() < limit:
        counts = {found: len(stored(found, Answer)) for found in folder.glob("*.jsonl")}
        if len(counts) == 2 and max(counts.values()) >= answers:
            return int(max(counts, key=counts.__getitem__).name.partition("-")[0])
        time.sleep(0.05)
    pytest.fail("no replica answered")
