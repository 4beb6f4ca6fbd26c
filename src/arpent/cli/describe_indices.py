"""``arpent describe indices``: spectral indices of images, parcel by parcel."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from arpent.cli.console import note, progress, show, table, where_to_find
from arpent.cli.fetched import refuse_address
from arpent.cli.options import with_settings
from arpent.cli.places import Force, Name, ParcelFile, as_said, place
from arpent.cli.searches import with_search
from arpent.errors import PartialFailure
from arpent.language import number, percent, say
from arpent.tasks.describe.scene_settings import IndexSettings

if TYPE_CHECKING:
    from rich.table import Table

    from arpent.core import Language
    from arpent.tasks.describe.indexing import Indexed

__all__ = ["app"]

app = typer.Typer()

_FOREIGN = (".feather", ".geojson", ".json", ".ods", ".shp", ".tsv", ".txt", ".xls", ".xlsx")
"""Endings that mean a table and no folder, in formats that are not written: refused, with those that are."""

_SHOWN = ("NDVI", "NDMI", "EVI2", "BSI", "NDRE")
"""Indices of the table in the terminal; the file has all."""


@app.command()
@with_search
@with_settings
def indices(
    images: Annotated[
        list[str],
        typer.Argument(help="Images, folders of bands, .SAFE folders, STAC items or addresses.", metavar="IMAGES"),
    ],
    settings: IndexSettings,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="TABLE|RUN",
            help="A table (.parquet, .gpkg, .csv, .jsonl), or a run folder; a dated one under runs/ if not given.",
            callback=as_said,
        ),
    ] = None,
    parcels: ParcelFile = None,
    name: Name = None,
    force: Force = False,
) -> None:
    """Measures about 20 indices of Sentinel-2 images, on parcels, on squares or on whole images, clouds left out.

    The table is what every sentence of 'arpent describe' is held against.
    """
    from arpent.tasks.describe.indexing import TABLE_FILES, index_run, index_table

    if output is not None and output.suffix.lower() in (*TABLE_FILES, *_FOREIGN):
        refuse_address(output)
        made = index_table(images, output, settings, parcels=parcels, progress=progress())
        for line in made.notes:
            note(line)
    else:
        where = place(output, name, force=force)
        made = index_run(images, where, settings, parcels=parcels, progress=progress())
    language = settings.language
    places: list[tuple[str, object]] = [] if made.run is None else [(say("word.run", language), made.run.path)]
    places.append((say("indices.table", language), made.file))
    show(_document(made), _preview(made, language), _counts(made, language), *where_to_find(places))
    if made.failed:
        raise PartialFailure(
            f"{len(made.failed)} of {len(made.failed) + made.images} images could not be measured; "
            f"first: {str(made.failed[0].error).rstrip('.')}",
            cure="Correct them and repeat the command.",
        )


def _counts(made: Indexed, language: Language) -> str:
    return say(
        "indices.counts", language, rows=made.rows, parcels=made.parcels, images=made.images, indices=len(made.indices)
    )


def _preview(made: Indexed, language: Language) -> Table:
    """The first rows, with the indices that descriptions speak of most."""
    shown = [index for index in _SHOWN if index in made.indices] or list(made.indices[: len(_SHOWN)])
    heads = [say(f"indices.{word}", language) for word in ("parcel", "date", "valid", "cloud", "vegetation")]
    named = {(row.measured.parcel, row.measured.place) for row in made.first}
    several = len({parcel for parcel, _ in named}) < len(named)  # squares have the same names in each place
    heads[1:1] = [say("word.place", language)] if several else []
    rows = []
    for row in made.first:
        known = row.measured
        values = [known.indices.get(index) for index in shown]
        rows.append(
            [
                known.parcel,
                *([known.place] if several else []),
                "–" if known.taken is None else known.taken.isoformat(),
                percent(known.valid, language),
                "–" if known.cloud is None else percent(known.cloud, language),
                percent(known.shares["vegetation"], language) if "vegetation" in known.shares else "–",
                *("–" if value is None else number(value, language, 2) for value in values),
            ]
        )
    if made.rows > len(made.first):
        rows.append(["…", *("" for _ in range(len(heads) - 1 + len(shown)))])
    return table([*heads, *shown], rows)


def _document(made: Indexed) -> dict[str, object]:
    return {
        "table": made.file,
        "run": None if made.run is None else made.run.path,
        "rows": made.rows,
        "images": made.images,
        "parcels": made.parcels,
        "indices": made.indices,
        "outside": made.outside,
        "unseen": made.unseen,
        "warnings": made.notes,
        "failed": {one.image: str(one.error) for one in made.failed},
    }
