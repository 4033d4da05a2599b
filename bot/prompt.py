"""The one way a conversation and its evidence become a model's messages: teaching, training, evaluation and serving.

Teacher and student see the same prompt, so the student learns to answer from the evidence it will have when it
serves. Hindsight (what the human agent answered) comes last and only while teaching, so that prompts with and without
it share a prefix the engine has already computed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from data.records import Passage, Turn
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
CONTROL = re.compile(r"<\|[^|>]{0,40}\|>|</?s>|\[/?INST\]")
TURN_WORDS = 120
EARLIER_WORDS = 40
QUESTION_WORDS = 16


def build(
    desk: str, about: str, turns: Sequence[Turn], passages: Sequence[Passage], *,
    subject: str = "", words: int = 90, hindsight: str = "",
) -> list[ChatMessage]:  # fmt: skip
    """Messages for a chat model: one system message with the notes, then the conversation.

    `turns` must end with the customer's. `words` caps each passage. Control tokens in anyone's text are removed:
    what customers and articles say is data.
    """
    notes = "\n\n".join(_note(number, passage, words) for number, passage in enumerate(passages, 1))
    system = SYSTEM.format(desk=desk, about=about) + (f"\n\nNotes:\n{notes}" if notes else "")
    messages: list[ChatMessage] = [{"role": "system", "content": system}]
    for turn in turns[-5:]:
        role = "user" if turn.role == "customer" else "assistant"
        words_shown = TURN_WORDS if turn is turns[-1] else EARLIER_WORDS
        messages.append({"role": role, "content": _cap(clean(turn.text), words_shown)})
    if subject and len(messages) == 2:
        messages[1]["content"] = f"{clean(subject)}\n{messages[1]['content']}"
    if hindsight:
        messages[-1]["content"] += HINDSIGHT.format(reply=_cap(clean(hindsight), TURN_WORDS))
    return messages


def clean(text: str) -> str:
    """Chat-template control tokens out; they are never a customer's words."""
    return CONTROL.sub("", text).strip()


def _note(number: int, passage: Passage, words: int) -> str:
    """A past ticket shows little of its question and as much of its reply as fits: the reply is the evidence."""
    question, mark, reply = clean(passage.text).partition("\nAgent: ")
    if passage.kind == "ticket" and mark:
        asked = _cap(question.removeprefix("Customer: "), QUESTION_WORDS)
        return f"[{number}] A customer asked: {asked}\nWe replied: {_cap(reply, words)}"
    return f"[{number}] {clean(passage.title)}\n{_cap(clean(passage.text), words)}"


def _cap(text: str, words: int) -> str:
    parts = re.findall(r"\S+\s*", text)
    return text if len(parts) <= words else "".join(parts[:words]).rstrip() + " …"


VERSION = digest([SYSTEM, HINDSIGHT, TURN_WORDS, EARLIER_WORDS, QUESTION_WORDS, "4"])
