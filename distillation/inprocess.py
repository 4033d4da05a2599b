"""vLLM in this process as the teacher: each answer handed over when it is whole, with the probabilities behind it.

    jobs ──chat template──▶ token ids ──vLLM, `parallel` in flight──▶ (Answer, SoftLabels) in the order they finish

The likeliest tokens of every place come out of the pass that says the answer, before penalties and temperature, and
never pass through HTTP or JSON. Prompts and decoding are those of the served path (bot/engine.py), so an answer may
come from either. Answers that somebody else gave are scored in one pass over prompt and answer.
"""

from __future__ import annotations

import gc
import logging
import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import count, islice
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt

from bot import commands, weights
from bot.answering import Job
from bot.config import Model
from bot.engine import AGAINST_LOOPS
from bot.launch import identity
from bot.prompt import ChatMessage, clean
from data.errors import EngineError
from data.records import Answer
from data.workspace import Workspace
from distillation.rows import end_token, render
from distillation.softlabels import CAP, Origin, SoftLabels, from_rows, origin_of

if TYPE_CHECKING:
    from vllm import RequestOutput, SamplingParams
    from vllm.logprobs import FlatLogprobs

log = logging.getLogger("deskmate.teacher")
K = TypeVar("K")
Asked = tuple[K, list[int], "SamplingParams"]
COLUMNS = 1 + CAP  # the token that was said, then the likeliest
GPU_SHARE = 0.85  # of its memory: what logprobs take is not in vLLM's own reckoning


class Teacher:
    """A model loaded into this process: one at a time, used from one thread, freed by `close`.

    `origin` says whose soft labels these are. `parallel`: answers in flight.
    """

    def __init__(self, model: Model, folder: str) -> None:
        """`folder`: a Hugging Face model directory or id. Takes seconds to minutes. Raises EngineError."""
        os.environ.update(commands.environment("vllm", folder))
        os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
        os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"  # no child to outlive a kill; nothing to serialise
        from vllm import LLM

        _silence_llvmlite()
        self.name, self.parallel, self._context = model.name, model.parallel, model.context
        whole = {} if commands.has_gpu() else {"enable_chunked_prefill": False}
        try:
            self.llm = LLM(
                model=folder, max_model_len=model.context, max_num_seqs=model.parallel, dtype=commands.vllm_dtype(),
                max_logprobs=CAP, logprobs_mode="raw_logprobs", enable_prefix_caching=True,
                enforce_eager=not commands.has_gpu(), gpu_memory_utilization=GPU_SHARE,
                max_num_batched_tokens=commands.whole_prompts(model), **whole,
            )  # fmt: skip
        except (ValueError, RuntimeError, OSError) as error:
            why = (str(error).strip().splitlines() or [type(error).__name__])[-1]
            raise EngineError(f"{model.name} could not be loaded ({why})") from error
        self.identity = identity(model)
        self._numbers = count()
        self.tokenizer: Any = self.llm.get_tokenizer()
        self.origin: Origin = origin_of(
            self.tokenizer, teacher=model.name, revision=weights.revision(model.name),
            vocabulary=int(self.llm.llm_engine.model_config.get_vocab_size()),
        )  # fmt: skip

    def answer(self, jobs: Iterable[Job], *, soft: bool = True) -> Iterator[tuple[Job, Answer, SoftLabels | None]]:
        """Each job's answer once, in the order they finish; jobs are taken as there is room for them.

        Jobs that share a prompt (several seeds) should follow each other: it is then read once. Leaving the loop ends
        what is in flight. A prompt that does not fit the teacher's context is left out, which is logged.
        """
        asked = ((job, ids, self.sampling(job, soft)) for job, ids in self._read(jobs))
        for job, output, seconds in self._finished(asked):
            answer, labels = self._taught(job, output, seconds)
            yield job, answer, labels

    def _read(self, jobs: Iterable[Job]) -> Iterator[tuple[Job, list[int]]]:
        """Those that there is room for, and their prompts' tokens."""
        for job in jobs:
            ids = render(self.tokenizer, job.messages)
            if self._fits(ids):
                yield job, ids
            else:
                log.warning("%s has no room for %d tokens: left out; raise teacher.context", self.name, len(ids))

    def _fits(self, ids: Sequence[int]) -> bool:
        return len(ids) < self._context

    def scorable(self, prompt: list[ChatMessage], answer: str) -> bool:
        """Whether prompt and answer fit the teacher's context."""
        return self._fits([*render(self.tokenizer, prompt), *self.spelled(answer)])

    def score(self, prompts: Sequence[list[ChatMessage]], answers: Sequence[str]) -> list[SoftLabels]:
        """The teacher's distribution at every place of answers it did not write, end token included."""
        return self.score_ids(
            [render(self.tokenizer, messages) for messages in prompts], [self.spelled(text) for text in answers]
        )

    def score_ids(self, prompts: Sequence[Sequence[int]], answers: Sequence[Sequence[int]]) -> list[SoftLabels]:
        """As `score`, of token ids: a student's own answer, say, as it was said."""
        pairs = enumerate(zip(prompts, answers, strict=True))
        asked = ((number, [*prompt, *said], self._scoring()) for number, (prompt, said) in pairs)
        found: dict[int, SoftLabels] = {}
        for number, output, _ in self._finished(asked):
            tokens = list(answers[number])
            found[number] = from_rows(tokens, *_columns(output.prompt_logprobs, len(tokens)))
        return [found[number] for number in range(len(found))]

    def spelled(self, text: str) -> list[int]:
        """An answer as the completion a model is taught: its tokens, then the end token."""
        return [*self.tokenizer(clean(text), add_special_tokens=False)["input_ids"], end_token(self.tokenizer)]

    def close(self) -> None:
        """Give the memory back."""
        from vllm.distributed import cleanup_dist_env_and_memory

        self.llm.llm_engine.engine_core.shutdown()
        del self.llm
        gc.collect()
        cleanup_dist_env_and_memory()

    def sampling(self, job: Job, soft: bool) -> SamplingParams:
        """What bot.engine asks a server for, on top of what the model's own files ask for."""
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind

        asked = {
            **self.llm.llm_engine.model_config.get_diff_sampling_param(),
            "max_tokens": job.max_tokens, "temperature": job.temperature, "seed": job.seed,
            "frequency_penalty": AGAINST_LOOPS, "logprobs": CAP if soft else None, "flat_logprobs": soft,
        }  # fmt: skip
        if job.top_p is not None:
            asked["top_p"] = job.top_p
        return SamplingParams(**asked, detokenize=False, output_kind=RequestOutputKind.FINAL_ONLY)

    def _scoring(self) -> SamplingParams:
        """One token that nobody reads, and the probabilities of what stands before it: read anew, not from a cache."""
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind

        return SamplingParams(
            max_tokens=1, temperature=0.0, detokenize=False, output_kind=RequestOutputKind.FINAL_ONLY,
            prompt_logprobs=CAP, flat_logprobs=True, skip_reading_prefix_cache=True,
        )  # fmt: skip

    def _finished(self, asked: Iterable[Asked[K]]) -> Iterator[tuple[K, RequestOutput, float]]:
        """Run requests, `parallel` in flight; each one's key, output and seconds as it finishes."""
        engine = self.llm.llm_engine
        waiting = iter(asked)
        flying: dict[str, tuple[K, float]] = {}
        try:
            while True:
                for key, ids, params in islice(waiting, self.parallel - len(flying)):
                    flying[self._add(ids, params)] = key, time.perf_counter()
                if not flying:
                    return
                for output in engine.step():
                    if output.finished:
                        key, began = flying.pop(output.request_id)
                        yield key, output, time.perf_counter() - began
        finally:
            if flying:
                engine.abort_request(list(flying))

    def _add(self, ids: list[int], params: SamplingParams) -> str:
        if not self._fits(ids):
            raise EngineError(f"{self.name} has no room for a prompt of {len(ids)} tokens; raise teacher.context")
        name = str(next(self._numbers))
        self.llm.llm_engine.add_request(name, {"prompt_token_ids": ids}, params)
        return name

    def _taught(self, job: Job, output: RequestOutput, seconds: float) -> tuple[Answer, SoftLabels | None]:
        made = output.outputs[0]
        if made.finish_reason not in ("stop", "length"):
            raise EngineError(f"{self.name} ended with {made.finish_reason} instead of an answer")
        tokens = list(made.token_ids)
        answer = Answer(
            sample_id=job.sample_id(self.identity), exchange_id=job.exchange_id, source=job.source,
            text=self.tokenizer.decode(tokens, skip_special_tokens=True).strip(), finish=made.finish_reason,
            evidence=job.evidence, prompt_tokens=len(output.prompt_token_ids or ()), completion_tokens=len(tokens),
            seconds=seconds,
        )  # fmt: skip
        if made.logprobs is None:
            return answer, None
        ids_TC, logprobs_TC = _columns(made.logprobs, len(tokens))
        told = {"logprob": float(logprobs_TC[:, 0].mean()), "confidence": float(np.exp(logprobs_TC[0, 0]))}
        return answer.model_copy(update=told), from_rows(tokens, ids_TC, logprobs_TC)


def load(model: Model, workspace: Workspace) -> Teacher:
    """The configured teacher in this process. Raises NotFound for missing files, EngineError if it does not load."""
    return Teacher(model, weights.resolve(model.name, workspace, "hf"))


def _silence_llvmlite() -> None:
    """vLLM 0.32 reads the __dict__ of whatever is loaded, and llvmlite's library (search brings it) answers to any name
    with a function: let it answer to functions' names alone."""
    ffi = sys.modules.get("llvmlite.binding.ffi")
    if ffi is None:
        return
    kind: Any = type(ffi.lib)
    find = kind.__getattr__

    def named(library: object, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        return find(library, name)

    kind.__getattr__ = named


def _columns(flat: FlatLogprobs, places: int) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
    """The last `places` of vLLM's flat rows: (ids_TC, logprobs_TC), column 0 the token that was said."""
    start = len(flat.token_ids) - places * COLUMNS
    ids, logprobs = np.array(flat.token_ids[start:], np.int32), np.array(flat.logprobs[start:], np.float32)
    return ids.reshape(places, COLUMNS), logprobs.reshape(places, COLUMNS)
