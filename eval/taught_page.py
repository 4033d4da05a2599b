"""The page of a finished corpus: what is taught, what was turned away and why, what the teacher cost.

Decides order and wording only; every number of answers is a `Count`, which opens its questions with all their answers.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from bot.ledger import Cost, total
from data.records import Answer
from eval.charts import meter, stack
from eval.examples import CLAY, OCHRE, SAGE, STONE, TERRA, Count, Example, Group, histogram
from eval.page import number, page
from eval.taught import KINDS, SOURCES, Taught, kind

WORD_EDGES = (0, 10, 20, 40, 80, 160)
NOT_WORSE = {"another answer was better", "enough better answers"}
KIND_COLOURS = {"answer": SAGE, "clarify": OCHRE, "defer": CLAY}


@dataclass(frozen=True, slots=True)
class Line:
    """One run of the teacher, or all of them, in words."""

    name: str
    cells: tuple[str, ...]


def render(taught: Taught, desk: str) -> str:
    """The HTML text."""
    flow, chart = _questions(taught)
    why = _reasons(taught)
    return page(
        "taught.html.jinja", desk=desk, taught=taught, manifest=taught.manifest, meter=meter, flow=flow, chart=chart,
        cards=_cards(taught, flow), notices=_notices(taught, why), kinds=_kinds(taught), sources=_sources(taught),
        lengths=_lengths(taught), reasons=why, turned_away=_turned_away(taught),
        costs=[_line(cost) for cost in taught.costs], cost=_line(total(taught.costs)), labels=_labels(taught),
    )  # fmt: skip


def _count(taught: Taught, key: str, label: str, answers: Sequence[Answer], colour: str = SAGE) -> Count:
    return Count(key, label, len(answers), taught.examples(answers), colour=colour)


def _questions(taught: Taught) -> tuple[Group, Markup]:
    """Each question goes one way: the first kind that it teaches, or none."""
    ways: dict[str, list[str]] = {**{name: [] for name in KINDS}, "none": []}
    kinds: dict[str, str] = {}
    for answer in taught.kept:
        kinds.setdefault(answer.exchange_id, kind(answer))
    for exchange in taught.asked():
        ways[kinds.get(exchange, "none")].append(exchange)
    labels = {"answer": "teach an answer", "clarify": "teach asking back", "defer": "teach handing over",
              "none": "teach nothing"}  # fmt: skip
    colours = {**KIND_COLOURS, "none": STONE}
    counts = tuple(
        Count(f"way-{way}", labels[way], len(names), _few(taught, names), colour=colours[way])
        for way, names in ways.items()
        if names or way in ("answer", "none")
    )
    whole = Group(f"Of {len(taught.asked()):,} questions", counts, len(taught.asked()))
    spoken = f"{whole.title}: " + "; ".join(f"{count.count:,} {count.label}" for count in counts)
    return whole, stack(spoken, [count.count for count in counts], [count.colour for count in counts])


def _few(taught: Taught, names: Sequence[str]) -> tuple[Example, ...]:
    wanted = set(names)
    return taught.examples(answer for answer in [*taught.kept, *taught.rejected] if answer.exchange_id in wanted)


def _kinds(taught: Taught) -> Group:
    counts = [
        _count(taught, f"kind-{name}", words, [one for one in taught.kept if kind(one) == name], KIND_COLOURS[name])
        for name, words in KINDS.items()
    ]
    return Group("What the taught answers do", tuple(counts), len(taught.kept))


def _sources(taught: Taught) -> Group:
    """Whose words are taught; handing over is nobody's."""
    said = [answer for answer in taught.kept if kind(answer) != "defer"]
    counts = _by(taught, "source", said, lambda answer: SOURCES.get(answer.source, answer.source))
    return Group("Whose words they are", tuple(counts), len(said))


def _lengths(taught: Taught) -> Group:
    sizes = [len(answer.text.split()) for answer in taught.kept]
    return histogram("length", "Words in a taught answer", taught.kept, sizes, WORD_EDGES, taught.examples)


def _reasons(taught: Taught) -> Group:
    counts = _by(
        taught, "why", taught.rejected, lambda answer: answer.reason.partition(":")[0] or "not recorded", TERRA
    )
    return Group("Why", tuple(counts), len(taught.rejected))


def _turned_away(taught: Taught) -> Group:
    counts = _by(taught, "lost", taught.rejected, lambda answer: SOURCES.get(answer.source, answer.source), TERRA)
    return Group("Whose words", tuple(counts), len(taught.rejected))


def _by(
    taught: Taught, key: str, answers: Sequence[Answer], name: Callable[[Answer], str], colour: str = SAGE
) -> list[Count]:
    held: dict[str, list[Answer]] = defaultdict(list)
    for answer in answers:
        held[name(answer)].append(answer)
    largest = sorted(held.items(), key=lambda item: (-len(item[1]), item[0]))
    return [_count(taught, f"{key}-{place}", label, found, colour) for place, (label, found) in enumerate(largest)]


def _cards(taught: Taught, flow: Group) -> list[tuple[str, str, Count]]:
    """What is asked first: (css class, link, count)."""
    return [
        ("", "#questions", Count("", "questions looked at", flow.total)),
        ("", "#taught", Count("", "answers to teach", len(taught.kept))),
        ("terra", "#turned-away", Count("", "answers turned away", len(taught.rejected))),
        ("ochre", "#cost", Count("", "answers by the teacher", int(taught.count("teacher_answers")))),
    ]


def _notices(taught: Taught, why: Group) -> list[tuple[str, str]]:
    """What is worth a look, and where on the page it is."""
    found: list[tuple[str, str]] = []
    given = [answer for answer in taught.rejected if answer.source in ("teacher", "hindsight")]
    failed = [answer for answer in given if answer.reason.partition(":")[0] not in NOT_WORSE]
    asked = int(taught.count("teacher_answers"))
    if asked and len(failed) * 2 > asked:
        words = f"{len(failed):,} of the teacher’s {asked:,} answers failed the checks."
        found.append((words, "#turned-away"))
    cut = sum(answer.reason == "cut off" for answer in given)
    if cut * 10 > max(1, asked):
        (shown,) = (count for count in why.counts if count.label == "cut off")
        words = f"{cut:,} of the teacher’s answers were cut off: teaching.max_tokens may be too low."
        found.append((words, f"#eg-{shown.key}"))
    over = [answer for answer in taught.kept if kind(answer) == "defer"]
    if len(over) * 3 > len(taught.kept):
        found.append((f"{len(over):,} of the taught answers hand over: the student may do so too often.",
                      "#eg-kind-defer"))  # fmt: skip
    if not taught.exchanges:
        found.append(("The import that this was made of is gone, so questions cannot be shown.", "#questions"))
    return found


def _line(cost: Cost) -> Line:
    name = f"{cost.started:%d %b %Y, %H:%M}" if cost.started else "before costs were kept"
    up = f"{cost.seconds / 3600:,.1f} h" if cost.seconds >= 3600 else f"{cost.seconds / 60:,.1f} min"
    cells = (number(cost.answers), number(cost.prompt_tokens), number(cost.tokens))
    return Line(
        name,
        (*cells, up if cost.seconds else "not recorded", f"{cost.euros:,.2f} €" if cost.seconds else "not recorded"),
    )


def _labels(taught: Taught) -> list[tuple[str, str]]:
    """Facts of the soft labels, none where the corpus has none."""
    places = taught.count("softlabel_tokens")
    if not places:
        return []
    return [
        ("answers", number(taught.count("softlabel_answers"))),
        ("tokens", number(places)),
        ("bytes a token", number(taught.count("softlabel_bytes") / places, 1)),
        ("probability kept", f"{taught.count('softlabel_mass'):.3f} of 1, in the mean"),
    ]
