"""The probability of various answers: the teacher's likeliest next tokens at every place of an answer it gave.

Suffixes name shapes: T places of an answer (its end token is the last), E kept entries of all places, K candidates.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from data.records import Record

TAU = 0.99  # nucleus: entries are kept until they hold this share
CAP = 32  # and never more than this many a place

Ids = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]
Counts = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class SoftLabels:
    """Of one answer. `tokens_T`: what was said; `counts_T`: how many entries each place has; `ids_E` and `logprobs_E`
    (natural logarithm): those entries, place after place, by falling probability, equal ones by rising id."""

    tokens_T: Ids
    counts_T: Counts
    ids_E: Ids
    logprobs_E: Floats


class Origin(Record):
    """What the soft labels of a corpus come from; a student whose tokens mean something else must not learn them.

    `tokenizer` hashes vocabulary, merges and special tokens, `template` the chat template; `vocabulary` is the size of
    the teacher's output head, `largest_id` the last id that has a text; `kept` is how many of the likeliest were asked.
    """

    teacher: str
    revision: str
    tokenizer: str
    template: str
    vocabulary: int
    largest_id: int
    kept: int = CAP
    tau: float = TAU
