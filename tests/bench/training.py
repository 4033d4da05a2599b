"""Training beside TRL's SFTTrainer: `make bench-training` (with `pip install --no-deps 'trl==1.16.*'`).

Same base, LoRA settings, rows, rows a step, learning rates and bfloat16; steps of both alternate, each in a process of
its own. TRL runs as it comes (base in float32 under bfloat16 autocast, activations recomputed) and tuned (base in
bfloat16, nothing recomputed, rows of like lengths together). Prints real tokens a second (padding not counted), answers
a second, the loss on some of the rows after the same steps, by one function; then two answers behind each prompt, and
what soft labels cost. TRL's row is an answer, so its answers a second are those of either kind of rows.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from bot.weights import resolve
from data.workspace import Workspace
from distillation.memory import keep_freed
from distillation.rows import Example, encode_all
from distillation.softlabels import SoftLabels
from tests.bench.training_rows import ROWS, SETTINGS, bench_rows

JUDGED = 16  # rows that the loss after training is taken from


def ours(base: str, examples: list[Example], steps: int, folder: Path, alpha: float = 1.0) -> Any:
    """A trainer of ours whose steps hold ROWS prompts each."""
    from distillation.batches import Batches
    from distillation.student import load_student
    from distillation.trainer import Stage, Trainer, processes

    batches = Batches(examples, SETTINGS.batch_tokens, SETTINGS.seed)
    count = len(batches.rows)
    batches.groups = [list(range(at, min(at + ROWS, count))) for at in range(0, count, ROWS)]
    settings = SETTINGS.model_copy(update={"epochs": steps / len(batches.groups)})
    judged = Batches(examples[:JUDGED], 4000, SETTINGS.seed)
    student = load_student(base, settings, processes().device)
    return Trainer(student, batches, judged, settings, Stage("A", alpha), folder)


class Pace:
    """Seconds, tokens and answers of steps; the first is not counted."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.steps: list[tuple[float, float, float]] = []

    def add(self, seconds: float, tokens: float, answers: float) -> None:
        self.steps.append((seconds, tokens, answers))

    def rates(self) -> tuple[float, float]:
        """The median tokens and answers a second."""
        kept = self.steps[1:] or self.steps
        return median(t / s for s, t, _ in kept), median(a / s for s, _, a in kept)

    def learn(self, trainer: Any) -> None:
        groups = trainer.groups(trainer.step)
        answers = sum(len(trainer.batches.rows[number]) for group in groups for number in group)
        began = time.perf_counter()
        trainer._learn()
        self.add(time.perf_counter() - began, trainer.history[-1]["tokens"], answers)


def beside(base: str, kind: str, steps: int, trainer: Any, folder: Path, teacher: str = "") -> tuple[Pace, Pace, Path]:
    """TRL's steps and ours, one after the other; returns both paces and TRL's adapter. With a teacher TRL distils."""
    theirs, mine = Pace("TRL"), Pace("Deskmate")
    command = [sys.executable, "-m", "tests.bench.training_peer", base, kind, str(steps), str(folder)]
    command += ["--teacher", teacher] if teacher else []
    seen = 0.0
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as peer:
        assert peer.stdin and peer.stdout
        for _ in range(steps):
            peer.stdin.write("\n")
            peer.stdin.flush()
            told = json.loads(next(line for line in peer.stdout if line.startswith('{"seconds"')))
            theirs.add(told["seconds"], told["seen"] - seen, ROWS)
            seen = told["seen"]
            mine.learn(trainer)
    if peer.returncode:
        raise SystemExit(f"TRL ended with {peer.returncode}")
    return theirs, mine, folder / "adapter"


def loss_of(trainer: Any) -> float:
    """Of the weights as they are now."""
    trainer._evaluate()
    return float(trainer.history[-1]["eval_loss"])


def invented(example: Example, number: int) -> Example:
    """With 32 likeliest tokens of an invented teacher at every place."""
    draw = np.random.default_rng(number)
    said = np.array(example.ids[example.prompt :], np.int32)
    ids = np.stack([draw.choice(40_000, 32, replace=False) for _ in said]).astype(np.int32)
    logprobs = np.log(draw.dirichlet(np.full(33, 0.3), len(said))[:, :32] + 1e-9).astype(np.float32)
    soft = SoftLabels(said, np.full(len(said), 32, np.uint8), ids.ravel(), logprobs.ravel())
    return replace(example, soft=soft)


def against(base: str, kind: str, examples: list[Example], steps: int, folder: Path) -> float:
    """Prints one comparison; returns TRL's answers a second."""
    trainer = ours(base, examples, steps, folder / "ours")
    theirs, mine, adapter = beside(base, kind, steps, trainer, folder / "theirs")
    losses = [loss_of(trainer)]
    trainer.student.load(adapter)
    losses.append(loss_of(trainer))
    (tokens, answers), (peer_tokens, peer_answers) = mine.rates(), theirs.rates()
    print(
        f"TRL {kind}: {steps} steps of {ROWS} rows each\n"
        f"  Deskmate {tokens:7.0f} tokens/s {answers:6.2f} answers/s, loss {losses[0]:.3f}\n"
        f"  TRL      {peer_tokens:7.0f} tokens/s {peer_answers:6.2f} answers/s, loss {losses[1]:.3f}\n"
        f"  Deskmate / TRL: {tokens / peer_tokens:.2f} tokens/s, {answers / peer_answers:.2f} answers/s",
        flush=True,
    )
    return peer_answers


def alone(base: str, tokenizer: Any, steps: int, peers: dict[str, float], folder: Path) -> None:
    """Two answers a prompt, and soft labels, steps of all three alternating."""
    single = encode_all(tokenizer, bench_rows(64, 1), 2000)[0]
    double = encode_all(tokenizer, bench_rows(64, 2), 2000)[0]
    soft = [invented(example, number) for number, example in enumerate(single)]
    kinds = {"one answer": (single, 1.0), "two answers": (double, 1.0), "one with soft labels": (soft, 0.2)}
    trainers = {name: ours(base, rows, steps, folder / name, alpha) for name, (rows, alpha) in kinds.items()}
    paces = {name: Pace(name) for name in trainers}
    for _ in range(steps):
        for name, trainer in trainers.items():
            paces[name].learn(trainer)
    for name, pace in paces.items():
        tokens, answers = pace.rates()
        beside = ", ".join(f"{answers / theirs:.2f} times TRL {which}" for which, theirs in peers.items())
        print(f"{name:22} {tokens:7.0f} tokens/s {answers:6.2f} answers/s: {beside}")
    costs = [a[0] / b[0] for a, b in zip(paces["one with soft labels"].steps, paces["one answer"].steps, strict=True)]
    print(f"soft labels cost {100 * (median(costs[1:]) - 1):.1f} % over cross-entropy alone")


def main() -> None:
    from transformers import AutoTokenizer

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workspace", type=Path, default=Path("workspace"))
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--only", choices=["default", "tuned", "alone"])
    given = parser.parse_args()
    base = resolve("starter-student", Workspace(given.workspace), "hf")
    tokenizer = AutoTokenizer.from_pretrained(base)
    examples, _ = encode_all(tokenizer, bench_rows(64, 1), 2000)
    peers: dict[str, float] = {}
    with TemporaryDirectory() as folder, keep_freed():
        for kind in ("default", "tuned"):
            if given.only in (None, kind):
                peers[kind] = against(base, kind, examples, given.steps, Path(folder) / kind)
        if given.only in (None, "alone"):
            alone(base, tokenizer, given.steps, peers, Path(folder))


if __name__ == "__main__":
    main()
