"""What the desk already knows: articles and resolved past tickets, searched by meaning.

One function, `search`, gives teacher, training, evaluation and serving the same evidence. A past ticket is evidence
only for tickets opened after it, so no reply is ever built from its own future.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from bot.weights import resolve
from data.records import Exchange, Passage
from data.workspace import Workspace, digest, read_rows, write_bytes

if TYPE_CHECKING:
    from bot.config import Retrieval

Vectors = npt.NDArray[np.float32]
BATCH = 64
QUESTION_WORDS = 90


@dataclass(frozen=True, slots=True)
class Knowledge:
    """Passages and their unit vectors, `vectors_PD` in the same order; `opened_P` is 0 for articles (always known)."""

    id: str
    passages: list[Passage]
    vectors_PD: Vectors
    opened_P: npt.NDArray[np.float64]
    is_ticket_P: npt.NDArray[np.bool_]
    encoder: Any

    def search(
        self, question: str, *, tickets: int, articles: int, before: datetime | None = None, ticket: str = ""
    ) -> list[Passage]:
        """The nearest past tickets, then the nearest articles, best first; `score` is the cosine.

        `before` admits only tickets opened earlier; `ticket` is the id of the one at hand, never its own evidence.
        """
        if not self.passages:
            return []
        vector = encode(self.encoder, [question])[0]
        scores_P = self.vectors_PD @ vector
        known_P = np.ones(len(self.passages), dtype=bool) if before is None else self.opened_P < before.timestamp()
        found = self._best(scores_P, self.is_ticket_P & known_P, tickets, ticket)
        return found + self._best(scores_P, ~self.is_ticket_P, articles, ticket)

    def _best(self, scores_P: Vectors, allowed_P: npt.NDArray[np.bool_], count: int, ticket: str) -> list[Passage]:
        ranked = np.argsort(-np.where(allowed_P, scores_P, -2.0), kind="stable")
        best: list[Passage] = []
        seen: set[str] = set()
        for place in ranked[: count * 8 + 8]:
            passage = self.passages[int(place)]
            if len(best) == count or not allowed_P[place]:
                break
            if (ticket and passage.id.rpartition("-")[0] == ticket) or passage.text in seen:
                continue
            seen.add(passage.text)
            best.append(passage.model_copy(update={"score": round(float(scores_P[place]), 4)}))
        return best

    def evidence(self, exchange: Exchange, settings: Retrieval) -> list[Passage]:
        """The evidence one exchange is answered from, as it was known when its ticket was opened."""
        return self.search(
            exchange.question, tickets=settings.tickets, articles=settings.articles,
            before=exchange.created, ticket=exchange.ticket_id,
        )  # fmt: skip


def load(workspace: Workspace, tickets: Path, model: str) -> Knowledge:
    """The knowledge of one imported desk; embeds what was not embedded before and keeps the vectors beside it."""
    passages = read_rows(tickets / "passages.parquet", Passage)
    encoder = load_encoder(resolve(model, workspace, "embeddings"))
    texts = [searchable(passage) for passage in passages]
    name = digest([model, texts])
    vectors_PD = _vectors(workspace.root / "knowledge" / f"{name}.npy", texts, encoder)
    opened_P = np.array([passage.created.timestamp() if passage.created else 0.0 for passage in passages])
    is_ticket_P = np.array([passage.kind == "ticket" for passage in passages], dtype=bool)
    return Knowledge(name, passages, vectors_PD, opened_P, is_ticket_P, encoder)


def searchable(passage: Passage) -> str:
    """What of a passage is matched: an article's text, but only the question of a past ticket."""
    body = (
        passage.text.partition("\nAgent: ")[0].removeprefix("Customer: ") if passage.kind == "ticket" else passage.text
    )
    return f"{passage.title}\n{body}"


def load_encoder(path: str) -> Any:
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging

    logging.disable_progress_bar()
    encoder = SentenceTransformer(path, device="cpu", local_files_only=Path(path).exists())
    encoder.max_seq_length = 128
    return encoder


def encode(encoder: Any, texts: list[str], *, progress: bool = False) -> Vectors:
    """Unit vectors [len(texts), D]; texts are cut at QUESTION_WORDS words."""
    short = [" ".join(text.split()[:QUESTION_WORDS]) for text in texts]
    found: Vectors = encoder.encode(short, batch_size=BATCH, normalize_embeddings=True, show_progress_bar=progress)
    return found


def _vectors(path: Path, texts: list[str], encoder: Any) -> Vectors:
    if path.is_file():
        kept: Vectors = np.load(path)
        if len(kept) == len(texts):
            return kept
    import sys

    made = encode(encoder, texts, progress=sys.stderr.isatty()) if texts else np.zeros((0, 384), np.float32)
    buffer = io.BytesIO()
    np.save(buffer, made)
    write_bytes(path, buffer.getvalue())
    return made
