"""A desk's own encoder: fewer layers of the one that search uses, taught to say what all of them say of its texts.

    passages ──the whole encoder──▶ vectors ──▶ some of its layers learn them ──▶ encoders/<id>/, for retrieval.model

Long questions are cheaper to search for by as many layers as are left out. The desk's passages are learned whole and by
their first words, as customers write both; the embeddings stay as they are. One in twenty passages is held out, and how
well both encoders agree on those is in the manifest: the cosine of their vectors, and how many of the ten nearest
passages are the same. Checkpoints are kept beside, so a killed run goes on.

The loss is one minus the cosine to the whole encoder's vector, and the squared error of the cosines between the texts
of a batch (relational distillation: Park et al., 2019).

Suffixes name shapes: P passages, L lessons, B of a batch, D of a vector.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bot.weights import revision
from data.errors import BadInput
from data.workspace import Workspace, digest

if TYPE_CHECKING:
    from bot.encoder import Encode, Vectors

CODE = "encoder-1"
LEAST = 2_000  # passages
HELD_OUT = 20  # one in so many
NEAREST = 10
SHORTEST, LONGEST = 4, 30  # words of an opening
BATCH, RATE, WARM, SEED = 64, 5e-4, 100, 7
RELATIONS = 10.0
EVERY = 200  # steps between checkpoints


def distil(workspace: Workspace, model: str, whole: Encode, passages: Sequence[str], layers: int, epochs: int) -> Path:
    """A sentence-transformers folder with so many layers of `model` (a folder or id), taught what `whole` says of the
    passages. Raises BadInput for too few passages or a model whose layers cannot be told apart."""
    texts = sorted(set(passages))
    if len(texts) < LEAST:
        raise BadInput(f"{len(texts):,} passages are too few to teach an encoder; it takes {LEAST:,}")
    inputs = {"model": revision(model) or model, "texts": digest(texts)}
    draft = workspace.draft("encoder", inputs, {"layers": layers, "epochs": epochs, "code": CODE})
    if draft.done:
        return draft.final
    student = shortened(model, layers)
    held_out, taught = texts[::HELD_OUT], [text for place, text in enumerate(texts) if place % HELD_OUT]
    lessons = [*taught, *(opening(text) for text in taught)]
    vectors_LD = _targets(draft.path / ".targets.npy", whole, lessons)
    _learn(student, lessons, vectors_LD, epochs, draft.path / ".checkpoint.pt")
    student.save(str(draft.path), create_model_card=False)
    counts = agreement(student, whole, held_out, taught, vectors_LD[: len(taught)])
    for name in (".targets.npy", ".checkpoint.pt"):
        (draft.path / name).unlink(missing_ok=True)
    return draft.finish({"passages": len(taught), **counts})


def shortened(model: str, layers: int) -> Any:
    """The sentence-transformers model with so many of its layers, spread evenly; the first and the last stay."""
    from sentence_transformers import SentenceTransformer
    from torch.nn import ModuleList

    from bot.encoder import TOKENS

    student = SentenceTransformer(model, device="cpu", local_files_only=Path(model).exists())
    student.max_seq_length = TOKENS
    inner = student[0].model
    stack = getattr(getattr(inner, "encoder", None), "layer", None)
    if not isinstance(stack, ModuleList) or not 2 <= layers < len(stack):
        many = f"2 to {len(stack) - 1}" if isinstance(stack, ModuleList) else "no number"
        raise BadInput(f"{model} can be cut to {many} of its layers, not to {layers}")
    kept = np.linspace(0, len(stack) - 1, layers).round().astype(int)
    inner.encoder.layer = ModuleList([stack[int(number)] for number in kept])
    inner.config.num_hidden_layers = layers
    inner.embeddings.requires_grad_(False)
    inner.set_attn_implementation("eager")  # torch's fused one goes backward on a CPU at half the speed
    return student


def opening(text: str) -> str:
    """Some of the first words; the same of the same text."""
    return " ".join(text.split()[: random.Random(text).randint(SHORTEST, LONGEST)])


def _targets(path: Path, whole: Encode, texts: Sequence[str]) -> Vectors:
    if path.is_file():
        return np.asarray(np.load(path), np.float32)
    made = whole(texts, progress=True)
    fresh = path.with_suffix(".tmp.npy")
    np.save(fresh, made)
    fresh.replace(path)
    return made


def batches(texts: Sequence[str], epochs: int) -> Iterator[list[int]]:
    """Places of the lessons of each step: drawn anew each epoch, those of like lengths together."""
    for epoch in range(epochs):
        draw = random.Random(f"{SEED}/{epoch}")
        order = draw.sample(range(len(texts)), len(texts))
        found = []
        for at in range(0, len(order), 32 * BATCH):
            some = sorted(order[at : at + 32 * BATCH], key=lambda place: len(texts[place]))
            found += [some[start : start + BATCH] for start in range(0, len(some), BATCH)]
        draw.shuffle(found)
        yield from found


def _learn(student: Any, texts: Sequence[str], vectors_LD: Vectors, epochs: int, checkpoint: Path) -> None:
    import torch
    from tqdm import tqdm

    from distillation.student import pick_dtype

    student.eval()  # without dropout: there is an exact vector to learn
    weights = [weight for weight in student.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(weights, RATE, weight_decay=0.01)
    steps = list(batches(texts, epochs))
    done = 0
    if checkpoint.is_file():
        saved = torch.load(checkpoint, weights_only=True)
        student.load_state_dict(saved["weights"])
        optimizer.load_state_dict(saved["optimizer"])
        done = saved["step"]
    precision = pick_dtype("auto")
    with tqdm(total=len(steps), initial=done, desc="encoder", unit="step", disable=None) as bar:
        for step in range(done, len(steps)):
            wanted_BD = torch.from_numpy(vectors_LD[steps[step]])
            with torch.autocast("cpu", precision, enabled=precision == torch.bfloat16):
                made_BD = _vectors(student, [texts[place] for place in steps[step]])
            loss = loss_of(made_BD.float(), wanted_BD)
            for group in optimizer.param_groups:
                group["lr"] = RATE * min(1.0, (step + 1) / WARM) * (1 - step / len(steps))
            loss.backward()
            torch.nn.utils.clip_grad_norm_(weights, 1.0)
            optimizer.step()
            optimizer.zero_grad()
            bar.update()
            bar.set_postfix(loss=f"{loss.item():.3f}")
            if (step + 1) % EVERY == 0:
                saved = {"step": step + 1, "weights": student.state_dict(), "optimizer": optimizer.state_dict()}
                torch.save(saved, checkpoint.with_suffix(".tmp"))
                checkpoint.with_suffix(".tmp").replace(checkpoint)


def _vectors(student: Any, texts: Sequence[str]) -> Any:
    from bot.encoder import WORDS

    cut = [" ".join(text.split()[:WORDS]) for text in texts]
    return student(student.preprocess(cut))["sentence_embedding"]


def loss_of(made_BD: Any, wanted_BD: Any) -> Any:
    """Of vectors of any length, to wanted unit vectors."""
    from torch.nn.functional import normalize

    made_BD = normalize(made_BD, dim=-1)
    apart = 1 - (made_BD * wanted_BD).sum(-1).mean()
    return apart + RELATIONS * (made_BD @ made_BD.T - wanted_BD @ wanted_BD.T).square().mean()


def agreement(
    student: Any, whole: Encode, held_out: Sequence[str], known: Sequence[str], known_PD: Vectors
) -> dict[str, float]:
    """On texts that were not learned: the mean cosine of both vectors, and the share of the nearest known passages that
    are the same."""

    def said(texts: Sequence[str]) -> Vectors:
        found = [student.encode([text], normalize_embeddings=True, show_progress_bar=False) for text in texts]
        return np.concatenate(found)

    mine_PD = student.encode(list(known), normalize_embeddings=True, show_progress_bar=False)
    told: dict[str, float] = {}
    for name, texts in (("", held_out), ("_opening", [opening(text) for text in held_out])):
        mine, theirs = said(texts), whole(texts)
        nearest = [np.argsort(-(a @ b.T), axis=1)[:, :NEAREST] for a, b in ((mine, mine_PD), (theirs, known_PD))]
        same = [len(set(a) & set(b)) / NEAREST for a, b in zip(*map(np.ndarray.tolist, nearest), strict=True)]
        told |= {f"cosine{name}": float((mine * theirs).sum(1).mean()), f"nearest_same{name}": float(np.mean(same))}
    return told
