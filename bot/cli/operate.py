"""Running the bot: releases, serving, chatting, and the demo that does it all once."""

from __future__ import annotations

import typer

from bot.cli.options import ConfigFile, Settings, opened

release_app = typer.Typer(no_args_is_help=True, help="Releases: what serves, what served, what could.")


def register(app: typer.Typer) -> None:
    app.add_typer(release_app, name="release")
    for command in (serve, chat, demo):
        app.command()(command)


@release_app.command()
def create(config: ConfigFile = None, settings: Settings = None) -> None:
    """Bundle the newest model, prompt, knowledge and threshold into a release; the first goes live."""
    from bot.cli.release import create_release

    values, workspace = opened(config, settings)
    typer.echo(create_release(workspace, values))


@release_app.command("list")
def list_releases(config: ConfigFile = None, settings: Settings = None) -> None:
    """All releases, newest last; the live one is marked."""
    from bot.cli.release import lines

    _, workspace = opened(config, settings)
    for line in lines(workspace):
        typer.echo(line)


@release_app.command()
def promote(release: str, config: ConfigFile = None, settings: Settings = None) -> None:
    """Make a release live. A running server swaps without dropping a reply."""
    from bot.cli.release import promote_release

    _, workspace = opened(config, settings)
    typer.echo(promote_release(workspace, release))


@release_app.command()
def rollback(config: ConfigFile = None, settings: Settings = None) -> None:
    """Go back to the release that was live before."""
    from bot.cli.release import rollback_release

    _, workspace = opened(config, settings)
    typer.echo(rollback_release(workspace))


def serve(config: ConfigFile = None, settings: Settings = None) -> None:
    """Serve the live release: chat page, OpenAI-compatible API, ops API."""
    from serving.run import serve as run

    values, workspace = opened(config, settings)
    run(workspace, values)


def chat(
    url: str = typer.Option("", help="A running Deskmate; without it the configured host and port."),
    key: str = typer.Option("", envvar="DESKMATE_KEY", help="The chat key, where the server asks for one."),
    config: ConfigFile = None,
    settings: Settings = None,
) -> None:
    """Talk to the live release in the terminal."""
    from bot.cli.chat import talk

    values, _ = opened(config, settings)
    talk(url or f"http://{values.serving.host}:{values.serving.port}", key)


def demo(config: ConfigFile = None, settings: Settings = None) -> None:
    """The whole loop on the bundled sample desk, then serve it. Run again, it goes on from where it was."""
    from bot.cli.demo import run

    values, workspace = opened(config, settings)
    run(workspace, values)
