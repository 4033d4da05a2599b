"""Texts become unit vectors: a sentence-transformers model, turned once into an 8-bit ONNX graph that needs no torch.

On two cores without bf16 that embeds a desk's questions in less than half of the time, and a server that only searches
starts without loading torch. The graph keeps the model's own pooling. Where a model cannot be turned, or the graph no
longer agrees with it, the model is used as it is.

    knowledge/encoders/<digest>/     encoder.onnx, tokenizer.json, or `as-is`, an empty file
"""

from __future__ import annotations

import logging
import os
import shutil
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from data.workspace import digest

Vectors = npt.NDArray[np.float32]
Encode = Callable[..., Vectors]
WORDS = 90
TOKENS = 128
AGREES = 0.97  # mean cosine between the graph's vectors and the model's; all-MiniLM-L6-v2 reaches .99
TRIED = (
    "I cannot sign in any more since the update.", "Where is my parcel?", "How do I move my data to another computer?",
    "The machine shows error E3 and does not heat up, what can I do? I have cleaned it twice already.",
    "Can I pay by invoice?", "Thanks, that worked!", "messages disappear from the inbox after they were moved",
    "Please cancel my order and refund it to the card that I paid with.",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Encoder:
    """Each text goes by itself, on one core: what stands beside it would shift the 8-bit ranges, and so its vector."""

    session: Any
    tokenizer: Any

    def __call__(self, texts: Sequence[str], *, progress: bool = False) -> Vectors:
        """[len(texts), D]; texts are cut at WORDS words and TOKENS tokens."""
        from tqdm import tqdm

        if len(texts) == 1:  # a customer's question waits for no thread to be made
            return self._vector(texts[0])[None]
        found = np.zeros((len(texts), self.session.get_outputs()[0].shape[1]), np.float32)
        with ThreadPoolExecutor(min(len(texts), os.cpu_count() or 1) or 1) as threads:
            vectors = threads.map(self._vector, texts)
            for place, vector in enumerate(
                tqdm(vectors, "embedding", len(texts), unit=" texts", disable=None if progress else True)
            ):
                found[place] = vector
        return found

    def _vector(self, text: str) -> Vectors:
        ids_1T = np.array([self.tokenizer.encode(_short(text)).ids], np.int64)
        inputs = {"input_ids": ids_1T, "attention_mask": np.ones_like(ids_1T)}
        made: Vectors = self.session.run(None, inputs)[0][0]
        return made / np.linalg.norm(made)


def _short(text: str) -> str:
    return " ".join(text.split()[:WORDS])


def load_encoder(path: str, folder: Path) -> Encode:
    """The encoder of a model (a directory or a Hugging Face id), from `folder` or made there on the first need."""
    kept = folder / digest([path, TOKENS, age(Path(path))])
    if not kept.is_dir():
        _make(path, kept)
    return plain(path) if (kept / "as-is").exists() else _open(kept)


def age(model: Path) -> object:
    """What tells that a directory holds other weights than before."""
    return [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in sorted(model.glob("*.safetensors"))]


def _open(kept: Path) -> Encoder:
    import onnxruntime
    from tokenizers import Tokenizer

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    tokenizer = Tokenizer.from_file(str(kept / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(TOKENS)
    session = onnxruntime.InferenceSession(
        kept / "encoder.onnx", options, providers=["CPUExecutionProvider"],
        disabled_optimizers=["SkipLayerNormFusion"],  # fused, the norms take a fifth of a forum post's time
    )  # fmt: skip
    return Encoder(session, tokenizer)


def _make(path: str, kept: Path) -> None:
    """Build beside the final name, then rename: a killed run leaves nothing that looks whole."""
    built = kept.with_name(f".partial-{kept.name}")
    shutil.rmtree(built, ignore_errors=True)
    built.mkdir(parents=True)
    logging.disable(logging.WARNING)  # the exporter tells what it lacks and does not need
    with warnings.catch_warnings(action="ignore"):
        turned = _turned(path, built)
    logging.disable(logging.NOTSET)
    if not turned:
        shutil.rmtree(built)
        built.mkdir()
        (built / "as-is").touch()
    built.replace(kept)


def _turned(path: str, built: Path) -> bool:
    """Whether the graph could be made and says what the model says."""
    model = _model(path)
    plain = model.encode([*TRIED], normalize_embeddings=True, show_progress_bar=False)
    try:
        model[0].model.set_attn_implementation("eager")  # a graph without the masks' special cases, a tenth faster
        _export(model, built)
        agreement = float((_open(built)(TRIED) * plain).sum(axis=1).mean())
    except Exception:  # an architecture the exporter does not know fails in as many ways as there are architectures
        return False
    return agreement >= AGREES


def _export(model: Any, built: Path) -> None:
    import torch
    from onnxruntime.quantization import QuantType, quantize_dynamic

    class Whole(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            return self.model({"input_ids": input_ids, "attention_mask": attention_mask})["sentence_embedding"]

    sample = model.tokenizer(list(TRIED[:2]), padding=True, return_tensors="pt")
    names = ["input_ids", "attention_mask"]
    any_size = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}
    dense = built / "dense.onnx"
    torch.onnx.export(
        Whole().eval(), tuple(sample[name] for name in names), str(dense), input_names=names, dynamo=True,
        dynamic_shapes=dict.fromkeys(names, any_size), external_data=False, verbose=False,
    )  # fmt: skip
    quantize_dynamic(  # seven-bit weights: without VNNI, sums of eight-bit ones overflow
        dense, built / "encoder.onnx", per_channel=True, reduce_range=True, weight_type=QuantType.QInt8
    )
    dense.unlink()
    model.tokenizer.backend_tokenizer.save(str(built / "tokenizer.json"))


def plain(path: str) -> Encode:
    """The model as it is, in torch."""
    model = _model(path)

    def encode(texts: Sequence[str], *, progress: bool = False) -> Vectors:
        if not texts:
            return np.zeros((0, model.get_embedding_dimension()), np.float32)
        made: Vectors = model.encode(
            [_short(text) for text in texts], normalize_embeddings=True, show_progress_bar=progress
        )
        return made

    return encode


def _model(path: str) -> Any:
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging

    logging.disable_progress_bar()
    model = SentenceTransformer(path, device="cpu", local_files_only=Path(path).exists())
    model.max_seq_length = TOKENS
    return model
