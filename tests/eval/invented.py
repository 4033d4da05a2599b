"""A dozen invented exchanges of a tea and coffee shop, with good, evasive, wrong and honest replies."""

from __future__ import annotations

from datetime import UTC, datetime

from data.records import Answer, Exchange, Passage, Turn
from eval.costs import Machine, TeachCost
from eval.evaluate import RunFacts

ROWS = (
    ("grinder", "Rust on the burrs", "I rinsed the burrs and now there are orange specks.",
     "Those specks are surface rust. Dry both burrs with a cloth, leave them out overnight, then brush."),
    ("grinder", "Grinder stops", "My Kestrel G2 stops after 5 seconds and shows E1.",
     "E1 means the burrs are blocked. Unplug it, take the hopper off, brush the chamber and reset."),
    ("subscription", "Pause Beans Club", "How do I pause for three months?",
     "Go to Account > Beans Club, open your subscription and press Pause. You can choose up to 12 weeks."),
    ("subscription", "Skip a delivery", "Can I skip the delivery of next week?",
     "Yes, until 20:00 on the day before roasting. Open Account > Beans Club and press Skip next delivery."),
    ("delivery", "Where is my parcel?", "Order 48210 was dispatched 6 days ago.",
     "Parcels take 2 to 4 working days, so this one is late. I will write by tomorrow noon."),
    ("delivery", "Wrong address", "I moved. Can you send my bag to the new address?",
     "A bag already dispatched can only be redirected in the app. Later: press Delivery address > Edit."),
    ("kettle", "Kettle leaks", "Water drips from the base of the kettle.",
     "Please stop using it. The seal is covered for 24 months, so we will send a new kettle and a label."),
    ("kettle", "White flakes", "There are white flakes in the water <b>every</b> morning.",
     "That is limescale. Fill it with 0.5 l of water and 50 ml of vinegar, boil, wait 30 minutes, rinse."),
    ("espresso", "Coffee too sour", "My Brisa espresso is sour and runs in 12 seconds.",
     "It runs too fast. Grind finer until 18 g gives 36 g in 25 to 30 seconds."),
    ("espresso", "No pressure", "The Brisa E1 hums but no water comes out.",
     "The pump has drawn air. Fill the tank, open the steam knob and run the pump for 20 seconds."),
    ("account", "Change email", "I want to change the email of my account.",
     "Go to Account > Profile, press Change email and open the link we send within 60 minutes."),
    ("account", "Beanstamps gone", "My 8 Beanstamps are gone after the update.",
     "Stamps are kept with your email. Sign out, close the app, sign in and open Rewards again."),
)  # fmt: skip
BASE = (
    "I'm sorry to hear that. I'm here to help.",
    "You can reset the machine by pressing the button for 45 seconds.",
    "The article does not address this question.",
    "Please contact our support team for more information.",
)  # fmt: skip
PLANTED = {
    1: "E1 means the motor is broken. Hold the button for 90 seconds and order part KG-999.",
    6: "Please contact our support team for further help.",
    4: "I don't want to guess on this one, so I'm passing it to a colleague. They will reply here.",
}


def exchanges() -> list[Exchange]:
    return [
        Exchange(
            id=f"x{place}", ticket_id=f"KT-{1300 + place}", subject=subject, product="", topic=topic,
            split="heldout",
            created=datetime(2026, 3, 1, tzinfo=UTC), turns=(Turn(role="customer", text=question),),
            human_reply=reply,
        )
        for place, (topic, subject, question, reply) in enumerate(ROWS)
    ]  # fmt: skip


def evidence() -> dict[str, list[Passage]]:
    """Everything that the human said, as an article; nothing for the tenth, so that its evidence is weak."""
    return {
        f"x{place}": [Passage(id=f"p{place}", kind="article", title=subject, text=f"{reply} More in the guide.")]
        for place, (_, subject, _, reply) in enumerate(ROWS)
        if place != 9
    }


def answers() -> list[Answer]:
    made = []
    for place, (_, _, _, reply) in enumerate(ROWS):
        texts = {
            "teacher": f"Thanks for writing. {reply}",
            "base": BASE[place % 4],
            "student": PLANTED.get(place, f"Hi there. {reply}"),
        }
        for speed, (source, text) in zip((14.0, 1.1, 0.9), texts.items(), strict=True):
            made.append(
                Answer(
                    sample_id=f"{source}{place}", exchange_id=f"x{place}", source=source, text=text,  # type: ignore[arg-type]
                    seconds=speed + place / 20, first_token_seconds=speed / 9, prompt_tokens=420,
                    completion_tokens=len(text.split()),
                    logprob=-1.2 if place in PLANTED else -0.1 - place / 90,
                )
            )  # fmt: skip
    return made


def facts() -> RunFacts:
    small = Machine(model="SmolLM2 135M", euros_per_hour=0.08, memory_bytes=310 << 20, disk_bytes=145 << 20, parallel=4)
    return RunFacts(
        desk="Kettlewick",
        machines={
            "teacher": Machine(
                model="Qwen2.5 1.5B", euros_per_hour=0.08, memory_bytes=2 << 30, disk_bytes=1065 << 20,
                parallel=4,
            ),
            "base": small,
            "student": small.model_copy(update={"model": "SmolLM2 135M, trained"}),
        },
        teaching=TeachCost(answers=48, tokens=4_600, seconds=940, euros=0.0209),
        ids={"tickets": "tickets-20260301-aaaa", "corpus": "corpus-20260301-bbbb",
             "student": "student-20260301-cccc"},
        commands=("deskmate import", "deskmate teach", "deskmate train", "deskmate evaluate"),
    )  # fmt: skip
