"""Every error a user can cause or meet, each with one line that says what to do next.

DeskmateError                 exit 2   HTTP 500
├── ConfigError               exit 2   HTTP 400   a misspelt key, an impossible value
├── BadInput                  exit 2   HTTP 400   a file or row we cannot read
├── NotFound                  exit 2   HTTP 404   an artefact, model or release that is not there
├── Conflict                  exit 2   HTTP 409   somebody else changed it first
├── Busy                      exit 2   HTTP 429   a lock is held, a port is taken
├── Unauthorized              exit 2   HTTP 401   no key, or the wrong one
└── EngineError               exit 2   HTTP 503   a model server that failed, stalled or never started
    ├── Refused               exit 2   HTTP 503   this request alone, and it would be again: too long, filtered
    └── Overloaded            exit 2   HTTP 503   too much to do just now: the same request may work later
"""

from __future__ import annotations


class DeskmateError(Exception):
    """Base of the tree; `str(error)` is the one line that is printed."""

    status = 500


class ConfigError(DeskmateError):
    status = 400


class BadInput(DeskmateError):
    status = 400


class Unauthorized(DeskmateError):
    status = 401


class NotFound(DeskmateError):
    status = 404


class Conflict(DeskmateError):
    status = 409


class Busy(DeskmateError):
    status = 429


class EngineError(DeskmateError):
    status = 503


class Refused(EngineError):
    """Raised by bot.engine; teaching goes on without that question."""


class Overloaded(EngineError):
    """Raised by bot.engine; bot.answering waits and asks again."""
