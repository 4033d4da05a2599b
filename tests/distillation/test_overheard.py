"""Soft labels from APIs over real sockets: token ids as llama.cpp and vLLM tell them, bytes, or nothing at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bot.answering import Ask, Job, answer_all
from bot.engine import Engine
from data.errors import EngineError
from data.records import Answer
from distillation.overheard import Overheard, listen, spelling
from distillation.rows import end_token
from distillation.softlabels import SoftLabels, fit
from tests.distillation.tiny import save_model
from tests.engine_server import BY_ID, EngineServer, Script

OTHERS = tuple(f" w{number}" for number in range(24))
WORDS = ("Rinse", "Ġit", "Ġtwice.", *(text.replace(" ", "Ġ") for text in OTHERS))
TEXT = "Rinse it twice."
TOKENS = ("Rinse", " it", " twice.")


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(save_model(tmp_path_factory.mktemp("model"), words=WORDS))


def numbers(tokenizer: Any) -> dict[str, int]:
    return {text: tokenizer.convert_tokens_to_ids(text.replace(" ", "Ġ")) for text in (*TOKENS, *OTHERS)}


def script(**changes: Any) -> Script:
    return Script(TEXT, logprobs=-4.0, margins=0.05, others=OTHERS, **changes)


async def heard(server: EngineServer, tokenizer: Any) -> tuple[Overheard, dict[str, SoftLabels], list[Answer]]:
    engine = Engine(server.url, "fake")
    told = await listen(engine, tokenizer)
    labels: dict[str, SoftLabels] = {}

    def capture(sample_id: str, made: Any) -> None:
        found = told.labels(made)
        if found is not None:
            labels[sample_id] = found

    job = Job("e1", "teacher", [{"role": "user", "content": "How do I descale it?"}], (), 20)
    answers: list[Answer] = []
    await answer_all([Ask(engine, "fake", job, capture)], parallel=1, sink=answers.append, label="x")
    await engine.close()
    return told, labels, answers


@pytest.mark.parametrize("how", ["id", "token_id", "bytes"])
async def test_the_same_soft_labels_whatever_names_the_tokens(
    how: str, engine_server: EngineServer, tokenizer: Any
) -> None:
    known = numbers(tokenizer)
    engine_server.fields = {BY_ID} if how == "token_id" else set()
    engine_server.reply = lambda _: script(ids=None if how == "bytes" else known)
    told, labels, answers = await heard(engine_server, tokenizer)
    assert told.words == "soft labels: 20 likeliest of each token, from the API"
    assert answers[0].text == TEXT
    found = labels[answers[0].sample_id]
    assert found.tokens_T.tolist() == [*(known[token] for token in TOKENS), end_token(tokenizer)]
    assert found.counts_T.tolist() == [20, 20, 20, 0]
    assert found.ids_E[:20].tolist() == [known["Rinse"], *(known[text] for text in OTHERS[:19])]
    assert found.logprobs_E[20:40] == pytest.approx(-4 - 0.05 * np.arange(20), abs=0.01)
    assert told.origin
    assert told.origin.kept == 20
    assert fit(told.origin, tokenizer, len(tokenizer)) == "same"


async def test_api_that_allows_five_is_asked_for_five(engine_server: EngineServer, tokenizer: Any) -> None:
    engine_server.top = 5
    engine_server.reply = lambda _: script()
    told, labels, answers = await heard(engine_server, tokenizer)
    assert told.words == "soft labels: 5 likeliest of each token, from the API"
    assert labels[answers[0].sample_id].counts_T.tolist() == [5, 5, 5, 0]


@pytest.mark.parametrize("silent", [True, False])
async def test_without_probabilities_or_a_tokenizer_only_answers_are_taught(
    silent: bool, engine_server: EngineServer, tokenizer: Any
) -> None:
    engine_server.reply = lambda _: script(no_logprobs=silent)
    told, labels, answers = await heard(engine_server, tokenizer if silent else None)
    reason = "the API gives no token probabilities" if silent else "tokenizer is not known"
    assert told.words.startswith("none: ")
    assert reason in told.words
    assert (labels, answers[0].text) == ({}, TEXT)
    assert not engine_server.requests[-1].get("logprobs"), "nobody reads them, so nobody asks for them"


async def test_answer_with_a_token_that_has_no_id_has_no_soft_labels(
    engine_server: EngineServer, tokenizer: Any
) -> None:
    engine_server.queue(script())
    engine_server.reply = lambda _: Script("Rinse it never.", others=OTHERS)
    _, labels, answers = await heard(engine_server, tokenizer)
    assert (labels, answers[0].text) == ({}, "Rinse it never.")


async def test_engine_that_is_down_is_an_error(engine_server: EngineServer, tokenizer: Any) -> None:
    engine_server.reply = lambda _: Script(status=500)
    engine = Engine(engine_server.url, "fake")
    with pytest.raises(EngineError, match="HTTP 500"):
        await listen(engine, tokenizer)
    await engine.close()


def test_spelling_holds_every_byte_of_every_token(tokenizer: Any, tmp_path: Path) -> None:
    spelled = spelling(tokenizer)
    for text in (" w7", "Rinse", "é", "<|im_end|>"):
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        assert b"".join(sorted(spelled, key=spelled.__getitem__)[number] for number in ids) == text.encode()
