"""One stage of training as a flat loop: batches, loss, gradients of all processes, AdamW, held-out loss, checkpoints.

    <folder>/  checkpoint-N.pt      what learns, the optimizer, the log: written whole, the newest two are kept
               best-N/, best.json   the weights with the lowest held-out loss

Everything else (the batches, their order, the learning rate) follows from the seed and the number of steps, so a run
that was killed goes on to the same curve. The loss is divided by the answer tokens of the whole step, whatever parts
it is computed in and by how many processes; the held-out loss is the same function.
"""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from accelerate.utils import reduce
from tqdm import tqdm

from bot.config import Training
from data.workspace import write_json
from distillation.batches import Batches
from distillation.student import Student

KEPT = 2
WARM = 0.05  # share of the steps in which the learning rate rises
MAX_NORM = 1.0
Line = dict[str, float]


@dataclass(frozen=True, slots=True)
class Stage:
    """`alpha`: the share of cross-entropy where there are soft labels."""

    name: str
    alpha: float


class Trainer:
    """Trains `student` on `batches`; `board` (a TensorBoard writer) sees every line of the log."""

    def __init__(
        self, student: Student, batches: Batches, held_out: Batches, settings: Training, stage: Stage, folder: Path,
        board: Any = None,
    ) -> None:  # fmt: skip
        self.student, self.batches, self.held_out = student, batches, held_out
        self.settings, self.stage, self.folder, self.board = settings, stage, folder, board
        self.state = processes()
        self.parts = max(settings.parts, self.state.num_processes)
        self.steps_per_epoch = -(-len(batches.groups) // self.parts)
        self.total = math.ceil(settings.epochs * self.steps_per_epoch)
        self.optimizer = student.optimizer(settings.learning_rate)
        self.step = 0
        self.history: list[Line] = []
        self.after_step: Callable[[Trainer], None] = lambda _: None

    def run(self) -> list[Line]:
        """Train to the end, from the newest checkpoint if there is one; returns the log."""
        self._resume()
        if not self.history:
            self._evaluate()
        main = self.state.is_main_process
        with tqdm(total=self.total, initial=self.step, desc=f"train {self.stage.name}", unit="step",
                  disable=None if main else True, dynamic_ncols=True) as bar:  # fmt: skip
            while self.step < self.total and not self._tired():
                self._learn()
                ends = self.step % self.steps_per_epoch == 0 or self.step == self.total
                if ends:
                    self._evaluate()
                if ends or self.step % self.settings.checkpoint_steps == 0:
                    self._save()
                self.after_step(self)
                bar.update()
                bar.set_postfix(self._shown())
        return self.history

    def groups(self, step: int) -> list[list[int]]:
        """The parts of a step, the same in every process."""
        epoch, number = divmod(step, self.steps_per_epoch)
        return self.batches.order(epoch)[number * self.parts : (number + 1) * self.parts]

    def _learn(self) -> None:
        """One optimizer step."""
        began = time.perf_counter()
        groups = self.groups(self.step)
        places = self.batches.places(groups)
        sums = self._backward(groups, places)
        if self.state.num_processes > 1:
            sums = reduce(sums, "sum")
            for weight in self.student.weights.values():
                weight.grad = reduce(torch.zeros_like(weight) if weight.grad is None else weight.grad, "sum")
        norm = torch.nn.utils.clip_grad_norm_(self.student.weights.values(), MAX_NORM)
        for group in self.optimizer.param_groups:
            group["lr"] = rate = self.settings.learning_rate * schedule(self.step, self.total)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.step += 1
        total, ce, kd, ce_norm, kd_norm, tokens = sums.tolist()
        seconds = time.perf_counter() - began
        self._log({
            "loss": total / places, "ce": ce / places, "kd": kd / places, "ce_gradient_norm": ce_norm**0.5 / places,
            "kd_gradient_norm": kd_norm**0.5 / places, "gradient_norm": float(norm), "learning_rate": rate,
            "seconds": seconds, "tokens": tokens, "tokens_per_second": tokens / seconds,
        })  # fmt: skip

    def _backward(self, groups: Sequence[Sequence[int]], places: int) -> torch.Tensor:
        """Gradients of this process's parts; sums of the loss, CE, KD, their gradients' squares, and tokens."""
        sums = torch.zeros(6, dtype=torch.float64, device=self.student.device)
        for group in groups[self.state.process_index :: self.state.num_processes]:
            batch = self.batches.batch(group)
            found = self.student.losses(batch, self.stage.alpha)
            (found.total / places).backward()
            sums += torch.stack(
                [found.total.detach(), found.ce, found.kd, *found.norms, found.ce.new_tensor(batch.tokens)]
            )
        return sums

    def _evaluate(self) -> None:
        """The held-out loss; the weights with the lowest are kept. At step 0 it is what there was before."""
        groups = self.held_out.groups
        mine = groups[self.state.process_index :: self.state.num_processes]
        with torch.no_grad():
            found = [self.student.losses(self.held_out.batch(group), self.stage.alpha) for group in mine]
        sums = torch.zeros(3, dtype=torch.float64, device=self.student.device)
        for each in found:
            sums += torch.stack([each.total, each.ce, each.kd])
        if self.state.num_processes > 1:
            sums = reduce(sums, "sum")
        loss, ce, kd = (sums / self.held_out.places(groups)).tolist()
        self._log({"eval_loss": loss, "eval_ce": ce, "eval_kd": kd})
        if self.step and all(loss < other for other in self._held_out()[1:-1]):
            self._keep(loss)

    def _held_out(self) -> list[float]:
        return [line["eval_loss"] for line in self.history if "eval_loss" in line]

    def _tired(self) -> bool:
        """Whether the held-out loss has not fallen for `patience` epochs."""
        after = self._held_out()[1:]
        waited = len(after) - 1 - after.index(min(after)) if after else 0
        return bool(self.settings.patience) and waited >= self.settings.patience

    def _keep(self, loss: float) -> None:
        if self.state.is_main_process:
            name = f"best-{self.step}"
            fresh = self.folder / f".{name}.tmp"
            shutil.rmtree(fresh, ignore_errors=True)
            self.student.save(fresh)
            shutil.rmtree(self.folder / name, ignore_errors=True)
            fresh.replace(self.folder / name)
            write_json(self.folder / "best.json", {"step": self.step, "loss": loss, "name": name})
            for old in self.folder.glob("best-*"):
                if old.name != name:
                    shutil.rmtree(old)
        self.state.wait_for_everyone()

    def best(self) -> tuple[Path, int]:
        """The folder of the kept weights, and their step."""
        found = json.loads((self.folder / "best.json").read_text())
        return self.folder / found["name"], found["step"]

    def _save(self) -> None:
        if self.state.is_main_process:
            path = self.folder / f"checkpoint-{self.step}.pt"
            fresh = path.with_suffix(".tmp")
            weights = {name: weight.detach() for name, weight in self.student.weights.items()}
            optimizer, history = self.optimizer.state_dict(), json.dumps(self.history)
            torch.save({"step": self.step, "history": history, "weights": weights, "optimizer": optimizer}, fresh)
            fresh.replace(path)
            for old in checkpoints(self.folder)[:-KEPT]:
                old.unlink()
        self.state.wait_for_everyone()

    def _resume(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        found = checkpoints(self.folder)
        if not found:
            return
        saved = torch.load(found[-1], map_location=self.student.device, weights_only=True)
        self.student.set(saved["weights"])
        self.optimizer.load_state_dict(saved["optimizer"])
        self.step, self.history = saved["step"], json.loads(saved["history"])

    def _log(self, line: Line) -> None:
        self.history.append({"step": self.step, **line})
        if self.board is not None and self.state.is_main_process:
            for name, value in line.items():
                self.board.add_scalar(f"{self.stage.name}/{name}", value, self.step)

    def _shown(self) -> dict[str, str]:
        names = {"loss": "loss", "eval_loss": "held-out", "tokens_per_second": "tok/s"}
        newest = {names[name]: value for line in self.history for name, value in line.items() if name in names}
        return {name: f"{value:.3g}" for name, value in newest.items()}


def processes() -> PartialState:
    """This process among those that were launched together; without a GPU they speak over gloo."""
    return PartialState(cpu=not torch.cuda.is_available())


def checkpoints(folder: Path) -> list[Path]:
    """Those written whole, the newest last."""
    return sorted(folder.glob("checkpoint-*.pt"), key=lambda path: int(path.stem.rpartition("-")[2]))


def schedule(step: int, total: int) -> float:
    """The learning rate's share of its highest: up in a line, down in half a cosine."""
    warm = math.ceil(WARM * total)
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, total - warm)))
