"""What is looked at before hours of training: one example with its mask, that something is learned, that KD is on."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from data.errors import BadInput, DeskmateError
from data.workspace import write_bytes
from distillation.batches import collate
from distillation.rows import Example
from distillation.student import Student

NO_GRADIENT = "no adapter parameter gets a gradient: nothing would be learned; check the base student"
NO_EFFECT = "the soft labels change no gradient: they would teach nothing; train with training.stages=['A']"
SHOWN = 200  # characters of a prompt's end


def check_mask(examples: Sequence[Example]) -> None:
    """Raises BadInput where a row has nothing to learn."""
    if any(example.prompt >= len(example.ids) for example in examples):
        raise BadInput("a training row has no answer tokens to learn; run `deskmate teach` again")


def check_learnable(student: Student, examples: Sequence[Example]) -> None:
    """One backward pass: what should learn gets a gradient. Raises DeskmateError."""
    gradients = _gradients(student, min(examples, key=lambda example: len(example.ids)), 1.0)
    if not any(bool(gradient.any()) for gradient in gradients):
        raise DeskmateError(NO_GRADIENT)


def check_soft(student: Student, examples: Sequence[Example]) -> None:
    """Soft labels alone give other gradients than answers alone. Raises DeskmateError."""
    known = [example for example in examples if example.soft is not None and example.soft.counts_T.any()]
    if not known:
        raise BadInput("no row of this corpus has soft labels; train with training.stages=['A']")
    smallest = min(known, key=lambda example: len(example.ids))
    soft, hard = _gradients(student, smallest, 0.0), _gradients(student, smallest, 1.0)
    if not any(bool(one.any()) for one in soft) or all(
        bool(one.equal(two)) for one, two in zip(soft, hard, strict=True)
    ):
        raise DeskmateError(NO_EFFECT)


def _gradients(student: Student, example: Example, alpha: float) -> list[torch.Tensor]:
    """Of one example; none are left behind."""
    total = student.losses(collate([[example]]), alpha).total
    if not total.requires_grad:
        return []
    total.backward()
    found = [weight.grad for weight in student.weights.values() if weight.grad is not None]
    student.model.zero_grad()
    return found


def show(tokenizer: Any, example: Example, path: Path, said: str = "") -> None:
    """One row as the student sees it, for a person to check: the end of the prompt, then what is learned.

    To the log file, and to a terminal. `said`: what the run says of its stages.
    """
    prompt = tokenizer.decode(list(example.ids[: example.prompt]))
    learned = tokenizer.decode(list(example.ids[example.prompt :]))
    text = f"masked {example.prompt} tokens: …{prompt[-SHOWN:]!r}\n"
    text += f"learned {len(example.ids) - example.prompt}: {learned!r}\n"
    write_bytes(path, f"{said}\n{text}".lstrip().encode())
    if sys.stderr.isatty():
        sys.stderr.write(text)
