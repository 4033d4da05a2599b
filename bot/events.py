"""What an answer is made of, as it happens; every API shape is a rendering of these.

Checking? ─▶ Routed ─▶ Delta* ─▶ Done                            an answer
             Routed ─▶ Delta* ─▶ Amend ─▶ Routed ─▶ Delta* ─▶ Done   the student broke off, the teacher went on
             Routed ─▶ Delta* ─▶ Handoff ─▶ Done                 a person will reply
"""

from __future__ import annotations

from dataclasses import dataclass

from bot.router import RoutingDecision
from data.records import Passage


@dataclass(frozen=True, slots=True)
class Checking:
    """The student will not answer this; the next route is being tried and nothing has been shown yet."""

    decision: RoutingDecision


@dataclass(frozen=True, slots=True)
class Routed:
    """Committed: this route's words follow."""

    decision: RoutingDecision
    evidence: tuple[Passage, ...] = ()


@dataclass(frozen=True, slots=True)
class Delta:
    text: str


@dataclass(frozen=True, slots=True)
class Amend:
    """What was said so far is withdrawn; `text` says so, and better words follow."""

    reason: str
    text: str


@dataclass(frozen=True, slots=True)
class Handoff:
    """A person is to reply. The customer has read or is about to read so."""

    reason: str


@dataclass(frozen=True, slots=True)
class Done:
    """`finish`: stop, length, or handoff. Tokens are those of the model that gave the answer, 0 if none did."""

    finish: str
    prompt_tokens: int = 0
    completion_tokens: int = 0


Event = Checking | Routed | Delta | Amend | Handoff | Done
