"""``arpent simulate``: images of a landscape that does not exist, with exact truth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from arpent.cli.console import progress, show, table, where_to_find
from arpent.cli.options import with_settings
from arpent.cli.places import Spoken
from arpent.core import Language
from arpent.language import language_named, say
from arpent.testing.simulation import Simulated, Simulation
from arpent.testing.simulation import simulate as write_images

__all__ = ["app", "tell"]

app = typer.Typer(help="Synthetic landscapes with exact truth, for any sensor.")


@app.command()
@with_settings
def simulate(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the images.", metavar="FOLDER")],
    settings: Simulation,
    force: Annotated[bool, typer.Option("--force", help="Replace a simulation that is there.")] = False,
    language: Spoken = "en",
) -> None:
    """Simulates images of a landscape, as any sensor sees it, with exact truth.

    Writes COGs, true classes, cloud masks, what changed between dates, and an index that training reads.
    """
    spoken = language_named(language)
    tell(output, write_images(output, settings, force=force, progress=progress()), spoken)


def tell(output: Path, done: list[Simulated], language: Language) -> None:
    """Shows what lies in a folder now."""
    rows = [(one.domain, one.sensor, one.date, one.image.relative_to(output).as_posix()) for one in done]
    show(
        {"folder": output, "index": output / "index.csv", "images": done},
        table([say(f"word.{key}", language) for key in ("domain", "sensor", "date", "image")], rows),
        *where_to_find([(say("simulate.index", language), output / "index.csv")]),
    )
