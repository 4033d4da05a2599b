"""The one way a conversation and its evidence become a model's messages: teaching, training, evaluation and serving.

Teacher and student see the same prompt, so the student learns to answer from the evidence it will have when it
serves. Hindsight (what the human agent answered) comes last and only while teaching, so that prompts with and without
it share a prefix the engine has already computed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from bot.passages import cap, read_on
from data.records import ANSWER, Passage, Turn
from data.workspace import digest

ChatMessage = dict[str, str]

SYSTEM = (
    "You are the support agent of {desk}, {about}. Answer the customer's last message from the notes, directly, in at "
    "most 80 words. Copy numbers, names and menu paths exactly; add nothing that is not in the notes. If the notes do "
    "not hold the answer, say that a colleague will take over. Never mention the notes."
)
HINDSIGHT = (
    "\n\nOur agent's own reply to this customer, which solved it:\n{reply}\n"
    "Write that advice as a clear reply to the customer, in your words. Keep every step, number and name; add nothing."
)
DEFERRAL = (
    "I don't want to guess on this one, so I'm passing it to a colleague. They will read your message and reply here."
)
FRAME = ("A customer asked:", "We replied:")  # of a past ticket among the notes
NEXT_NOTE = ("\n[1]", "\n[2]", "\n[3]", FRAME[1])  # a reply that comes to one reads the notes out, and is over
CONTROL = re.compile(r"<\|[^|>]{0,40}\|>|</?s>|\[/?INST\]")
TEMPLATE: dict[str, Any] = {"enable_thinking": False}  # settings of every chat template, in training and serving
TURN_WORDS = 120
EARLIER_WORDS = 40
TURNS = 5
TELLING_WORDS = 3


def build(
    desk: str, about: str, turns: Sequence[Turn], passages: Sequence[Passage], *,
    subject: str = "", hindsight: str = "",
) -> list[ChatMessage]:  # fmt: skip
    """Messages for a chat model: one system message with the notes, then the conversation.

    `turns` must end with the customer's. Control tokens in anyone's text are removed: what customers and articles say
    is data. Subject and question come after the notes, which are the same for everybody who asks about the same thing:
    an engine that has read the notes once needs to read only the question.
    """
    notes = "\n\n".join(f"[{number}] {_note(passage)}" for number, passage in enumerate(passages, 1))
    system = SYSTEM.format(desk=desk, about=about) + (f"\n\nNotes:\n{notes}" if notes else "")
    messages: list[ChatMessage] = [{"role": "system", "content": system}, *_said(turns)]
    if subject and len(messages) == 2:
        messages[1]["content"] = f"{clean(subject)}\n{messages[1]['content']}"
    if hindsight:
        messages[-1]["content"] += HINDSIGHT.format(reply=cap(clean(hindsight), TURN_WORDS))
    return messages


def unasked(desk: str, about: str, passages: Sequence[Passage]) -> list[ChatMessage]:
    """A prompt with these notes and next to no question: what an engine reads ahead of the customers."""
    return build(desk, about, (Turn(role="customer", text="Hello"),), passages)


def seen(turns: Sequence[Turn], passages: Sequence[Passage], subject: str = "") -> str:
    """All the words of a prompt that a reply may rest on: the conversation and the notes, as far as they are shown."""
    said = (message["content"] for message in _said(turns))
    return "\n".join([clean(subject), *said, *(_note(passage) for passage in passages)])


def known_by_heart(said: str) -> bool:
    """Whether a reply has so far too few words to tell whether it reads out what we wrote, or hands over."""
    return len(said.split()) < TELLING_WORDS and any(text.startswith(said) for text in (SYSTEM, DEFERRAL, *FRAME))


def recites(said: str) -> bool:
    """Whether a reply begins as our instructions or the frame of our notes do: a small model that reads them out
    instead of answering."""
    return said.startswith(FRAME) or (len(said.split()) > 1 and SYSTEM.startswith(said))


def clean(text: str) -> str:
    """Chat-template control tokens out; they are never a customer's words."""
    return CONTROL.sub("", text).strip()


def _said(turns: Sequence[Turn]) -> list[ChatMessage]:
    """The last turns as messages, each cut to what is shown."""
    shown: list[ChatMessage] = []
    for turn in turns[-TURNS:]:
        words = TURN_WORDS if turn is turns[-1] else EARLIER_WORDS
        role = "user" if turn.role == "customer" else "assistant"
        shown.append({"role": role, "content": cap(clean(turn.text), words)})
    return shown


def _note(passage: Passage) -> str:
    asked, mark, reply = clean(passage.text).partition(ANSWER)
    if passage.kind == "ticket" and mark:
        return f"{FRAME[0]} {asked.removeprefix('Customer: ')}\n{FRAME[1]} {reply}"
    return "\n".join(clean(part) for part in (passage.title, passage.text, read_on(passage)) if part)


VERSION = digest([SYSTEM, HINDSIGHT, TURN_WORDS, EARLIER_WORDS, "9"])
