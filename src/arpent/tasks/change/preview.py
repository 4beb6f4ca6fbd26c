"""What a person looks at first: the dates beside what changed between them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from affine import Affine

from arpent.core import Contract, Grid, Language, Raster
from arpent.errors import NoOverlap
from arpent.io import open_image, quicklook
from arpent.language import say
from arpent.report import figures
from arpent.tasks.change.frames import day_of
from arpent.tasks.change.judgement import Judgement
from arpent.tasks.change.pairing import PairImage

__all__ = ["draw_pair"]

_LARGEST = 700  # pixels of the longer side of a panel


def draw_pair(
    image: PairImage,
    products: Mapping[str, Path],
    judgement: Judgement | None,
    path: Path,
    contract: Contract,
    *,
    language: Language = "en",
) -> Path:
    """Draws all dates side by side, then the layer that says what has changed, red where it does.

    Args:
        image: the pair, open.
        products: files by name.
        judgement: names that layer and its threshold; None where nothing was compared.
        path: of the PNG.
        contract: names the bands.
        language: of titles.
    """
    shown = [
        figures.Panel(_look(image, number, contract), _title(image, number, language))
        for number in range(len(image.frames))
    ]
    if judgement is not None:
        small = quicklook(products[judgement.layer], _LARGEST)
        key = "change.cosine" if judgement.layer == "cosine_map" else "change.probability"
        title = say(key, language, threshold=judgement.threshold)
        shown.append(figures.Panel(small, title, steps=judgement.steps))
    return figures.panels(shown, path, title=image.pair.title or image.pair.name, language=language)


def _title(image: PairImage, number: int, language: Language) -> str:
    date = image.frames[number].frame.date
    word = say("change.after" if number and number == len(image.frames) - 1 else "change.before", language)
    if len(image.frames) == 1:
        word = ""
    return " ".join(filter(None, (word, "" if date is None else day_of(date).isoformat())))


def _look(image: PairImage, number: int, contract: Contract) -> Raster:
    """A small picture of one date in natural colours, where the model has them; on the grid of the pair."""
    frame = image.frames[number]
    factor = max(1.0, max(image.grid.shape) / _LARGEST)
    height, width = (max(1, round(side / factor)) for side in image.grid.shape)
    scale = Affine.scale(image.grid.width / width, image.grid.height / height)
    grid = Grid(height, width, image.grid.transform @ scale, image.grid.crs)
    places = _colours(contract)
    if grid.crs is None:
        small = quicklook(frame.frame.image, _LARGEST)
        wanted = [small.bands[place] for place in places if place < len(small.bands)]
        return Raster(
            small.pixels[[small.bands.index(name) for name in wanted]], small.valid, small.grid, tuple(wanted)
        )
    names = [frame.names[place] for place in places]
    try:
        with open_image(frame.frame.image, bands=names, sensor=image.sensor, grid=grid, resampling="average") as reader:
            return reader.read(grid.window)
    except NoOverlap:  # the part asked for lies beside it
        return Raster(
            np.zeros((len(names), height, width), np.uint8), np.zeros((height, width), bool), grid, tuple(names)
        )


def _colours(contract: Contract) -> list[int]:
    """The places of red, green and blue among the bands of the model, or of its first three."""
    found = [
        next((place for place, band in enumerate(contract.bands) if band.answers_to(colour)), None)
        for colour in ("red", "green", "blue")
    ]
    known = [place for place in found if place is not None]
    return known if len(known) == 3 else list(range(min(3, len(contract.bands))))
