"""From a trained student to what is served: adapters merged, one quantised GGUF, proof it scores the same.

    models/<id>/{model.gguf, parity.json, README.md, manifest.json}

Each file is written whole, in that order: a killed run goes on with the next one, under the same id.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bot.config import Optimise
from data.errors import BadInput, NotFound
from data.records import Manifest
from data.workspace import Workspace, manifest_of, write_bytes, write_json
from distillation import gguf_file, parity
from distillation.train import base_name


def optimise(workspace: Workspace, student: Path, base: str, settings: Optimise) -> Path:
    """The served model's folder, made now or found finished; `base` is what the student was trained from."""
    trained = manifest_of(student)
    if base_name(base) != trained.inputs.get("base"):
        raise BadInput(f"{student.name} was not trained from {base} but from {trained.inputs.get('base')}; use it")
    draft = workspace.draft("model", {"student": trained.id, "base": base_name(base)}, settings.model_dump())
    if draft.done:
        return draft.final
    gguf, record = draft.path / "model.gguf", draft.path / "parity.json"
    if not gguf.is_file() or not record.is_file():
        _make(gguf, record, student, base, settings)
    found = parity.Parity.model_validate_json(record.read_text())
    write_bytes(draft.path / "README.md", card(draft.id, trained, found, gguf.stat().st_size, base).encode())
    counts = {
        "bytes": float(gguf.stat().st_size), "top1_agreement": found.top1_agreement,
        "mean_logprob_difference": found.mean_logprob_difference,
    }  # fmt: skip
    return draft.finish(counts)


def _make(gguf: Path, record: Path, student: Path, base: str, settings: Optimise) -> None:
    """The GGUF, unless a killed run has left it, and its comparison with the trained model."""
    model, tokenizer = _load(student, base)
    gguf_file.check(model.config, tokenizer)
    wanted = parity.reference(model, tokenizer)
    if not gguf.is_file():
        gguf_file.write(
            gguf,
            model.merge_and_unload(),
            tokenizer,
            settings.quantisation,
            gguf.parent.name.removeprefix(".partial-"),
        )
    del model
    write_json(record, parity.compare(gguf, wanted, settings.quantisation))


def _load(student: Path, base: str) -> tuple[Any, Any]:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging as transformers_logging

    if not (student / "adapter").is_dir():
        raise NotFound(f"{student} has no adapter; run `deskmate train` again")
    transformers_logging.disable_progress_bar()
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    return PeftModel.from_pretrained(model, str(student / "adapter")), AutoTokenizer.from_pretrained(base)


def card(name: str, trained: Manifest, found: parity.Parity, size: int, base: str) -> str:
    """The model card: where it comes from, what it may be used for, and its numbers."""
    counts = trained.counts
    before, after = counts.get("validation_loss_before", 0), counts.get("validation_loss", 0)
    return f"""# {name}

A support model, trained with LoRA by Deskmate on one help desk's own tickets.

| | |
|---|---|
| base | {Path(base).name} ({trained.inputs["base"]}) |
| student | {trained.id} |
| corpus | {trained.inputs["corpus"]}: {counts.get("rows", 0):.0f} rows |
| held-out loss | {before:.3f} before, {after:.3f} after |
| quantisation | {found.quantisation}, {size / 1e6:.0f} MB |
| served against trained | {found.top1_agreement:.0%} of {found.prefixes} next tokens agree, \
mean difference of log-probabilities {found.mean_logprob_difference:.4f} |

Licence: that of the base model (the starter student's is Apache-2.0). It learned from what customers
wrote; share it only with those who may read that.

Answers from the notes it is shown; without them it will invent. The loss says how well it imitates the
corpus, not how good its answers are: see the report of `deskmate evaluate`.
"""
