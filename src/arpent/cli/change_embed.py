"""``arpent change embed``: one image, and what the model makes of each of its patches."""

from __future__ import annotations

from typing import Annotated

import typer

from arpent.cli.comparisons import DryRun, Layer, Model, Quality, plan_document, plan_facts, stride_table, with_quality
from arpent.cli.console import facts, note, progress, show, where_to_find
from arpent.cli.options import with_engine, with_settings
from arpent.cli.places import Force, Name, Output, Resume, place
from arpent.cli.searches import with_search
from arpent.language import say
from arpent.tasks.change.embedding_settings import EmbedSettings

__all__ = ["app"]

app = typer.Typer()


@app.command()
@with_engine
@with_search
@with_settings
def embed(
    source: Annotated[str, typer.Argument(help="Image, folder of bands, STAC item or address.", metavar="IMAGE")],
    model: Model,
    settings: EmbedSettings,
    quality: Quality = None,
    layer: Layer = None,
    dry_run: DryRun = False,
    output: Output = None,
    name: Name = None,
    force: Force = False,
    resume: Resume = False,
) -> None:
    """Embeds one image: a table with one row per patch, an image with one band per dimension, and a picture.

    'arpent embed cluster' and 'arpent embed probe' put them to use.
    """
    from arpent.tasks.change.embedding import embed_image, plan_embedding

    settings, layers = with_quality(settings, quality)
    language = settings.language
    if dry_run:
        plan = plan_embedding(source, model, settings, quality=layers, layer=layer)
        told = plan_facts(plan, language, say("word.image", language))
        show(plan_document(plan), facts(told), stride_table(plan.strides, plan.stride, language))
        return
    where = place(output, name, force=force, resume=resume)
    made = embed_image(source, model, where, settings, quality=layers, layer=layer, progress=progress())
    note(say("told.tiles_in", language, tiles=made.prediction.tiles, seconds=made.prediction.seconds))
    document = {"run": made.run.path, "products": {name: path.name for name, path in made.files.items()}}
    show(document, *where_to_find(made.files.items()))
