"""Teaching over several replicas, here or on other machines, as a Ray Data job; each answer is made once all the same.

    answers/<teacher>.fleet/<replica>.jsonl, .labels, .json    what each replica has finished, on storage they all see

What they finished is handed on in the end (to answers/<teacher>.jsonl and .labels), then the folder is gone.

A replica writes each answer the moment it is whole. When one dies, Ray gives its batch to another, which asks only for
what nobody has finished: a difference of two sets of sample ids, as it is when the whole job is run again. Needs the
`fleet` extra; one machine needs neither Ray nor this.
"""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

from tqdm import tqdm

from bot.answering import Job
from bot.config import Model
from bot.journal import Journal, stored
from data.errors import ConfigError, EngineError
from data.records import Answer
from data.workspace import Workspace
from distillation.label_journal import LabelJournal
from distillation.softlabels import Origin, SoftLabels

BATCH = 64  # jobs a replica takes at a time: enough to keep it full, little to do again


class Answering(Protocol):
    """Who answers in a replica: distillation.inprocess.Teacher, say. `origin` is None without soft labels."""

    @property
    def origin(self) -> Origin | None: ...
    def answer(self, jobs: Iterable[Job]) -> Iterator[tuple[Job, Answer, SoftLabels | None]]: ...


Make = Callable[[], Answering]
Keep = Callable[[Answer, SoftLabels | None, Origin | None], None]


def in_process(model: Model, workspace: Path) -> Answering:
    """A replica's own vLLM; `partial(in_process, model, root)` is the `make` of a real job."""
    from distillation.inprocess import load

    return load(model, Workspace(workspace))


class Part:
    """The journals of one replica, or of all."""

    def __init__(self, path: Path) -> None:
        self.answers = Journal(path)
        self.labels = LabelJournal(path.with_suffix(".labels"))

    def add(self, answer: Answer, labels: SoftLabels | None) -> None:
        if labels is not None:
            self.labels.add(answer.sample_id, labels)
        self.answers.add(answer)


def finished(folder: Path) -> set[str]:
    """Sample ids of all that any replica has answered, dead or alive."""
    return {answer.sample_id for path in folder.glob("*.jsonl") for answer in stored(path, Answer)}


def answer_batch(jobs: Sequence[Job], folder: Path, own: Part, teacher: str, who: Answering) -> int:
    """Answer what nobody has yet; returns how many that were."""
    done = finished(folder)
    missing = [job for job in jobs if job.sample_id(teacher) not in done]
    for _, answer, labels in who.answer(missing):
        own.add(answer, labels)
    return len(missing)


class Replica:
    """What Ray Data starts on each worker, and starts again when it died; its files are new each time."""

    def __init__(self, folder: str, teacher: str, make: Make) -> None:
        self.folder, self.teacher, self.who = Path(folder), teacher, make()
        self.own = Part(self.folder / f"{os.getpid()}-{uuid.uuid4().hex[:8]}.jsonl")
        if self.who.origin is not None:
            self.own.labels.begin(self.who.origin)

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[int]]:
        jobs = [_job(text) for text in batch["job"]]
        answer_batch(jobs, self.folder, self.own, self.teacher, self.who)
        return {"answered": [1] * len(jobs)}


def teach(
    jobs: Sequence[Job], folder: Path, teacher: str, make: Make, keep: Keep, *,
    replicas: int, gpus: float = 0.0, batch: int = BATCH,
) -> None:  # fmt: skip
    """Have `replicas` workers of `gpus` GPUs each answer all jobs but those that the folder holds already; `keep` gets
    every answer that it holds then, once, with the soft labels' origin.

    `teacher` as bot.launch.identity names it. Joins the Ray cluster that RAY_ADDRESS names, or starts one here. Raises
    ConfigError without Ray, EngineError when replicas fail.
    """
    done = finished(folder)
    if missing := [job for job in jobs if job.sample_id(teacher) not in done]:
        folder.mkdir(parents=True, exist_ok=True)
        _run(missing, folder, (str(folder), teacher, make), replicas, gpus, batch)
    _hand_on(folder, keep)


def _run(
    jobs: Sequence[Job], folder: Path, given: tuple[object, ...], replicas: int, gpus: float, batch: int
) -> None:  # fmt: skip
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_worker_niceness", "0")  # by itself Ray lets everything else go first
    try:
        import ray
        from ray.data import ActorPoolStrategy, DataContext
    except ImportError as error:
        raise ConfigError("several replicas need Ray: pip install -e '.[fleet]'") from error
    if not ray.is_initialized():
        here = {"PYTHONPATH": str(Path(__file__).parent.parent)}
        ray.init(include_dashboard=False, log_to_driver=False, runtime_env={"env_vars": here})
    DataContext.get_current().enable_progress_bars = False
    rows = [{"job": json.dumps(asdict(job))} for job in jobs]
    made = ray.data.from_items(rows, override_num_blocks=max(1, -(-len(rows) // batch))).map_batches(
        Replica, fn_constructor_args=given, batch_size=batch, num_cpus=1, num_gpus=gpus or None,
        compute=ActorPoolStrategy(size=replicas, max_tasks_in_flight_per_actor=1),
    )  # fmt: skip
    try:
        with tqdm(total=len(rows), desc=f"teaching on {replicas} replicas", unit="reply", disable=None) as bar:
            for _ in made.iter_rows():
                bar.update()
    except ray.exceptions.RayError as error:
        raise EngineError(f"a replica failed ({str(error).strip().splitlines()[-1]}); run it again to go on") from error


def _hand_on(folder: Path, keep: Keep) -> None:
    """What replicas have finished, each answer once; killed half-way, it is all handed on again."""
    known: set[str] = set()
    for part in [Part(found) for found in sorted(folder.glob("*.jsonl"))]:
        for answer in part.answers.answers:
            if answer.sample_id not in known:
                known.add(answer.sample_id)
                keep(answer, part.labels.get([answer.sample_id]).get(answer.sample_id), part.labels.origin)
    shutil.rmtree(folder, ignore_errors=True)


def _job(text: str) -> Job:
    """As `asdict` wrote it: JSON has no tuples."""
    fields = json.loads(text)
    return Job(**{**fields, "evidence": tuple(fields["evidence"])})
