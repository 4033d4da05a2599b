"""Rows for the training benchmark: the sample desk's replies, cut to lengths, under prompts of about 350 tokens."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bot.config import Training
from bot.prompt import build
from data.records import ANSWER, Passage, Turn
from distillation.rows import TrainingRow

TICKETS = Path("data/sample/tickets.jsonl")
SHORTEST, LONGEST = 20, 62  # words of an answer
NOTE = 45  # words of a reply among the notes
ROWS = 8  # a step
SETTINGS = Training(batch_tokens=1 << 30, learning_rate=1e-3, stages=("A",))  # of both trainers


def bench_rows(exchanges: int, answers: int) -> list[TrainingRow]:
    """`answers` rows an exchange: an agent's reply to the question, and the replies to the questions after it."""
    asked = _pairs()
    made = []
    for number in range(exchanges):
        notes = [_note(*asked[(7 * number + step) % len(asked)]) for step in (1, 2)]
        turn = Turn(role="customer", text=asked[number % len(asked)][0])
        messages = build("Kettlewick", "an online shop for coffee and tea gear", (turn,), notes)
        for answer in range(answers):
            ids = {"sample_id": f"s{number}-{answer}", "exchange_id": f"e{number}"}
            words = SHORTEST + (13 * number + 29 * answer) % (LONGEST - SHORTEST)
            reply = first(asked[(number + answer) % len(asked)][1], words)
            made.append(TrainingRow.model_validate({**ids, "messages": messages, "answer": reply}))
    return made


def first(text: str, words: int) -> str:
    return " ".join(text.split()[:words])


def _note(question: str, reply: str) -> Passage:
    return Passage(id=question, kind="ticket", title="", text=f"Customer: {question}{ANSWER}{first(reply, NOTE)}")


def _pairs() -> list[tuple[str, str]]:
    pairs = []
    for line in TICKETS.read_text().splitlines():
        said: list[dict[str, Any]] = [m for m in json.loads(line)["messages"] if m["visibility"] == "public"]
        if len(said) > 1 and [m["role"] for m in said[:2]] == ["customer", "agent"]:
            pairs.append((said[0]["text"], said[1]["text"]))
    return pairs
