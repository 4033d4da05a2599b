"""From which worth on the student answers by itself, and whether its teacher is asked about the rest. The student's
replies to the held-out exchanges have no part in it, so that the report's figures stay honest about it.

Readers are believed before checks: where enough was reviewed (`deskmate review`), what they said of the notes that past
questions are answered from decides, else what checks find in the student's replies to the validation exchanges. The
reviews of train exchanges fitted what notes are worth too, so those of validation exchanges are taken alone where they
are enough.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

from bot.config import Config
from bot.desk import Desk, gather
from data.parquet import read_any
from data.records import Answer, Exchange, Record, Review, Source, Split, Standing
from data.text import is_deferral, is_evasion, is_repetitive, overlap, support, unsupported
from data.workspace import Workspace
from eval.statistics import wilson

LEAST_SUPPORT = 0.6
LEAST_OVERLAP = 0.25
ENOUGH_READ = 100
NEVER = 1.01  # no note is worth that
Z90 = 1.2816  # of a one-sided bound


class Judged(Record):
    """`worth`: what the router decides by (bot/worth.py); `good`: no check found a fault in the student's or teacher's
    reply, or readers found the first of the notes a good one; `wrong`: they found that it misleads; `sound`: the reply
    says something, and nothing that it could not know; `standing`: only a question that is "known" would reach the
    student."""

    exchange_id: str
    split: Split = "validation"
    source: Source = "student"
    standing: Standing = "known"
    worth: float
    good: bool
    wrong: bool = False
    sound: bool | None = None


def checked(desk: Desk, answers: Iterable[Answer]) -> list[Judged]:
    """Student's and teacher's answers, judged: who asks the teacher should know how often it is right."""
    exchanges = {exchange.id: exchange for exchange in desk.exchanges}
    return [
        _judged(desk, exchange, answer.source, is_good(answer, exchange, seen), sound=is_sound(answer, exchange, seen))
        for answer in answers
        if answer.source in ("student", "teacher")
        and (exchange := exchanges[answer.exchange_id])
        and (seen := desk.context(exchange))
    ]


def reviewed(workspace: Workspace, tickets: Path, config: Config) -> list[Judged]:
    """What readers said of the notes that past questions are answered from."""
    reviews = read_any(tickets / "reviews.parquet", Review)
    only = {review.exchange for review in reviews}
    return read(gather(workspace, tickets, config, ("train", "validation"), only=only), reviews) if reviews else []


def read(desk: Desk, reviews: Iterable[Review]) -> list[Judged]:
    """What readers said of the first notes to a desk's exchanges, of those that they read."""
    said = {(review.exchange, review.passage): review for review in reviews}
    return [
        _judged(desk, exchange, "notes", review.good, review.wrong)
        for exchange in desk.exchanges
        if (notes := desk.evidence[exchange.id]) and (review := said.get((exchange.id, notes[0].id)))
    ]


def _judged(
    desk: Desk, exchange: Exchange, source: Source, good: bool, wrong: bool = False, sound: bool | None = None
) -> Judged:  # fmt: skip
    return Judged(
        exchange_id=exchange.id, source=source, split=exchange.split, worth=desk.worth(exchange),
        good=good, wrong=wrong, sound=sound, standing=desk.standings.get(exchange.id, "known"),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Threshold:
    """The least worth from which the student answers by itself, and what that is on the questions it was read off:
    `wrong` is None where only checks judged them, `fitted` is how many of those that were read fitted worth too."""

    least: float
    answered: int = 0
    asked: int = 0
    good: int = 0
    wrong: int | None = None
    fitted: int = 0

    def __str__(self) -> str:
        if not self.answered:
            few = f"of {self.asked} judged too few are good at any worth: the student answers nothing by itself"
            return f"{few}; review more (`deskmate review`) or lower serving.target_good"
        told = f"checks: {self.good} good"
        if self.wrong is not None:
            told = f"readers: {self.good} good, {self.wrong} wrong; {self.fitted} of them fitted the worths too"
        return f"the student answers from a worth of {self.least:.2f} on, {self.answered} of {self.asked} ({told})"


def threshold(judged: Iterable[Judged], *, target: float, most_wrong: float, unreviewed: float = 0.0) -> Threshold:
    """The lowest at which, nine to one, at least the share `target` of what the student answers is good and at most
    `most_wrong` of it wrong, by readers where they read ENOUGH_READ first notes; one that no question reaches, where
    none is. Checks cannot tell what is wrong; by them it is as often good as the teacher's replies to the test, where
    that is less often than `target`, and the threshold at least `unreviewed`.
    """
    known = [row for row in judged if row.standing == "known"]
    notes, mine = _of(known, "notes"), _of(known, "student")
    unfitted = [row for row in notes if row.split == "validation"]
    notes = unfitted if len(unfitted) >= ENOUGH_READ else notes
    if len(notes) >= ENOUGH_READ:
        least = calibrate(notes, target, most_wrong, Z90)
        return Threshold(NEVER, asked=len(notes)) if least is None else _found(notes, least)
    if not mine:
        return Threshold(NEVER)
    teachers = [row.good for row in known if row.source == "teacher"]
    least = calibrate(mine, min(target, fmean(teachers)) if teachers else target)
    surest = max(row.worth for row in mine)
    return replace(_found(mine, max(surest if least is None else least, unreviewed)), wrong=None, fitted=0)


def _of(judged: Iterable[Judged], source: Source) -> list[Judged]:
    return [row for row in judged if row.source == source and row.split != "heldout"]


def _found(judged: Sequence[Judged], least: float) -> Threshold:
    over = [row for row in judged if row.worth >= least]
    good, wrong, fitted = sum(r.good for r in over), sum(r.wrong for r in over), sum(r.split == "train" for r in over)
    return Threshold(least, len(over), len(judged), good, wrong, fitted)


@dataclass(frozen=True, slots=True)
class Help:
    """Whether the teacher is asked what the student is unsure of, and how many of its `asked` replies are sound."""

    helps: bool
    sound: int = 0
    asked: int = 0

    def __str__(self) -> str:
        told = f" (of the teacher's {self.asked} replies to the test {self.sound} are sound)" if self.asked else ""
        return f"the others go to {'the teacher' if self.helps else 'a person'}{told}"


def teacher_helps(judged: Iterable[Judged], target: float) -> Help:
    """A teacher that evades, repeats itself or says what nobody told it in more than the share 1 - `target` of its
    replies to the test does customers no service where the notes are poor."""
    rows = (row for row in judged if row.source == "teacher" and row.standing == "known")
    sound = [row.sound for row in rows if row.sound is not None]
    return Help(not sound or fmean(sound) >= target, sum(sound), len(sound))


def calibrate(judged: Sequence[Judged], target: float, most_wrong: float = 1.0, z: float = 0.0) -> float | None:
    """The lowest threshold at which what is worth as much or more is good at least at the share `target`, and wrong at
    most at the share `most_wrong`, by bounds `z` deviations away (Wilson 1927); None where there is none. What is worth
    the same is accepted together.

    With `z` = 0 it is right on average and too bold on few cases.
    """
    ranked = sorted(judged, key=lambda row: -row.worth)
    best, good, wrong = None, 0, 0
    for position, row in enumerate(ranked, 1):
        good, wrong = good + row.good, wrong + row.wrong
        last_of_equals = position == len(ranked) or ranked[position].worth < row.worth
        enough = wilson(good, position, z).low >= target and wilson(wrong, position, z).high <= most_wrong
        best = row.worth if last_of_equals and enough else best
    return best


def is_sound(answer: Answer, exchange: Exchange, seen: str) -> bool:
    """Says something, once, and names nothing that is in neither question nor notes."""
    text = answer.text
    idle = is_evasion(text, exchange.question) or is_repetitive(text) or is_deferral(text)
    return not idle and not unsupported(text, seen)


def is_good(answer: Answer, exchange: Exchange, seen: str) -> bool:
    """Says it to the end and from the evidence, and shares content with the agent's reply."""
    return (
        is_sound(answer, exchange, seen)
        and answer.finish != "length"
        and support(answer.text, seen) >= LEAST_SUPPORT
        and overlap(answer.text, exchange.human_reply) >= LEAST_OVERLAP
    )
