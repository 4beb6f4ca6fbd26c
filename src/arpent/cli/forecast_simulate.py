"""``arpent forecast simulate``: radar series of rivers that rise and fall, with exact truth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from arpent.cli.console import progress
from arpent.cli.options import with_settings
from arpent.cli.places import Spoken
from arpent.cli.simulate import tell
from arpent.language import language_named
from arpent.testing.simulation import RadarSimulation
from arpent.testing.simulation import simulate as write_images

__all__ = ["app"]

app = typer.Typer()


@app.command()
@with_settings
def simulate(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the images.", metavar="FOLDER")],
    settings: RadarSimulation,
    force: Annotated[bool, typer.Option("--force", help="Replace a simulation that is there.")] = False,
    language: Spoken = "en",
) -> None:
    """Simulates radar series of rivers that rise with storms, flood their plain and fall again.

    The same simulator as 'arpent simulate --sensor s1 --dates N', set for several rivers. The index tells rain and
    water level of each date; 'arpent forecast prepare' takes the folder as it is.
    """
    spoken = language_named(language)
    tell(output, write_images(output, settings, force=force, progress=progress()), spoken)
