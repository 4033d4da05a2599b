"""llama.cpp's own server for one GGUF file, in its own process so that a crash in it is not a crash in us.

The web page, the slots' state and every address but loopback are off: only Deskmate talks to it.
"""

from __future__ import annotations

import argparse
import os
import threading
from typing import Any

MATCHED = 3  # tokens that must be found again before what follows them is guessed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True)
    parser.add_argument("--name", default="model")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--context", type=int, default=2048, help="tokens each request may hold")
    parser.add_argument("--parallel", type=int, default=4)
    parser.add_argument("--threads", type=int, default=0, help="0 is every core")
    parser.add_argument("--lookup", type=int, default=0, help="tokens guessed at once from the prompt; 0 is none")
    parser.add_argument("--draft", default="", help="a small model of the same vocabulary that guesses ahead")
    parser.add_argument("--ahead", type=int, default=4, help="tokens it guesses at once")
    options = parser.parse_args()
    import xllamacpp

    server = xllamacpp.Server(parameters(options))
    print(f"listening on {server.listening_address}", flush=True)
    threading.Event().wait()


def parameters(options: argparse.Namespace) -> Any:
    """llama.cpp divides its context between its slots, hence the product."""
    import xllamacpp

    chosen = xllamacpp.CommonParams()
    chosen.model.path = options.model
    chosen.model_alias = {options.name}
    chosen.hostnames = ["127.0.0.1"]
    chosen.port = options.port
    chosen.n_parallel = options.parallel
    chosen.n_ctx = options.context * options.parallel
    threads = options.threads or _cores()
    chosen.cpuparams.n_threads = chosen.cpuparams_batch.n_threads = threads
    chosen.cache_prompt = chosen.warmup = True
    chosen.ui = chosen.endpoint_slots = False
    chosen.enable_reasoning = 0  # customers wait for words, not for thoughts; the student is trained without them
    # DRY: a run of words said within the last few sentences becomes the less likely the longer it is. The notes are
    # further back, and may be quoted.
    chosen.sampling.dry_multiplier = 0.8
    chosen.sampling.dry_allowed_length = 20  # tokens: links and names of menus are said again as they are
    chosen.sampling.dry_penalty_last_n = 120
    if options.lookup:
        _look_up(chosen.speculative, options.lookup)
    if options.draft:
        _guess(chosen.speculative, options.draft, options.ahead, threads)
    return chosen


def _look_up(speculative: Any, tokens: int) -> None:
    """Speculative decoding without a draft model: what follows the last words elsewhere in the prompt is guessed, and
    the guess is checked in one pass (prompt lookup). For what a student gains by it: `make bench-opening`."""
    import xllamacpp

    speculative.types = [xllamacpp.common_speculative_type.COMMON_SPECULATIVE_TYPE_NGRAM_SIMPLE]
    speculative.ngram_simple.size_n = MATCHED
    speculative.ngram_simple.size_m = tokens


def _guess(speculative: Any, draft: str, tokens: int, threads: int) -> None:
    """Speculative decoding with a draft model instead: its guesses are checked in one pass."""
    import xllamacpp

    speculative.types = [xllamacpp.common_speculative_type.COMMON_SPECULATIVE_TYPE_DRAFT_SIMPLE]
    speculative.draft.mparams.path = draft
    speculative.draft.n_max = tokens
    speculative.draft.cpuparams.n_threads = speculative.draft.cpuparams_batch.n_threads = threads


def _cores() -> int:
    """The cores this process may use: more threads than that more than halve the speed of decoding."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


if __name__ == "__main__":
    main()
