"""What the desk already knows: articles and resolved past tickets, gathered into briefs and searched.

A brief is what there is to know about one kind of question: a resolved past ticket (its anchor), the older tickets
nearest to it and the article passages nearest to it. Of the briefs near a question, as a whole or by their anchor, the
nearest is taken, or one whose anchor would by a margin help the customer more (bot/worth.py).
As a brief does not depend on the question, a server can read it before anybody asks (serving/ahead.py).
`search` gives teacher, training, evaluation and serving the same evidence. All of a brief is older than its anchor, and
an anchor answers only tickets opened after it: no reply is ever built from its own future.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from threadpoolctl import ThreadpoolController

from bot.briefs import Places, matched
from bot.cosines import Floats
from bot.encoder import Vectors
from bot.links import Opened
from bot.passages import answering, article_of, compared, explained, names, searchable, shorten, ticket_of
from bot.quote import Quotes
from bot.ranking import Ranking, best, nearness, scaled
from bot.readers import Readers
from bot.reranking import Choose, nearest
from bot.vectors import Store
from bot.worth import NEIGHBOURS, SHIPPED, Question, Said, Weights, features, weigh
from data.records import Exchange, Passage, Standing

SEARCH = "search-11"  # raised when the same knowledge would answer a question with another brief
BLAS = ThreadpoolController()  # beside a busy engine two threads of BLAS wait for each other longer than one reads
NEAR = 8  # briefs looked at that are near as a whole, and as many whose anchor, ticket or article, is
SMALL_TALK = (
    "Hello", "Good morning", "Is anyone there?", "Thanks, that worked", "Thank you very much", "Goodbye", "OK",
    "Who are you?", "Are you a robot?",
)  # fmt: skip
LEAST_TALK = 0.4  # greetings and thanks reach .45 and more; questions about anything else stay below .37


@dataclass(frozen=True, slots=True)
class Found:
    """`standing`: whether the passages may be answered from. Not when they are farther from the question than from all
    but a few past ones, nor when it is nearer to a greeting or thanks than to anything that the desk knows."""

    passages: list[Passage]
    standing: Standing = "known"


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as it is compared: its words counted in what was known until `until` (epoch seconds) of other tickets,
    its cosines with all passages, and what articles the nearest past questions until then were answered with."""

    text: str
    vector_D: Vectors
    counts_P: Floats
    cosines_P: Floats
    shares_A: Floats
    until: float


@dataclass(frozen=True, slots=True)
class Knowledge:
    """Passages with unit vectors `vectors_PD`, and briefs: `briefs_BN` are places in `passages`, the anchor first, -1
    where there is none; `shares_BN`: bot/briefs.py. `opened_P` is 0 for articles, which are always known. `ready_R`:
    the briefs most asked for, the nearest unless another is nearer by more than `prefer`. `margin`: how much more
    another brief must be worth than the nearest to be taken instead. `far`: the cosine below which what is nearest is
    too far; `talk_SD`: the vectors of SMALL_TALK. `places`: of each past ticket's passages. `said`, `weights`:
    bot/worth.py; `readers`, `choose`: modules of their own."""

    id: str
    passages: list[Passage]
    vectors_PD: Vectors
    opened_P: Opened
    briefs_BN: Places
    shares_BN: Floats
    ready_R: Places
    prefer: float
    margin: float
    words: int
    quotes: Quotes
    ranking: Ranking
    said: Said
    readers: Readers
    store: Store
    far: float = -1.0
    talk_SD: Vectors | None = None
    choose: Choose = nearest
    weights: Weights = SHIPPED
    places: Mapping[str, Sequence[int]] = field(default_factory=dict)

    def search(self, question: str, *, before: datetime | None = None, ticket: str = "") -> Found:
        """The brief whose anchor is worth most as a reply (bot/worth.py), the anchor first, each passage cut to what is
        shown; `score` is its cosine, `worth` what the anchor is worth, and `quote` the sentence nearest of all.

        `before` admits only briefs of tickets opened earlier; `ticket` is the id of the one at hand, never its own
        evidence.
        """
        return self._found(question, self.vectors([question])[0], before, ticket)

    def vectors(self, questions: Sequence[str]) -> Vectors:
        """What questions are searched by: [len(questions), D]."""
        return self.store.encode([compared(question) for question in questions])

    def embed(self, exchanges: Sequence[Exchange]) -> Vectors:
        """The same of exchanges, kept for the next time: [len(exchanges), D]."""
        return self.store.vectors("questions", [compared(exchange.question) for exchange in exchanges])

    def evidence(self, exchanges: Sequence[Exchange], vectors_ED: Vectors, *, quotes: bool = False) -> dict[str, Found]:
        """By exchange id, what each is answered from, as it was known when its ticket was opened."""
        return {
            exchange.id: self._found(exchange.question, vector, exchange.created, exchange.ticket_id, quotes=quotes)
            for exchange, vector in zip(exchanges, vectors_ED, strict=True)
        }

    def _found(
        self, question: str, vector: Vectors, before: datetime | None, ticket: str, *, quotes: bool = True
    ) -> Found:
        with BLAS.limit(limits=1, user_api="blas"):
            asked = self._asked(question, vector, before, ticket)
            near = self._near(asked, ticket)
            standing = self._standing(asked, near)
            if not near:
                return Found([], standing)
            chosen, worth, codes = self._choice(asked, near, ticket)
        passages = self.brief(chosen, vector, codes)
        passages[0] = passages[0].model_copy(update={"worth": round(worth, 4)})
        return Found(self.quotes.mark(passages, vector) if quotes else passages, standing)

    def _anchors(self, numbers: Sequence[int]) -> list[Passage]:
        return [self.passages[place] for place in self.briefs_BN[numbers, 0]]

    def _choice(self, asked: Asked, near: Sequence[int], ticket: str) -> tuple[int, float, frozenset[str]]:
        """One of the numbers of near briefs, what its anchor is worth, and the codes that it has to be about."""
        worths, codes = self._ordered(asked, near, ticket)
        chosen = self.choose(asked.text, list(worths))
        return chosen, worths[chosen], codes

    def _ordered(self, asked: Asked, near: Sequence[int], ticket: str) -> tuple[dict[int, float], frozenset[str]]:
        """The near briefs that may answer, those first whose anchors are worth most, with that; and the codes that they
        are about."""
        anchors = self._anchors(near)
        codes = explained(asked.text, anchors)
        near = [near[place] for place in answering(anchors, codes)]
        worth = weigh(self._features(asked, self.briefs_BN[near, 0], ticket), self.weights)
        order = np.argsort(-(worth.scores + np.where(np.arange(len(near)), 0.0, self.margin)), kind="stable")
        return {near[place]: float(worth.scores[place]) for place in order}, codes

    def candidates(self, exchange: Exchange, vector: Vectors, count: int) -> list[Passage]:
        """What could be the first note to a past question, whole: the one that is, then the best of the others."""
        asked = self._asked(exchange.question, vector, exchange.created, exchange.ticket_id)
        near = self._near(asked, exchange.ticket_id)
        if not near:
            return []
        worths, _ = self._ordered(asked, near, exchange.ticket_id)
        first = self.choose(asked.text, list(worths))
        return self._anchors([first, *(number for number in worths if number != first)][:count])

    def answered(self, places_R: Places, vectors_RD: Vectors) -> Places:
        """The briefs that past questions would have been answered from when they were asked, -1 for none: [R]."""
        found = []
        for place, vector in zip(places_R, vectors_RD, strict=True):
            passage = self.passages[place]
            asked = self._asked(searchable(passage), vector, passage.created, ticket_of(passage))
            near = self._near(asked, ticket_of(passage))
            found.append(self._choice(asked, near, ticket_of(passage))[0] if near else -1)
        return np.array(found, np.intp)

    def _standing(self, asked: Asked, near: Sequence[int]) -> Standing:
        nearest = float(asked.cosines_P[self.briefs_BN[near, 0]].max(initial=-1.0))
        talk = -1.0 if self.talk_SD is None else float((self.talk_SD @ asked.vector_D).max())
        if talk > max(nearest, LEAST_TALK):
            return "small_talk"
        return "far" if nearest < self.far or not near else "known"

    def _near(self, asked: Asked, ticket: str) -> list[int]:
        """The numbers of the briefs that may answer, near as a whole or by their anchor, the ticket at hand's apart."""
        anchors_B = self.briefs_BN[:, 0]
        whole_B = matched(asked.cosines_P, self.briefs_BN, self.shares_BN)
        whole_B[self.ready_R] += self.prefer
        tickets_P = np.where(self.opened_P > 0, nearness(asked.cosines_P, asked.counts_P), -np.inf)
        articles_P = self._of_pieces(
            self.ranking.pieces(asked.cosines_P, asked.counts_P, asked.shares_A, asked.until), -np.inf
        )
        ways: tuple[Floats, ...] = (whole_B, tickets_P.take(anchors_B), articles_P.take(anchors_B))
        if asked.until < np.inf:
            ways = tuple(np.where(self.opened_P[anchors_B] < asked.until, scores_B, -np.inf) for scores_B in ways)
        found: dict[int, None] = {}
        for open_B in ways:
            found |= dict.fromkeys(int(number) for number in best(open_B, NEAR) if np.isfinite(open_B[number]))
        return [number for number in found if not ticket or ticket_of(self.passages[anchors_B[number]]) != ticket]

    def features(self, exchange: Exchange, vector: Vectors, places_K: Places) -> Floats:
        """What passages are judged by as replies to a past question: [K, F] of bot/worth.py."""
        asked = self._asked(exchange.question, vector, exchange.created, exchange.ticket_id)
        return self._features(asked, places_K, exchange.ticket_id)

    def _asked(self, question: str, vector: Vectors, before: datetime | None, ticket: str) -> Asked:
        until = np.inf if before is None else before.timestamp()
        counts_P = np.where(self.opened_P < until, self.ranking.counts(question), 0)
        counts_P[list(self.places.get(ticket, ()))] = 0  # no new question finds its own words
        shares_A = self.ranking.shares(vector, until)
        return Asked(question, vector, counts_P, self.ranking.cosines(vector), shares_A, until)

    def _features(self, asked: Asked, anchor_K: Places, ticket: str) -> Floats:
        past_T = np.flatnonzero((self.opened_P > 0) & (self.opened_P < asked.until))
        past_T = past_T[best(nearness(asked.cosines_P[past_T], asked.counts_P[past_T]), NEIGHBOURS + 1)]
        others = [place for place in past_T if ticket_of(self.passages[place]) != ticket][:NEIGHBOURS]
        return features(
            Question(asked.text, asked.vector_D, self.said.vectors_PD[others]), self.said.of(anchor_K),
            asked.cosines_P[anchor_K], scaled(asked.counts_P)[anchor_K], self.opened_P[anchor_K] == 0,
            self._of_pieces(np.repeat(asked.shares_A, self.ranking.sizes), 0.0)[anchor_K],
            self.readers.records(anchor_K, ticket),
        )  # fmt: skip

    def _of_pieces(self, of_C: Floats, others: float) -> Floats:
        """What the pieces of articles have, and `others` for what is none: [P]."""
        made_P = np.full(len(self.passages), others, np.float32)
        made_P[self.ranking.piece_C] = of_C
        return made_P

    def brief(self, number: int, vector: Vectors | None = None, codes: frozenset[str] = frozenset()) -> list[Passage]:
        """A brief's passages that may answer about `codes`, cut to what is shown."""
        found = []
        for place in self.briefs_BN[number][self.briefs_BN[number] >= 0]:
            score = 0.0 if vector is None else round(float(self.vectors_PD[place] @ vector), 4)
            if names(passage := self.passages[place], codes):
                found.append(passage.model_copy(update={"score": score, "text": shorten(passage, self.words)}))
        return found

    @property
    def articles(self) -> list[str]:  # their ids, as `ranking` numbers them
        return [article_of(self.passages[place]) for place in self.ranking.piece_C[self.ranking.first_A]]

    @property
    def article_titles(self) -> list[str]:
        return [self.passages[n].title.partition(" > ")[0] for n in self.ranking.piece_C[self.ranking.first_A]]

    def ready(self) -> list[list[Passage]]:
        """The briefs most questions are answered from, the most wanted first: worth reading before anybody asks."""
        return [self.brief(int(number)) for number in self.ready_R]
