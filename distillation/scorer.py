"""A teacher that reads: loaded beside the student, it says how likely it found every token of answers it did not write.

`distillation.inprocess.Teacher` does the same with vLLM; this one leaves its device's memory to the student.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import torch
from transformers import AutoModelForCausalLM

from distillation.softlabels import CAP, SoftLabels, truncate


class Scorer(Protocol):
    def score_ids(self, prompts: Sequence[Sequence[int]], answers: Sequence[Sequence[int]]) -> list[SoftLabels]:
        """The distribution at every place of each answer after its prompt."""


class Reader:
    """`folder`: a Hugging Face model directory or id, read in one forward pass an answer."""

    def __init__(self, folder: str, dtype: torch.dtype, device: Any = "cpu") -> None:
        self.model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype).to(device).eval()
        self.device = device

    def score_ids(self, prompts: Sequence[Sequence[int]], answers: Sequence[Sequence[int]]) -> list[SoftLabels]:
        return [self._read(prompt, answer) for prompt, answer in zip(prompts, answers, strict=True)]

    def _read(self, prompt: Sequence[int], answer: Sequence[int]) -> SoftLabels:
        ids_1T = torch.tensor([[*prompt, *answer[:-1]]], device=self.device)
        with torch.no_grad():
            found = self.model(input_ids=ids_1T, use_cache=False, logits_to_keep=len(answer))
        logprobs_TV = found.logits[0].float().log_softmax(-1)
        logprobs_TK, ids_TK = (each.cpu().numpy() for each in logprobs_TV.topk(min(CAP, logprobs_TV.shape[1])))
        return SoftLabels(np.array(answer, np.int32), *truncate(ids_TK, logprobs_TK))
