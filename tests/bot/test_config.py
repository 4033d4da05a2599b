from __future__ import annotations

from pathlib import Path

import pytest

from bot.config import load
from data.errors import ConfigError


def test_defaults_file_and_overrides(tmp_path: Path) -> None:
    file = tmp_path / "deskmate.toml"
    file.write_text('[training]\nrank = 8\n[desk]\nname = "Acme"\n')
    config = load(file, ["training.rank=16", "teacher.name=Qwen/Qwen3-32B"])
    assert (config.training.rank, config.desk.name, config.teacher.name) == (16, "Acme", "Qwen/Qwen3-32B")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[training]\nlerning_rate = 1", "unknown key training.lerning_rate; did you mean learning_rate?"),
        ("[trainin]\nrank = 1", "did you mean training?"),
        ('[training]\nrank = "many"', "training.rank"),
        ('[desk]\nown = ["Acme"]', "desk.own: 'Acme' is no e-mail domain"),
        ("rank =", "cannot read it as TOML"),
    ],
)
def test_a_mistake_is_one_line_that_names_it(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "deskmate.toml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=r"deskmate\.toml") as caught:
        load(file)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("override", ["nonsense", "=3", "workspace.x=1"])
def test_a_bad_override_is_refused(override: str) -> None:
    with pytest.raises(ConfigError):
        load(None, [override])


def test_one_key_of_a_section_leaves_the_others(tmp_path: Path) -> None:
    config = load(None, ["teacher.url=http://127.0.0.1:9/v1", "student.parallel=2"])
    assert (config.teacher.name, config.student.name) == ("starter-teacher", "starter-student")


def test_a_named_file_must_exist(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml"):
        load(tmp_path / "none.toml")


def test_the_sample_shops_articles_and_name_go_with_its_own_tickets_only() -> None:
    sample, other, named = (
        load(None, settings).desk
        for settings in (
            [],
            ["desk.tickets=mine.csv"],
            ["desk.tickets=mine.csv", "desk.articles=help", "desk.name=Acme"],
        )
    )
    assert sample.articles_beside(None) == Path(sample.articles)
    assert sample.reviews_beside(None) == Path(sample.reviews) and sample.reviews_beside(Path("mine.csv")) is None
    assert not sample.is_named_as_the_sample(None)
    assert sample.articles_beside(Path("mine.csv")) is None
    assert other.articles_beside(None) is None and other.reviews_beside(None) is None
    assert other.is_named_as_the_sample(None)
    assert named.articles_beside(None) == Path("help")
    assert not named.is_named_as_the_sample(None)
