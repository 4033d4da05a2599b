"""Teach the student: LoRA on the corpus's answers, resumable, keeping the epoch of lowest held-out loss.

students/.partial-<id>/.checkpoints/{checkpoint-N/, best-N/, best.json, before.json}   while training
students/<id>/{adapter/, runs/, training.json, manifest.json}                          when done
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from torch.utils.tensorboard import SummaryWriter
from transformers import AutoModelForCausalLM, AutoTokenizer, TrainingArguments, set_seed
from transformers.integrations import TensorBoardCallback
from transformers.utils import logging as transformers_logging

from bot.config import Training
from data.errors import BadInput, ConfigError, NotFound
from data.parquet import read_rows
from data.workspace import Workspace, digest, manifest_of, write_bytes, write_json
from distillation.batches import bucket
from distillation.rows import Example, TrainingRow, encode_all
from distillation.trainer import COMPLETE, AnswerTrainer, KeepBest, Progress, check_learnable

ACCUMULATION = 1
HELD_OUT = 16  # rows the held-out loss is taken from: read before training and after each epoch
FAST_BF16 = {"avx512_bf16", "amx_bf16", "bf16"}
SCALED = ("final_logit_softcapping", "logits_scaling", "logit_scale")


def train(workspace: Workspace, corpus: Path, student: str, settings: Training) -> Path:
    """The student's folder: trained now, resumed after a kill, or found finished from the same inputs.

    `student` is a local Hugging Face folder. Raises BadInput for a corpus that cannot be learned.
    """
    inputs = {"corpus": manifest_of(corpus).id, "base": base_name(student)}
    draft = workspace.draft("student", inputs, settings.model_dump())
    if draft.done:
        return draft.final
    record = draft.path / "training.json"
    if not record.is_file():
        counts, history = _run(corpus, student, settings, draft.path)
        write_json(record, {"counts": counts, "history": history})
    shutil.rmtree(draft.path / ".checkpoints", ignore_errors=True)
    return draft.finish(json.loads(record.read_text())["counts"])


def base_name(student: str) -> str:
    """The base model's folder name and a fingerprint: other weights in that folder are another base."""
    folder = Path(student)
    if not (folder / "config.json").is_file():
        raise NotFound(f"{student} holds no Hugging Face model (config.json is missing); run `deskmate setup` first")
    sizes = {path.name: path.stat().st_size for path in sorted(folder.glob("*.safetensors"))}
    return f"{folder.resolve().name}@{digest([(folder / 'config.json').read_text(), sizes])}"


def _run(corpus: Path, student: str, settings: Training, folder: Path) -> tuple[dict[str, float], list[dict[str, Any]]]:
    tokenizer = AutoTokenizer.from_pretrained(student)
    examples, dropped = encode_all(tokenizer, read_rows(corpus / "rows.parquet", TrainingRow), settings.max_length)
    validation = read_rows(corpus / "validation.parquet", TrainingRow)[:HELD_OUT]
    held_out, _ = encode_all(tokenizer, validation, settings.max_length)
    if not examples or not held_out:
        which = "validation" if examples else "training"
        raise BadInput(
            f"{corpus.name} has no {which} row of at most {settings.max_length} tokens; "
            "raise training.max_length or run `deskmate teach` on more tickets"
        )
    log_example(tokenizer, examples[0], folder / "runs" / "train.log")
    trainer = build_trainer(student, settings, folder, examples, held_out)
    check_learnable(trainer)
    before = _loss_before(trainer, folder / ".checkpoints" / "before.json")
    history = _fit(trainer, folder / ".checkpoints")
    best = json.loads((folder / ".checkpoints" / "best.json").read_text())
    _copy(folder / ".checkpoints" / best["name"], folder / "adapter")
    steps = [line for line in history if "loss" in line]
    last = [line["loss"] for line in steps[-steps_per_epoch(trainer.batches.groups, trainer.args) :]]
    seconds = sum(line["seconds"] for line in steps)
    counts: dict[str, float] = {
        "rows": len(examples), "dropped_too_long": dropped, "steps": len(steps), "seconds": round(seconds, 1),
        "tokens_per_second": round(sum(line["tokens"] for line in steps) / seconds, 1),
        "train_loss": sum(last) / len(last),
        "validation_loss_before": before, "validation_loss": best["loss"], "best_step": best["step"],
    }  # fmt: skip
    return counts, history


def build_trainer(
    student: str, settings: Training, folder: Path, examples: Sequence[Example], held_out: Sequence[Example],
    accumulation: int = ACCUMULATION,
) -> AnswerTrainer:  # fmt: skip
    """The model with fresh adapters, and the Trainer that writes under `folder`. Same seed, same start."""
    set_seed(settings.seed)
    transformers_logging.disable_progress_bar()
    model = AutoModelForCausalLM.from_pretrained(student, dtype=pick_dtype(settings.dtype))
    if any(getattr(model.config, name, None) for name in SCALED):
        raise ConfigError(f"{student} scales its output scores, which training does not handle; choose another student")
    model.config.use_cache = False
    lora = LoraConfig(r=settings.rank, lora_alpha=2 * settings.rank, target_modules="all-linear", task_type="CAUSAL_LM")
    model = get_peft_model(model, lora)
    arguments = _arguments(settings, folder / ".checkpoints", accumulation)
    groups = bucket([len(example.ids) for example in examples], settings.batch_tokens, settings.seed)
    board = SummaryWriter(log_dir=str(folder / "runs"))
    callbacks = [
        KeepBest(folder / ".checkpoints", steps_per_epoch(groups, arguments)), Progress(),
        TensorBoardCallback(board),
    ]  # fmt: skip
    return AnswerTrainer(model, arguments, examples, held_out, settings.batch_tokens, callbacks)


def _arguments(settings: Training, folder: Path, accumulation: int) -> TrainingArguments:
    arguments = TrainingArguments(
        output_dir=str(folder), seed=settings.seed, num_train_epochs=settings.epochs,
        per_device_train_batch_size=1, gradient_accumulation_steps=accumulation,
        learning_rate=settings.learning_rate, lr_scheduler_type="cosine", warmup_steps=0.05, weight_decay=0.0,
        max_grad_norm=1.0, optim="adamw_torch", logging_steps=1, eval_strategy="no", save_strategy="steps",
        save_steps=settings.checkpoint_steps, save_total_limit=2, report_to="none", disable_tqdm=True,
        remove_unused_columns=False, dataloader_pin_memory=False,
    )  # fmt: skip
    if arguments.device.type == "cuda":
        arguments._n_gpu = 1  # a student fits one GPU, and DataParallel would hide its layers from the loss
    return arguments


def steps_per_epoch(groups: Sequence[Any], arguments: TrainingArguments) -> int:
    return -(-len(groups) // int(arguments.gradient_accumulation_steps))


def _fit(trainer: AnswerTrainer, folder: Path) -> list[dict[str, Any]]:
    """Train to the end, from the newest complete checkpoint if any; returns the log of every step."""
    newest = newest_checkpoint(folder)
    if newest is not None:
        state = json.loads((newest / "trainer_state.json").read_text())
        total = math.ceil(trainer.args.num_train_epochs * steps_per_epoch(trainer.batches.groups, trainer.args))
        if state["global_step"] >= total:
            return list(state["log_history"])
    trainer.train(resume_from_checkpoint=str(newest) if newest else None)
    return list(trainer.state.log_history)


def newest_checkpoint(folder: Path) -> Path | None:
    """The newest checkpoint that was written whole; one cut short by a kill is deleted."""
    found = sorted(folder.glob("checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2]))
    for path in [path for path in found if not (path / COMPLETE).is_file()]:
        shutil.rmtree(path)
        found.remove(path)
    return found[-1] if found else None


def _loss_before(trainer: AnswerTrainer, record: Path) -> float:
    if not record.is_file():
        write_json(record, {"loss": trainer.evaluate()["eval_loss"]})
    return float(json.loads(record.read_text())["loss"])


def _copy(source: Path, target: Path) -> None:
    fresh = target.with_name(f".{target.name}.tmp")
    shutil.rmtree(fresh, ignore_errors=True)
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, fresh)
    fresh.replace(target)


def pick_dtype(choice: str) -> Any:
    """`auto` is bfloat16 where the hardware multiplies it natively; elsewhere that is slower than float32."""
    if choice != "auto":
        return getattr(torch, choice)
    if torch.cuda.is_available():
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    try:
        flags = set(Path("/proc/cpuinfo").read_text().split())
    except OSError:
        flags = set()
    return torch.bfloat16 if flags & FAST_BF16 else torch.float32


def log_example(tokenizer: Any, example: Example, path: Path) -> None:
    """One row as the student sees it, for a person to check: the end of the prompt, then what is learned."""
    prompt = tokenizer.decode(list(example.ids[: example.prompt]))
    learned = tokenizer.decode(list(example.ids[example.prompt :]))
    text = f"masked {example.prompt} tokens: …{prompt[-200:]!r}\n"
    text += f"learned {len(example.ids) - example.prompt}: {learned!r}\n"
    write_bytes(path, text.encode())
