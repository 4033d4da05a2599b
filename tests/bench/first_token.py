"""First token through the whole running service, beside the bare student engine: `make bench-first-token`.

Start `deskmate serve` first; this waits until the student has read its briefs. Short questions, none of them in the
sample desk; each is asked once, so no answer is cached. Prints the median and the worst in milliseconds, counting only
replies that the student gave.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import time

import httpx

QUESTIONS = (
    "how long does delivery take to Leeds?", "can i return a grinder i tried once", "my code says expired",
    "how do i pause my beans?", "what grind for a french press", "the kettle shows E1", "do you ship to Ireland",
    "how often should I change the water filter", "is the gasket in stock", "my card was declined",
    "how do I descale the machine", "reset link never arrives", "where is my parcel", "can I cancel my order",
    "do beans come in 1 kg bags", "how much is next-day delivery", "scale won't calibrate", "invoice with VAT please",
    "frother light is red", "how long is the warranty",
)  # fmt: skip


def ask(client: httpx.Client, question: str) -> tuple[float, str]:
    """Milliseconds to the first token, and the route that gave it."""
    body = {"model": "deskmate", "messages": [{"role": "user", "content": question}], "stream": True}
    began = time.perf_counter()
    first = 0.0
    with client.stream("POST", "/v1/chat/completions", json=body) as response:
        for line in response.iter_lines():
            if not first and line.startswith("data: {"):
                choices = json.loads(line[6:]).get("choices") or [{}]
                if choices[0].get("delta", {}).get("content"):
                    first = (time.perf_counter() - began) * 1000
        return first, response.headers.get("x-route", "")


def wait_until_read(client: httpx.Client, every: float = 5.0) -> int:
    """Briefs the student has read ahead, once their number no longer grows."""
    before = -1
    while (now := _gauge(client.get("/metrics").text)) != before:
        before = now
        time.sleep(every)
    return now


def _gauge(page: str) -> int:
    found = re.search(r"^deskmate_read_ahead (\d+)", page, re.MULTILINE)
    return int(found[1]) if found else 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    options = parser.parse_args()
    with httpx.Client(base_url=options.url, timeout=300) as client:
        print(f"briefs read ahead: {wait_until_read(client)}")
        ask(client, "hello there")
        taken = [ask(client, question) for question in QUESTIONS]
    mine = sorted(milliseconds for milliseconds, route in taken if route == "student")
    routes = {route: sum(found == route for _, found in taken) for _, route in taken}
    print(f"routes: {routes}")
    print(f"first word, whoever gave it: p50 {statistics.median(ms for ms, _ in taken):.0f} ms")
    if mine:
        print(f"student, first token: p50 {statistics.median(mine):.0f} ms, worst {mine[-1]:.0f} ms")


if __name__ == "__main__":
    main()
