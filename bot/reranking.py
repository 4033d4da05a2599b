"""A second look at what was found: a cross-encoder reads the question and each note together and says which fits best.

Off unless `retrieval.cross_encoder` names a sentence-transformers CrossEncoder, a folder or a Hugging Face id. Nothing
else is ever fetched, and torch is loaded only where one is named. A pair takes milliseconds where a cosine takes none:
so only the briefs near a question (NEAR, bot/knowledge.py) are read, each by its anchor as it is shown.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot.encoder import age
from bot.passages import shorten
from data.errors import BadInput
from data.records import Passage
from data.workspace import digest

if TYPE_CHECKING:
    from bot.config import Retrieval

TOKENS = 384
RANKS = ("ForSequenceClassification", "ForCausalLM")  # an embedding model would be given a head of chance
Choose = Callable[[str, Sequence[int]], int]  # of the numbers of briefs, the nearest to the question first, one


def nearest(question: str, near: Sequence[int]) -> int:
    """Without a cross-encoder."""
    return near[0]


@dataclass(frozen=True, slots=True)
class Reranker:
    """`shown` gives what is read of a brief by its number."""

    model: Any
    shown: Callable[[int], str]

    def __call__(self, question: str, near: Sequence[int]) -> int:
        if len(near) == 1:
            return near[0]
        pairs = [(question, self.shown(number)) for number in near]
        return near[int(self.model.predict(pairs, show_progress_bar=False).argmax())]


def chooser(settings: Retrieval, anchors: Sequence[Passage]) -> tuple[Choose, str]:
    """How one of the briefs with these anchors is chosen, and what names whatever follows from that."""
    if not settings.cross_encoder:
        return nearest, ""

    def shown(number: int) -> str:
        return f"{anchors[number].title}\n{shorten(anchors[number], settings.words)}"

    path = Path(settings.cross_encoder).expanduser()
    name = str(path) if path.is_dir() else settings.cross_encoder
    return load_reranker(name, shown), f"-{digest([name, settings.words, age(path)])}"


def load_reranker(path: str, shown: Callable[[int], str]) -> Reranker:
    """Raises BadInput where there is no such model, or it does not give a pair one score."""
    from sentence_transformers import CrossEncoder
    from transformers.utils import logging as progress

    progress.disable_progress_bar()
    logging.disable(logging.WARNING)  # the hub's library tells of each of its attempts
    try:
        model = CrossEncoder(path, device="cpu", local_files_only=Path(path).exists())
    except Exception as error:  # not there, no network, damaged, of an unknown kind: a dozen libraries' errors
        why = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise BadInput(f"retrieval.cross_encoder: cannot load {path} ({why[:160]})") from error
    finally:
        logging.disable(logging.NOTSET)
    kind = (model.config.architectures or [""])[0]
    if model.num_labels != 1 or not kind.endswith(RANKS):
        raise BadInput(
            f"retrieval.cross_encoder: {path} ({kind or 'unknown'}) does not give a question and a note one score; "
            "name a CrossEncoder made for ranking"
        )
    model.max_seq_length = min(model.max_seq_length or TOKENS, TOKENS)
    return Reranker(model, shown)
