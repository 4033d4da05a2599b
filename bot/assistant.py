"""The one stream state machine: student first, then the teacher, then a person; the customer never sees
nothing.

    Waiting ──first token──▶ Holding ──commit──▶ Committed ──▶ Done
       └──────── failed / unsure / deadline ────────▶ next route (teacher, then human)

Before commit a route is changed without a trace in the answer. After it never silently: a client that can
take words back (the chat page, or anyone who has not been sent any yet) gets Amend and the teacher's answer,
others an honest end.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace

from bot.attempt import Attempt, Voice
from bot.config import Config
from bot.events import Amend, Checking, Delta, Done, Event, Handoff, Routed
from bot.fit import fit
from bot.knowledge import Found
from bot.private import private, restored
from bot.prompt import DEFERRAL, ChatMessage, known_by_heart, recites
from bot.quote import quoted
from bot.releases import Sampling
from bot.router import BROKEN_OFF, DOUBLE_CHECK, Reason, RoutingDecision, StudentState, decide, farewell
from data.errors import Busy, EngineError
from data.records import Passage, Route, Standing, Turn
from data.redact import Redactor
from data.text import promises_person

HOLD_SECONDS = 0.15
DOWN: dict[Route, Reason] = {"student": "student_down", "teacher": "teacher_down"}
FAILED: dict[Route, Reason] = {"student": "student_failed", "teacher": "teacher_failed"}
STOPPED: dict[Route, Reason] = {"student": "student_stopped", "teacher": "teacher_stopped"}
log = logging.getLogger("deskmate.assistant")
Search = Callable[[str], Awaitable[Found]]


@dataclass(frozen=True, slots=True)
class Ask:
    """`turns` end with the customer's. `amends`: the client can take back what it has shown."""

    turns: tuple[Turn, ...]
    amends: bool = True
    max_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Cast:
    """Who could answer right now, on whose terms. `search` finds evidence; a voice is None while its model is
    down; `teacher_helps` as in bot/router.py.
    """

    config: Config
    search: Search
    student: Voice | None
    teacher: Voice | None
    threshold: float
    teacher_helps: bool = True
    sampling: Sampling = field(default_factory=Sampling)
    hold_seconds: float = HOLD_SECONDS

    def voice(self, route: Route) -> Voice | None:
        found = self.student if route == "student" else self.teacher
        return found if found and found.breaker.allows() else None


async def answer(ask: Ask, cast: Cast) -> AsyncGenerator[Event]:
    """The events of one answer, ending with Done. Raises nothing that a model or the search can cause."""
    deadline = asyncio.get_running_loop().time() + cast.config.serving.total_seconds
    redactor, ask = _private(ask, cast)
    decision, evidence = await _begin(ask, cast)
    messages = _prompt(ask, cast, evidence)
    shown = False
    while decision.route != "human":
        route = decision.route
        voice = cast.voice(route)
        if voice is None:
            decision = _next(decision, DOWN[route], cast)
            continue
        if route == "teacher":
            yield Checking(decision)
        opening = quoted(evidence) if route == "student" else ""
        async with Attempt(voice, messages, cast.sampling, _limit(ask, cast), deadline, opening) as attempt:
            decision = await _commit(attempt, ask, cast, decision)
            if decision.route != route:
                continue
            shown, text = True, ""
            yield Routed(decision, evidence)
            try:
                async for piece in restored(attempt.texts(), redactor):
                    text += piece
                    yield Delta(piece)
            except EngineError as error:
                log.warning("%s broke off: %s", route, error)
                decision = _next(decision, STOPPED[route], cast)
        if attempt.finish is not None:
            if promises_person(text):
                yield Handoff("promised_person")
            yield Done(attempt.finish.reason, attempt.finish.prompt_tokens, attempt.finish.completion_tokens)
            return
        if not ask.amends:
            break
        if decision.route != "human":
            yield Amend(decision.reason, DOUBLE_CHECK)
    async for event in _hand_over(decision, shown):
        yield event


def _private(ask: Ask, cast: Cast) -> tuple[Redactor, Ask]:
    redactor, turns = private(ask.turns, cast.config.desk.rules)
    return redactor, replace(ask, turns=turns)


def _limit(ask: Ask, cast: Cast) -> int:
    return min(cast.sampling.max_tokens, ask.max_tokens or cast.sampling.max_tokens)


async def _hand_over(decision: RoutingDecision, shown: bool) -> AsyncIterator[Event]:
    """A person's turn: said kindly, put on record, closed."""
    if not shown:
        yield Routed(decision)
    yield Handoff(decision.reason)
    yield Delta(BROKEN_OFF if shown else farewell(decision.reason))
    yield Done("handoff")


async def _begin(ask: Ask, cast: Cast) -> tuple[RoutingDecision, tuple[Passage, ...]]:
    """Who is to try first, from which notes: nobody who must not, and none for a greeting."""
    decision = _first(ask, cast)
    if decision.route == "human":
        return decision, ()
    found = await _search(ask, cast)
    passages = () if found.standing == "small_talk" else tuple(found.passages)
    return _first(ask, cast, found.standing, passages), passages


def _first(ask: Ask, cast: Cast, standing: Standing = "known", passages: Sequence[Passage] = ()) -> RoutingDecision:
    up, teacher_up = cast.student is not None, cast.teacher is not None
    worth = passages[0].worth if passages else None
    question = ask.turns[-1].text
    return decide(StudentState(question, up, teacher_up, cast.teacher_helps, standing, worth=worth), cast.threshold)


async def _commit(attempt: Attempt, ask: Ask, cast: Cast, decision: RoutingDecision) -> RoutingDecision:
    """Hold the first tokens back: the same route commits, another is to be tried."""
    route = decision.route
    hold = cast.config.serving.hold_tokens if route == "student" else 1
    try:
        await attempt.hold(hold, cast.hold_seconds)
        while route == "student" and attempt.finish is None and known_by_heart(attempt.said):
            await attempt.hold(len(attempt.held) + 1, cast.hold_seconds)
    except (EngineError, Busy) as error:
        log.warning("%s gave no answer: %s", route, error)
        busy = isinstance(error, Busy) and route == "student"
        return _next(decision, "student_busy" if busy else FAILED[route], cast)
    if route != "student":
        return decision
    if recites(attempt.said):
        return _next(decision, FAILED[route], cast)
    return _next(decision, "student_deferred", cast) if DEFERRAL.startswith(attempt.said) else decision


def _next(decision: RoutingDecision, reason: Reason, cast: Cast) -> RoutingDecision:
    """The route after this one failed. The teacher keeps the reason it was asked for; a person gets the last
    one.
    """
    doubtful = reason == "student_deferred" and not cast.teacher_helps
    if decision.route == "teacher" or cast.teacher is None or doubtful:
        return replace(decision, route="human", reason=reason)
    return replace(decision, route="teacher", reason=reason)


async def _search(ask: Ask, cast: Cast) -> Found:
    """A search that fails costs the notes, never the answer."""
    words = [turn.text for turn in ask.turns if turn.role == "customer"][-2:]
    try:
        return await cast.search("\n".join(words))
    except Exception:
        log.exception("the search for evidence failed; answering without")
        return Found([])


def _prompt(ask: Ask, cast: Cast, evidence: Sequence[Passage]) -> list[ChatMessage]:
    context = min(cast.config.student.context, cast.config.teacher.context)
    return fit(cast.config, ask.turns, evidence, context - cast.sampling.max_tokens)
