"""What a student gains its teacher as draft model: `make bench-draft` after `make demo`. About 6 minutes.

The starter teacher and student have different vocabularies, so pairs are made of what is at hand: the newest student,
in 16 bits, is the teacher; its draft is a copy of it in 4 bits, or a student of a third of its layers, taught from the
same corpus. One greedy reply at a time to the corpus's held-out questions, for several numbers of guessed tokens.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from collections.abc import Callable
from pathlib import Path

from bot import commands, draft
from bot.config import Model, Optimise, load
from bot.weights import resolve
from data.workspace import Workspace, manifest_of
from distillation.drafting import measure, questions, told
from distillation.optimise import optimise
from distillation.train import train

THIRD = 3


def third(layers: int) -> list[int]:
    """Every third layer, the first and the last among them."""
    return sorted({*range(0, layers - 1, THIRD), layers - 1})


def pruned(base: str, folder: Path, keep: Callable[[int], list[int]] = third) -> str:
    """Some layers of `base`."""
    from torch.nn import ModuleList
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(base)
    kept = keep(len(model.model.layers))
    model.model.layers = ModuleList([model.model.layers[number] for number in kept])
    model.config.num_hidden_layers = len(kept)
    for number, layer in enumerate(model.model.layers):
        layer.self_attn.layer_idx = number
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(base).save_pretrained(folder)
    return str(folder)


async def compare(workspace: Workspace, teacher: Path, guess: Path, name: str) -> None:
    asked = questions(workspace, workspace.latest("model"))
    model = Model(name=str(teacher / "model.gguf"), engine="llamacpp")
    why = draft.unfit(model.name, guess)
    if why:
        raise SystemExit(why)
    for ahead in (2, 4, 8):
        commands.AHEAD = ahead
        found = await measure(workspace, model, guess / "model.gguf", guess.name, asked)
        print(f"{name:28} | {ahead} guessed at once | {found.tokens} tokens | {told(found)}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--set", action="append", default=[], dest="overrides")
    config = load(None, parser.parse_args().overrides)
    workspace = Workspace(config.workspace)
    student = workspace.find("student", manifest_of(workspace.latest("model")).inputs["student"])
    corpus = workspace.find("corpus", manifest_of(student).inputs["corpus"])
    base = resolve(config.student.name, workspace, "hf")
    print("starter teacher:", draft.unfit(resolve("starter-teacher", workspace, "gguf"), workspace.latest("model")))
    with tempfile.TemporaryDirectory(prefix="deskmate-draft-") as folder:
        beside = Workspace(Path(folder))
        small = pruned(base, Path(folder) / "pruned")
        teacher = optimise(beside, student, base, Optimise(quantisation="F16"))
        copy = optimise(beside, student, base, Optimise(quantisation="Q4_0"))
        taught = optimise(beside, train(beside, corpus, small, config.training), small, Optimise())
        asyncio.run(compare(workspace, teacher, copy, "a copy of itself in Q4_0"))
        asyncio.run(compare(workspace, teacher, taught, "a third of its layers, Q8_0"))


if __name__ == "__main__":
    main()
