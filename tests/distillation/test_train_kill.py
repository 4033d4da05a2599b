"""SIGKILL at twenty random moments of training: the same student in the end, as if nothing had happened."""

from __future__ import annotations

import multiprocessing
import random
import time
from pathlib import Path
from typing import Any

import pytest

from bot.config import Training
from data.workspace import Workspace, manifest_of
from tests.distillation.tiny import rows, save_corpus, save_model

SETTINGS = Training(rank=4, epochs=3, batch_tokens=300, checkpoint_steps=2, dtype="float32")
NOISE = 1e-3


def learn(root: Path, model: Path) -> Path:
    import torch

    from distillation.train import train

    torch.set_num_threads(1)
    workspace = Workspace(root)
    return train(workspace, save_corpus(workspace, rows(20), rows(4, 50)), str(model), SETTINGS)


def learned(root: Path) -> dict[str, float]:
    return manifest_of(Workspace(root).latest("student")).counts


def apart(root: Path, model: Path) -> Any:
    """Train in a process of its own; torch is imported once for all of them."""
    forked = multiprocessing.get_context("forkserver")
    forked.set_forkserver_preload(["distillation.train", "tests.distillation.tiny"])
    process = forked.Process(target=learn, args=(root, model))
    process.start()
    return process


@pytest.mark.slow
def test_killed_at_twenty_random_moments_it_learns_the_same(tmp_path: Path) -> None:
    model = save_model(tmp_path / "model")
    apart(tmp_path / "first", model).join()
    began = time.monotonic()
    apart(tmp_path / "whole", model).join()
    seconds = time.monotonic() - began
    wanted, moment = learned(tmp_path / "whole"), random.Random(11)
    kills, runs = 0, 0
    while kills < 20:
        root = tmp_path / f"run-{runs}"
        process = apart(root, model)
        process.join(moment.uniform(0, 0.9 * seconds))
        kills += process.is_alive()
        process.kill()
        process.join()
        runs += bool(Workspace(root).finished("student"))
    roots = [tmp_path / f"run-{number}" for number in range(runs + 1)]
    learn(roots[-1], model)
    for root in roots:
        found = learned(root)
        assert found["steps"] == wanted["steps"]
        for name in ("validation_loss_before", "validation_loss", "train_loss"):
            assert found[name] == pytest.approx(wanted[name], rel=NOISE)
        assert len(list((root / "students").iterdir())) == 1
