"""Soft labels beside TRL's GKDTrainer: `make bench-distilling` (with `pip install --no-deps 'trl==1.16.*'`).

The teacher is the starter student, taught the training benchmark's rows; its student is the starter student. Deskmate
reads the teacher once and stores the likeliest tokens of each place; GKDTrainer (lmbda 0, beta 0: forward KL on the
given answers; all in bfloat16, nothing recomputed) reads it whole in every step. Steps alternate, each trainer in a
process of its own. Prints answers a second, what the one reading took, and how far the student is from the teacher (KL
of whole distributions, on rows that neither saw) before the first step and after as many.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from transformers import AutoTokenizer

from bot.weights import resolve
from data.workspace import Workspace
from distillation.batches import collate
from distillation.memory import keep_freed
from distillation.rows import Example, encode_all
from distillation.scorer import Reader
from distillation.student import Student
from tests.bench.same_vocabulary import DEVICE, labelled, merged
from tests.bench.training import beside, ours
from tests.bench.training_rows import ROWS, bench_rows

EPOCHS = 3  # of the teacher
TAUGHT, UNSEEN = 64, 16  # rows


def tuned(base: str, examples: list[Example], folder: Path) -> str:
    steps = EPOCHS * len(examples) // ROWS
    trainer = ours(base, examples, steps, folder)
    for _ in range(steps):
        trainer._learn()
    trainer.student.save(folder / "adapter")
    return merged(base, folder, folder / "teacher")


def divergence(student: Student, reader: Reader, examples: list[Example]) -> float:
    """KL(teacher, student) a token of the answers."""
    total, places = 0.0, 0
    with torch.no_grad():
        for example in examples:
            mine_NV = student.head(student.hidden(collate([[example]]).to(student.device))).float().log_softmax(-1)
            ids_1T = torch.tensor([example.ids[:-1]], device=reader.device)
            said = reader.model(input_ids=ids_1T, use_cache=False, logits_to_keep=len(mine_NV))
            theirs_NV = said.logits[0].float().log_softmax(-1)
            total += float((theirs_NV.exp() * (theirs_NV - mine_NV)).sum())
            places += len(mine_NV)
    return total / places


def compare(base: str, steps: int, folder: Path) -> None:
    every, _ = encode_all(AutoTokenizer.from_pretrained(base), bench_rows(TAUGHT + UNSEEN, 1), 2000)
    examples, unseen = every[:TAUGHT], every[TAUGHT:]
    teacher = tuned(base, examples, folder / "tuned")
    reader = Reader(teacher, torch.bfloat16, DEVICE)
    began = time.perf_counter()
    soft = labelled(reader, examples)
    reading = time.perf_counter() - began
    trainer = ours(base, soft, steps, folder / "ours", alpha=0.0)
    divergences = [divergence(trainer.student, reader, unseen)]
    theirs, mine, adapter = beside(base, "distilled", steps, trainer, folder / "theirs", teacher)
    divergences.append(divergence(trainer.student, reader, unseen))
    trainer.student.load(adapter)
    divergences.append(divergence(trainer.student, reader, unseen))
    (tokens, answers), (_, peer) = mine.rates(), theirs.rates()
    print(
        f"{steps} steps of {ROWS} rows\n"
        f"Deskmate   {answers:5.2f} answers/s ({tokens:.0f} tokens/s), divergence {divergences[1]:.3f}\n"
        f"           the teacher was read once, in {reading:.0f} s ({len(soft) / reading:.2f} answers/s)\n"
        f"GKDTrainer {peer:5.2f} answers/s, divergence {divergences[2]:.3f} ({divergences[0]:.3f} before)\n"
        f"Deskmate / GKDTrainer: {answers / peer:.2f}; with the reading, for one epoch "
        f"{1 / (1 / answers + reading / len(soft)) / peer:.2f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workspace", type=Path, default=Path("workspace"))
    parser.add_argument("--steps", type=int, default=8)
    given = parser.parse_args()
    with TemporaryDirectory() as folder, keep_freed():
        compare(resolve("starter-student", Workspace(given.workspace), "hf"), given.steps, Path(folder))


if __name__ == "__main__":
    main()
