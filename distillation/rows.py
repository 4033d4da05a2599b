"""What the student learns from: a prompt and an answer per row, tokenised so that only the answer is learned.

The prompt ends where the chat template asks for a reply; the completion is the answer and the token that
ends it. The mask comes from where the prompt ends, never from the pad id, which often is the end token too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bot.prompt import TEMPLATE, clean
from data.errors import BadInput
from data.records import Kind, Record
from distillation.softlabels import SoftLabels

END = "<|im_end|>"


class TrainingRow(Record):
    """One line of a corpus: the messages both models see, and an answer chosen for them. Rows of one exchange share its
    messages. `sample_id` finds the soft labels; `kind`: whether it answers, asks back or hands over."""

    sample_id: str
    exchange_id: str
    messages: tuple[dict[str, str], ...]
    answer: str
    weight: float = 1.0
    kind: Kind = "answer"


@dataclass(frozen=True, slots=True)
class Example:
    """A tokenised row; `prompt` is how many of `ids` are given and not learned. `soft`: of the others, if known."""

    ids: tuple[int, ...]
    prompt: int
    weight: float = 1.0
    soft: SoftLabels | None = field(default=None, compare=False)


def encode(tokenizer: Any, row: TrainingRow, soft: SoftLabels | None = None) -> Example:
    """Tokenise one row. Raises BadInput when the template would render other tokens than are taught."""
    answer = clean(row.answer)
    if not answer:
        raise BadInput(f"corpus row {row.sample_id} has an empty answer; run `deskmate teach` again")
    messages = [dict(message) for message in row.messages]
    prompt = render(tokenizer, messages)
    completion = [*tokenizer(answer, add_special_tokens=False)["input_ids"], end_token(tokenizer)]
    whole = render(tokenizer, [*messages, {"role": "assistant", "content": answer}], reply=False)
    ids = prompt + completion
    if whole[: len(ids)] != ids or tokenizer.decode(whole[len(ids) :]).strip():
        raise BadInput(
            f"corpus row {row.sample_id}: the student's chat template renders this answer with other tokens "
            "than it is taught; use a base student whose template keeps the assistant's text unchanged"
        )
    if soft is not None:
        completion = _said(tokenizer, row.sample_id, answer, completion, soft)
    return Example((*prompt, *completion), len(prompt), row.weight, soft)


def _said(tokenizer: Any, sample: str, answer: str, completion: list[int], soft: SoftLabels) -> list[int]:
    """The tokens the teacher said, which may split the same words elsewhere than the tokenizer does."""
    said = [int(token) for token in soft.tokens_T]
    if said != completion and (said[-1:] != completion[-1:] or tokenizer.decode(said[:-1]).strip() != answer):
        raise BadInput(f"corpus row {sample}: its soft labels are of another answer; run `deskmate teach` again")
    return said


def encode_all(
    tokenizer: Any, rows: Sequence[TrainingRow], max_length: int, soft: Mapping[str, SoftLabels] | None = None
) -> tuple[list[Example], int]:
    """All rows that fit, and how many did not. A long row is left out: a cut answer teaches cutting.

    Soft labels are found by sample id, whatever the order of the rows.
    """
    found = soft or {}
    examples = [encode(tokenizer, row, found.get(row.sample_id)) for row in rows]
    kept = [example for example in examples if len(example.ids) <= max_length]
    return kept, len(examples) - len(kept)


def render(tokenizer: Any, messages: Sequence[dict[str, str]], *, reply: bool = True) -> list[int]:
    """Token ids of a conversation; with `reply`, up to where the assistant begins to speak."""
    ids = tokenizer.apply_chat_template(
        list(messages), add_generation_prompt=reply, tokenize=True, return_dict=False, **TEMPLATE
    )
    return [int(token) for token in ids]


def end_token(tokenizer: Any) -> int:
    """The token that ends a turn: ChatML's where the vocabulary has it, else the model's own end of text."""
    found = tokenizer.get_vocab().get(END, tokenizer.eos_token_id)
    if found is None:
        raise BadInput("the base student's tokenizer has no end token; use an instruction-tuned model")
    return int(found)
