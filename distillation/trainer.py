"""transformers' Trainer with the few things it gets wrong for this job put right.

    hidden states [B, T, H] ──positions that predict answer tokens──▶ [N, H] ──output head──▶ [N, V] ──▶ loss

Prompts are most of the tokens, so the head runs on answer positions only. The loss is a weighted sum, divided
by the number of answer tokens in the whole optimizer step; the held-out loss is the same function.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader
from tqdm import tqdm
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

from data.errors import BadInput, DeskmateError
from data.workspace import write_json
from distillation.batches import Batches, collate
from distillation.rows import IGNORE, Example

COMPLETE = "complete"
NO_GRADIENT = "no adapter parameter gets a gradient: nothing would be learned; check the base student"


def answer_loss(model: Any, inputs: dict[str, Any]) -> Any:
    """Weighted sum of the answer tokens' cross-entropies; position i predicts token i + 1."""
    causal = model.get_base_model()
    hidden = causal.get_decoder()(input_ids=inputs["input_ids"], use_cache=False).last_hidden_state
    targets = inputs["labels"][:, 1:]
    chosen = targets != IGNORE
    logits = causal.get_output_embeddings()(hidden[:, :-1][chosen]).float()
    each = cross_entropy(logits, targets[chosen], reduction="none")
    weights = inputs["weights"][:, None].expand_as(targets)[chosen]
    return (each * weights).sum()


class EpochLoader(DataLoader):  # type: ignore[misc]
    """A DataLoader that passes the epoch on to its batches; the Trainer calls `set_epoch`."""

    def set_epoch(self, epoch: int) -> None:
        self.batch_sampler.set_epoch(epoch)


class AnswerTrainer(Trainer):  # type: ignore[misc]
    """Trains on answers only, in length-bucketed batches; `examples` and `held_out` are tokenised rows."""

    loss_is_scaled_for_ga = True

    def __init__(
        self, model: Any, arguments: TrainingArguments, examples: Sequence[Example],
        held_out: Sequence[Example], budget: int, callbacks: Sequence[TrainerCallback] = (),
    ) -> None:  # fmt: skip
        super().__init__(model=model, args=arguments, train_dataset=list(examples), callbacks=list(callbacks))
        self.remove_callback(PrinterCallback)
        self.model_accepts_loss_kwargs = True
        self.examples, self.held_out = list(examples), list(held_out)
        self.batches = Batches(examples, budget, arguments.seed)
        self.held_out_batches = Batches(held_out, budget, arguments.seed, shuffle=False)
        self._started: float | None = None
        self._tokens = 0

    def get_train_dataloader(self) -> EpochLoader:
        return self._loader(self.examples, self.batches)

    def _loader(self, examples: list[Example], batches: Batches) -> EpochLoader:
        return EpochLoader(examples, batch_sampler=batches, collate_fn=collate, generator=torch.Generator())

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        loss = answer_loss(model, inputs) / num_items_in_batch
        return (loss, {}) if return_outputs else loss

    def training_step(self, model: Any, inputs: dict[str, Any], num_items_in_batch: Any = None) -> Any:
        if self._started is None:
            self._started, self._tokens = time.perf_counter(), 0
        self._tokens += int(inputs["lengths"].sum())
        return super().training_step(model, inputs, num_items_in_batch)

    def evaluate(
        self, eval_dataset: Any = None, ignore_keys: Any = None, metric_key_prefix: str = "eval"
    ) -> dict[str, float]:
        """The held-out loss: `compute_loss` over all held-out rows, divided by all their answer tokens."""
        self.model.eval()
        total = 0.0
        with torch.no_grad():
            for inputs in self._loader(self.held_out, self.held_out_batches):
                prepared = self._prepare_inputs(inputs)
                total += float(self.compute_loss(self.model, prepared, False, self.held_out_batches.answer_tokens))
        metrics = {f"{metric_key_prefix}_loss": total}
        self.log(dict(metrics))
        self.control: Any = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Adds speed to each step's line; the history is saved with every checkpoint and survives a kill."""
        if "loss" in logs and self._started is not None:
            seconds = time.perf_counter() - self._started
            logs |= {"seconds": seconds, "tokens": self._tokens, "tokens_per_second": self._tokens / seconds}
            self._started = None
        super().log(logs, start_time)


def check_learnable(trainer: AnswerTrainer) -> None:
    """One backward pass before hours of them: there is something to learn, and the adapters learn it."""
    every = [*trainer.examples, *trainer.held_out]
    if any(example.prompt >= len(example.ids) for example in every):
        raise BadInput("a training row has no answer tokens to learn; run `deskmate teach` again")
    smallest = min(trainer.examples, key=lambda example: len(example.ids))
    inputs = trainer._prepare_inputs(collate([smallest]))
    trainer.model.train()
    loss = answer_loss(trainer.model, inputs)
    if not loss.requires_grad:
        raise DeskmateError(NO_GRADIENT)
    loss.backward()
    grads = [p.grad for name, p in trainer.model.named_parameters() if "lora_" in name]
    trainer.model.zero_grad()
    if not any(grad is not None and bool(grad.abs().sum() > 0) for grad in grads):
        raise DeskmateError(NO_GRADIENT)


class KeepBest(TrainerCallback):  # type: ignore[misc]
    """Evaluates, then saves, at each epoch's end; keeps the adapter with the lowest held-out loss."""

    def __init__(self, folder: Path, steps_per_epoch: int) -> None:
        self.folder = folder
        self.steps_per_epoch = steps_per_epoch
        self.record = folder / "best.json"

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step % self.steps_per_epoch == 0 or state.global_step >= state.max_steps:
            control.should_evaluate = control.should_save = True

    def on_evaluate(self, args: Any, state: Any, control: Any, metrics: Any = None, **rest: Any) -> None:
        if state.global_step == 0 or not self._better(state.global_step, metrics["eval_loss"]):
            return
        name = f"best-{state.global_step}"
        fresh = self.folder / f"{name}.tmp"
        shutil.rmtree(fresh, ignore_errors=True)
        rest["model"].save_pretrained(fresh)
        shutil.rmtree(self.folder / name, ignore_errors=True)
        fresh.replace(self.folder / name)
        write_json(self.record, {"step": state.global_step, "loss": metrics["eval_loss"], "name": name})
        for old in self.folder.glob("best-*"):
            if old.name != name:
                shutil.rmtree(old)

    def _better(self, step: int, loss: float) -> bool:
        """A step that is redone after a kill replaces what it wrote before."""
        if not self.record.is_file():
            return True
        best = json.loads(self.record.read_text())
        return bool(step == best["step"] or loss < best["loss"])

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        write_json(self.folder / f"checkpoint-{state.global_step}" / COMPLETE, {"step": state.global_step})


class Progress(TrainerCallback):  # type: ignore[misc]
    """One bar for the whole run, resumed where it was: loss, held-out loss and tokens a second."""

    def __init__(self) -> None:
        self.bar: Any = None
        self.shown: dict[str, str] = {}

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.bar = tqdm(
            total=state.max_steps,
            initial=state.global_step,
            desc="train",
            unit="step",
            disable=None,
            dynamic_ncols=True,
        )

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        names = {"loss": "loss", "eval_loss": "held-out", "tokens_per_second": "tok/s"}
        self.shown |= {names[key]: f"{value:.3g}" for key, value in logs.items() if key in names}
        if self.bar is not None:
            self.bar.set_postfix(self.shown)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.bar.update(state.global_step - self.bar.n if not self.bar.disable else 0)

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.bar.close()
