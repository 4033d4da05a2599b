"""The house rules: layers, budgets, a light --help."""

from __future__ import annotations

import ast
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("bot", "distillation", "serving", "eval", "data")
FILES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
HEAVY = {
    "torch",
    "transformers",
    "vllm",
    "sentence_transformers",
    "datasets",
    "openai",
    "sqlalchemy",
    "fastapi",
}


def functions(path: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    tree = ast.parse(path.read_text())
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def test_layers_hold() -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout


def test_types_are_strict() -> None:
    done = subprocess.run([sys.executable, "-m", "mypy"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:]


def test_ruff_is_content() -> None:
    for command in (["check"], ["format", "--check"]):
        done = subprocess.run([sys.executable, "-m", "ruff", *command, "."], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-3000:]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_functions_stay_small(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 300
    for node in functions(path):
        assert node.end_lineno is not None
        assert node.end_lineno - node.lineno + 1 <= 40, f"{path.name}: {node.name}"


def test_medians_stay_small() -> None:
    assert median(len(path.read_text().splitlines()) for path in FILES) <= 120
    lengths = [(node.end_lineno or 0) - node.lineno + 1 for path in FILES for node in functions(path)]
    assert median(lengths) <= 12


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_modules_say_why(path: Path) -> None:
    text = path.read_text()
    if text.strip():
        assert ast.get_docstring(ast.parse(text)), f"{path} has no docstring"
    assert not any(word in path.stem for word in ("utils", "helpers", "common", "manager", "base"))


def test_help_is_light() -> None:
    """Heavy libraries are imported by the functions that need them; --help answers within half a second."""
    code = (
        "import sys, bot.cli; loaded = set(sys.modules); "
        f"print(sorted(loaded & {HEAVY!r}))"
    )  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    took = []
    for _ in range(3):
        began = time.perf_counter()
        subprocess.run([Path(sys.executable).with_name("deskmate"), "--help"], check=True, capture_output=True)
        took.append(time.perf_counter() - began)
    assert min(took) <= 0.5
