"""The teacher is asked over real sockets: several samples, nothing twice, and nothing long without a word before."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import typer

from bot.cli.teach import agreed, told
from bot.config import Config
from bot.journal import Journal, alone, journal_of
from bot.launch import identity
from bot.ledger import beside, costs, total
from data.errors import BadInput, Busy, DeskmateError
from data.parquet import read_rows
from data.records import Answer
from data.workspace import Workspace, manifest_of
from distillation.asking import plain, spaced
from distillation.forecast import Forecast, duration, rounded
from tests.distillation import desk
from tests.engine_server import EngineServer, Script


@pytest.fixture
def teacher(engine_server: EngineServer) -> EngineServer:
    engine_server.reply = desk.says_the_notes
    return engine_server


def journal(config: Config) -> Path:
    return journal_of(Workspace(config.workspace), identity(config.teacher))


def asked_for(body: dict[str, Any]) -> tuple[str, int]:
    return str(body["messages"][-1]["content"]), int(body["seed"])


def test_samples_of_an_exchange_have_seeds_of_their_own_that_stay(teacher: EngineServer, tmp_path: Path) -> None:
    settings = ("teaching.samples=3", "teaching.temperature=0.8", "teaching.top_p=0.9")
    for name in ("one", "two"):
        desk.teach(desk.configured(tmp_path / name, teacher.url, *settings), 6)
    first, second = teacher.requests[:18], teacher.requests[18:]
    assert len({asked_for(body) for body in first}) == 18
    assert Counter(map(asked_for, first)) == Counter(map(asked_for, second))
    assert {(body["temperature"], body["top_p"]) for body in first} == {(0.8, 0.9)}
    assert len({body["messages"][-1]["content"] for body in first[:4]}) == 4, "one sample of an exchange at a time"


def test_samples_with_the_same_words_stay_several_answers(teacher: EngineServer, tmp_path: Path) -> None:
    config = desk.configured(tmp_path, teacher.url, "teaching.samples=4")
    corpus = desk.teach(config, 5)
    stored = read_rows(corpus / "answers.parquet", Answer) + read_rows(corpus / "rejected.parquet", Answer)
    given = [answer for answer in stored if answer.source == "hindsight"]
    assert len({answer.text for answer in given}) == 5
    assert len({answer.sample_id for answer in given}) == len(given) == 20
    assert manifest_of(corpus).counts["teacher_answers"] == 20


def test_more_samples_ask_only_for_what_is_missing(teacher: EngineServer, tmp_path: Path) -> None:
    for samples in (1, 3):
        desk.teach(desk.configured(tmp_path, teacher.url, f"teaching.samples={samples}"), 5)
    assert len(teacher.requests) == len({asked_for(body) for body in teacher.requests}) == 15


def test_other_weights_under_the_same_name_are_another_teacher(tmp_path: Path) -> None:
    folder = tmp_path / "teacher"
    folder.mkdir()
    names = []
    for fill in (b"\x01", b"\x01", b"\x02"):
        (folder / "config.json").write_text("{}")
        (folder / "model.safetensors").write_bytes(fill * 300_000)
        names.append(identity(Config(teacher={"name": str(folder), "engine": "vllm"}).teacher))  # type: ignore[arg-type]
    assert names[0] == names[1] != names[2]
    assert all(name.startswith(str(folder)) for name in names)
    hosted = Config(teacher={"name": "big", "url": "http://a/v1"}).teacher  # type: ignore[arg-type]
    assert identity(hosted) == "big at http://a/v1"


def test_a_long_job_begins_with_sixteen_exchanges_and_a_forecast(teacher: EngineServer, tmp_path: Path) -> None:
    config = desk.configured(tmp_path, teacher.url)
    heard: list[Forecast] = []

    def refuse(forecast: Forecast) -> bool:
        heard.append(forecast)
        return False

    with pytest.raises(DeskmateError, match="run it again"):
        desk.teach(config, 82, refuse)
    assert len(teacher.requests) == 16
    assert (heard[0].exchanges, heard[0].answers) == (66, 66)
    assert (heard[0].checked, heard[0].passed) == (16, 16)
    assert heard[0].tokens > 66 * 10
    with pytest.raises(DeskmateError):
        desk.teach(config, 82, refuse)
    assert len(teacher.requests) == 16, "the sixteen count and are never asked again"
    desk.teach(config, 82)
    assert len(teacher.requests) == len({asked_for(body) for body in teacher.requests}) == 82


def test_a_short_job_is_not_asked_about(teacher: EngineServer, tmp_path: Path) -> None:
    desk.teach(desk.configured(tmp_path, teacher.url), 24, lambda _: pytest.fail("asked"))
    assert len(teacher.requests) == 24


def test_a_slow_teacher_makes_a_job_long(teacher: EngineServer, tmp_path: Path) -> None:
    heard: list[Forecast] = []
    config = desk.configured(tmp_path, teacher.url, "teacher.parallel=1")
    spent = dict.fromkeys(("prompt_tokens", "completion_tokens"), 5)
    desk.teach(config, 16)
    path = journal(config)
    slow = [answer.model_copy(update={"seconds": 3000.0, **spent}) for answer in Journal(path).answers]
    path.write_text("".join(f"{answer.model_dump_json()}\n" for answer in slow))
    desk.teach(config, 20, lambda forecast: not heard.append(forecast))
    assert heard[0].exchanges < 20
    assert heard[0].seconds > 600


def test_nothing_long_begins_when_the_whole_trial_fails(teacher: EngineServer, tmp_path: Path) -> None:
    teacher.reply = lambda _: Script("No.")
    config = desk.configured(tmp_path, teacher.url)
    with pytest.raises(DeskmateError, match=r"none of the teacher's first 16 .*16 too short"):
        desk.teach(config, 100)
    assert len(teacher.requests) == 16
    with pytest.raises(DeskmateError, match=r"\A.*\Z"):
        desk.teach(config, 100)
    assert len(teacher.requests) == 16


FORECAST = Forecast(
    exchanges=984, answers=3936, prompt_tokens=2_100_000, tokens=313_000, seconds=9_700, bytes=12_400_000, euros=0.2156,
    checked=64, passed=41, reasons=(("little support in the evidence", 14), ("cut off", 9)),
)  # fmt: skip


def test_the_forecast_in_plain_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert told(FORECAST)
    said = capsys.readouterr().out
    for words in (
        "984 exchanges, 3,936 answers", "2 h 42 min", "0.22 euros", "2.1 M to read, 313 k to write", "12 MB on disk",
        "41 of the 64 answers so far pass the checks; turned away: 14 little support in the evidence, 9 cut off",
    ):  # fmt: skip
        assert words in said
    assert [duration(seconds) for seconds in (4, 90, 3_599, 86_400)] == ["4 s", "2 min", "1 h 0 min", "24 h"]
    assert [rounded(count) for count in (7, 1_234, 56_000)] == ["7 ", "1.2 k", "56 k"]


@pytest.mark.parametrize(
    ("terminal", "typed", "goes_on"), [(True, True, True), (True, False, False), (False, True, None)]
)
def test_it_asks_in_a_terminal_and_waits_for_nobody_elsewhere(
    monkeypatch: pytest.MonkeyPatch, terminal: bool, typed: bool, goes_on: bool | None
) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: terminal)
    monkeypatch.setattr("sys.stdout.isatty", lambda: terminal)
    monkeypatch.setattr(typer, "confirm", lambda words, default: typed and not default)
    if goes_on is None:
        with pytest.raises(DeskmateError, match="--yes"):
            agreed(FORECAST)
    else:
        assert agreed(FORECAST) is goes_on


def test_the_ledger_adds_up_over_runs(teacher: EngineServer, tmp_path: Path) -> None:
    for samples in (1, 2):
        settings = (f"teaching.samples={samples}", "teacher.euros_per_hour=3600")
        corpus = desk.teach(desk.configured(tmp_path, teacher.url, *settings), 6)
    config = desk.configured(tmp_path, teacher.url)
    found = costs(journal(config))
    assert [cost.answers for cost in found] == [6, 6]
    assert all(cost.started for cost in found)
    spent = total(found)
    stored = Journal(journal(config)).answers
    assert spent.tokens == sum(answer.completion_tokens for answer in stored) > 0
    assert spent.prompt_tokens == sum(answer.prompt_tokens for answer in stored) > 0
    assert spent.seconds > 0
    assert spent.euros == pytest.approx(spent.seconds)
    counts = manifest_of(corpus).counts
    assert (counts["teacher_runs"], counts["teacher_answers"]) == (2, 12)
    assert counts["teacher_euros"] == pytest.approx(spent.euros)


def test_answers_from_before_the_ledger_count_too(teacher: EngineServer, tmp_path: Path) -> None:
    config = desk.configured(tmp_path, teacher.url)
    desk.teach(config, 4)
    beside(journal(config)).unlink()
    desk.teach(config, 6)
    found = costs(journal(config))
    assert [(cost.started is None, cost.answers) for cost in found] == [(True, 4), (False, 2)]


def test_one_process_at_a_time_asks_a_teacher(teacher: EngineServer, tmp_path: Path) -> None:
    config = desk.configured(tmp_path, teacher.url)
    with alone(journal(config)), pytest.raises(Busy, match="another"):
        desk.teach(config, 3)
    assert not teacher.requests
    desk.teach(config, 3)


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"sample_id"\n')
    with pytest.raises(BadInput, match="line 1"):
        Journal(path)


@pytest.mark.parametrize("count", [1, 15, 16, 17, 1000])
def test_the_trial_is_spread_over_all(count: int) -> None:
    rows = [desk.exchange(place) for place in range(count)]
    found = spaced(rows, 16)
    assert len(found) == len({row.id for row in found}) == min(count, 16)
    assert found[0] == rows[0]
    assert rows.index(found[-1]) >= count - count // 16 - 1


@pytest.mark.parametrize(
    ("said", "taught"),
    [
        ('Sure, here is a reply:\n\n"Click Save."', "Click Save."),
        ('Then click "Save changes."', 'Then click "Save changes."'),
        ('"Sync" must be on, and so must "Mail"', '"Sync" must be on, and so must "Mail"'),
    ],
)
def test_the_reply_alone_is_taught_with_its_own_quotation_marks(said: str, taught: str) -> None:
    assert plain(Answer(sample_id="s", exchange_id="e", source="teacher", text=said)).text == taught
