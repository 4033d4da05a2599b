"""What can be seen from outside: Prometheus numbers and one JSON log line per reply, never a customer's
words.
"""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

FIRST = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 20, 40, 80, 120)
TOTAL = (0.1, 0.25, 0.5, 1, 2, 3, 5, 8, 13, 20, 40, 80, 160, 240)
log = logging.getLogger("deskmate.replies")


@dataclass(frozen=True, slots=True)
class ReplyLine:
    """Seconds are counted from the request's arrival; `first_seconds` is when the customer saw a word, -1 if
    never.
    """

    conversation: str
    turn: str
    channel: str
    route: str
    reason: str
    release: str
    generation: int
    confidence: float | None
    finish: str
    first_seconds: float
    seconds: float
    prompt_tokens: int
    completion_tokens: int


class Telemetry:
    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        registry = self._registry
        self._replies = Counter(
            "deskmate_replies",
            "Replies by route, reason, finish",
            ["route", "reason", "finish"],
            registry=registry,
        )
        self._first = Histogram(
            "deskmate_first_token_seconds", "To the first word", ["route"], buckets=FIRST, registry=registry
        )
        self._total = Histogram(
            "deskmate_reply_seconds", "To the last word", ["route"], buckets=TOTAL, registry=registry
        )
        self._tokens = Counter("deskmate_tokens", "Tokens by route", ["route", "kind"], registry=registry)
        self.in_flight = Gauge("deskmate_in_flight", "Replies being made", registry=registry)
        self.read_ahead = Gauge("deskmate_read_ahead", "Briefs the student has read ahead", registry=registry)
        self._swaps = Counter("deskmate_swaps", "Release swaps by outcome", ["outcome"], registry=registry)

    def reply(self, line: ReplyLine) -> None:
        self._replies.labels(line.route, line.reason, line.finish).inc()
        if line.first_seconds >= 0:
            self._first.labels(line.route).observe(line.first_seconds)
        self._total.labels(line.route).observe(line.seconds)
        self._tokens.labels(line.route, "prompt").inc(line.prompt_tokens)
        self._tokens.labels(line.route, "completion").inc(line.completion_tokens)
        log.info(json.dumps({"event": "reply", **asdict(line)}))

    def swap(self, outcome: str, **details: object) -> None:
        self._swaps.labels(outcome).inc()
        log.info(json.dumps({"event": "swap", "outcome": outcome, **details}))

    def page(self) -> bytes:
        return generate_latest(self._registry)
