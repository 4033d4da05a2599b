"""Which questions reach a model at all: `make bench-outside` asks the sample desk's knowledge, no model is run.

Half of the questions the shop could answer, half are about what no article or past ticket of it mentions; the third
kind is small talk. None of them is in a ticket.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

from bot.config import load as configured
from bot.knowledge import Knowledge
from bot.loading import load
from data.workspace import Workspace

INSIDE = (
    "my kettle stopped keeping the temperature", "how often do i descale the espresso machine?",
    "can I pause my beans?", "the burrs are stuck, what do I do", "I'd like to return an unopened bag",
    "voucher says it is invalid at checkout", "where do I see when my parcel comes", "it shows E02 and beeps",
    "which filter goes into the machine?", "I forgot my password and the reset mail never comes",
    "do you deliver to Ireland and what does it cost", "is the grinder still under warranty after two years",
    "milk foam comes out watery", "coffee is sour", "please change the address on my order",
    "invoice with VAT number for our accounts department", "the parcel arrived with a broken jug",
    "how do I spend the stamps I collected", "cancel my order please", "payment was refused but the money is gone",
    "how fine should I grind for a moka pot", "water drips from the group head", "one item is missing from the box",
    "can I use tap water in it", "my subscription came with the wrong roast", "how long does a repair take",
    "the lid does not close any more", "can I have next-day delivery", "the refund has not arrived yet",
    "how do I clean the hopper",
)  # fmt: skip
OUTSIDE = (
    "do you have a showroom in Vienna?", "will you match the price of another shop?",
    "are there jobs in your marketing team?", "what's the tallest mountain in Europe",
    "can you book me a table for two tonight", "who won the match yesterday", "do you sponsor local football clubs",
    "how do I bake a sourdough loaf", "is your chief executive free for an interview",
    "write a python function that sorts a list", "which stocks should I buy",
    "do you run barista courses for children", "my car makes a strange noise", "can I bring my dog to your office",
    "is your cardboard recyclable", "do you offer a discount for teachers", "translate this letter into French",
    "how do I file my taxes", "what will the weather be like tomorrow", "do you sell bicycles",
    "who founded your company and when", "can you recommend a film", "how do I get a visa for Japan",
    "do you have an affiliate programme", "what is your carbon footprint", "my printer does not print",
    "do you publish your annual report", "how many people work for you", "can I invest in your company",
    "is there parking near you",
)  # fmt: skip
TALK = (
    "hi there", "Good evening", "hello?", "thanks a lot", "perfect, thank you", "ok great", "bye bye",
    "who am I talking to?", "are you a bot", "anybody here?", "cheers", "have a nice day", "hey",
    "thanks, it works now", "you're welcome",
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workspace", type=Path, nargs="?", default=Path("workspace"))
    workspace = Workspace(parser.parse_args().workspace)
    known = load(workspace, workspace.latest("tickets"), configured().retrieval)
    print(f"notes count as near from a cosine of {known.far:.2f}")
    for name, questions in (("inside", INSIDE), ("outside", OUTSIDE), ("small talk", TALK)):
        print(f"{name}: {counted(known, questions)}")


def counted(known: Knowledge, questions: tuple[str, ...]) -> str:
    found = {question: known.search(question).standing for question in questions}
    counts = Counter(found.values())
    told = {"known": "to the student", "far": "to a person", "small_talk": "to the teacher"}
    return ", ".join(f"{counts[standing]} of {len(questions)} {where}" for standing, where in told.items())


if __name__ == "__main__":
    main()
