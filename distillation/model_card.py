"""The model card: what the served model is, where it comes from, what it may be used for, and its numbers."""

from __future__ import annotations

from pathlib import Path

from data.records import Manifest
from distillation import levels
from distillation.levels import Parity

STARTERS = {
    "starter-student": ("HuggingFaceTB/SmolLM2-135M-Instruct", "apache-2.0"),
    "starter-teacher": ("Qwen/Qwen2.5-Coder-1.5B-Instruct", "apache-2.0"),
}
TRAINED = {
    "rows": "rows taught",
    "steps": "steps",
    "seconds": "seconds",
    "tokens_per_second": "tokens a second",
    "train_loss": "loss, last epoch",
    "validation_loss_before": "held-out loss before",
    "validation_loss": "held-out loss after",
}
LIMITS = """## What it can and cannot do

It answers this desk's customers from the notes it is shown, in the chat template inside the file. Without notes, or
about something that this desk has not answered before, it invents: serve it behind Deskmate's router, which hands over.
The losses say how well it imitates its corpus, not how good its answers are: see the report of `deskmate evaluate`.

It learned from what customers and agents wrote, with personal data replaced by labels as far as that was found;
share it only with those who may read that."""


def card(name: str, trained: Manifest, corpus: Manifest | None, found: Parity, base: str) -> str:
    """Markdown with the front matter that the Hugging Face hub reads."""
    title, licence = origin(base)
    return f"""---
base_model: {title}
license: {licence}
library_name: gguf
pipeline_tag: text-generation
tags: [customer-support, distillation, lora]
---

# {name}

A support model: {title}, taught by Deskmate with LoRA on one help desk's own tickets, merged, and written as one GGUF
file ({found.quantisation}, {found.bytes / 1e6:.0f} MB) for llama.cpp.

## Where it comes from

| | |
|---|---|
| base | {title} ({trained.inputs["base"]}) |
| student | {trained.id} |
| corpus | {trained.inputs["corpus"]}{_made_from(corpus)} |
| licence | {"that of the base: Apache-2.0" if licence == "apache-2.0" else "that of the base model"} |

{_training(trained)}

{_served(found, "held out from training" if corpus else "to a fixed question")}

{LIMITS}
"""


def _training(trained: Manifest) -> str:
    settings = ", ".join(f"{key} {value}" for key, value in sorted(trained.settings.items()))
    counts = "\n".join(f"| {TRAINED[key]} | {trained.counts[key]:.6g} |" for key in TRAINED if key in trained.counts)
    return f"""## Training

{settings}.

| | |
|---|---|
{counts}"""


def _served(found: Parity, which: str) -> str:
    return f"""## Served against trained

The trained student (float32, adapters on) and each file in llama.cpp scored the same {found.prefixes} places of answers
{which}: KL in nats, and how often both find the same token likeliest. Speeds are of one request, alone, on the machine
that made this.

{levels.table(found)}

{found.quantisation} is served: {found.why}."""


def origin(base: str) -> tuple[str, str]:
    """The base's public name where it is known, and its licence's identifier."""
    folder = Path(base).resolve()
    name = folder.parent.name if folder.name == "hf" else folder.name
    return STARTERS.get(name, (name, "other"))


def _made_from(corpus: Manifest | None) -> str:
    if corpus is None:
        return ""
    made = ", ".join(f"{kind} {name}" for kind, name in sorted(corpus.inputs.items()))
    return f": {made}" if made else ""
