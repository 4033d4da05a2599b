"""The student as its teacher's draft model: it guesses the next tokens, and the teacher checks them in one pass.

What the teacher says stays the teacher's (speculative decoding, arXiv 2211.17192). It pays only where both give the
same numbers to the same tokens, where the student is often right, and where checking several tokens takes little
longer than writing one; so it is measured (distillation/drafting.py), and "auto" believes nothing else.

    workspace/drafts/<model id>/{<teacher's digest>.json, hf/}    what was measured; the student as vLLM reads it
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bot import commands, gguf_header, launch, weights
from bot.commands import Choice
from bot.config import Model
from data.errors import ConfigError, NotFound
from data.records import Record
from data.workspace import Workspace, digest

LEAST_GAIN = 1.1  # less may be noise, and a second model takes memory
MOST_PADDING = 128  # llama.cpp's own limit
TOKENS, KINDS, UNUSED = "tokenizer.ggml.tokens", "tokenizer.ggml.token_type", 5


class Drafting(Record):
    """A teacher's greedy replies with and without the draft, one at a time. `accepted`: share of the guessed tokens
    that the teacher kept; `same`: share of the replies that are equal to the letter."""

    teacher: str
    model: str
    engine: str
    ahead: int
    replies: int
    tokens: int
    alone_tokens_per_second: float
    tokens_per_second: float
    accepted: float
    same: float

    @property
    def gain(self) -> float:
        return self.tokens_per_second / self.alone_tokens_per_second

    @property
    def pays(self) -> bool:
        return self.gain >= LEAST_GAIN


def chosen(workspace: Workspace, teacher: Model) -> Path | None:
    """What guesses ahead for this teacher, or None. Raises ConfigError where it was asked for and cannot."""
    choice = launch.choose(teacher)
    if choice == "remote" or teacher.draft == "none":
        return None
    if teacher.draft == "student":
        student = workspace.latest("model")
        why = unfit(launch.served(teacher, workspace, None, choice), student)
        if why:
            raise ConfigError(f'teacher.draft = "student": {why}; set it to "none"')
        return form(workspace, student, choice)
    try:
        student = workspace.latest("model")
        measured = Drafting.model_validate_json(record(workspace, student.name, teacher).read_text())
    except (NotFound, OSError, ValueError):
        return None
    return form(workspace, student, choice) if measured.pays else None


def record(workspace: Workspace, model: str, teacher: Model) -> Path:
    """Where it is kept what was measured for this pair and engine."""
    told = [launch.identity(teacher), launch.choose(teacher), commands.AHEAD]
    return workspace.root / "drafts" / model / f"{digest(told)}.json"


def form(workspace: Workspace, student: Path, choice: Choice) -> Path:
    """The optimised student as this engine reads a draft model."""
    gguf = student / "model.gguf"
    return gguf if choice == "llamacpp" else weights.dense(gguf, workspace.root / "drafts" / student.name)


def unfit(teacher: str, student: Path) -> str:
    """Why the student cannot guess for this teacher, or nothing. Compares what each token id stands for."""
    theirs, ours = _texts(teacher), _texts(str(student / "model.gguf"))
    if abs(len(theirs) - len(ours)) > MOST_PADDING:
        return f"teacher and student have different vocabularies ({len(theirs):,} and {len(ours):,} tokens)"
    pairs = zip(theirs, ours, strict=False)
    other = sum(a != b for a, b in pairs if a and b)
    return f"teacher and student number {other:,} tokens differently" if other else ""


def _texts(model: str) -> list[str]:
    """The text of every token id, as byte-level BPE writes it; nothing for padding."""
    if model.endswith(".gguf"):
        fields = gguf_header.read(Path(model), TOKENS, KINDS)
        return ["" if kind == UNUSED else text for text, kind in zip(fields[TOKENS], fields[KINDS], strict=True)]
    from transformers import AutoConfig, AutoTokenizer

    vocabulary: dict[str, int] = AutoTokenizer.from_pretrained(model).get_vocab()
    size: Any = AutoConfig.from_pretrained(model).get_text_config().vocab_size
    texts = [""] * max(int(size), 1 + max(vocabulary.values()))
    for text, number in vocabulary.items():
        texts[number] = text
    return texts
