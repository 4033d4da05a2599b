"""How much of what our agents said stands in the evidence a model is shown: `make bench-evidence`.

Over the validation and held-out exchanges of an imported desk, for several makings of a brief: the share of the
agent's content words and of its facts that ticket and notes hold, how long the notes are, and how many of the
questions meet a brief that the student has read ahead. Nothing is generated, so it takes a minute.
"""

from __future__ import annotations

import argparse
from statistics import fmean

from bot.config import Config, Retrieval, load
from bot.desk import gather
from data.text import fidelity, support
from data.workspace import Workspace

MAKINGS = (
    {"tickets": 1, "articles": 1, "ready": 0}, {"tickets": 2, "articles": 1, "ready": 0},
    {"tickets": 2, "articles": 2, "ready": 0}, {"tickets": 2, "articles": 2}, {"tickets": 3, "articles": 2},
    {"tickets": 2, "articles": 2, "words": 60},
)  # fmt: skip


def line(workspace: Workspace, config: Config) -> str:
    desk = gather(workspace, workspace.latest("tickets"), config, ("validation", "heldout"))
    made = config.retrieval
    words = fmean(sum(len(passage.text.split()) for passage in desk.evidence[e.id]) for e in desk.exchanges)
    held = fmean(support(exchange.human_reply, desk.context(exchange)) for exchange in desk.exchanges)
    known = [fidelity(exchange.human_reply, desk.context(exchange)) for exchange in desk.exchanges]
    facts = fmean(share for share in known if share is not None)
    return (
        f"{made.tickets:7} {made.articles:8} {made.words:5} {made.ready:5} | {words:11.0f} {held:13.0%} {facts:6.0%} "
        f"{fmean(map(desk.is_ready, desk.exchanges)):10.0%}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--set", action="append", default=[], dest="overrides")
    config = load(None, parser.parse_args().overrides)
    print("tickets articles words ready | words shown  agent's words  facts  read ahead")
    for making in MAKINGS:
        settings = Retrieval.model_validate({**config.retrieval.model_dump(), **making})
        print(line(Workspace(config.workspace), config.model_copy(update={"retrieval": settings})), flush=True)


if __name__ == "__main__":
    main()
