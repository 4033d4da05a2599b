"""TRL's side of the training benchmark, a process of its own that takes a step whenever a line comes in.

Says a line of JSON about each step: seconds, and the tokens seen so far; after the last one the adapter is in the
folder. Nothing here is changed in TRL but the options given.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import AutoTokenizer, TrainerCallback
from trl import SFTConfig, SFTTrainer

from distillation.student import lora
from tests.bench.training_rows import ROWS, SETTINGS, bench_rows

OPTIONS: dict[str, dict[str, Any]] = {
    "default": {},
    "tuned": {
        "gradient_checkpointing": False, "train_sampling_strategy": "group_by_length",
        "model_init_kwargs": {"dtype": "bfloat16"},
    },
    "distilled": {"gradient_checkpointing": False, "model_init_kwargs": {"dtype": "bfloat16"}},
}  # fmt: skip


class Turns(TrainerCallback):  # type: ignore[misc]
    """A step begins when the other side says so. What was logged of a step is known when the next one begins."""

    began = seconds = 0.0

    def __init__(self, uncounted: bool) -> None:
        self.uncounted = uncounted  # GKDTrainer does not say how many tokens it saw

    def on_step_begin(self, *_: Any, **rest: Any) -> None:
        sys.stdin.readline()
        self.began = time.perf_counter()

    def on_step_end(self, *_: Any, **rest: Any) -> None:
        self.seconds = time.perf_counter() - self.began

    def on_log(self, *_: Any, logs: dict[str, Any], **rest: Any) -> None:
        if "loss" in logs:
            seen = 0.0 if self.uncounted else logs["num_tokens"]
            say({"seconds": self.seconds, "seen": seen})


def say(line: dict[str, float]) -> None:
    print("\n" + json.dumps(line), flush=True)


def trainer_of(given: argparse.Namespace) -> Any:
    """SFTTrainer; with a teacher GKDTrainer, which reads it in every step: all distributions, no answers of its own."""
    common = {
        "output_dir": str(given.folder), "max_steps": given.steps, "per_device_train_batch_size": ROWS,
        "learning_rate": SETTINGS.learning_rate, "lr_scheduler_type": "cosine", "warmup_steps": 0.05,
        "logging_steps": 1, "save_strategy": "no", "report_to": "none", "disable_tqdm": True,
        "use_cpu": not torch.cuda.is_available(), "seed": SETTINGS.seed, **OPTIONS[given.kind],
    }  # fmt: skip
    rows = [
        {"prompt": [dict(message) for message in row.messages],
         "completion": [{"role": "assistant", "content": row.answer}]}
        for row in bench_rows(64, 1)
    ]  # fmt: skip
    if given.teacher is None:
        return SFTTrainer(
            model=given.base,
            args=SFTConfig(**common),
            train_dataset=Dataset.from_list(rows),
            peft_config=lora(SETTINGS),
        )
    from trl.experimental.gkd import GKDConfig, GKDTrainer

    whole = [{"messages": [*row["prompt"], *row["completion"]]} for row in rows]
    kind = {"lmbda": 0.0, "beta": 0.0, "temperature": 1.0, "teacher_model_init_kwargs": {"dtype": "bfloat16"}}
    return GKDTrainer(
        model=given.base, teacher_model=str(given.teacher), args=GKDConfig(**common, **kind, max_length=2048),
        train_dataset=Dataset.from_list(whole), processing_class=AutoTokenizer.from_pretrained(given.base),
        peft_config=lora(SETTINGS),
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("base")
    parser.add_argument("kind", choices=OPTIONS)
    parser.add_argument("steps", type=int)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--teacher", type=Path)
    given = parser.parse_args()
    trainer = trainer_of(given)
    trainer.add_callback(Turns(uncounted=given.teacher is not None))
    trainer.train()
    trainer.save_model(str(given.folder / "adapter"))


if __name__ == "__main__":
    main()
