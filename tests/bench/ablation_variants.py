"""What `tests.bench.ablation` compares: one thing changed in each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from bot.config import Config
from data.records import Answer

Change = dict[str, dict[str, Any]]
AGAIN = "another sample"  # the reason of all but the first answer of a kind to an exchange


def first(answer: Answer) -> bool:
    return answer.reason != AGAIN


def sighted(answer: Answer) -> bool:
    """Not the teacher's answer without our agent's reply in sight."""
    return answer.source != "teacher"


def unaided(answer: Answer) -> bool:
    """Not the teacher's answer with it."""
    return answer.source != "hindsight"


@dataclass(frozen=True, slots=True)
class Variant:
    """`change`: other settings, by section; `admits`: which candidates compete; `reference`: the next are compared with
    it."""

    name: str
    change: Change = field(default_factory=dict)
    admits: Callable[[Answer], bool] = sighted
    exchanges: int = 0
    sized: bool = False
    reference: bool = False

    def config(self, config: Config) -> Config:
        sections = {name: getattr(config, name).model_copy(update=values) for name, values in self.change.items()}
        return config.model_copy(update=sections)


VARIANTS = (
    Variant("reference", reference=True),
    Variant("no past tickets among the notes", {"retrieval": {"tickets": 0}}),
    Variant("without the teacher's answers (hindsight)", admits=lambda answer: sighted(answer) and unaided(answer)),
    Variant("without what was said the last time", {"teaching": {"past": False}}),
    Variant("nothing filtered for support", {"teaching": {"min_support": 0.0}}),
    Variant("no handing over taught", {"teaching": {"deferral_share": 0.0}}),
    Variant("rank 8", {"training": {"rank": 8}}),
    Variant("two epochs", {"training": {"epochs": 2.0}}),
    Variant("another seed", {"training": {"seed": 8}}),
    Variant("the teacher's first answer, not the best", admits=lambda answer: sighted(answer) and first(answer)),
    Variant("two weighted answers an exchange", {"teaching": {"each": 2}}),
    Variant("the nearest notes, whatever they are worth", {"retrieval": {"margin": 9.0}}),
)
ALONE: Change = {"teaching": {"past": False, "human": False, "deferral_share": 0.0}}
UNFILTERED: Change = {"teaching": ALONE["teaching"] | {"min_support": 0.0}}
TEACHERS = (
    Variant("the teacher's answers alone, two of each", ALONE, reference=True),
    Variant("its first answer, not the best", ALONE, admits=lambda answer: sighted(answer) and first(answer)),
    Variant("two weighted answers", {"teaching": ALONE["teaching"] | {"each": 2}}),
    Variant("without hindsight", ALONE, admits=unaided),
    Variant("not filtered for support", UNFILTERED),
    Variant("not filtered, without hindsight", UNFILTERED, admits=unaided),
    Variant("and our agents' own", {"teaching": ALONE["teaching"] | {"human": True}}),
)


def variants_of(sizes: Sequence[int], only: Sequence[str] = ()) -> list[Variant]:
    """The references, the variants (those in `only`, if it names any), and after the first table the sizes."""

    def some(table: Sequence[Variant]) -> list[Variant]:
        return [each for each in table if each.reference or each.name in only or not only]

    return [
        *some(VARIANTS), *(Variant(f"{size} exchanges", exchanges=size, sized=True) for size in sizes), *some(TEACHERS)
    ]  # fmt: skip
