"""A small invented import with every kind of drop, label, language, leak and hostile words; nothing real is in it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from data.parquet import write_rows
from data.records import Article, Exchange, Passage, Reaction, Rejected, Role, Split, Turn
from data.workspace import Workspace

HOSTILE = '<script>alert("x")</script> & <img src=http://evil.example/x> {{ 7*7 }} <b>bold</b>'
START = datetime(2025, 1, 15, tzinfo=UTC)
TOPICS = ("grinder", "kettle", "delivery", "account", "espresso", "rewards", "club", "gifts", "<i>odd</i>")
REACTIONS: tuple[Reaction, ...] = ("accepted", "helpful", "thanked", "came_back", "complained", "none")
STOCK = "Thanks for writing to us. Please hold the button for ten seconds and try again."
ASKS = "Which model do you have? When did you buy it?"
LABELS = "Hi, I am [PERSON_1], write to [EMAIL_1] or [EMAIL_2] or ring [PHONE_1] about my grinder."
GERMAN = "Meine Mühle mahlt nicht mehr, was kann ich tun?"


def exchange(place: int, split: Split = "train", **fields: object) -> Exchange:
    """Thirty train ones over ten months, then four to validate and six held out."""
    turns: tuple[Turn, ...] = (Turn(role="customer", text=f"Question {place}: {'word ' * (place * 7)}what now?"),)
    values: dict[str, object] = {
        "id": f"K-{place}-1", "ticket_id": f"K-{place}", "subject": f"Subject {place}", "product": "",
        "topic": TOPICS[place % 9], "created": START + timedelta(days=10 * place), "split": split, "turns": turns,
        "human_reply": f"Reply {place}. {'Do this. ' * place}", "reaction": REACTIONS[place % 6],
        "customer": f"customer-{place}",
    }  # fmt: skip
    return Exchange.model_validate(values | fields)


def exchanges() -> list[Exchange]:
    said: tuple[tuple[Role, str], ...] = (("customer", LABELS), ("agent", "Which one?"), ("customer", "The blue one."))
    special: dict[int, dict[str, object]] = {
        1: {"subject": HOSTILE, "human_reply": HOSTILE, "topic": "kettle"},
        2: {"turns": tuple(Turn(role=role, text=text) for role, text in said)},  # type: ignore[arg-type]
        4: {"human_reply": ASKS},
        **{place: {"human_reply": STOCK} for place in (5, 6, 7)},
        8: {"topic": ""},
        9: {"customer": "customer-36"},
    }
    train = [exchange(place, "train", **special.get(place, {})) for place in range(30)]
    later = [exchange(place, "validation" if place < 34 else "heldout") for place in range(30, 40)]
    return [*train, *later]


def rejected() -> list[Rejected]:
    def row(kind: str, record: str, reason: str, match: str = "", text: str = "", line: int = 0) -> Rejected:
        return Rejected(
            file="tickets.jsonl", line=line, reason=reason, kind=kind, record=record, match=match, text=text
        )

    return [
        row("unreadable", "", f"not JSON: {HOSTILE}", line=7),
        row("again", "K-1", "ticket K-1 again, first on line 2", "K-1", line=41),
        *[row("other_language", f"D-{n}", "in another language (de)", text=GERMAN, line=50 + n) for n in range(3)],
        row("other_language", "F-1", "in another language (fr)", text="Mon moulin ne marche plus.", line=60),
        row("merged", "M-1", "merged into another ticket", text="See my other mail.", line=61),
        row("no_answer", "N-1", "no agent's reply follows a customer's question", text="Hello?", line=62),
        row("same_customer", "K-80-1", "its customer is in the test", "K-35-1", "Another question."),
        *[row("near_duplicate", f"K-9{n}-1", "asks nearly the same", "K-3-1", f"Question 3 {n}") for n in range(5)],
        row("near_duplicate", "K-70-1", "asks nearly the same", "K-90-1", "Question 3 once more"),
        row("near_duplicate", "K-71-1", "asks nearly the same", "K-12-1", HOSTILE),
        row("near_duplicate", "K-72-1", "asks nearly the same", "gone", ""),
        row("beyond_limit", "K-60-1", "beyond desk.limit_train", text="An old question."),
        row("article", "", "articles/broken.md: not UTF-8"),
    ]


COUNTS: dict[str, float] = {
    "tickets": 46, "exchanges": 52, "train": 30, "validation": 4, "heldout": 6, "redactions": 9, "messages": 120,
    "internal_notes_kept_out": 3, "passages": 5, "past_tickets": 3, "articles": 2, "dropped: no_answer": 1,
    "dropped: other_language": 4, "dropped: near_duplicate": 9, "language: en": 42, "language: de": 3,
    "language: fr": 1, "cleaned: signature": 12, "cleaned: quoted history": 30,
}  # fmt: skip


def made(root: Path, counts: dict[str, float] | None = None, rows: list[Exchange] | None = None) -> Path:
    """A finished tickets artefact in a workspace of its own."""
    draft = Workspace(root).draft("tickets", {"tickets": "0" * 12}, {"heldout": 6, "code": str(sorted(counts or {}))})
    passages = [
        Passage(id=f"K-{n}-1", kind="ticket", title=f"Past {n}", text="Customer: a\nAgent: b") for n in (0, 1, 35)
    ]
    passages += [Passage(id=f"a{n}", kind="article", title="Descaling", text=HOSTILE) for n in range(2)]
    write_rows(draft.path / "exchanges.parquet", exchanges() if rows is None else rows, Exchange)
    write_rows(draft.path / "passages.parquet", passages, Passage)
    write_rows(draft.path / "articles.parquet", [Article(id="a", title="Descaling", text="Boil water.")], Article)
    write_rows(draft.path / "rejected.parquet", rejected(), Rejected)
    return draft.finish(COUNTS if counts is None else counts)
