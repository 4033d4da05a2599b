"""The student guesses ahead for its teacher where it fits and, unless asked for, only where it was measured to pay."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bot import commands, draft, gguf_header, launch
from bot.config import Config, Model
from bot.draft import Drafting
from bot.weights import resolve
from data.errors import BadInput, ConfigError
from data.workspace import Workspace, write_json
from serving.launcher import LocalLauncher


def gguf(path: Path, tokens: list[str]) -> Path:
    """A file that holds a vocabulary and nothing else; "" is padding."""
    from gguf import GGUFWriter, TokenType

    path.parent.mkdir(parents=True, exist_ok=True)
    writer = GGUFWriter(path, "llama")
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list([token or f"[PAD{number}]" for number, token in enumerate(tokens)])
    writer.add_token_types([int(TokenType.NORMAL if token else TokenType.UNUSED) for token in tokens])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    return path


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """It holds one optimised student, which knows three tokens."""
    workspace = Workspace(tmp_path / "workspace")
    made = workspace.draft("model", {"student": "s"}, {})
    gguf(made.path / "model.gguf", ["a", "b", "c"])
    made.finish({})
    return workspace


def teacher(path: Path, **settings: Any) -> Model:
    return Model(name=str(path), engine="llamacpp", **settings)


def measured(workspace: Workspace, model: Model, pace: float) -> None:
    name = workspace.latest("model").name
    found = Drafting(
        teacher=model.name, model=name, engine="llamacpp", ahead=commands.AHEAD, replies=1, tokens=10,
        alone_tokens_per_second=10, tokens_per_second=pace, accepted=0.5, same=1,
    )  # fmt: skip
    write_json(draft.record(workspace, name, model), found)


def test_same_vocabularies_fit_padding_aside_and_others_are_refused_in_words(
    workspace: Workspace, tmp_path: Path
) -> None:
    student = workspace.latest("model")
    same = gguf(tmp_path / "same.gguf", ["a", "b", "c", ""])
    other = gguf(tmp_path / "other.gguf", ["a", "c", "b"])
    larger = gguf(tmp_path / "larger.gguf", ["a"] * 1000)
    assert draft.unfit(str(same), student) == ""
    assert draft.unfit(str(other), student) == "teacher and student number 2 tokens differently"
    assert "different vocabularies (1,000 and 3 tokens)" in draft.unfit(str(larger), student)
    asked = teacher(other, draft="student")
    with pytest.raises(ConfigError, match='number 2 tokens differently; set it to "none"'):
        draft.chosen(workspace, asked)
    assert draft.chosen(workspace, teacher(same, draft="student")) == student / "model.gguf"


def test_a_header_is_read_like_the_gguf_package_reads_it(tmp_path: Path) -> None:
    from gguf import GGUFReader

    path = gguf(tmp_path / "one.gguf", ["a", "ü", ""])
    theirs = {key: field.contents() for key, field in GGUFReader(path).fields.items() if not key.startswith("GGUF.")}
    assert gguf_header.read(path, *theirs) == theirs
    assert gguf_header.read(path, "general.architecture", "no such key") == {"general.architecture": "llama"}
    (tmp_path / "two.gguf").write_bytes(path.read_bytes()[:60])
    (tmp_path / "three.gguf").write_bytes(b"PK" * 40)
    for name in ("two.gguf", "three.gguf", "none.gguf"):
        with pytest.raises(BadInput, match=name):
            gguf_header.read(tmp_path / name, "general.architecture")


def test_auto_takes_it_only_where_it_was_measured_to_pay(workspace: Workspace, tmp_path: Path) -> None:
    same = gguf(tmp_path / "same.gguf", ["a", "b", "c"])
    model = teacher(same)
    assert draft.chosen(Workspace(tmp_path / "empty"), model) is None
    assert draft.chosen(workspace, model) is None
    measured(workspace, model, pace=10.5)
    assert draft.chosen(workspace, model) is None
    measured(workspace, model, pace=14)
    assert draft.chosen(workspace, model) == workspace.latest("model") / "model.gguf"
    assert draft.chosen(workspace, teacher(same, draft="none")) is None
    assert draft.chosen(workspace, Model(name="gpt", url="http://there")) is None
    assert draft.chosen(workspace, teacher(gguf(tmp_path / "another.gguf", ["a", "b", "c"]))) is None


def test_either_engine_is_told() -> None:
    assert commands.guessing("llamacpp", None) == commands.guessing("vllm", None) == []
    assert commands.guessing("llamacpp", Path("m.gguf"))[:2] == ["--draft", "m.gguf"]
    option, told = commands.guessing("vllm", Path("hf"))
    assert option == "--speculative-config"
    assert json.loads(told) == {"method": "draft_model", "model": "hf", "num_speculative_tokens": commands.AHEAD}


async def test_the_served_teacher_gets_the_draft(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = teacher(gguf(tmp_path / "same.gguf", ["a", "b", "c"]))
    measured(workspace, model, pace=14)
    given: list[Path | None] = []

    async def start(*_: Any, draft: Path | None, **__: Any) -> Any:
        given.append(draft)
        raise InterruptedError

    monkeypatch.setattr(launch, "start", start)
    with pytest.raises(InterruptedError):
        await LocalLauncher(workspace, Config(teacher=model)).teacher()
    assert given == [workspace.latest("model") / "model.gguf"]


@pytest.mark.slow
def test_the_starter_pair_does_not_fit(starter_workspace: Workspace) -> None:
    student = Path(resolve("starter-student", starter_workspace, "gguf")).parent
    why = draft.unfit(resolve("starter-teacher", starter_workspace, "gguf"), student)
    assert why == "teacher and student have different vocabularies (151,936 and 49,152 tokens)"
