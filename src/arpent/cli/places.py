"""The options of every command that makes a run: where it goes, what it is called, what if something is there."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from arpent.cli.console import call, note
from arpent.core import object_address
from arpent.errors import InvalidSetting
from arpent.store import Place, stage_of

__all__ = [
    "Assignments",
    "Force",
    "ForecastData",
    "Name",
    "Output",
    "ParcelFile",
    "Resume",
    "Spoken",
    "Trained",
    "as_said",
    "place",
]

_IMAGES = frozenset({".tif", ".tiff", ".jp2", ".vrt", ".png", ".jpg", ".jpeg"})

Assignments = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="One setting; may be repeated.")
]


def as_said(value: Path | None) -> Path | None:
    """Leaves an address an address, where whoever gets it knows what to do with one."""
    return value


Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        help="Run folder, or its address (s3://…, gs://…); a dated one under runs/ if not given.",
        callback=as_said,
    ),
]
Name = Annotated[str | None, typer.Option("--name", help="Name of the run; one that fits what it does if not given.")]
Force = Annotated[bool, typer.Option("--force", help="Replace a run that is there.")]
ForecastData = Annotated[
    Path, typer.Argument(help="Data set that 'arpent forecast prepare' has made.", metavar="DATASET")
]
ParcelFile = Annotated[
    Path | None,
    typer.Option(
        "--parcels",
        "-p",
        metavar="FILE",
        help="Parcels: GeoPackage, GeoJSON, shapefile, GeoParquet; whole images if not given.",
    ),
]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with an unfinished run.")]
Spoken = Annotated[str, typer.Option("--language", help="Language of what is told: en or fr.")]
Trained = Annotated[Path, typer.Option("--model", "-m", help="Model bundle, or the run that trained it.")]


def place(output: Path | None, name: str | None = None, *, force: bool = False, resume: bool = False) -> Place:
    """The place that these options name; what users should know of its folder is told on standard error.

    Raises:
        InvalidSetting: the name is that of an image, and not of a folder that holds several files.
    """
    if output is not None and output.suffix.lower() in _IMAGES and not output.is_dir():
        raise InvalidSetting(
            f"'{output.name}' is the name of an image, and a run is a folder",
            expected="-o FOLDER",
            cure=f"Say -o {output.with_suffix('')}: the image will lie in it, beside what is told of it.",
        )
    address = object_address(output) if output is not None else None
    if address is not None:
        call(stage_of(address), address)
    return Place(exact=output, name=name, force=force, resume=resume, tell=note)
