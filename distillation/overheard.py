"""Soft labels from a teacher behind an API: as much as it tells, found out by asking, and said in words.

    llama.cpp        gives each token's id
    vLLM             gives ids when asked (return_tokens_as_token_ids)
    somebody else's  gives each token's bytes, from which the teacher's tokenizer, where it is known, tells the id

llama.cpp sorts its whole vocabulary for probabilities at every token: ask only where soft labels are wanted.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bot.engine import Completion, Engine
from data.errors import EngineError
from distillation.rows import end_token
from distillation.softlabels import Origin, SoftLabels, origin_of, truncate

MOST = (20, 5)  # alternatives an API may give: the protocol's most, and what some allow
BY_ID = {"return_tokens_as_token_ids": True}
PREFIX = "token_id:"
IMPOSSIBLE = -1000.0  # some say -9999 for what they do not know


@dataclass(frozen=True, slots=True)
class Overheard:
    """What an API tells: `words` for people; `top` alternatives a token, 0 if nothing can be used."""

    words: str
    top: int = 0
    origin: Origin | None = None
    end: int = 0
    ids: dict[bytes, int] = field(default_factory=dict, repr=False)

    def labels(self, made: Completion) -> SoftLabels | None:
        """Of one answer; None where a token of it has no id. An API is silent about the end token: nothing is known
        there, but it was said."""
        said = [self._id(entry) for entry in made.entries]
        if not self.top or not said or None in said:
            return None
        rows = [self._candidates(entry) for entry in made.entries]
        if made.finish == "stop" and said[-1] != self.end:
            said, rows = [*said, self.end], [*rows, {}]
        ids_TK = np.zeros((len(rows), self.top), np.int32)
        logprobs_TK = np.full((len(rows), self.top), -np.inf, np.float32)
        for place, row in enumerate(rows):
            ids_TK[place, : len(row)] = list(row)
            logprobs_TK[place, : len(row)] = list(row.values())
        return SoftLabels(np.array(said, np.int32), *truncate(ids_TK, logprobs_TK))

    def _candidates(self, entry: Any) -> dict[int, float]:
        """By id: the token that was said is often given among them a second time."""
        named = ((self._id(other), float(other.logprob)) for other in entry.top_logprobs or ())
        known = {number: value for number, value in named if number is not None and value > IMPOSSIBLE}
        return dict(sorted(known.items(), key=lambda pair: -pair[1])[: self.top])

    def _id(self, entry: Any) -> int | None:
        given = getattr(entry, "id", None)
        if isinstance(given, int):
            return given
        if entry.token.startswith(PREFIX):
            return int(entry.token.removeprefix(PREFIX))
        return self.ids.get(bytes(entry.bytes) if entry.bytes else entry.token.encode())


async def listen(engine: Engine, tokenizer: Any | None) -> Overheard:
    """What the API behind `engine` tells, by asking it for one token; `engine` goes on asking for that.

    `tokenizer` is the teacher's, None if it is not known. Raises EngineError when the API answers nothing at all.
    """
    top = await _most(engine)
    if top and tokenizer is not None:
        origin = origin_of(tokenizer, teacher=engine.model, revision="", vocabulary=len(tokenizer))
        words = f"soft labels: {top} likeliest of each token, from the API"
        return Overheard(words, top, origin.model_copy(update={"kept": top}), end_token(tokenizer), spelling(tokenizer))
    engine.logprobs = False
    if top:
        return Overheard("none: the teacher's tokenizer is not known, so the API's tokens have no ids")
    return Overheard("none: the API gives no token probabilities")


async def _most(engine: Engine) -> int:
    """The most alternatives the API gives, 0 for none."""
    for top in MOST:
        for extra in (BY_ID, {}):
            engine.logprobs, engine.top, engine.extra = True, top, extra
            try:
                made = await engine.complete([{"role": "user", "content": "Hello"}], max_tokens=1)
            except EngineError:
                continue
            if any(entry.top_logprobs for entry in made.entries):
                return top
    engine.logprobs, engine.top, engine.extra = False, 2, {}
    await engine.complete([{"role": "user", "content": "Hello"}], max_tokens=1)
    return 0


def spelling(tokenizer: Any) -> dict[bytes, int]:
    """The bytes of every token: byte-level vocabularies write each byte as a letter, others spaces as ▁."""
    letters, added = _letters(), tokenizer.get_added_vocab()
    words = {text: number for text, number in tokenizer.get_vocab().items() if text not in added}
    if all(letter in letters for text in words for letter in text):
        spelled = {bytes(letters[letter] for letter in text): number for text, number in words.items()}
    else:
        spelled = {text.replace("▁", " ").encode(): number for text, number in words.items()}
    return {**spelled, **{text.encode(): number for text, number in added.items()}}


def _letters() -> dict[str, int]:
    """GPT-2's alphabet of bytes: printable ones stand for themselves, the others for the letters from 256 on."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in shown]
    return {**{chr(byte): byte for byte in shown}, **{chr(256 + n): byte for n, byte in enumerate(hidden)}}
