"""`deskmate`: the loop's commands in the order data flows, then the ones that run the bot.

Only this package may know every stage. Errors of ours print one line and exit with 2; others keep their traceback.
"""

from __future__ import annotations

import os
import sys

import typer

from bot.cli import articles, corpus, inspect, loop, models, operate, privacy, review
from data.errors import DeskmateError

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None,
    help="Turn a help desk's past tickets into its own small, fast support model.",
)  # fmt: skip
models.register(app)
loop.register(app)
operate.register(app)
inspect.register(app)
corpus.register(app)
privacy.register(app)
articles.register(app)
review.register(app)


def main() -> None:
    if not sys.stderr.isatty():
        os.environ.setdefault("TQDM_DISABLE", "1")  # bars of the libraries too: quiet when piped
    try:
        app()
    except DeskmateError as error:
        print(f"deskmate: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("deskmate: stopped; run the same command again to go on from here", file=sys.stderr)
        sys.exit(130)
    except OSError as error:
        if error.errno is None:
            raise
        print(f"deskmate: {error.filename or 'system'}: {error.strerror}", file=sys.stderr)
        sys.exit(2)
