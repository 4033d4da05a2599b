"""Vectors kept on disk beside a mark of each text, so that only texts never seen are embedded.

knowledge/passages/<digest>.npz     marks [N], vectors [N, D]     links/, quotes/ alike
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bot.encoder import Encode, Vectors
from data.workspace import digest, write_bytes

FORM = "int8"  # vectors of another making are not mixed with these


@dataclass(frozen=True, slots=True)
class Store:
    folder: Path
    model: str
    encode: Encode

    def vectors(self, what: str, texts: Sequence[str]) -> Vectors:
        """[len(texts), D]; those of texts that were met before in `what` come from the disk."""
        path = self.folder / what / f"{digest([self.model, FORM, list(texts)])}.npz"
        if path.is_file():
            kept: Vectors = np.load(path)["vectors"]
            return kept
        marks = [digest([self.model, FORM, text]) for text in texts]
        known = {mark: vector for file in path.parent.glob("*.npz") for mark, vector in _kept(file)}
        fresh = [place for place, mark in enumerate(marks) if mark not in known]
        made = self.encode([texts[place] for place in fresh], progress=sys.stderr.isatty())
        known |= {marks[place]: vector for place, vector in zip(fresh, made, strict=True)}
        found: Vectors = np.array([known[mark] for mark in marks], np.float32).reshape(len(marks), made.shape[1])
        buffer = io.BytesIO()
        np.savez(buffer, marks=np.array(marks), vectors=found)
        write_bytes(path, buffer.getvalue())
        return found


def _kept(file: Path) -> Iterator[tuple[str, Vectors]]:
    with np.load(file) as kept:
        yield from zip(kept["marks"].tolist(), kept["vectors"], strict=True)


def once(path: Path, make: Callable[[], npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """What `make` gives, worked out once and kept."""
    if not path.is_file():
        buffer = io.BytesIO()
        np.save(buffer, make())
        write_bytes(path, buffer.getvalue())
    kept: npt.NDArray[Any] = np.load(path)
    return kept
