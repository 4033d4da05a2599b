"""Stage C: the student answers training prompts itself, and learns what its teacher would have said at each token.

    some prompts ──student, sampled──▶ its own answers ──┐
                                                         ├─ teacher reads them ─▶ soft labels ─▶ a step of trainer.py
    some rows of the corpus (the share `given`) ─────────┘

What a step draws follows from the seed, its number and the weights, so a killed run goes on as if it had not been.
Answers are watched: a student that learns from itself may fall silent, say one thing for ever or never end.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

from accelerate.utils import gather_object
from transformers import AutoConfig, AutoTokenizer

from bot.config import Training
from data.errors import BadInput
from distillation.batches import Batches
from distillation.rows import Example
from distillation.sampling import Said, sample
from distillation.scorer import Scorer
from distillation.softlabels import clip, fit, origin_of, shared_size
from distillation.student import Student
from distillation.trainer import Line, Stage, Trainer

EVERY = 20  # steps between held-out losses
LEFT_OUT = "stage C is left out: "


class Watched(NamedTuple):
    """The answers have collapsed where the newest steps' mean is below `share` of the first steps', if that was at
    least `floor`."""

    name: str
    words: str
    share: float
    floor: float


WATCHED = (
    Watched("own_length", "tokens of an answer", 0.25, 4.0),
    Watched("own_entropy", "nats of entropy a token", 0.1, 0.0),
    Watched("own_ended", "of answers ended", 0.5, 0.25),
)


class Pair(NamedTuple):
    """A teacher that reads what the student says: `size` ids, from 0, mean the same to both; `end` ends an answer."""

    scorer: Scorer
    size: int
    end: int


class OnPolicy(Trainer):
    """Stage C as trainer.py's loop: only where a step's rows come from differs."""

    def __init__(
        self, student: Student, examples: Sequence[Example], held_out: Sequence[Example], pair: Pair,
        settings: Training, folder: Path, board: Any = None,
    ) -> None:  # fmt: skip
        self.pair, self.policy, self.examples = pair, settings.on_policy, list(examples)
        longest = settings.max_length - self.policy.max_tokens
        self.prompts = sorted({each.ids[: each.prompt] for each in examples if each.prompt <= longest})
        if not self.prompts:
            raise BadInput(f"no prompt leaves room for an answer of {self.policy.max_tokens} tokens; raise max_length")
        held = Batches(self._scored(held_out), settings.batch_tokens, settings.seed)
        settings = settings.model_copy(update={"learning_rate": self.policy.learning_rate})
        super().__init__(student, held, held, settings, Stage("C", 0.0), folder, board)
        self.total, self.steps_per_epoch = self.policy.steps, min(EVERY, self.policy.steps)
        self.seen: Line = {}

    def run(self) -> list[Line]:
        lines = super().run()
        why = collapse(lines)
        if why and self.state.is_main_process:
            sys.stderr.write(f"stage C stopped at step {self.step} of {self.total}, as answers collapsed: {why}\n")
        return lines

    def groups(self, step: int) -> list[list[int]]:
        return self.batches.groups

    def _learn(self) -> None:
        began = time.perf_counter()
        draw = random.Random(f"{self.settings.seed}/C/{self.step}")
        given = round(self.policy.given * self.policy.rows)
        rows = draw.sample(self.examples, min(given, len(self.examples)))
        said = self._answers(draw.sample(self.prompts, min(self.policy.rows - given, len(self.prompts))))
        own = [Example((*prompt, *each.tokens), len(prompt)) for prompt, each in said]
        self.seen = {
            "own_length": fmean(len(each.tokens) for _, each in said), "own_ended": fmean(e.ended for _, e in said),
            "own_entropy": fmean(each.entropy for _, each in said),
        }  # fmt: skip
        budget = -(-self.settings.batch_tokens // self.parts)
        self.batches = Batches(self._scored([*own, *rows]), budget, self.settings.seed)
        self.seen["answering_seconds"] = time.perf_counter() - began
        super()._learn()

    def _answers(self, prompts: Sequence[tuple[int, ...]]) -> list[tuple[tuple[int, ...], Said]]:
        """Each process answers its part; all know all answers."""
        index, count = self.state.process_index, self.state.num_processes
        mine = prompts[index::count]
        seed = random.Random(f"{self.settings.seed}/C/{self.step}/{index}").getrandbits(60)
        said = sample(self.student, mine, self.policy.max_tokens, self.pair.end, self.pair.size, seed)
        made = list(zip(mine, said, strict=True))
        return list(gather_object(made)) if count > 1 else made

    def _scored(self, examples: Sequence[Example]) -> list[Example]:
        """With the teacher's soft labels, where an example has none yet."""
        new = [each for each in examples if each.soft is None]
        found = iter(self.pair.scorer.score_ids([e.ids[: e.prompt] for e in new], [e.ids[e.prompt :] for e in new]))
        return [replace(e, soft=clip(next(found), self.pair.size)) if e.soft is None else e for e in examples]

    def _tired(self) -> bool:
        return super()._tired() or bool(collapse(self.history))

    def _log(self, line: Line) -> None:
        if "loss" in line:
            seconds = line["seconds"] + self.seen["answering_seconds"]
            line = {**line, **self.seen, "seconds": seconds, "tokens_per_second": line["tokens"] / seconds}
        super()._log(line)


def collapse(lines: Sequence[Line]) -> str:
    """Why the newest answers are no longer worth learning from; empty where they are."""
    steps = [line for line in lines if "own_length" in line]
    half = EVERY // 2
    for each in WATCHED if len(steps) >= EVERY else ():
        first, last = (fmean(line[each.name] for line in some) for some in (steps[:half], steps[-half:]))
        if first >= each.floor and last < each.share * first:
            return f"{last:.2g} {each.words}, {first:.2g} at first"
    return ""


def fitting(teacher: str, tokenizer: Any, vocabulary: int, largest: int) -> tuple[int, str]:
    """How many ids mean the same to the teacher and a student with this tokenizer and head, and a line that says so;
    0 where stage C must be left out. `largest`: the highest id in what is taught."""
    if not teacher or teacher.endswith(".gguf"):
        return 0, f"{LEFT_OUT}it needs the teacher here, as a Hugging Face model"
    theirs, size = AutoTokenizer.from_pretrained(teacher), AutoConfig.from_pretrained(teacher).get_text_config()
    origin = origin_of(theirs, teacher=teacher, revision="", vocabulary=size.vocab_size)
    kind = fit(origin, tokenizer, vocabulary)
    if kind == "different":
        return 0, f"{LEFT_OUT}the teacher has another tokenizer, so it cannot score the student's tokens"
    shared = shared_size(origin, tokenizer, vocabulary)
    if largest >= shared:
        return 0, f"{LEFT_OUT}the teacher lacks tokens that the student is taught"
    return shared, f"the teacher scores the student's tokens ({kind} vocabulary)"
