"""Is what will be served what was trained? Both score the same answers, token by token, before anybody relies on it.

    trained model, adapters on, float32 ──▶ log-probabilities before each token ──┐
    GGUF in the serving engine ──▶ its 64 likeliest tokens, and all the others ───┴▶ KL, agreement, difference

The answers are a fixed one and those of the student's own held-out rows. What comes before the numbers is compared
too: the rendered chat template and the token ids of the prompt. Shapes: T tokens of an answer, V the vocabulary.
"""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from bot.prompt import TEMPLATE
from data.errors import EngineError
from data.records import Record
from distillation.rows import TrainingRow, encode, render

if TYPE_CHECKING:
    from httpx import Client

MESSAGES = [
    {
        "role": "system",
        "content": "You are a support agent. Use only the notes.\n\nNotes:\n[1] Article: Descaling\n"
        "Fill the tank with 500 ml of water and one sachet. "
        "Hold both buttons for 5 seconds until the light blinks.",
    },
    {"role": "user", "content": "The orange light came on. How do I descale my machine?"},
]
ANSWER = "Fill the tank with 500 ml of water and one sachet, then hold both buttons for 5 seconds."
ROWS, FEW = 8, 2  # held-out rows that are scored: to choose a level, or to check one
TOKENS = 24  # of each answer, its first
CONTEXT = 2048
TOP = 64
LIKELIEST = 5  # the difference of log-probabilities is of these
WRITTEN = 32  # tokens written to time it
STARTUP_SECONDS = 180.0

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Scored:
    """An answer and what the trained model expected before each of its tokens."""

    prompt: list[int]
    answer_T: list[int]
    logprobs_TV: Floats


@dataclass(frozen=True, slots=True)
class Reference:
    """`text` and `ids`: the fixed prompt, rendered and in tokens."""

    text: str
    ids: list[int]
    scored: list[Scored]


class Quality(Record):
    """How far what is served is from what was trained: over `prefixes` places, mean KL(trained || served) in nats
    (exact but for what lies beyond the likeliest 64, one bucket), share of equal likeliest tokens, and mean difference
    of the five likeliest log-probabilities."""

    prefixes: int
    kl: float
    top1_agreement: float
    mean_logprob_difference: float


class Speed(Record):
    prompt_tokens_per_second: float
    tokens_per_second: float


def reference(model: Any, tokenizer: Any, taught: Sequence[TrainingRow] = ()) -> Reference:
    """Score the fixed answer, and the first tokens of the taught ones that fit, with the trained model."""
    prompt = render(tokenizer, MESSAGES)
    answers = [(prompt, tokenizer(ANSWER, add_special_tokens=False)["input_ids"][:TOKENS])]
    examples = [encode(tokenizer, row) for row in taught]
    for example in [example for example in examples if len(example.ids) < CONTEXT]:
        ids = list(example.ids)
        answers.append((ids[: example.prompt], ids[example.prompt :][:TOKENS]))
    text = tokenizer.apply_chat_template(MESSAGES, add_generation_prompt=True, tokenize=False, **TEMPLATE)
    model.eval()
    return Reference(text, prompt, [Scored(ids, answer, _expected(model, ids, answer)) for ids, answer in answers])


def _expected(model: Any, prompt: list[int], answer: list[int]) -> Floats:
    import torch

    with torch.no_grad():
        kept = model(input_ids=torch.tensor([prompt + answer[:-1]]), logits_to_keep=len(answer))
    expected: Floats = kept.logits[0].float().log_softmax(-1).numpy()
    return expected


def compare(engine: Client, wanted: Reference) -> Quality:
    """Ask the serving engine for every place. Raises EngineError when it reads the prompt otherwise."""
    _check_prompt(engine, wanted)
    kls, agreed, differences = [], [], []
    for scored in wanted.scored:
        for place, logprobs_V in enumerate(scored.logprobs_TV):
            ids, served = _next_token(engine, scored.prompt + scored.answer_T[:place])
            kls.append(divergence(logprobs_V, ids, served))
            agreed.append(ids[0] == logprobs_V.argmax())
            differences.append(abs(served - logprobs_V[ids])[:LIKELIEST].mean())
    return Quality(
        prefixes=len(kls), kl=float(np.mean(kls)), top1_agreement=float(np.mean(agreed)),
        mean_logprob_difference=float(np.mean(differences)),
    )  # fmt: skip


def divergence(trained_V: Floats, ids: Sequence[int], served: Floats) -> float:
    """KL(trained || served) in nats over the served model's likeliest `ids` and one bucket for all the others."""
    trained = trained_V[list(ids)].astype(np.float64)
    rest = [max(1 - float(np.exp(told.astype(np.float64)).sum()), 1e-6) for told in (trained, served)]
    return float((np.exp(trained) * (trained - served)).sum() + rest[0] * np.log(rest[0] / rest[1]))


def speed(engine: Client, wanted: Reference, rounds: int) -> Speed:
    """The best of a few rounds on the last scored prompt, nothing cached: what else runs here can only slow it."""
    asked = {"prompt": wanted.scored[-1].prompt, "n_predict": WRITTEN, "ignore_eos": True, "temperature": 0}
    told = [_post(engine, "/completion", {**asked, "cache_prompt": False})["timings"] for _ in range(rounds)]
    return Speed(
        prompt_tokens_per_second=max(float(timing["prompt_per_second"]) for timing in told),
        tokens_per_second=max(float(timing["predicted_per_second"]) for timing in told),
    )


def _check_prompt(engine: Client, wanted: Reference) -> None:
    rendered = _post(engine, "/apply-template", {"messages": MESSAGES, "chat_template_kwargs": TEMPLATE})["prompt"]
    if rendered != wanted.text:
        raise EngineError("the serving engine renders the chat template differently; choose another base student")
    asked = {"content": wanted.text, "add_special": False, "parse_special": True}
    ids = _post(engine, "/tokenize", asked)["tokens"]
    if ids != wanted.ids:
        raise EngineError("the serving engine splits text into other tokens; choose another base student")


def _next_token(engine: Client, prefix: list[int]) -> tuple[list[int], Floats]:
    """The engine's likeliest next tokens. What it samples is forced, which leaves these
    unchanged: it keeps half a UTF-8 character back, and the probabilities with it.
    """
    asked = {
        "prompt": prefix, "n_predict": 1, "n_probs": TOP, "temperature": 0, "cache_prompt": True,
        "logit_bias": [[prefix[-1], 1000.0]],
    }  # fmt: skip
    told = _post(engine, "/completion", asked)["completion_probabilities"][0]["top_logprobs"]
    return [int(token["id"]) for token in told], np.array([token["logprob"] for token in told], np.float32)


def _post(engine: Client, path: str, body: dict[str, Any]) -> Any:
    import httpx

    try:
        return engine.post(path, json=body).raise_for_status().json()
    except (httpx.HTTPError, ValueError) as error:
        raise EngineError(
            f"the serving engine failed on the new model ({error}); run `deskmate optimise` again"
        ) from error


@contextmanager
def serving(gguf: Path) -> Iterator[Client]:
    """The serving engine on a free loopback port, in a process of its own."""
    import httpx

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = [
        sys.executable, "-m", "bot.llama_server", "--model", str(gguf), "--port", str(port),
        "--context", str(CONTEXT), "--parallel", "1",
    ]  # fmt: skip
    log = gguf.with_name(".parity.log")
    with log.open("w") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
    try:
        assert process.stdout is not None
        if not any(line.startswith("listening on") for line in process.stdout):
            said = [line for line in log.read_text(errors="replace").splitlines() if "error" in line]
            why = said[0].rpartition("error")[2].strip(" :") if said else "it stopped"
            raise EngineError(f"the serving engine cannot load {gguf.name} ({why}); use another base student")
        close = {"Connection": "close"}  # it hangs up on kept connections
        with httpx.Client(
            base_url=f"http://127.0.0.1:{port}", headers=close, timeout=STARTUP_SECONDS, trust_env=False
        ) as engine:
            yield engine
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
        log.unlink(missing_ok=True)
