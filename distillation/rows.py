"""What the student learns from: a prompt and an answer per row, tokenised so that only the answer is learned.

The prompt ends where the chat template asks for a reply; the completion is the answer and the token that
ends it. The mask comes from where the prompt ends, never from the pad id, which often is the end token too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bot.prompt import TEMPLATE, clean
from data.errors import BadInput
from data.records import Kind, Record

IGNORE = -100
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
    """A tokenised row; `prompt` is how many of `ids` are given and not learned."""

    ids: tuple[int, ...]
    prompt: int
    weight: float = 1.0

    @property
    def labels(self) -> list[int]:
        return [IGNORE] * self.prompt + list(self.ids[self.prompt :])


def encode(tokenizer: Any, row: TrainingRow) -> Example:
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
    return Example(tuple(ids), len(prompt), row.weight)


def encode_all(tokenizer: Any, rows: Sequence[TrainingRow], max_length: int) -> tuple[list[Example], int]:
    """All rows that fit, and how many did not. A long row is left out: a cut answer teaches cutting."""
    examples = [encode(tokenizer, row) for row in rows]
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
