"""Trains the students of `make bench-ablation` and lets them reply: all of it that a GPU makes faster.

    <folder>/asked/<id>.json        what `tests.bench.ablation` asks for: corpus, settings, prompts
    <folder>/replies/<id>.json      what is said to each prompt

Wants the folder and the student's base, no desk: `python -m tests.bench.ablation_students FOLDER BASE` does it on
another machine, on each of whose CPUs or GPU several may run at once.
"""

from __future__ import annotations

import argparse
import fcntl
import json
from collections.abc import Sequence
from pathlib import Path

import torch
from transformers import AutoTokenizer

from bot.config import Training
from bot.engine import ChatMessage
from data.workspace import Workspace, write_json
from distillation.rows import end_token, render
from distillation.sampling import sample
from distillation.student import Student, load_student
from distillation.train import train

TOKENS = 90  # of a reply, at most
TOGETHER = {"cpu": 48, "cuda": 150}  # replies said at once


def replies(base: str, taught: Path, prompts: Sequence[Sequence[ChatMessage]], settings: Training) -> list[str]:
    """The likeliest reply of a student to each prompt, its adapters merged into the base (in the base's precision,
    which is finer than what is served)."""
    tokenizer = AutoTokenizer.from_pretrained(base)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    student = load_student(base, settings, device)
    student.load(taught / "adapter")
    if hasattr(student.model, "merge_and_unload"):
        student = Student(student.model.merge_and_unload())
    rendered = [render(tokenizer, each) for each in prompts]
    order = sorted(range(len(prompts)), key=lambda place: len(rendered[place]))
    said = [""] * len(prompts)
    for at in range(0, len(order), TOGETHER[device]):
        some = order[at : at + TOGETHER[device]]
        drawn = sample(student, [rendered[p] for p in some], TOKENS, end_token(tokenizer), 1 << 30, None)
        for place, each in zip(some, drawn, strict=True):
            said[place] = tokenizer.decode(list(each.tokens), skip_special_tokens=True).strip()
    return said


def answer(folder: Path, base: str, asked: Path) -> None:
    """One student, unless it has replied before or another process is at it."""
    target = folder / "replies" / asked.name
    target.parent.mkdir(exist_ok=True)
    with target.with_suffix(".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        if target.is_file():
            return
        wanted = json.loads(asked.read_text())
        workspace, settings = Workspace(folder), Training.model_validate(wanted["settings"])
        student = train(workspace, workspace.find("corpus", wanted["corpus"]), base, settings)
        write_json(target, {"student": student.name, "said": replies(base, student, wanted["prompts"], settings)})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("base")
    given = parser.parse_args()
    for asked in sorted((given.folder / "asked").glob("*.json")):
        answer(given.folder, given.base, asked)


if __name__ == "__main__":
    main()
