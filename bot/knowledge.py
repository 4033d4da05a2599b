"""What the desk already knows: articles and resolved past tickets, gathered into briefs and searched.

A brief is what there is to know about one kind of question: a resolved past ticket (its anchor), the older tickets
nearest to it and the article passages nearest to it. A question is matched with whole briefs, not with single passages.
As a brief does not depend on the question, a server can read it before anybody asks (serving/ahead.py); on the sample
desk it holds about as much of what our agent went on to say as passages picked one by one.

One function, `search`, gives teacher, training, evaluation and serving the same evidence. All of a brief is older than
its anchor, and an anchor answers only tickets opened after it: no reply is ever built from its own future.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from bot.briefs import Places, asked, best, gather_briefs, matched, most_asked
from bot.encoder import Encode, age, load_encoder
from bot.quote import Quotes, quotable
from bot.ranking import Links, Ranking, Vectors, load_words
from bot.reranking import CANDIDATES, Choose, load_reranker, nearest
from bot.vectors import Store, once
from bot.weights import resolve
from data.parquet import read_rows
from data.records import ANSWER, Exchange, Link, Passage, Standing
from data.workspace import Workspace, digest, file_sha256

if TYPE_CHECKING:
    from bot.config import Retrieval

ASKED_WORDS = 16
CODE = "knowledge-3"
SMALL_TALK = (
    "Hello", "Good morning", "Is anyone there?", "Thanks, that worked", "Thank you very much", "Goodbye", "OK",
    "Who are you?", "Are you a robot?",
)  # fmt: skip
LEAST_TALK = 0.4  # greetings and thanks reach .45 and more; questions about anything else stay below .37
END = re.compile(r"(?<!\d)[.!?][\"'”’)*]*(?=\s)|\n")


@dataclass(frozen=True, slots=True)
class Found:
    """`standing`: whether the passages may be answered from. Not when they are farther from the question than from all
    but a few past ones, nor when it is nearer to a greeting or thanks than to anything that the desk knows."""

    passages: list[Passage]
    standing: Standing = "known"


@dataclass(frozen=True, slots=True)
class Knowledge:
    """Passages with unit vectors `vectors_PD`, and briefs: `briefs_BN` are places in `passages`, the anchor first, -1
    where there is none. `opened_P` is 0 for articles, which are always known. `ready_R`: the briefs most asked for,
    taken unless another is nearer by more than `prefer`. `far`: the cosine below which an anchor is too far; `talk_SD`:
    the vectors of SMALL_TALK. `choose`: see bot/reranking.py."""

    id: str
    passages: list[Passage]
    vectors_PD: Vectors
    opened_P: npt.NDArray[np.float64]
    briefs_BN: Places
    matched_BD: Vectors
    ready_R: Places
    prefer: float
    words: int
    quotes: Quotes
    encoder: Encode
    ranking: Ranking
    far: float = -1.0
    talk_SD: Vectors | None = None
    choose: Choose = nearest

    def search(self, question: str, *, before: datetime | None = None, ticket: str = "") -> Found:
        """The brief nearest to a question (bot/reranking.py), its anchor first, each passage cut to what is shown;
        `score` is its cosine and `quote` the sentence nearest of all.

        `before` admits only briefs of tickets opened earlier; `ticket` is the id of the one at hand, never its own
        evidence.
        """
        vector = self.encoder([question])[0]
        passages = self._found(question, vector, before, ticket)
        return Found(self.quotes.mark(passages, vector), self.standing(vector, passages))

    def standing(self, vector: Vectors, passages: Sequence[Passage]) -> Standing:
        nearest = passages[0].score if passages else -1.0
        talk = -1.0 if self.talk_SD is None else float((self.talk_SD @ vector).max())
        if talk > max(nearest, LEAST_TALK):
            return "small_talk"
        return "far" if nearest < self.far or not passages else "known"

    def embed(self, exchanges: Sequence[Exchange], *, progress: bool = False) -> Vectors:
        """What their questions are searched by: [len(exchanges), D]."""
        return self.encoder([exchange.question for exchange in exchanges], progress=progress)

    def evidence(
        self, exchanges: Sequence[Exchange], vectors_ED: Vectors, *, quotes: bool = False
    ) -> dict[str, list[Passage]]:
        """By exchange id, the evidence each is answered from, as it was known when its ticket was opened."""
        found: dict[str, list[Passage]] = {}
        for exchange, vector in zip(exchanges, vectors_ED, strict=True):
            passages = self._found(exchange.question, vector, exchange.created, exchange.ticket_id)
            found[exchange.id] = self.quotes.mark(passages, vector) if quotes else passages
        return found

    def _found(self, question: str, vector: Vectors, before: datetime | None, ticket: str) -> list[Passage]:
        near = list(islice(self._near(vector, before, ticket), CANDIDATES))
        return self.brief(self.choose(question, near), vector) if near else []

    def _near(self, vector: Vectors, before: datetime | None, ticket: str) -> Iterator[int]:
        """The numbers of the briefs that may answer, the nearest first."""
        anchors_B = self.briefs_BN[:, 0]
        known_B = np.full(len(anchors_B), True)
        if before is not None:
            known_B = self.opened_P[anchors_B] < before.timestamp()
        scores_B = self.matched_BD @ vector
        scores_B[self.ready_R] += self.prefer
        scores_B[~known_B] = -2.0
        for number in best(scores_B, 64):
            if scores_B[number] == -2.0:
                return
            if not ticket or ticket_of(self.passages[int(anchors_B[number])]) != ticket:
                yield int(number)

    def brief(self, number: int, vector: Vectors | None = None) -> list[Passage]:
        """A brief's passages, cut to what is shown."""
        found = []
        for place in self.briefs_BN[number]:
            if place >= 0:
                score = 0.0 if vector is None else round(float(self.vectors_PD[place] @ vector), 4)
                passage = self.passages[int(place)]
                found.append(passage.model_copy(update={"score": score, "text": shorten(passage, self.words)}))
        return found

    @property
    def articles(self) -> list[str]:
        """Ids of the articles, as `ranking` numbers them."""
        first = self.ranking.piece_C[self.ranking.first_A]
        return [article_of(self.passages[place]) for place in first]

    @property
    def article_titles(self) -> list[str]:
        first = self.ranking.piece_C[self.ranking.first_A]
        return [self.passages[place].title.partition(" > ")[0] for place in first]

    def ready(self) -> list[list[Passage]]:
        """The briefs most questions are answered from, the most wanted first: worth reading before anybody asks."""
        return [self.brief(int(number)) for number in self.ready_R]


def load(workspace: Workspace, tickets: Path, settings: Retrieval) -> Knowledge:
    """The knowledge of one imported desk; embeds what was not embedded before and keeps the vectors beside it."""
    passages = read_rows(tickets / "passages.parquet", Passage)
    folder = workspace.root / "knowledge"
    encoder = load_encoder(resolve(settings.model, workspace, "embeddings"), folder / "encoders")
    store = Store(folder, settings.model, encoder)
    texts = [searchable(passage) for passage in passages]
    held = [tickets / "passages.parquet", tickets / "links.parquet"]
    name = digest([settings.model, CODE, [file_sha256(path) for path in held if path.is_file()]])
    ranking = _ranking(store, name, tickets, passages, texts)
    opened_P = np.array([passage.created.timestamp() if passage.created else 0.0 for passage in passages])
    owner_P = np.unique([ticket_of(passage) for passage in passages], return_inverse=True)[1]
    kept = f"{name}-{settings.tickets}-{settings.articles}"
    briefs_BN = once(
        folder / f"{kept}.npy",
        lambda: gather_briefs(ranking, texts, opened_P, owner_P, settings.tickets, settings.articles),
    )
    matched_BD = matched(ranking.vectors_PD, briefs_BN)
    choose, mark = _choice(settings, passages, briefs_BN)
    asked_R2 = once(
        folder / f"{kept}{mark}-nearest.npy",
        lambda: asked(ranking.vectors_PD, opened_P, owner_P, briefs_BN, matched_BD, texts, choose),
    )
    order_B = most_asked(asked_R2, len(briefs_BN))
    known = Knowledge(
        f"{name}{mark}", passages, ranking.vectors_PD, opened_P, briefs_BN, matched_BD, order_B[: settings.ready],
        settings.prefer, settings.words, Quotes(encoder), encoder, ranking,
        far=float(np.quantile(asked_R2[:, 1], settings.far)) if len(asked_R2) else -1.0,
        talk_SD=encoder(list(SMALL_TALK)), choose=choose,
    )  # fmt: skip
    lines = sorted({line for brief in known.ready() for passage in brief for line in quotable(passage)})
    known.quotes.known |= zip(lines, store.vectors("quotes", lines), strict=True)
    return known


def _choice(settings: Retrieval, passages: Sequence[Passage], briefs_BN: Places) -> tuple[Choose, str]:
    """How one of the nearest briefs is chosen, and what names whatever follows from that."""
    if not settings.cross_encoder:
        return nearest, ""

    def shown(number: int) -> str:
        anchor = passages[int(briefs_BN[number, 0])]
        return f"{anchor.title}\n{shorten(anchor, settings.words)}"

    path = Path(settings.cross_encoder).expanduser()
    name = str(path) if path.is_dir() else settings.cross_encoder
    return load_reranker(name, shown), f"-{digest([name, settings.words, age(path)])}"


def _ranking(store: Store, name: str, tickets: Path, passages: Sequence[Passage], texts: Sequence[str]) -> Ranking:
    piece_C = np.array([place for place, passage in enumerate(passages) if passage.kind == "article"], np.intp)
    article_C = [article_of(passages[place]) for place in piece_C]
    first_A = np.array([n for n, name in enumerate(article_C) if n == 0 or name != article_C[n - 1]], np.intp)
    number = {article_C[first]: place for place, first in enumerate(first_A)}
    links = read_rows(tickets / "links.parquet", Link) if (tickets / "links.parquet").is_file() else []
    linked_LA = np.zeros((len(links), len(first_A)), np.bool_)
    for row_A, link in zip(linked_LA, links, strict=True):
        row_A[[number[article] for article in link.articles if article in number]] = True
    return Ranking(
        store.vectors("passages", texts), piece_C, first_A,
        Links(store.vectors("links", [link.question for link in links]),
              np.array([link.created.timestamp() for link in links]), linked_LA),
        load_words(store.folder / f"{name}-words", [f"{passage.title}\n{passage.text}" for passage in passages]),
    )  # fmt: skip


def searchable(passage: Passage) -> str:
    """What of a passage is matched: an article's text, but only the question of a past ticket."""
    body = passage.text.partition(ANSWER)[0].removeprefix("Customer: ") if passage.kind == "ticket" else passage.text
    return f"{passage.title}\n{body}"


def shorten(passage: Passage, words: int) -> str:
    """What of a passage is shown: of a past ticket little of the question and `words` of the reply, the evidence."""
    asked, mark, reply = passage.text.partition(ANSWER)
    if passage.kind == "ticket" and mark:
        return f"{cap(asked, ASKED_WORDS)}{ANSWER}{_whole(cap(reply, words))}"
    return _whole(cap(passage.text, words))


def cap(text: str, words: int) -> str:
    """The first `words` words, their spacing kept, and an ellipsis where there were more."""
    parts = re.findall(r"\S+\s*", text)
    return text if len(parts) <= words else "".join(parts[:words]).rstrip() + " …"


def _whole(text: str) -> str:
    """A capped text without the sentence or step that was cut in the middle, unless half of it would go: what breaks
    off in the notes is repeated, broken off, to the customer."""
    if not text.endswith(" …"):
        return text
    end = max((match.end() for match in END.finditer(text)), default=0)
    return text[:end].rstrip() if end >= len(text) / 2 else text


def article_of(passage: Passage) -> str:
    """The id of the article that a piece is from."""
    return passage.id.rpartition("#")[0]


def ticket_of(passage: Passage) -> str:
    """The id of the ticket that a passage is from; an article's own id for a piece of an article."""
    return passage.id.rpartition("-")[0] if passage.kind == "ticket" else passage.id
