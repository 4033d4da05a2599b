"""Who may: bearer keys of 256 bits, stored hashed, compared in constant time, shown once.

workspace/keys.json    {"ops": [sha256, ...], "chat": [sha256, ...]}, readable by its owner only
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import json
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from data.errors import BadInput, Unauthorized
from data.workspace import write_bytes

Scope = Literal["ops", "chat"]


@dataclass(frozen=True, slots=True)
class Keys:
    """Hashes of the keys of each scope. `chat_needed` is False only where nobody but this machine can call."""

    hashes: dict[str, list[str]]
    chat_needed: bool

    def check(self, scope: Scope, authorization: str | None) -> None:
        """Raises Unauthorized. An ops key may chat too, not the other way round."""
        if scope == "chat" and not self.chat_needed:
            return
        kind, _, key = (authorization or "").partition(" ")
        if kind.lower() != "bearer" or not key:
            raise Unauthorized(f"this needs the {scope} key; send it as 'Authorization: Bearer <key>'")
        given = _hash(key.strip())
        allowed = self.hashes.get("ops", []) + (self.hashes.get("chat", []) if scope == "chat" else [])
        matches = [hmac.compare_digest(given, known) for known in allowed]  # all, so that time tells nothing
        if not any(matches):
            raise Unauthorized(f"that is not the {scope} key")


def open_keys(path: Path, *, chat_needed: bool) -> tuple[Keys, dict[str, str]]:
    """The keys of a workspace, and the ones just made: those are known now and never again."""
    hashes: dict[str, list[str]] = {}
    if path.is_file():
        try:
            hashes = {str(scope): [str(key) for key in keys] for scope, keys in json.loads(path.read_text()).items()}
        except (OSError, ValueError, AttributeError, TypeError) as error:
            raise BadInput(f"{path} is damaged; delete it and new keys are made at the next start") from error
    scopes = ("ops", "chat") if chat_needed else ("ops",)  # a key that nobody was shown would be of no use later
    made = {scope: secrets.token_urlsafe(32) for scope in scopes if not hashes.get(scope)}
    if made:
        hashes |= {scope: [_hash(key)] for scope, key in made.items()}
        write_bytes(path, json.dumps(hashes, indent=2).encode())
        path.chmod(0o600)
    return Keys(hashes, chat_needed), made


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
