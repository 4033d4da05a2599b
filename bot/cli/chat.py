"""A conversation with the running bot in the terminal."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx

from data.errors import EngineError


def talk(url: str, key: str = "") -> None:
    """Read lines until an empty one or end of file; print replies as they stream, and who gave them."""
    messages: list[dict[str, str]] = []
    print("Ask something; an empty line ends the conversation.")
    while question := _ask():
        messages.append({"role": "user", "content": question})
        try:
            reply = "".join(_reply(url, key, messages))
        except httpx.HTTPError as error:
            raise EngineError(f"no answer from {url} ({error}); is `deskmate serve` running?") from error
        messages.append({"role": "assistant", "content": reply})


def _ask() -> str:
    try:
        return input("\nyou> ").strip()
    except EOFError:
        return ""


def _reply(url: str, key: str, messages: list[dict[str, str]]) -> Iterator[str]:
    body = {"model": "deskmate", "messages": messages, "stream": True}
    print("bot> ", end="", flush=True)
    headers = {"authorization": f"Bearer {key}"} if key else {}
    with httpx.stream("POST", f"{url}/v1/chat/completions", json=body, headers=headers, timeout=300) as response:
        if response.status_code == 401:
            raise EngineError(f"{url} wants the chat key: set DESKMATE_KEY or give --key")
        if response.status_code != 200:
            response.read()
            raise EngineError(f"{url} answered {response.status_code}: {response.text[:200]}")
        for line in response.iter_lines():
            if not line.startswith("data: {"):
                continue
            for choice in json.loads(line[6:]).get("choices", []):
                text = choice["delta"].get("content") or ""
                print(text, end="", flush=True)
                yield text
        print(f"\n     [{response.headers.get('x-route')}, release {response.headers.get('x-release')}]")
