"""``arpent describe embed``: images as vectors, parcel by parcel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from arpent.cli.console import progress, show, where_to_find
from arpent.cli.options import with_engine, with_settings
from arpent.cli.places import Force, Name, Output, ParcelFile, Resume, place
from arpent.cli.searches import with_search
from arpent.errors import PartialFailure
from arpent.language import say
from arpent.tasks.describe.embed_settings import EmbedSettings

if TYPE_CHECKING:
    from arpent.tasks.describe.embedding import Embedded

__all__ = ["app"]

app = typer.Typer()


@app.command()
@with_engine
@with_search
@with_settings
def embed(
    images: Annotated[
        list[str],
        typer.Argument(help="Images, folders of bands, .SAFE folders, STAC items or addresses.", metavar="IMAGE"),
    ],
    settings: EmbedSettings,
    output: Output = None,
    parcels: ParcelFile = None,
    name: Name = None,
    force: Force = False,
    resume: Resume = False,
) -> None:
    """Encodes Sentinel-2 images with CROMA: an embedding and visual tokens for each parcel, square or whole image.

    All parcels of an image share one pass over it. The embeddings find parcels that look alike; the visual tokens are
    what 'arpent describe train' and 'generate' read.
    """
    from arpent.tasks.describe.embedding import embed_images

    where = place(output, name, force=force, resume=resume)
    made = embed_images(images, where, settings, parcels=parcels, progress=progress())
    language = settings.language
    told = say(
        "embedding.told",
        language,
        rows=made.rows,
        images=made.images,
        name=made.encoder.name,
        width=made.encoder.width,
        tokens=settings.cells**2,
    )
    places = [(say("word.run", language), made.run.path), (say("indices.table", language), made.file)]
    show(_document(made), told, *where_to_find(places))
    failures = made.run.manifest.failures
    if failures:
        raise PartialFailure(
            f"{len(failures)} of {len(images)} images could not be encoded; first: {failures[0].message.rstrip('.')}",
            cure=f"Correct them and repeat the command with --force; {made.run.path / 'manifest.json'} names them.",
        )


def _document(made: Embedded) -> dict[str, object]:
    manifest = made.run.manifest
    return {
        "run": made.run.path,
        "table": made.file,
        "rows": made.rows,
        "images": made.images,
        "encoder": {"name": made.encoder.name, "identity": made.encoder.identity, "random": made.encoder.random},
        "width": made.encoder.width,
        "warnings": manifest.warnings,
        "failed": {failure.item: failure.message for failure in manifest.failures},
    }
