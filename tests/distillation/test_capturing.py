"""Which soft labels a corpus gets: over sockets from a scripted API, and from vLLM in a process of its own."""

from __future__ import annotations

import multiprocessing
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from bot import weights
from bot.config import Config
from bot.journal import journal_of, stored
from bot.launch import identity
from data.parquet import read_rows
from data.records import Answer
from data.workspace import Workspace, manifest_of
from distillation import softlabels
from distillation.capturing import plan
from distillation.rows import TrainingRow, end_token
from tests.distillation import desk
from tests.distillation.tiny import save_model
from tests.engine_server import EngineServer, Script

COUNT = 6
OTHERS = (" with", " button")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model that knows every word of the desk's notes as one token."""
    texts = [desk.passage(place).text for place in range(COUNT)]
    words = dict.fromkeys(word for text in texts for word in text.replace(" ", " Ġ").split())
    return save_model(tmp_path_factory.mktemp("model"), words=tuple(words))


@pytest.fixture
def teacher(engine_server: EngineServer) -> EngineServer:
    def reply(body: dict[str, Any]) -> Script:
        if len(body["messages"]) == 1:
            return Script("Hold", others=OTHERS)
        return Script(desk.says_the_notes(body).text, others=OTHERS, logprobs=-0.4, margins=1.0)

    engine_server.reply = reply
    return engine_server


def configured(root: Path, url: str, teacher: Path | str, student: Path | str, *settings: str) -> Config:
    names = (f"teacher.name={teacher}", f"student.name={student}")
    return desk.configured(root, url, *names, "teaching.extract=false", "teaching.human=false", *settings)


def test_soft_labels_of_the_taught_answers_from_an_api(teacher: EngineServer, model: Path, tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    config = configured(tmp_path, teacher.url, model, model)
    corpus = desk.teach(config, COUNT)
    rows = read_rows(corpus / "rows.parquet", TrainingRow)
    found = softlabels.load(corpus)
    assert found
    assert len(rows) == COUNT
    assert found[1].keys() == {row.sample_id for row in rows}
    tokenizer = AutoTokenizer.from_pretrained(model)
    for row in rows:
        *said, end = found[1][row.sample_id].tokens_T.tolist()
        assert tokenizer.decode(said) == row.answer
        assert end == end_token(tokenizer)
    counts = manifest_of(corpus).counts
    assert counts["softlabel_answers"] == COUNT
    assert counts["softlabel_tokens"] == sum(len(each.tokens_T) for each in found[1].values())
    assert 0 < counts["softlabel_mass"] <= 1
    assert counts["softlabel_bytes"] == sum(file.stat().st_size for file in corpus.glob("softlabels-*.parquet"))


def test_asked_once_soft_labels_stay(teacher: EngineServer, model: Path, tmp_path: Path) -> None:
    config = configured(tmp_path, teacher.url, model, model)
    corpus = desk.teach(config, COUNT)
    files, asked = manifest_of(corpus).files, len(teacher.requests)
    shutil.rmtree(corpus)
    assert manifest_of(desk.teach(config, COUNT)).files == files
    assert len(teacher.requests) == asked


def test_an_answer_whose_words_were_changed_has_no_soft_labels(
    teacher: EngineServer, model: Path, tmp_path: Path
) -> None:
    config = configured(tmp_path, teacher.url, model, model)
    said = teacher.reply
    teacher.reply = lambda body: Script(f"Sure, here it is:\n\n{said(body).text}", others=OTHERS)
    corpus = desk.teach(config, COUNT)
    assert len(read_rows(corpus / "rows.parquet", TrainingRow)) == COUNT
    assert softlabels.load(corpus) is None


@pytest.mark.parametrize(
    ("settings", "how", "words"),
    [
        ((), "api", "as far as the teacher's API tells"),
        (("teaching.soft_labels=off",), "none", "is off"),
        (("teacher.name=big",), "none", "the teacher's tokenizer is not known here"),
        (("teacher.name=starter-teacher",), "none", "the teacher's tokenizer is not known here"),
        (("student.name=nothing-here",), "none", "the student's tokenizer is not known here"),
        (("student.name=OTHER",), "none", "the student's tokenizer is not the teacher's"),
        (("student.name=OTHER", "teaching.soft_labels=on"), "api", "API"),
        (("teacher.url=", "teacher.engine=llamacpp"), "none", "llama.cpp is slow"),
        (("teacher.url=", "teacher.engine=llamacpp", "teaching.soft_labels=on"), "api", "API"),
        (("teacher.url=", "teacher.engine=vllm"), "here", "from vLLM in this process"),
        (("teacher.url=", "teacher.engine=vllm", "student.name=OTHER"), "none", "is not the teacher's"),
    ],
)  # fmt: skip
def test_what_is_planned_and_said(model: Path, tmp_path: Path, settings: tuple[str, ...], how: str, words: str) -> None:
    other = save_model(tmp_path / "other", words=("Kettle",))
    given = [setting.replace("OTHER", str(other)) for setting in settings]
    found = plan(Workspace(tmp_path), configured(tmp_path, "http://nowhere.example/v1", model, model, *given))
    assert found.how == how
    assert words in found.words
    assert found.words.startswith("soft labels: ")


def test_without_soft_labels_none_are_asked_for(teacher: EngineServer, model: Path, tmp_path: Path) -> None:
    corpus = desk.teach(configured(tmp_path, teacher.url, model, model, "teaching.soft_labels=off"), COUNT)
    assert not any(body.get("logprobs") for body in teacher.requests)
    assert softlabels.load(corpus) is None


def learn_here(config: Config) -> None:
    os.environ["VLLM_CPU_OMP_THREADS_BIND"] = "0"
    desk.teach(config, COUNT)


@pytest.mark.slow
def test_vllm_in_this_process_says_and_scores_all_that_is_taught(starter_workspace: Workspace, tmp_path: Path) -> None:
    folder = weights.resolve("starter-student", starter_workspace, "hf")
    settings = ("teacher.engine=vllm", "teacher.context=1024", "teaching.max_tokens=40", "teaching.samples=2",
                "teaching.extract=true", "teaching.human=true")  # fmt: skip
    config = configured(tmp_path, "", folder, folder, *settings)
    for _ in range(2):
        child = multiprocessing.get_context("spawn").Process(target=learn_here, args=(config,))
        child.start()
        child.join()
        assert child.exitcode == 0
        (corpus,) = Workspace(tmp_path).finished("corpus")
        found = softlabels.load(corpus)
        assert found
        answers = read_rows(corpus / "answers.parquet", Answer)
        assert found[1].keys() == {answer.sample_id for answer in answers}
        assert {answer.source for answer in answers} & {"human", "extract", "notes"}
        assert found[0].teacher == folder
        files = manifest_of(corpus).files
        said = stored(journal_of(Workspace(tmp_path), identity(config.teacher)), Answer)
        assert len(said) == len({answer.sample_id for answer in said}) == 2 * COUNT
        shutil.rmtree(corpus)
    assert {name for name in files if name.startswith("softlabels-")}
