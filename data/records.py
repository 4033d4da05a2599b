"""The records that cross disk or HTTP, in the support desk's own terms.

Ticket ──cut──▶ Exchange ──retrieve──▶ Passage[]   Exchange + Passage[] ──answer──▶ Answer ──select──▶ corpus row
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

Role = Literal["customer", "agent", "bot", "system"]
Split = Literal["train", "validation", "heldout"]
SPLITS: tuple[Split, ...] = ("train", "validation", "heldout")
Reaction = Literal["accepted", "helpful", "thanked", "came_back", "complained", "none"]
Source = Literal["teacher", "hindsight", "human", "extract", "student", "base", "notes"]
Kind = Literal["answer", "clarify", "defer"]
Route = Literal["student", "teacher", "human"]
Standing = Literal["known", "far", "small_talk"]  # of a question: whether what the desk knows is near enough to it
LEAST_GOOD = 3  # of five: it moves the customer forward
ANSWER = "\nAgent: "  # between question and reply in the text of a past ticket


def version(title: str, text: str) -> str:
    """Tells whether words changed: 12 hex digits."""
    from data.workspace import digest  # which writes records

    return digest([title, text])


class Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Message(Record):
    """One message of a ticket. `text` is plain text; `accepted` and `votes` are how readers judged a reply; `macro`: it
    is one of the desk's saved replies, where the export tells. `links`: see data.links.relative."""

    id: str
    role: Role
    visibility: Literal["public", "internal"] = "public"
    author: str = ""
    created: datetime | None = None
    text: str
    accepted: bool = False
    votes: int = 0
    macro: bool = False
    links: tuple[str, ...] = ()


class Ticket(Record):
    """`locale` is empty where the export does not tell (data/language.py)."""

    id: str
    channel: str = ""
    product: str = ""
    locale: str = ""
    subject: str = ""
    created: datetime
    status: str = ""
    tags: tuple[str, ...] = ()
    satisfaction: str | None = None
    messages: tuple[Message, ...]


class Rejected(Record):
    """A row that could not be read, or was left out: where it stands and why. It never stops the other rows.

    `kind`: unreadable, again (the same ticket twice), other_language, merged, no_answer, near_duplicate, same_customer,
    beyond_limit or article. `record` is the ticket or exchange left out, `match` the one it matched, `text` its
    redacted words, cut.
    """

    file: str
    line: int
    reason: str
    kind: str = "unreadable"
    record: str = ""
    match: str = ""
    text: str = ""


class Article(Record):
    """`updated`: when its authors last changed it, where that is told; `version` tells whether its words changed."""

    id: str
    title: str
    url: str = ""
    text: str
    updated: datetime | None = None

    @property
    def version(self) -> str:
        return version(self.title, self.text)


class Turn(Record):
    role: Literal["customer", "agent"]
    text: str


class Exchange(Record):
    """A moment an agent had to answer: the conversation so far and the reply that was given.

    `turns` ends with the customer's turn that `human_reply` answers. `created` is when the ticket was opened
    (splits and the past-only rule of retrieval go by it). `customer` is a pseudonym, empty where nobody is named.
    """

    id: str
    ticket_id: str
    subject: str
    product: str
    topic: str
    created: datetime
    split: Split
    turns: tuple[Turn, ...]
    human_reply: str
    reaction: Reaction = "none"
    customer: str = ""

    @property
    def question(self) -> str:
        """What retrieval searches for: the subject and the customer's own words, latest last."""
        words = [turn.text for turn in self.turns if turn.role == "customer"]
        return "\n".join([self.subject, *words[-2:]]).strip()


class Passage(Record):
    """One piece of evidence: part of an article, or a resolved past ticket (question and reply, ANSWER between them).

    `score`: cosine with the question. `quote`: its sentence nearest to the question, if no other one has a nearer.
    `worth`: the chance that it is a good reply to the question, of the first one found (bot/worth.py).
    """

    id: str
    kind: Literal["article", "ticket"]
    title: str
    text: str
    created: datetime | None = None
    url: str = ""
    score: float = 0.0
    quote: str = ""
    topic: str = ""
    worth: float = 0.0

    @property
    def version(self) -> str:
        return version(self.title, self.text)


class Link(Record):
    """A past question and the articles that its replies linked; `created` is when the ticket was opened."""

    ticket: str
    question: str
    created: datetime
    articles: tuple[str, ...]


class Review(Record):
    """What a reader said of a passage as a reply to an exchange: a score of 1 to 5, and whether it would mislead."""

    exchange: str
    passage: str
    score: int
    wrong: bool

    @property
    def good(self) -> bool:
        return self.score >= LEAST_GOOD


class Answer(Record):
    """One answer to one exchange, by teacher, human agent, student or the notes alone; what a corpus is made of.

    `sample_id` hashes exchange, prompt, sampling parameters, seed and model, so a rerun never repeats an answer.
    `logprob` is the mean log-probability of the answer's tokens (None when the engine does not tell);
    `confidence` is the probability of its first token. `weight` and `kind`: as it is taught.
    """

    sample_id: str
    exchange_id: str
    source: Source
    text: str
    finish: str = "stop"
    evidence: tuple[str, ...] = ()
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0
    first_token_seconds: float = 0.0
    logprob: float | None = None
    confidence: float = 0.0
    kept: bool = True
    reason: str = ""
    weight: float = 1.0
    kind: Kind = "answer"


class Manifest(Record):
    """Lineage of an artefact: what went in, how, and a hash of every file. A directory with one never changes."""

    id: str
    kind: str
    created: datetime
    inputs: dict[str, str] = {}
    settings: dict[str, object] = {}
    versions: dict[str, str] = {}
    counts: dict[str, float] = {}
    files: dict[str, str] = {}
