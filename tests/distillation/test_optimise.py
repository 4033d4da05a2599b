"""What is served scores like what was trained, and the file is what llama.cpp's converter writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bot.config import Optimise, Training
from bot.weights import resolve
from data.errors import BadInput, ConfigError, EngineError
from data.workspace import Workspace
from tests.distillation.tiny import rows, save_corpus, save_model

SETTINGS = Training(rank=4, epochs=1, batch_tokens=400, dtype="float32", learning_rate=3e-3)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def student(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from distillation.train import train

    workspace = Workspace(tmp_path_factory.mktemp("workspace"))
    return train(workspace, save_corpus(workspace, rows(8), rows(3, 50)), str(base), SETTINGS)


def test_served_model_scores_like_the_trained_one(base: Path, student: Path) -> None:
    from distillation.optimise import optimise

    made = optimise(Workspace(student.parent.parent), student, str(base), Optimise(quantisation="F16"))
    parity = json.loads((made / "parity.json").read_text())
    assert parity["prefixes"] > 24  # the fixed answer's and those of held-out rows
    assert parity["top1_agreement"] >= 0.95
    assert parity["mean_logprob_difference"] < 0.05
    assert 0 <= parity["kl"] < 0.001
    assert parity["tokens_per_second"] > 0 and parity["prompt_tokens_per_second"] > 0
    assert {"model.gguf", "parity.json", "README.md", "manifest.json"} == {path.name for path in made.iterdir()}
    assert optimise(Workspace(student.parent.parent), student, str(base), Optimise(quantisation="F16")) == made


def test_every_level_is_tried_once_whatever_is_killed(
    base: Path, student: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from distillation import levels
    from distillation.optimise import optimise

    workspace, settings = Workspace(student.parent.parent), Optimise(quantisation="auto", most_kl=0.02)
    measure, measured = levels.measure, []

    def once(gguf: Path, wanted: Any, quantisation: str, rounds: int) -> Any:
        if len(measured) in {2, 5}:
            measured.append("killed")
            raise KeyboardInterrupt
        measured.append(quantisation)
        return measure(gguf, wanted, quantisation, rounds)

    monkeypatch.setattr(levels, "measure", once)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            optimise(workspace, student, str(base), settings)
    made = optimise(workspace, student, str(base), settings)
    assert [name for name in measured if name != "killed"] == list(levels.LEVELS)
    found = levels.Parity.model_validate_json((made / "parity.json").read_text())
    assert [level.quantisation for level in found.levels] == list(levels.LEVELS)
    assert found.kl <= 0.02 and found.bytes == (made / "model.gguf").stat().st_size
    assert {"model.gguf", "parity.json", "README.md", "manifest.json"} == {path.name for path in made.iterdir()}
    kls = {level.quantisation: level.kl for level in found.levels}
    assert kls["F16"] < kls["Q8_0"] < kls["Q5_1"] < kls["Q4_1"]
    page = (made / "README.md").read_text()
    assert f"| **{found.quantisation}** | " in page and "| Q4_0 | " in page
    assert "license: other" in page and "held out from training" in page


def level(name: str, size: int, pace: float, kl: float, agreement: float = 0.99) -> Any:
    from distillation.levels import Level

    return Level(
        quantisation=name, bytes=size, tokens_per_second=pace, prompt_tokens_per_second=10 * pace, kl=kl,
        top1_agreement=agreement, prefixes=100, mean_logprob_difference=kl,
    )  # fmt: skip


def test_the_fastest_level_within_tolerance_is_chosen_and_the_smallest_of_equals() -> None:
    from distillation.levels import choose

    tried = [
        level("F16", 270, 30, 0.0), level("Q8_0", 145, 60, 0.001), level("Q5_1", 120, 59, 0.004),
        level("Q4_1", 100, 80, 0.05), level("Q4_0", 90, 90, 0.009, agreement=0.9),
    ]  # fmt: skip
    assert choose(tried, Optimise(quantisation="auto")).quantisation == "Q5_1"
    assert choose(tried, Optimise(quantisation="auto", most_kl=0.002)).quantisation == "Q8_0"
    assert choose(tried, Optimise(quantisation="auto", most_kl=0.1)).quantisation == "Q4_1"
    assert choose(tried, Optimise(quantisation="auto", least_agreement=0.5)).quantisation == "Q4_0"
    strict = choose(tried, Optimise(quantisation="auto", least_agreement=1.0))
    assert strict.quantisation == "F16" and "no level" in strict.why
    with pytest.raises(EngineError, match="agrees"):
        choose([level("Q8_0", 145, 60, 3.0, agreement=0.5)], Optimise())


def test_divergence_is_the_dense_one_when_every_token_is_told_and_less_otherwise() -> None:
    import numpy as np

    from distillation.parity import divergence

    generator = np.random.default_rng(3)
    scores = generator.normal(size=(2, 50)) * 2
    trained, served = scores - np.log(np.exp(scores).sum(-1, keepdims=True))
    dense = float((np.exp(trained) * (trained - served)).sum())
    order = list(np.argsort(-served))
    assert divergence(trained, order, served[order]) == pytest.approx(dense, abs=1e-4)
    few = order[:10]
    assert 0 < divergence(trained, few, served[few]) < dense
    assert divergence(served, few, served[few]) == pytest.approx(0, abs=1e-9)


def test_kill_between_files_goes_on(base: Path, student: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from distillation import optimise as module
    from distillation import parity

    workspace = Workspace(student.parent.parent)

    def die(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(parity, "compare", die)
    with pytest.raises(KeyboardInterrupt):
        module.optimise(workspace, student, str(base), Optimise())
    partial = next((workspace.root / "models").glob(".partial-*"))
    monkeypatch.undo()
    written = (partial / ".Q8_0.gguf").stat().st_mtime_ns
    made = module.optimise(workspace, student, str(base), Optimise())
    assert made.name == partial.name.removeprefix(".partial-")
    assert (made / "model.gguf").stat().st_mtime_ns == written


def test_other_weights_are_noticed(base: Path, student: Path, tmp_path: Path) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from distillation import gguf_file, levels, parity

    tokenizer = AutoTokenizer.from_pretrained(base)
    model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), str(student / "adapter"))
    wanted = parity.reference(model, tokenizer)
    merged = model.merge_and_unload()
    merged.model.layers[0].mlp.down_proj.weight.data.mul_(-3)
    gguf_file.write(tmp_path / "model.gguf", merged, tokenizer, "F16", "wrong")
    with pytest.raises(EngineError, match="agrees"):
        levels.choose([levels.measure(tmp_path / "model.gguf", wanted, "F16")], Optimise(quantisation="F16"))


def test_wrong_base_and_unknown_architecture_are_refused(base: Path, student: Path, tmp_path: Path) -> None:
    from transformers import AutoTokenizer, GPTNeoXConfig

    from distillation import gguf_file
    from distillation.optimise import optimise

    with pytest.raises(BadInput, match="was not trained from"):
        optimise(Workspace(tmp_path), student, str(save_model(tmp_path / "other", spread=0.2)), Optimise())
    config = GPTNeoXConfig(architectures=["GPTNeoXForCausalLM"])
    with pytest.raises(ConfigError, match="GPTNeoX"):
        gguf_file.check(config, AutoTokenizer.from_pretrained(base))


@pytest.mark.parametrize(("heads", "size"), [(4, 32), (2, 16)])
def test_permute_pairs_what_was_halves(heads: int, size: int) -> None:
    import numpy as np

    from distillation.gguf_file import permute

    half = size // heads // 2
    order = [head * 2 * half + part * half + place for head in range(heads) for place in range(half) for part in (0, 1)]
    assert permute(np.arange(size)[:, None], heads)[:, 0].tolist() == order


@pytest.mark.slow
def test_file_is_what_the_converter_writes(tmp_path: Path, starter_workspace: Workspace) -> None:
    import gguf
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from distillation import gguf_file

    base = resolve("starter-student", starter_workspace, "hf")
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(base)
    gguf_file.write(tmp_path / "model.gguf", model, tokenizer, "F16", "check")
    mine, theirs = (
        gguf.GGUFReader(tmp_path / "model.gguf"),
        gguf.GGUFReader(resolve("starter-student", starter_workspace, "gguf")),
    )
    described = {"general.", "GGUF."}
    for key, field in theirs.fields.items():
        if not any(key.startswith(prefix) for prefix in described) or key == "general.architecture":
            assert mine.fields[key].contents() == field.contents(), key
    tensors = {tensor.name: tensor for tensor in mine.tensors}
    assert set(tensors) == {tensor.name for tensor in theirs.tensors}
    for tensor in theirs.tensors:
        ours = gguf.quants.dequantize(tensors[tensor.name].data, tensors[tensor.name].tensor_type)
        other = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        assert ours.shape == other.shape
        assert abs(ours - other).max() <= 0.01 * abs(other).max() + 1e-6, tensor.name


@pytest.mark.slow
def test_starter_student_keeps_its_scores_in_eight_bits(tmp_path: Path, starter_workspace: Workspace) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from distillation import gguf_file, levels, parity

    base = resolve("starter-student", starter_workspace, "hf")
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(base)
    wanted = parity.reference(model, tokenizer)
    gguf_file.write(tmp_path / "model.gguf", model, tokenizer, "Q8_0", "check")
    found = levels.measure(tmp_path / "model.gguf", wanted, "Q8_0")
    assert found.top1_agreement >= 0.9
    assert found.kl < 0.02
    assert found.mean_logprob_difference < 0.15  # over the five likeliest, however unlikely they are
