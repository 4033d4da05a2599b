"""From a trained student to what is served: adapters merged, one quantised GGUF, proof it scores the same.

    models/<id>/{model.gguf, parity.json, README.md, manifest.json}
    models/.partial-<id>/{.<level>.gguf, .<level>.json}    the levels tried, while it runs

Each file is written whole, in that order: a killed run goes on with the next one, under the same id.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bot.config import Optimise
from data.errors import BadInput, NotFound
from data.parquet import read_rows
from data.records import Manifest
from data.workspace import Workspace, manifest_of, write_bytes, write_json
from distillation import gguf_file, levels, parity
from distillation.levels import Level, Parity
from distillation.model_card import card
from distillation.rows import TrainingRow
from distillation.train import base_name


def optimise(workspace: Workspace, student: Path, base: str, settings: Optimise) -> Path:
    """The served model's folder, made now or found finished; `base` is what the student was trained from."""
    trained = manifest_of(student)
    if base_name(base) != trained.inputs.get("base"):
        raise BadInput(f"{student.name} was not trained from {base} but from {trained.inputs.get('base')}; use it")
    draft = workspace.draft("model", {"student": trained.id, "base": base_name(base)}, settings.model_dump())
    if draft.done:
        return draft.final
    corpus = _corpus(workspace, trained)
    record = draft.path / "parity.json"
    if not record.is_file():
        rows = parity.ROWS if settings.quantisation == "auto" else parity.FEW
        taught = read_rows(corpus / "validation.parquet", TrainingRow)[:rows] if corpus else []
        _choose(draft.path, student, base, settings, taught)
    found = Parity.model_validate_json(record.read_text())
    for tried in draft.path.glob(".*"):
        tried.unlink()
    about = manifest_of(corpus) if corpus else None
    write_bytes(draft.path / "README.md", card(draft.id, trained, about, found, base).encode())
    counts = found.model_dump(include={"bytes", "top1_agreement", "mean_logprob_difference", "kl"})
    return draft.finish({name: float(value) for name, value in counts.items()})


def _corpus(workspace: Workspace, trained: Manifest) -> Path | None:
    """What the student was taught, unless it came without."""
    try:
        return workspace.find("corpus", trained.inputs["corpus"])
    except NotFound:
        return None


def _choose(folder: Path, student: Path, base: str, settings: Optimise, taught: Sequence[TrainingRow]) -> None:
    """Leaves model.gguf and parity.json, and the levels not chosen."""
    wanted = levels.LEVELS if settings.quantisation == "auto" else (settings.quantisation,)
    missing = [level for level in wanted if not _record(folder, level).is_file()]
    if missing:
        _measure(folder, student, base, missing, taught)
    tried = [Level.model_validate_json(_record(folder, level).read_text()) for level in wanted]
    found = levels.choose(tried, settings)
    if not (folder / "model.gguf").is_file():
        _gguf(folder, found.quantisation).replace(folder / "model.gguf")
    write_json(folder / "parity.json", found)


def _measure(folder: Path, student: Path, base: str, missing: Sequence[str], taught: Sequence[TrainingRow]) -> None:
    """The GGUF of each level, unless a killed run has left it, and its comparison with the trained model."""
    model, tokenizer = _load(student, base)
    gguf_file.check(model.config, tokenizer)
    wanted = parity.reference(model, tokenizer, taught)
    model = model.merge_and_unload() if hasattr(model, "merge_and_unload") else model
    name = folder.name.removeprefix(".partial-")
    for level in missing:
        if not _gguf(folder, level).is_file():
            gguf_file.write(_gguf(folder, level), model, tokenizer, level, name)
    del model
    rounds = levels.ROUNDS if len(taught) > parity.FEW else 1
    for level in missing:
        write_json(_record(folder, level), levels.measure(_gguf(folder, level), wanted, level, rounds))


def _gguf(folder: Path, level: str) -> Path:
    return folder / f".{level}.gguf"


def _record(folder: Path, level: str) -> Path:
    return folder / f".{level}.json"


def _load(student: Path, base: str) -> tuple[Any, Any]:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging as transformers_logging

    whole = student / "model"  # of training.method = "full"
    if not whole.is_dir() and not (student / "adapter").is_dir():
        raise NotFound(f"{student} has no adapter; run `deskmate train` again")
    transformers_logging.disable_progress_bar()
    model = AutoModelForCausalLM.from_pretrained(whole if whole.is_dir() else base, dtype=torch.float32)
    if whole.is_dir():
        return model, AutoTokenizer.from_pretrained(base)
    return PeftModel.from_pretrained(model, str(student / "adapter")), AutoTokenizer.from_pretrained(base)
