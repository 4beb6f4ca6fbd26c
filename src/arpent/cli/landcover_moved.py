"""``arpent landcover moved``: which parameters a fine-tuning has moved."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from arpent.cli.console import show, table
from arpent.core import Language
from arpent.language import language_named, number, percent, say

if TYPE_CHECKING:
    from arpent.tasks.landcover.moved import LayerMove

__all__ = ["app"]

app = typer.Typer()


@app.command()
def moved(
    before: Annotated[Path, typer.Argument(help="Model before, or the run that trained it.", metavar="BUNDLE_A")],
    after: Annotated[Path, typer.Argument(help="Model after.", metavar="BUNDLE_B")],
    chart: Annotated[
        Path | None, typer.Option("--chart", "-o", metavar="FILE.png", help="Also draw the layers as bars.")
    ] = None,
    language: Annotated[str, typer.Option(metavar="en|fr", help="Language of table and chart.")] = "en",
) -> None:
    """Shows which parameters moved between two models: layer by layer, and each part's share of the movement.

    Reads the files alone; no network is built.
    """
    from arpent.tasks.landcover.moved import draw_moved
    from arpent.tasks.landcover.moved import moved as compare

    tongue = language_named(language)
    found = compare(before, after)
    shares = [
        f"{say(f'moved.{part}', tongue)}  {say('moved.share', tongue, share=share)}"
        for part, share in found.shares.items()
    ]
    lines = [
        *(shares or [say("moved.nothing", tongue)]),
        say("moved.still", tongue, still=found.still, layers=len(found.layers)),
    ]
    if found.left_out:
        lines.append(say("moved.left_out", tongue, layers=", ".join(found.left_out)))
    heads = [say(f"moved.{key}", tongue) for key in ("layer", "part", "numbers", "relative", "cosine", "statistics")]
    document = {
        "layers": found.layers,
        "shares": found.shares,
        "still": found.still,
        "left_out": found.left_out,
        "chart": draw_moved(found, chart, tongue) if chart else None,
    }
    show(document, table(heads, [_row(layer, tongue) for layer in found.layers]), *lines)


def _row(layer: LayerMove, language: Language) -> list[str]:
    name = f"{layer.name} ({', '.join(layer.bands)})" if layer.bands else layer.name
    return [
        name,
        say(f"moved.{layer.part}", language),
        number(layer.numbers, language),
        "–" if layer.relative is None else percent(layer.relative, language),
        "–" if layer.cosine is None else number(layer.cosine, language, 5),
        "–" if layer.statistics is None else percent(layer.statistics, language),
    ]
