"""The probability of various answers: the teacher's likeliest next tokens at every place of an answer it gave.

    corpora/<id>/  softlabels.json              Origin: whose probabilities, and what the token ids mean
                   softlabels-<hash>.parquet    one answer a row, found by its sample id; the hash is the file's own

Only the nucleus is kept: the likeliest tokens that together hold TAU, at most CAP of them; what they leave of 1 is the
tail. Suffixes name shapes: T places of an answer (its end token is the last), E kept entries of all places, K
candidates of a place, C = 1 + K columns as vLLM gives them.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from data.errors import BadInput
from data.records import Record
from data.workspace import digest, write_bytes, write_json

TAU = 0.99  # nucleus: entries are kept until they hold this share
CAP = 32  # and never more than this many a place
SHARD = 2048  # answers in one file
NUMBERS = ("tokens", "counts", "ids", "logprobs")

Ids = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]
Counts = npt.NDArray[np.uint8]
Fit = Literal["same", "padded", "different"]


@dataclass(frozen=True, slots=True)
class SoftLabels:
    """Of one answer. `tokens_T`: what was said; `counts_T`: how many entries each place has (0: nothing is known
    there); `ids_E` and `logprobs_E` (natural logarithm): those entries, place after place, by falling probability,
    equal ones by rising id."""

    tokens_T: Ids
    counts_T: Counts
    ids_E: Ids
    logprobs_E: Floats

    def mass(self) -> Floats:
        """The probability that the kept entries of each place hold together: [T]."""
        place_E = np.repeat(np.arange(len(self.counts_T)), self.counts_T)
        return np.bincount(place_E, np.exp(self.logprobs_E), len(self.counts_T)).astype(np.float32)


class Origin(Record):
    """What the soft labels of a corpus come from; a student whose tokens mean something else must not learn them.

    `tokenizer` hashes vocabulary, merges and special tokens, `ordinary` the same without the added tokens, which are
    in `added` by text; `template` hashes the chat template; `vocabulary` is the size of the teacher's output head,
    `largest_id` the last id that has a text; `kept` is how many of the likeliest were asked.
    """

    teacher: str
    revision: str
    tokenizer: str
    template: str
    vocabulary: int
    largest_id: int
    kept: int = CAP
    tau: float = TAU
    ordinary: str = ""
    added: dict[str, int] = Field(default_factory=dict)


def truncate(
    ids_TK: npt.ArrayLike, logprobs_TK: npt.ArrayLike, *, tau: float = TAU, cap: int = CAP
) -> tuple[Counts, Ids, Floats]:
    """The nucleus of each place: (counts_T, ids_E, logprobs_E). Candidates may come in any order.

    Rounded to float16, as they are stored, before they are ordered. Impossible (-inf) and undefined candidates are
    left out, so that no later exp or difference of them is NaN.
    """
    ids = np.asarray(ids_TK, np.int32)
    logprobs = np.minimum(np.asarray(logprobs_TK, np.float32), 0).astype(np.float16).astype(np.float32)
    logprobs = np.where(np.isnan(logprobs), -np.inf, logprobs)
    order = np.lexsort((ids, -logprobs))
    ids, logprobs = np.take_along_axis(ids, order, -1), np.take_along_axis(logprobs, order, -1)
    held = np.exp(logprobs)
    before = np.cumsum(held, -1) - held
    kept = (before < tau) & np.isfinite(logprobs)
    kept[:, cap:] = False
    return kept.sum(-1).astype(np.uint8), ids[kept], logprobs[kept]


def from_rows(tokens_T: npt.ArrayLike, ids_TC: npt.ArrayLike, logprobs_TC: npt.ArrayLike) -> SoftLabels:
    """From vLLM's rows: column 0 is the token that was said, likely or not; the others are the candidates."""
    counts, ids, logprobs = truncate(np.asarray(ids_TC)[:, 1:], np.asarray(logprobs_TC)[:, 1:])
    return SoftLabels(np.asarray(tokens_T, np.int32), counts, ids, logprobs)


def clip(labels: SoftLabels, size: int) -> SoftLabels:
    """Without the entries of ids that the student lacks (`size` and above): they go to the tail."""
    kept_E = labels.ids_E < size
    place_E = np.repeat(np.arange(len(labels.counts_T)), labels.counts_T)
    counts = np.bincount(place_E[kept_E], minlength=len(labels.counts_T)).astype(np.uint8)
    return SoftLabels(labels.tokens_T, counts, labels.ids_E[kept_E], labels.logprobs_E[kept_E])


def origin_of(tokenizer: Any, *, teacher: str, revision: str, vocabulary: int) -> Origin:
    """`tokenizer` is transformers'; `vocabulary` the size of the teacher's output head."""
    words: dict[str, int] = tokenizer.get_vocab()
    added: dict[str, int] = tokenizer.get_added_vocab()
    ordinary = digest([{text: number for text, number in words.items() if text not in added}, _merges(tokenizer)])
    special = {name: str(text) for name, text in tokenizer.special_tokens_map.items()}
    return Origin(
        teacher=teacher, revision=revision, tokenizer=digest([ordinary, added, special]),
        template=template_hash(tokenizer.chat_template), vocabulary=vocabulary, largest_id=max(words.values()),
        ordinary=ordinary, added=added,
    )  # fmt: skip


def template_hash(template: object) -> str:
    """Of a chat template's text, without white space around it: files keep that differently."""
    return digest(template.strip() if isinstance(template, str) else template)


def _merges(tokenizer: Any) -> object:
    backend = getattr(tokenizer, "backend_tokenizer", None)
    return json.loads(backend.to_str())["model"].get("merges") if backend is not None else None


def fit(origin: Origin, tokenizer: Any, vocabulary: int) -> Fit:
    """Whether a student with this tokenizer and output head of `vocabulary` rows can learn the soft labels.

    "same": as they are. "padded": ids mean the same over the first `shared_size` ids, which the labels must be clipped
    to. "different": not at all; only the chosen answers (sequence-level) can be learned.
    """
    student = origin_of(tokenizer, teacher="", revision="", vocabulary=vocabulary)
    if student.tokenizer == origin.tokenizer:
        return "same" if vocabulary == origin.vocabulary else "padded"
    texts = {number: text for text, number in origin.added.items()}
    agree = all(
        origin.added.get(text, number) == number and texts.get(number, text) == text
        for text, number in student.added.items()
    )
    return "padded" if origin.ordinary and student.ordinary == origin.ordinary and agree else "different"


def shared_size(origin: Origin, tokenizer: Any, vocabulary: int) -> int:
    """How many ids, from 0, mean the same to a teacher and a student that fit: the smaller head, and below the first
    added token that only one of them has."""
    known: dict[str, int] = tokenizer.get_added_vocab()
    lone = [number for text, number in {**origin.added, **known}.items() if (text in known) != (text in origin.added)]
    return min(vocabulary, origin.vocabulary, *lone)


def store(folder: Path, origin: Origin, labels: Mapping[str, SoftLabels]) -> int:
    """Write the soft labels of a corpus by sample id; returns how many bytes the shards take."""
    names, size = sorted(labels), 0
    for start in range(0, len(names), SHARD):
        some = names[start : start + SHARD]
        content = encoded(some, [labels[name] for name in some])
        write_bytes(folder / f"softlabels-{_hash(content)}.parquet", content)
        size += len(content)
    write_json(folder / "softlabels.json", origin)
    return size


def load(folder: Path) -> tuple[Origin, dict[str, SoftLabels]] | None:
    """The soft labels of a corpus by sample id, or None where it has none. Raises BadInput for a damaged file."""
    found = folder / "softlabels.json"
    if not found.is_file():
        return None
    try:
        origin = Origin.model_validate_json(found.read_bytes())
    except ValueError as error:
        raise _damaged(found, "cannot be read") from error
    labels: dict[str, SoftLabels] = {}
    for path in sorted({*folder.glob("softlabels-*.parquet"), *_promised(folder)}):
        labels.update(_read(path))
    return origin, labels


def _promised(folder: Path) -> list[Path]:
    """The shards that the corpus's manifest lists."""
    manifest = folder / "manifest.json"
    files = json.loads(manifest.read_bytes())["files"] if manifest.is_file() else {}
    return [folder / name for name in files if name.startswith("softlabels-")]


def _read(path: Path) -> Iterator[tuple[str, SoftLabels]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    content = path.read_bytes() if path.is_file() else b""
    if path.stem.removeprefix("softlabels-") != _hash(content):
        raise _damaged(path, "its hash is not its name" if content else "missing or empty")
    try:
        yield from rows_of(pq.read_table(io.BytesIO(content)))
    except (pa.ArrowInvalid, KeyError) as error:
        raise _damaged(path, "not soft labels") from error


def _damaged(path: Path, why: str) -> BadInput:
    return BadInput(f"{path} is damaged ({why}); delete its folder and run `deskmate teach` again")


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def encoded(names: Sequence[str], labels: Sequence[SoftLabels]) -> bytes:
    """One Parquet file. Of numbers the first bytes lie together, then the second ones: zstd finds more to save."""
    import pyarrow.parquet as pq

    stream = io.BytesIO()
    pq.write_table(
        table_of(names, labels), stream, compression="zstd", compression_level=9, use_dictionary=False,
        write_statistics=False, use_byte_stream_split=[f"{name}.list.element" for name in NUMBERS],
    )  # fmt: skip
    return stream.getvalue()


def table_of(names: Iterable[str], labels: Sequence[SoftLabels]) -> Any:
    """An Arrow table: sample_id, tokens list<int32>, counts list<uint8>, ids list<int32>, logprobs list<float16>."""
    import pyarrow as pa

    columns: dict[str, list[npt.NDArray[Any]]] = {
        "tokens": [each.tokens_T for each in labels],
        "counts": [each.counts_T for each in labels],
        "ids": [each.ids_E for each in labels],
        "logprobs": [each.logprobs_E.astype(np.float16) for each in labels],
    }
    lists = {}
    for name, arrays in columns.items():
        offsets = np.cumsum([0, *map(len, arrays)], dtype=np.int32)
        lists[name] = pa.ListArray.from_arrays(offsets, np.concatenate(arrays))
    return pa.table({"sample_id": pa.array(list(names), pa.string()), **lists})


def rows_of(table: Any) -> Iterator[tuple[str, SoftLabels]]:
    """The rows of `table_of`."""
    columns = {}
    for name, kind in zip(NUMBERS, (np.int32, np.uint8, np.int32, np.float32), strict=True):
        column = table[name].combine_chunks()
        flat = column.flatten().to_numpy(zero_copy_only=False).astype(kind)
        columns[name] = np.split(flat, np.cumsum(column.value_lengths().to_numpy())[:-1])
    parts = zip(*columns.values(), strict=True)
    for name, part in zip(table["sample_id"].to_pylist(), parts, strict=True):
        yield name, SoftLabels(*part)
