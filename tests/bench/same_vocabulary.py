"""What soft labels are worth where teacher and student share a vocabulary: `make bench-same-vocabulary`.

    agents' replies ──taught──▶ teacher ──answers, sampled, with its probabilities──▶ corpus ──▶ students

The teacher is the starter student, taught on how our agents began their replies to the sample desk's questions, each
under two short notes of which one holds that reply. It answers the questions that nobody taught it, as `deskmate teach`
has its teacher do; its student is the starter student without every third layer, taught those answers in as many steps:
on the answers alone (A), on the teacher's probabilities (B), on one and then the other (AB), and so on. Compared on
held-out questions: loss on the teacher's answers to them, distance from the teacher, and how much of a greedy reply is
in its prompt. A run that was stopped goes on from its folder when run again.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

from bot.config import OnPolicy, Training, load
from bot.weights import resolve
from data.parquet import write_rows
from data.text import bigram_precision, overlap
from data.workspace import Workspace, digest, manifest_of
from distillation import softlabels
from distillation.batches import collate
from distillation.rows import Example, TrainingRow, encode, end_token
from distillation.sampling import sample
from distillation.scorer import Reader
from distillation.student import Student, load_student, pick_dtype
from distillation.train import train
from eval.statistics import Bootstrap
from tests.bench.draft import pruned
from tests.bench.training_rows import _pairs, first

TAUGHT, HELD_OUT, VALIDATION = 60, 64, 16  # questions: the teacher's own, and two kinds that no student is taught
NOTE, ANSWER = 32, 24  # words
TOKENS = 48  # of a reply, at most
TOGETHER = {"cpu": 16, "cuda": 256}  # replies said at once
TEACHER = Training(stages=("A",), epochs=3)
MEASURES = ("loss", "KL to teacher", "grounding", "shared with answer")
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def quoting_rows(others: Sequence[int]) -> list[list[TrainingRow]]:
    """Of each question of the sample desk, a row for each of `others`: the question, two notes (the second is the reply
    to the question so many places on), and how that one begins that holds our agent's reply."""
    asked, made = _pairs(), []
    for number, (question, reply) in enumerate(asked):
        rows = []
        for turn, other in enumerate(others):
            notes = [first(reply, NOTE), first(asked[(number + other) % len(asked)][1], NOTE)]
            shown = "\n".join(f"[{place}] {note}" for place, note in enumerate(notes[:: (-1) ** (number + turn)], 1))
            messages = (
                {"role": "system", "content": f"Answer from the notes.\n{shown}"},
                {"role": "user", "content": first(question, NOTE)},
            )
            ids = {"sample_id": f"s{number}-{other}", "exchange_id": f"e{number}"}
            rows.append(TrainingRow.model_validate({**ids, "messages": messages, "answer": first(reply, ANSWER)}))
        made.append(rows)
    return made


def flat(rows: Sequence[Sequence[TrainingRow]]) -> list[TrainingRow]:
    return [row for some in rows for row in some]


def corpus(
    workspace: Workspace, taught: Sequence[TrainingRow], other: Sequence[TrainingRow], reader: Any = None
) -> Path:
    """The rows, with the soft labels of a teacher that reads them, if there is one."""
    content = digest([[row.model_dump() for row in some] for some in (taught, other)])
    draft = workspace.draft("corpus", {"rows": content, "soft": str(reader is not None)}, {})
    if draft.done:
        return draft.final
    write_rows(draft.path / "rows.parquet", list(taught), TrainingRow)
    write_rows(draft.path / "validation.parquet", list(other), TrainingRow)
    if reader is not None:
        folder = reader.model.name_or_path
        tokenizer = AutoTokenizer.from_pretrained(folder)
        origin = softlabels.origin_of(
            tokenizer, teacher="tuned", revision="", vocabulary=reader.model.config.vocab_size
        )
        examples = scored(reader, tokenizer, [*taught, *other])
        softlabels.store(draft.path, origin, {name: each.soft for name, each in examples.items() if each.soft})
    return draft.finish({"rows": float(len(taught))})


def scored(reader: Reader, tokenizer: Any, rows: Sequence[TrainingRow]) -> dict[str, Example]:
    examples = labelled(reader, [encode(tokenizer, row) for row in rows])
    return {row.sample_id: example for row, example in zip(rows, examples, strict=True)}


def labelled(reader: Reader, examples: Sequence[Example]) -> list[Example]:
    """With what the teacher would have said at each place."""
    parts = [(each.ids[: each.prompt], each.ids[each.prompt :]) for each in examples]
    found = reader.score_ids([prompt for prompt, _ in parts], [answer for _, answer in parts])
    return [replace(each, soft=soft) for each, soft in zip(examples, found, strict=True)]


def merged(base: str, student: Path, folder: Path) -> str:
    """The tuned teacher as a model of its own."""
    if not (folder / "tokenizer_config.json").is_file():
        model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
        PeftModel.from_pretrained(model, str(student / "adapter")).merge_and_unload().save_pretrained(folder)
        AutoTokenizer.from_pretrained(base).save_pretrained(folder)
    return str(folder)


def two_thirds(layers: int) -> list[int]:
    """All but every third layer; the first and the last stay."""
    return [number for number in range(layers) if number % 3 != 1 or number == layers - 1]


def said_by(student: Student, tokenizer: Any, rows: Sequence[TrainingRow], seed: int | None) -> list[str]:
    """Replies to the rows' questions: sampled at temperature 1, or the likeliest without a seed."""
    waiting, found = iter(rows), list[str]()
    while some := list(islice(waiting, TOGETHER[DEVICE])):
        prompts = [(each := encode(tokenizer, row)).ids[: each.prompt] for row in some]
        drawn = sample(student, prompts, TOKENS, end_token(tokenizer), 1 << 30, seed)
        found += [tokenizer.decode(list(each.tokens), skip_special_tokens=True).strip() for each in drawn]
    return found


def answered(student: Student, tokenizer: Any, rows: Sequence[TrainingRow]) -> list[TrainingRow]:
    """The rows with the teacher's answers instead of our agents'; those left out to which it said nothing."""
    said = said_by(student, tokenizer, rows, seed=1)
    return [row.model_copy(update={"answer": each}) for row, each in zip(rows, said, strict=True) if each]


@dataclass(frozen=True, slots=True)
class Found:
    """Of each held-out row, in their order: a value of each of MEASURES."""

    name: str
    values: dict[str, list[float]]


def measured(name: str, student: Student, held_out: Sequence[tuple[TrainingRow, Example]], tokenizer: Any) -> Found:
    values: dict[str, list[float]] = {measure: [] for measure in MEASURES}
    with torch.no_grad():
        for _, example in held_out:
            losses, places = student.losses(collate([[example]]), 1.0), len(example.ids) - example.prompt
            values["loss"].append(float(losses.ce) / places)
            values["KL to teacher"].append(float(losses.kd) / places)
    rows = [row for row, _ in held_out]
    for row, reply in zip(rows, said_by(student, tokenizer, rows, None), strict=True):
        values["grounding"].append(bigram_precision(reply, "\n".join(each["content"] for each in row.messages)))
        values["shared with answer"].append(overlap(reply, row.answer))
    return Found(name, values)


def taught(base: str, folder: Path, settings: Training) -> Student:
    student = load_student(base, settings, DEVICE)
    student.load(folder / "adapter")
    return student


def table(found: Sequence[Found], units: Sequence[str]) -> str:
    """Means, then what each later student differs by from the one taught on answers alone, with a 95 % interval."""
    lines = [" | ".join([f"{'':34}", *(f"{measure:>24}" for measure in MEASURES)])]
    for each in found:
        lines.append(" | ".join([f"{each.name:34}", *(f"{fmean(each.values[m]):24.3f}" for m in MEASURES)]))
    alone = found[1]
    for each in found[2:]:
        cells = []
        for measure in MEASURES:
            interval = Bootstrap(units).difference(each.values[measure], alone.values[measure])
            cells.append(f"{interval.estimate:+.3f} ({interval.low:+.3f} to {interval.high:+.3f})" if interval else "")
        lines.append(" | ".join([f"{each.name + ' − ' + alone.name:34}", *(f"{cell:>24}" for cell in cells)]))
    return "\n".join(lines)


def compare(workspace: Workspace, base: str, asked: argparse.Namespace) -> None:
    rows = quoting_rows(range(7, 7 + 6 * asked.notes, 6))
    known, held_out, validation, lessons = (
        flat(rows[first:last]) for first, last in (
            (0, TAUGHT), (TAUGHT, TAUGHT + HELD_OUT), (TAUGHT + HELD_OUT, TAUGHT + HELD_OUT + VALIDATION),
            (TAUGHT + HELD_OUT + VALIDATION, len(rows)),
        )
    )  # fmt: skip
    tokenizer = AutoTokenizer.from_pretrained(base)
    tuned = train(workspace, corpus(workspace, known, validation), base, TEACHER)
    professor = taught(base, tuned, TEACHER)
    teacher = merged(base, tuned, workspace.root / "teacher")
    held_out, validation, lessons = (answered(professor, tokenizer, some) for some in (held_out, validation, lessons))
    reader = Reader(teacher, pick_dtype("auto"), DEVICE)
    labelled = corpus(workspace, lessons, validation, reader)
    examples = scored(reader, tokenizer, held_out)
    pairs = [(row, examples[row.sample_id]) for row in held_out]
    small = pruned(base, workspace.root / "pruned", two_thirds)
    found = [measured("teacher", professor, pairs, tokenizer)]
    steps = 1
    for stages in asked.stages:
        policy = OnPolicy(steps=steps, max_tokens=TOKENS)
        settings = Training(stages=tuple(stages), epochs=asked.epochs / len(stages), on_policy=policy, seed=asked.seed)
        made = train(workspace, labelled, small, settings, teacher if "C" in stages else "")
        counts = manifest_of(made).counts
        steps = int(counts["steps"]) // 2
        found.append(measured(f"student, {', '.join(stages)}", taught(small, made, settings), pairs, tokenizer))
        print(f"{found[-1].name}: {counts['steps']:.0f} steps, {counts['seconds']:.0f} s", flush=True)
    print(
        f"the teacher: {len(known)} rows of {TAUGHT} questions; its students: {len(lessons)} of its answers, taught "
        f"{asked.epochs:g} times; {len(held_out)} answers to {HELD_OUT} questions held out"
    )
    print(table(found, [row.exchange_id for row in held_out]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=Path("workspace-same-vocabulary"))
    parser.add_argument("--notes", type=int, default=2, help="pairs of notes under which a question is asked")
    parser.add_argument("--epochs", type=float, default=2.0, help="of a student, all stages together")
    parser.add_argument("--stages", nargs="+", default=["A", "B", "AB", "AC"], help="of each student, A the first")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--set", action="append", default=[], dest="overrides")
    asked = parser.parse_args()
    config = load(None, asked.overrides)
    compare(Workspace(asked.folder), resolve("starter-student", Workspace(config.workspace), "hf"), asked)


if __name__ == "__main__":
    main()
