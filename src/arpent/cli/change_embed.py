"""``arpent change embed``: one image, and what the model makes of each of its patches."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from arpent.cli.console import facts, note, progress, show
from arpent.cli.options import with_settings
from arpent.language import duration, number, storage
from arpent.store import Place
from arpent.tasks.change.embedding_settings import EmbedSettings

if TYPE_CHECKING:
    from arpent.core import Language
    from arpent.tasks.change.planning import PairPlan

__all__ = ["app"]

app = typer.Typer()


@app.command()
@with_settings
def embed(
    image: Annotated[str, typer.Argument(help="Image, folder of bands, STAC item or address.", metavar="IMAGE")],
    model: Annotated[
        str,
        typer.Option(
            "--model",
            "-m",
            metavar="NAME|FILE",
            help="Model bundle, run that trained it, published checkpoint, or name of a published model.",
        ),
    ],
    settings: EmbedSettings,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and its cost, and do nothing.")] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Run folder; a dated one under runs/ if not given.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a run that is there.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an unfinished run.")] = False,
) -> None:
    """Embeds one image: a table with one row per patch, an image with one band per dimension, and a picture.

    'arpent embed cluster' and 'arpent embed probe' put them to use.
    """
    from arpent.tasks.change.embedding import embed_image, plan_embedding

    if dry_run:
        _show_plan(plan_embedding(image, model, settings), settings.language)
        return
    place = Place(exact=output, force=force, resume=resume)
    made = embed_image(image, model, place, settings, progress=progress())
    note(f"{made.prediction.tiles} tiles in {made.prediction.seconds:.1f} s")
    document = {"run": made.run.path, "products": {name: path.name for name, path in made.files.items()}}
    show(document, *(f"{name:16} {path}" for name, path in made.files.items()))


def _show_plan(plan: PairPlan, language: Language) -> None:
    height, width = plan.grid.shape
    rows = [
        ("image", f"{width} × {height} pixels"),
        ("tiles", f"{plan.tiles}; the network sees each pixel {number(plan.cost, language, 2)} times"),
        ("memory", f"about {storage(plan.memory, language)}"),
        ("disk", f"at most {storage(plan.disk, language)}"),
        ("products", ", ".join(plan.products)),
    ]
    if plan.seconds is not None:
        rows.insert(2, ("time", f"about {duration(plan.seconds, language)} in the network"))
    document = {
        "tiles": plan.tiles,
        "stride": plan.stride,
        "memory": plan.memory,
        "disk": plan.disk,
        "seconds": plan.seconds,
        "products": plan.products,
    }
    show(document, facts(rows))
