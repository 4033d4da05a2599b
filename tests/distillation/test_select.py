from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bot.desk import context
from bot.prompt import DEFERRAL
from data.records import Answer, Exchange, Passage, Turn
from distillation.select import Rules, fault, reasons, select
from distillation.trim import trim

EXCHANGE = Exchange(
    id="t1-1", ticket_id="t1", subject="Return label", product="shop", topic="returns",
    created=datetime(2026, 1, 2, tzinfo=UTC), split="train",
    turns=(Turn(role="customer", text="What does the return label cost?"),),
    human_reply="The label costs £3.50. Start in My orders > Return an item within 30 days.",
)  # fmt: skip
EVIDENCE = [
    Passage(
        id="a",
        kind="article",
        title="Return an item",
        text="Start in My orders > Return an item within 30 days. The return label costs £3.50.",
    )
]
RULES = Rules(min_support=0.5, deferral_share=0.5)
GOOD = "The return label costs £3.50. Start in My orders > Return an item within 30 days."


def answer(text: str, source: str = "hindsight", **changes: object) -> Answer:
    return Answer.model_validate(
        {"sample_id": text[:20] + source, "exchange_id": "t1-1", "source": source, "text": text, **changes}
    )


@pytest.mark.parametrize(
    ("text", "changes", "why"),
    [
        (GOOD, {"finish": "length"}, "cut off"),
        ("Yes.", {}, "too short"),
        ("The article does not address this question. Please contact support.", {}, "evades"),
        (GOOD.replace("3.50", "9.99"), {}, "not in the evidence"),
        (GOOD.replace("30", "60"), {}, "not in the evidence"),
        ("The customer wants to know the price of the return label, which costs £3.50.", {}, "narrates"),
        (
            "Bananas grow wonderfully beneath purple mountains while elephants juggle quietly.",
            {},
            "little support",
        ),
        (GOOD, {}, ""),
    ],
)
def test_what_is_turned_away_and_why(text: str, changes: dict[str, object], why: str) -> None:
    found = fault(answer(text, **changes), EXCHANGE, context(EXCHANGE, EVIDENCE), RULES)
    assert found.startswith(why)
    assert bool(found) == bool(why)


def test_one_answer_an_exchange_and_every_other_keeps_a_reason() -> None:
    answers = [answer(GOOD), answer(EXCHANGE.human_reply, "human"), answer("Sorry, it does not say.")]
    kept, rejected = select(answers, [EXCHANGE], {"t1-1": EVIDENCE}, RULES)
    assert len(kept) == 1
    assert len(rejected) == 2
    assert all(not lost.kept and lost.reason for lost in rejected)
    assert reasons(rejected)["another answer was better"] == 1


def test_what_nothing_supports_teaches_handing_over_up_to_a_cap() -> None:
    wrong = answer(GOOD.replace("30", "60"))
    other = EXCHANGE.model_copy(update={"id": "t2-1", "ticket_id": "t2"})
    evidence = {"t1-1": EVIDENCE, "t2-1": EVIDENCE}
    good = answer(GOOD).model_copy(update={"exchange_id": "t2-1", "sample_id": "s2"})
    kept, _ = select([wrong, good], [EXCHANGE, other], evidence, RULES)
    assert [row.text for row in kept] == [GOOD, DEFERRAL]
    assert len(select([wrong, good], [EXCHANGE, other], evidence, Rules(0.5, 0.0))[0]) == 1


def test_a_reply_is_cut_back_to_what_the_evidence_holds() -> None:
    text = (
        "The return label costs £3.50, and it is taken from what we refund to you. I saw your parcel leave on day 77.\n"
        "1. Open My orders > Return an item.\n2. Choose Shelf > Basement.\n3. Send it within 30 days."
    )
    kept = trim(text, context(EXCHANGE, EVIDENCE))
    assert kept == (
        "The return label costs £3.50, and it is taken from what we refund to you.\n"
        "1. Open My orders > Return an item.\n2. Send it within 30 days."
    )
    assert trim("Call 555 now. It opens at 9:41 in room 12.", context(EXCHANGE, EVIDENCE)) == ""


def test_only_so_many_are_taught_and_they_are_the_best() -> None:
    other = EXCHANGE.model_copy(update={"id": "t2-1", "ticket_id": "t2"})
    evidence = {"t1-1": EVIDENCE, "t2-1": EVIDENCE}
    looser = "The return label costs £3.50; start in My orders > Return an item within 30 days, dear loyal reader."
    worse = answer(looser).model_copy(update={"exchange_id": "t2-1", "sample_id": "s2"})
    kept, rejected = select([answer(GOOD), worse], [EXCHANGE, other], evidence, Rules(0.5, 0.0, most=1))
    assert [row.text for row in kept] == [GOOD]
    assert [row.reason for row in rejected] == ["enough better answers"]


def test_an_answer_that_promises_a_deed_or_shares_little_with_our_agents_is_turned_away() -> None:
    seen = context(EXCHANGE, EVIDENCE)
    assert fault(answer(f"{GOOD} I've sent the label."), EXCHANGE, seen, RULES).startswith("promises")
    assert fault(answer(f"{GOOD} Ask [PERSON]."), EXCHANGE, seen, RULES) == "names somebody"
    assert fault(answer("Say what the label of the item is."), EXCHANGE, seen, RULES).startswith("has little")
    assert trim(f"{GOOD} I'll return the label within 30 days.", seen) == GOOD


def test_two_distinct_answers_share_the_weight_of_their_exchange() -> None:
    second = "Start in My orders > Return an item within 30 days; that takes a minute and the label is on the page."
    answers = [answer(GOOD), answer(GOOD.replace(". Start", "; start")), answer(second)]
    assert len(select(answers, [EXCHANGE], {"t1-1": EVIDENCE}, RULES)[0]) == 1
    kept, _ = select(answers, [EXCHANGE], {"t1-1": EVIDENCE}, replace(RULES, each=2))
    assert sum(row.weight for row in kept) == pytest.approx(1)
    assert len(kept) == 2 and second in {row.text for row in kept}
    assert all(0.3 < row.weight < 0.7 for row in kept)


def test_what_was_said_the_last_time_is_taught_where_readers_would_trust_it() -> None:
    said = answer("Start in My orders > Return an item; it is what everybody with a return label does.", "notes")
    doubted = [EVIDENCE[0].model_copy(update={"worth": 0.3})]
    trusted = [EVIDENCE[0].model_copy(update={"worth": 0.6})]
    exchange = EXCHANGE.model_copy(update={"human_reply": "Please write to us by post about that."})
    assert not select([said], [exchange], {"t1-1": doubted}, Rules(0.5, 0.0))[0]
    assert [row.text for row in select([said], [exchange], {"t1-1": trusted}, Rules(0.5, 0.0))[0]] == [said.text]


def test_kinds_are_told_and_the_most_doubtful_hand_over() -> None:
    asking = EXCHANGE.model_copy(update={"human_reply": "Which item do you want to return, and when did you order it?"})
    kept, _ = select([answer(asking.human_reply, "human")], [asking], {"t1-1": EVIDENCE}, Rules(0.1, 0.0))
    assert [row.kind for row in kept] == ["clarify"]
    wrong = [answer("Bananas grow beneath purple mountains at midnight.").model_copy(update={"exchange_id": f"t{n}-1"})
             for n in (2, 3)]  # fmt: skip
    others = [EXCHANGE.model_copy(update={"id": f"t{n}-1", "ticket_id": f"t{n}"}) for n in (2, 3)]
    evidence = {"t1-1": EVIDENCE, "t2-1": [EVIDENCE[0].model_copy(update={"worth": 0.3})], "t3-1": EVIDENCE}
    kept, _ = select([answer(GOOD), *wrong], [EXCHANGE, *others], evidence, RULES)
    assert [(row.exchange_id, row.kind) for row in kept] == [("t1-1", "answer"), ("t3-1", "defer")]


def test_no_kind_of_notes_by_itself_means_handing_over() -> None:
    """All articles are doubted more than all past tickets: still both hand over as often as both are answered."""
    ticket = EVIDENCE[0].model_copy(update={"kind": "ticket"})
    exchanges, evidence, answers = [], {}, []
    for number in range(40):
        name, of_article, good = f"t{number}-1", number % 2 == 0, number < 20
        exchanges.append(EXCHANGE.model_copy(update={"id": name, "ticket_id": f"t{number}"}))
        worth = 0.5 if good else 0.1 if of_article else 0.3
        evidence[name] = [(EVIDENCE[0] if of_article else ticket).model_copy(update={"worth": worth})]
        text = GOOD if good else "Bananas grow wonderfully beneath purple mountains while elephants juggle."
        answers.append(answer(text, exchange_id=name, sample_id=name))
    kept, _ = select(answers, exchanges, evidence, replace(RULES, deferral_share=0.3))
    kinds = [evidence[each.exchange_id][0].kind for each in kept if each.kind == "defer"]
    assert kinds.count("article") == kinds.count("ticket") == 4
