"""Every command the README names exists, and the file tree it draws is the real one."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
PICTURES = sorted(set(re.findall(r"!\[[^\]]+\]\(([^)]+)\)", README)))
DESKMATE = str(Path(sys.executable).with_name("deskmate"))
COMMANDS = sorted(set(re.findall(r"^ +deskmate ((?:models |release )?[a-z]+)", README, re.MULTILINE)))
TARGETS = sorted(set(re.findall(r"\bmake ([a-z-]+)", README)))


def test_readme_names_commands() -> None:
    assert len(COMMANDS) >= 10
    assert {"demo", "test", "help", "check"} <= set(TARGETS)


@pytest.mark.parametrize("command", COMMANDS)
def test_command_exists(command: str) -> None:
    done = subprocess.run([DESKMATE, *command.split(), "--help"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("target", TARGETS)
def test_target_exists(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_folders_exist() -> None:
    named = re.findall(r"^    ([a-z]+)/ ", README, re.MULTILINE)
    assert named == ["data", "bot", "distillation", "eval", "serving", "tests"]
    assert all((ROOT / name).is_dir() for name in named)


@pytest.mark.parametrize("picture", PICTURES)
def test_picture_can_be_shown(picture: str) -> None:
    drawn = ElementTree.parse(ROOT / picture).getroot()
    assert drawn.tag == "{http://www.w3.org/2000/svg}svg"
    assert drawn.get("viewBox")
