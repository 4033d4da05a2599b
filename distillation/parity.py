"""Is what will be served what was trained? The same tokens are scored by both, before anybody relies on it.

    trained model, adapters on, float32 ──▶ log-probabilities after each prefix ─┐
    GGUF in the serving engine ──▶ its five likeliest next tokens ───────────────┴▶ agreement, mean difference

It also compares what comes before the numbers: the rendered chat template and the token ids of the prompt.
"""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.prompt import TEMPLATE
from data.errors import EngineError
from data.records import Record
from distillation.rows import render

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
PREFIXES = 12
TOP = 5
LEAST_AGREEMENT = 0.75
STARTUP_SECONDS = 180.0


@dataclass(frozen=True, slots=True)
class Reference:
    """What the trained model says: `prefixes[i]` is followed by a distribution, `logprobs[i]`."""

    text: str
    prompt: list[int]
    prefixes: list[list[int]]
    logprobs: list[list[float]]


class Parity(Record):
    prefixes: int
    top1_agreement: float
    mean_logprob_difference: float
    quantisation: str


def reference(model: Any, tokenizer: Any) -> Reference:
    """Score the fixed answer's prefixes with the trained model."""
    import torch

    prompt = render(tokenizer, MESSAGES)
    answer = tokenizer(ANSWER, add_special_tokens=False)["input_ids"][:PREFIXES]
    ids = prompt + answer
    model.eval()
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([ids]), logits_to_keep=len(answer)).logits[0].float()
    text = tokenizer.apply_chat_template(MESSAGES, add_generation_prompt=True, tokenize=False, **TEMPLATE)
    # the last kept row would predict what follows the whole answer; row i follows i + 1 answer tokens
    prefixes = [ids[: len(prompt) + number + 1] for number in range(len(answer))]
    return Reference(text, prompt, prefixes, logits.log_softmax(-1).tolist())


def compare(gguf: Path, wanted: Reference, quantisation: str) -> Parity:
    """Ask the serving engine. Raises EngineError when it would not serve what was trained."""
    with serving(gguf) as url:
        _check_prompt(url, wanted)
        served = [_next_token(url, prefix, prefix[-1]) for prefix in wanted.prefixes]
    agreed, differences = 0, []
    for told, row in zip(served, wanted.logprobs, strict=True):
        agreed += told[0][0] == max(range(len(row)), key=row.__getitem__)
        differences += [abs(logprob - row[token]) for token, logprob in told]
    parity = Parity(
        prefixes=len(served), top1_agreement=agreed / len(served), quantisation=quantisation,
        mean_logprob_difference=sum(differences) / len(differences),
    )  # fmt: skip
    if parity.top1_agreement < LEAST_AGREEMENT:
        raise EngineError(
            f"the {quantisation} model agrees with the trained one on {parity.top1_agreement:.0%} of tokens; "
            "set optimise.quantisation to F16 and run `deskmate optimise` again"
        )
    return parity


def _check_prompt(url: str, wanted: Reference) -> None:
    rendered = _post(f"{url}/apply-template", {"messages": MESSAGES, "chat_template_kwargs": TEMPLATE})["prompt"]
    if rendered != wanted.text:
        raise EngineError("the serving engine renders the chat template differently; choose another base student")
    asked = {"content": wanted.text, "add_special": False, "parse_special": True}
    ids = _post(f"{url}/tokenize", asked)["tokens"]
    if ids != wanted.prompt:
        raise EngineError("the serving engine splits text into other tokens; choose another base student")


def _next_token(url: str, prefix: list[int], forced: int) -> list[tuple[int, float]]:
    """The engine's likeliest next tokens. What it samples is forced, which leaves these
    unchanged: it keeps half a UTF-8 character back, and the probabilities with it.
    """
    asked = {
        "prompt": prefix, "n_predict": 1, "n_probs": TOP, "temperature": 0, "cache_prompt": False,
        "logit_bias": [[forced, 1000.0]],
    }  # fmt: skip
    told = _post(f"{url}/completion", asked)["completion_probabilities"][0]["top_logprobs"]
    return [(int(token["id"]), float(token["logprob"])) for token in told]


def _post(url: str, body: dict[str, Any]) -> Any:
    import httpx

    try:
        return httpx.post(url, json=body, timeout=STARTUP_SECONDS).raise_for_status().json()
    except (httpx.HTTPError, ValueError) as error:
        raise EngineError(
            f"the serving engine failed on the new model ({error}); run `deskmate optimise` again"
        ) from error


@contextmanager
def serving(gguf: Path) -> Iterator[str]:
    """The serving engine on a free loopback port, in a process of its own; its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = [
        sys.executable, "-m", "bot.llama_server", "--model", str(gguf), "--port", str(port),
        "--parallel", "1",
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
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
        log.unlink(missing_ok=True)
