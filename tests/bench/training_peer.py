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
from transformers import TrainerCallback
from trl import SFTConfig, SFTTrainer

from distillation.student import lora
from tests.bench.training_rows import ROWS, SETTINGS, bench_rows

OPTIONS: dict[str, dict[str, Any]] = {
    "default": {},
    "tuned": {
        "gradient_checkpointing": False, "train_sampling_strategy": "group_by_length",
        "model_init_kwargs": {"dtype": "bfloat16"},
    },
}  # fmt: skip


class Turns(TrainerCallback):  # type: ignore[misc]
    """A step begins when the other side says so. What was logged of a step is known when the next one begins."""

    began = seconds = 0.0

    def on_step_begin(self, *_: Any, **rest: Any) -> None:
        sys.stdin.readline()
        self.began = time.perf_counter()

    def on_step_end(self, *_: Any, **rest: Any) -> None:
        self.seconds = time.perf_counter() - self.began

    def on_log(self, *_: Any, logs: dict[str, Any], **rest: Any) -> None:
        if "num_tokens" in logs and "loss" in logs:
            say({"seconds": self.seconds, "seen": logs["num_tokens"]})


def say(line: dict[str, float]) -> None:
    print("\n" + json.dumps(line), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("base")
    parser.add_argument("kind", choices=OPTIONS)
    parser.add_argument("steps", type=int)
    parser.add_argument("folder", type=Path)
    given = parser.parse_args()
    rows = [
        {"prompt": [dict(message) for message in row.messages],
         "completion": [{"role": "assistant", "content": row.answer}]}
        for row in bench_rows(64, 1)
    ]  # fmt: skip
    arguments = SFTConfig(
        output_dir=str(given.folder), max_steps=given.steps, per_device_train_batch_size=ROWS,
        learning_rate=SETTINGS.learning_rate, lr_scheduler_type="cosine", warmup_steps=0.05, logging_steps=1,
        save_strategy="no", report_to="none", disable_tqdm=True, use_cpu=not torch.cuda.is_available(),
        seed=SETTINGS.seed, **OPTIONS[given.kind],
    )  # fmt: skip
    trainer = SFTTrainer(
        model=given.base, args=arguments, train_dataset=Dataset.from_list(rows), peft_config=lora(SETTINGS)
    )
    trainer.add_callback(Turns())
    trainer.train()
    trainer.save_model(str(given.folder / "adapter"))


if __name__ == "__main__":
    main()
