"""Teach the student the corpus, in stages: its answers (A), the teacher's probabilities too (B), its own answers (C).

students/.partial-<id>/.checkpoints/<stage>/      while training (trainer.py)
students/<id>/{adapter/, runs/, training.json, manifest.json}, or model/ where all weights learn   when done

Launched on several processes (`accelerate launch`), each computes its part of every step; the first writes.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch.utils.tensorboard import SummaryWriter
from transformers import AutoConfig, AutoTokenizer

from bot.config import Training
from bot.releases import TAUGHT_TEMPLATE
from bot.weights import revision
from data.errors import BadInput, NotFound
from data.parquet import read_rows
from data.workspace import Workspace, manifest_of, write_bytes, write_json
from distillation import guards, onpolicy, softlabels
from distillation.batches import Batches
from distillation.memory import keep_freed
from distillation.onpolicy import OnPolicy, Pair
from distillation.rows import Example, TrainingRow, encode_all, end_token
from distillation.scorer import Reader
from distillation.softlabels import SoftLabels
from distillation.student import Student, load_student, pick_dtype
from distillation.trainer import Line, Stage, Trainer, processes

HELD_OUT = 16  # rows the held-out loss is taken from: read before training and after each epoch


def train(workspace: Workspace, corpus: Path, student: str, settings: Training, teacher: str = "") -> Path:
    """The student's folder: trained now, resumed after a kill, or found finished from the same inputs.

    `student` is a local Hugging Face folder, `teacher` one or an id, for stage C. Raises BadInput for a corpus that
    cannot be learned.
    """
    state = processes()
    inputs = {"corpus": manifest_of(corpus).id, "base": base_name(student)}
    if teacher:
        inputs["teacher"] = f"{Path(teacher).resolve().name}@{revision(teacher)}"
    with state.main_process_first():
        unused = set() if "C" in settings.stages else {"on_policy"}
        draft = workspace.draft("student", inputs, settings.model_dump(exclude=unused))
    if draft.done:
        return draft.final
    record = draft.path / "training.json"
    if not record.is_file():
        with keep_freed():
            counts, history = _run(corpus, student, settings, draft.path, teacher)
        state.wait_for_everyone()
        if state.is_main_process:
            write_json(record, {"counts": counts, "history": history})
    if state.is_main_process:
        shutil.rmtree(draft.path / ".checkpoints", ignore_errors=True)
        draft.finish(json.loads(record.read_text())["counts"])
    state.wait_for_everyone()
    return draft.final


@dataclass(frozen=True, slots=True)
class Lessons:
    """What is learned and what the held-out loss is taken from; `said`: what becomes of the soft labels, in a line."""

    train: list[Example]
    held_out: list[Example]
    dropped: int
    stages: tuple[str, ...]
    said: str
    shared: int = 0


def read_lessons(corpus: Path, student: str, settings: Training, teacher: str = "") -> tuple[Lessons, Any]:
    """The corpus, tokenised as the student does, and the tokenizer."""
    tokenizer = AutoTokenizer.from_pretrained(student)
    vocabulary = AutoConfig.from_pretrained(student).get_text_config().vocab_size
    soft, said = fitting(corpus, tokenizer, vocabulary)
    rows = [read_rows(corpus / name, TrainingRow) for name in ("rows.parquet", "validation.parquet")]
    examples, dropped = encode_all(tokenizer, rows[0], settings.max_length, soft)
    held_out, _ = encode_all(tokenizer, rows[1][:HELD_OUT], settings.max_length, soft)
    if not examples or not held_out:
        which = "validation" if examples else "training"
        raise BadInput(
            f"{corpus.name} has no {which} row of at most {settings.max_length} tokens; "
            "raise training.max_length or run `deskmate teach` on more tickets"
        )
    guards.check_mask([*examples, *held_out])
    shared = 0
    if "C" in settings.stages:
        largest = max(max(example.ids) for example in (*examples, *held_out))
        shared, told = onpolicy.fitting(teacher, tokenizer, vocabulary, largest)
        said = f"{said}; {told}"
    soft_rows = any(example.soft is not None for example in examples)
    possible = {"A": "A", "B": "B" if soft_rows else "A", "C": "C" if shared > 0 else ""}
    stages = tuple(filter(None, dict.fromkeys(possible[name] for name in settings.stages))) or ("A",)
    return Lessons(examples, held_out, dropped, stages, f"{said}; stages {', '.join(stages)}", shared), tokenizer


def fitting(corpus: Path, tokenizer: Any, vocabulary: int) -> tuple[Mapping[str, SoftLabels], str]:
    """The soft labels that a student with this tokenizer and head can learn, and a line that says which."""
    found = softlabels.load(corpus)
    if found is None or not found[1]:
        return {}, "no soft labels: the answers alone are learned"
    origin, labels = found
    kind = softlabels.fit(origin, tokenizer, vocabulary)
    if kind == "different":
        return {}, f"soft labels of {origin.teacher}: another tokenizer, so the answers alone are learned"
    if kind == "same":
        return labels, f"soft labels of {origin.teacher}: the same tokenizer"
    size = softlabels.shared_size(origin, tokenizer, vocabulary)
    clipped = {name: softlabels.clip(each, size) for name, each in labels.items()}
    return clipped, f"soft labels of {origin.teacher}: the first {size} ids are shared, all others are the tail"


def _run(
    corpus: Path, folder: str, settings: Training, into: Path, teacher: str
) -> tuple[dict[str, float], list[dict[str, Any]]]:
    lessons, tokenizer = read_lessons(corpus, folder, settings, teacher)
    state = processes()
    if state.is_main_process:
        sys.stderr.write(f"{lessons.said}\n")
        write_bytes(into / TAUGHT_TEMPLATE, str(tokenizer.chat_template).encode())  # a server compares it
        guards.show(tokenizer, lessons.train[0], into / "runs" / "train.log", lessons.said)
    student = load_student(folder, settings, state.device)
    guards.check_learnable(student, lessons.train)
    if "B" in lessons.stages:
        guards.check_soft(student, lessons.train)
    board = SummaryWriter(log_dir=str(into / "runs")) if state.is_main_process else None
    history: list[dict[str, Any]] = []
    for name in lessons.stages:
        checkpoints = into / ".checkpoints" / name
        if name == "C":
            pair = Pair(Reader(teacher, pick_dtype(settings.dtype), state.device), lessons.shared, end_token(tokenizer))
            trainer: Trainer = OnPolicy(student, lessons.train, lessons.held_out, pair, settings, checkpoints, board)
        else:
            trainer = _stage(name, student, lessons, settings, checkpoints, board)
        lines = trainer.run()
        history += [{"stage": name, **line} for line in lines]
        best, step = trainer.best()
        student.load(best)
    if board is not None:
        board.close()
        _copy(best, into / ("model" if settings.method == "full" else "adapter"))
    return {**_counts(lessons, history, trainer.steps_per_epoch), "best_step": step}, history


def _stage(
    name: str, student: Student, lessons: Lessons, settings: Training, folder: Path, board: Any = None
) -> Trainer:
    """A stage on its part of a step; several processes compute theirs at once."""
    parts = max(settings.parts, processes().num_processes)
    budget = -(-settings.batch_tokens // parts)
    batches, held_out = (Batches(examples, budget, settings.seed) for examples in (lessons.train, lessons.held_out))
    return Trainer(
        student, batches, held_out, settings, Stage(name, 1.0 if name == "A" else settings.alpha), folder, board
    )


def _counts(lessons: Lessons, history: Sequence[Line], last: int) -> dict[str, float]:
    steps = [line for line in history if "loss" in line]
    held_out = [line for line in history if "eval_loss" in line]
    mine = [line["eval_loss"] for line in held_out if line["stage"] == held_out[-1]["stage"]]
    seconds = sum(line["seconds"] for line in steps)
    return {
        "rows": len(lessons.train), "dropped_too_long": lessons.dropped, "steps": len(steps),
        "soft_rows": sum(example.soft is not None for example in lessons.train),
        "seconds": round(seconds, 1), "tokens_per_second": round(sum(line["tokens"] for line in steps) / seconds, 1),
        "train_loss": sum(line["loss"] for line in steps[-last:]) / len(steps[-last:]),
        "validation_loss_before": held_out[0]["eval_loss"], "validation_loss": min(mine[1:]),
    }  # fmt: skip


def base_name(student: str) -> str:
    """The base model's folder name and a fingerprint: other weights in that folder are another base."""
    folder = Path(student)
    if not (folder / "config.json").is_file():
        raise NotFound(
            f"{student} is no folder with a Hugging Face model (config.json): fetch one (`hf download ID --local-dir "
            "FOLDER`) and give its folder as student.name, or run `deskmate models pull starter`"
        )
    return f"{folder.resolve().name}@{revision(student)}"


def _copy(source: Path, target: Path) -> None:
    fresh = target.with_name(f".{target.name}.tmp")
    shutil.rmtree(fresh, ignore_errors=True)
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, fresh)
    fresh.replace(target)
