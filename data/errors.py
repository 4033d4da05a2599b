"""Every error a user can cause or meet, each with one line that says what to do next.

DeskmateError                 exit 2   HTTP 500
├── ConfigError               exit 2   HTTP 400   a misspelt key, an impossible value
├── BadInput                  exit 2   HTTP 400   a file or row we cannot read
├── NotFound                  exit 2   HTTP 404   an artefact, model or release that is not there
├── Conflict                  exit 2   HTTP 409   somebody else changed it first
├── Busy                      exit 2   HTTP 429   a lock is held, a port is taken
├── Unauthorized              exit 2   HTTP 401   no key, or the wrong one
└── EngineError               exit 2   HTTP 503   a model server that failed, stalled or never started
    ├── Refused                                   this one request, and would be again: too long, filtered
    └── Overloaded                                for now, by others or too many requests
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
    pass


class Overloaded(EngineError):
    pass
