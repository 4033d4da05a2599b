"""Where a teacher's soft labels come from, and which of them a corpus gets.

    vLLM, loaded here    all of them, in the pass that says the answer; answers by others are scored in one pass more
    an API               as far as it tells (overheard.py)
    llama.cpp            only if asked for, as telling them slows it down
    none                 where the student's tokenizer is another: it could not learn them

Which it is, is said in one line before anything is asked.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from bot import weights
from bot.config import Config, Model
from bot.launch import choose
from bot.prompt import ChatMessage, clean
from data.errors import DeskmateError
from data.records import Answer
from data.workspace import Workspace, digest
from distillation.label_journal import LabelJournal
from distillation.rows import end_token
from distillation.softlabels import SoftLabels, fit, origin_of, store

if TYPE_CHECKING:
    from distillation.inprocess import Teacher

SCORED = 32  # answers scored between two writes to disk


@dataclass(frozen=True, slots=True)
class Plan:
    """`words` are for people: where soft labels come from, or why there are none."""

    how: Literal["here", "api", "none"]
    words: str


def plan(workspace: Workspace, config: Config) -> Plan:
    """Nothing is asked or loaded for it but, where both are at hand, the two tokenizers."""
    wish, engine = config.teaching.soft_labels, choose(config.teacher)
    if wish == "off":
        return Plan("none", "soft labels: none, as teaching.soft_labels is off")
    if wish == "auto":
        slow = 'llama.cpp is slow to tell them (teaching.soft_labels = "on" asks all the same)'
        why = slow if engine == "llamacpp" else _misfit(workspace, config)
        if why:
            return Plan("none", f"soft labels: none, as {why}")
    if engine == "vllm":
        return Plan("here", "soft labels: the 32 likeliest of each token, from vLLM in this process")
    return Plan("api", "soft labels: as far as the teacher's API tells")


def _misfit(workspace: Workspace, config: Config) -> str:
    """Why the student could not learn from soft labels, or nothing. Vocabularies are compared before libraries are
    loaded: with most pairs that is all it takes."""
    folders = []
    for whose, model in (("teacher", config.teacher), ("student", config.student)):
        folder = _folder(workspace, model)
        if folder is None:
            return f"the {whose}'s tokenizer is not known here"
        folders.append(folder)
    other = "the student's tokenizer is not the teacher's"
    words = [_words(Path(folder)) for folder in folders]
    if all(words) and words[0] != words[1]:
        return other
    try:
        (teacher, size), (student, smaller) = (_tokenizer(folder) for folder in folders)
    except (OSError, ValueError) as error:
        return f"a tokenizer cannot be loaded ({str(error).strip().splitlines()[0]})"
    origin = origin_of(teacher, teacher="", revision="", vocabulary=size)
    return other if fit(origin, student, smaller) == "different" else ""


def _folder(workspace: Workspace, model: Model) -> str | None:
    """Where the tokenizer of a model is. A starter behind somebody's API is not unpacked for it."""
    unpacked = (workspace.root / "weights" / model.name / "hf").is_dir()
    if model.name in weights.SOURCES and choose(model) == "remote" and not unpacked:
        return None
    try:
        return weights.resolve(model.name, workspace, "hf")
    except DeskmateError:
        return None


def _words(folder: Path) -> Any:
    """The ordinary tokens of a model on disk."""
    file = folder / "tokenizer.json"
    return json.loads(file.read_bytes())["model"].get("vocab") if file.is_file() else None


def _tokenizer(folder: str) -> tuple[Any, int]:
    """A model's tokenizer and the size of its output head."""
    from transformers import AutoConfig, AutoTokenizer

    size: Any = AutoConfig.from_pretrained(folder).get_text_config().vocab_size
    return AutoTokenizer.from_pretrained(folder), int(size)


def tokenizer_of(workspace: Workspace, model: Model) -> Any | None:
    """A model's tokenizer, where its files are at hand."""
    folder = _folder(workspace, model)
    try:
        return _tokenizer(folder)[0] if folder else None
    except (OSError, ValueError):
        return None


def captured(
    load: Callable[[], Teacher], labels: LabelJournal, kept: Sequence[Answer], prompts: Mapping[str, list[ChatMessage]],
    tokenizer: Any,
) -> dict[str, SoftLabels]:  # fmt: skip
    """The soft labels of the answers that are taught, by sample id; those with a prompt that the teacher did not say
    itself in these words are scored by it, which is loaded for them."""
    taken = chosen(labels, kept, tokenizer)
    missing = [answer for answer in kept if answer.sample_id in prompts and answer.sample_id not in taken]
    for start in range(0, len(missing), SCORED):
        some, teacher = missing[start : start + SCORED], load()
        labels.begin(teacher.origin)
        some = [answer for answer in some if teacher.scorable(prompts[answer.sample_id], answer.text)]
        found = teacher.score([prompts[answer.sample_id] for answer in some], [answer.text for answer in some])
        for answer, each in zip(some, found, strict=True):
            labels.add(key(answer), each)
    return chosen(labels, kept, tokenizer)


def key(answer: Answer) -> str:
    """Of soft labels that were scored: an answer that was cut back keeps its sample id."""
    return digest([answer.sample_id, answer.text])


def chosen(labels: LabelJournal, kept: Sequence[Answer], tokenizer: Any) -> dict[str, SoftLabels]:
    """What is known of the answers, as they are worded, by sample id."""
    found = labels.get([name for answer in kept for name in (answer.sample_id, key(answer))])
    taken: dict[str, SoftLabels] = {}
    for answer in kept:
        for name in (answer.sample_id, key(answer)):
            if name in found and spoken(found[name], answer.text, tokenizer):
                taken.setdefault(answer.sample_id, found[name])
    return taken


def spoken(labels: SoftLabels, text: str, tokenizer: Any) -> bool:
    """Whether these soft labels are of these words and of the end that is taught."""
    *said, end = (int(token) for token in labels.tokens_T)
    return end == end_token(tokenizer) and str(tokenizer.decode(said)).strip() == clean(text)


def put(folder: Path, labels: LabelJournal, taken: Mapping[str, SoftLabels]) -> dict[str, float]:
    """Write a corpus's soft labels; returns what its manifest counts."""
    if not taken or labels.origin is None:
        return {}
    size = store(folder, labels.origin, taken)
    places = sum(len(each.tokens_T) for each in taken.values())
    mass = sum(float(each.mass()[each.counts_T > 0].sum()) for each in taken.values())
    known = sum(int((each.counts_T > 0).sum()) for each in taken.values())
    return {
        "softlabel_answers": len(taken), "softlabel_tokens": places, "softlabel_bytes": size,
        "softlabel_mass": mass / max(1, known),
    }  # fmt: skip
