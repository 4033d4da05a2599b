"""One reply from request to record: save the customer's words, lease a release, stream, write down what
happened.
"""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass

from bot import store
from bot.assistant import Ask, answer
from bot.events import Amend, Delta, Done, Event, Handoff, Routed
from bot.router import HANDOFF, RoutingDecision
from bot.store import Begun, Reply
from data.records import Passage, Turn
from data.workspace import digest
from serving.deployment import Deployment
from serving.swap import Stage
from serving.telemetry import ReplyLine

log = logging.getLogger("deskmate.stream")


@dataclass(frozen=True, slots=True)
class Incoming:
    """A customer's turn as a route received it. `turn` makes sending it again harmless."""

    text: str
    channel: str
    conversation: str = ""
    turn: str = ""
    history: tuple[Turn, ...] = ()
    amends: bool = True
    max_tokens: int | None = None


class Talk:
    """A saved turn and the reply to it. `decision`, `release`, `evidence` are known once Routed has passed."""

    def __init__(self, state: Deployment, incoming: Incoming, begun: Begun) -> None:
        self._state = state
        self._incoming = incoming
        self._began = time.monotonic()
        self._first = -1.0
        self._done = Done(store.ABANDONED)
        self.begun = begun
        self.reply = store.new_id()
        self.text = ""
        self.decision = RoutingDecision("human", "student_down")
        self.evidence: tuple[Passage, ...] = ()
        self.release = ""
        self.generation = 0
        self.handoff = ""

    async def events(self) -> AsyncGenerator[Event]:
        """The answer's events, noted as they pass. Whatever goes wrong, the customer is told something true."""
        with self._state.swap.lease() as stage:
            self.release, self.generation = stage.release.id, stage.generation
            try:
                async with aclosing(self._answer(stage)) as events:
                    async for event in events:
                        await self._note(event)
                        yield event
            finally:
                self._record()

    async def _answer(self, stage: Stage) -> AsyncGenerator[Event]:
        history = self._incoming.history or self.begun.earlier
        turns = (*history, Turn(role="customer", text=self._incoming.text))
        ask = Ask(turns, self._incoming.amends, self._incoming.max_tokens)
        try:
            async with aclosing(answer(ask, self._state.cast(stage))) as events:
                async for event in events:
                    yield event
        except Exception:
            log.exception("a reply failed in a way nobody planned for; a person takes over")
            yield Routed(RoutingDecision("human", "student_failed"))
            yield Handoff("student_failed")
            yield Delta(HANDOFF if not self.text else f"\n\n{HANDOFF}")
            yield Done("handoff")

    async def _note(self, event: Event) -> None:
        match event:
            case Routed(decision, evidence):
                self.decision, self.evidence = decision, evidence
            case Delta(text):
                self.text += text
                if self._first < 0:
                    self._first = time.monotonic() - self._began
            case Amend():
                self.text = ""
            case Handoff(reason):
                self.handoff = reason
                conversation = self.begun.conversation
                await self._state.writer.write(lambda c: store.open_handoff(c, conversation, reason))
            case Done():
                self._done = event
            case _:
                pass

    def _record(self) -> None:
        """Queue the reply's row and its log line; the customer does not wait for either."""
        seconds = time.monotonic() - self._began
        route = self.decision.route
        reason = self.handoff if self._done.finish == "handoff" else self.decision.reason
        reply = Reply(
            self.reply, self.begun, self.text.strip(), route, reason, self.release, seconds, self._done.finish
        )
        self._state.writer.submit(lambda connection: store.save_reply(connection, reply))
        self._state.telemetry.reply(
            ReplyLine(
                digest(self.begun.conversation), self.reply, self._incoming.channel, route, reason, self.release,
                self.generation, self.decision.scores.get("worth"), self._done.finish, round(self._first, 4),
                round(seconds, 4), self._done.prompt_tokens, self._done.completion_tokens,
            )
        )  # fmt: skip


async def begin(state: Deployment, incoming: Incoming) -> Talk:
    """Save the customer's turn, before any model is asked. Raises NotFound, EngineError (shutting down)."""
    state.admit()
    began = time.monotonic()
    begun = await state.writer.write(
        lambda connection: store.begin_turn(
            connection, incoming.text, conversation=incoming.conversation, turn=incoming.turn,
            channel=incoming.channel, history=incoming.history,
        )
    )  # fmt: skip
    talk = Talk(state, incoming, begun)
    talk._began = began
    return talk


async def committed(events: AsyncIterator[Event]) -> None:
    """Run a reply up to its first committed word, so that route and release are known before any header is
    sent.
    """
    while not isinstance(await anext(events), Routed):
        continue
