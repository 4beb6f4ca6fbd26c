"""The pixels of every layer but the leading one: copied from whichever pair has won."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike, NDArray

from arpent.core import Grid, Window
from arpent.errors import ArpentError, InputError, NoOverlap
from arpent.io import open_image
from arpent.io.place import place
from arpent.tasks.change.mosaic_choice import chosen_pieces
from arpent.tasks.change.mosaic_readers import Placed, Rasters

__all__ = ["Filling", "Form", "Survey", "form_of", "survey"]

_KEPT = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64")
_NOTHING = -100.0
"""What floats without a no-data number of their own get, as the reference's products have it."""

WinnerOf = Callable[[Window], NDArray[np.int32]]


@dataclass(frozen=True)
class Form:
    """What the pixels of a raster are.

    Attributes:
        bands: their names.
        dtype: of the pixels.
        nodata: the number for "nothing here"; None where the file has none.
    """

    bands: tuple[str, ...]
    dtype: str
    nodata: float | None


@dataclass(frozen=True)
class Survey:
    """Rasters of one layer as their headers describe them, by number of the pair.

    Attributes:
        sources: what `io.open_image` reads.
        grids: where they lie.
        forms: what their pixels are.
        failures: those that cannot be used, with the reason.
    """

    sources: Mapping[int, str]
    grids: Mapping[int, Grid]
    forms: Mapping[int, Form]
    failures: Mapping[int, ArpentError]

    def renumbered(self) -> Survey:
        """Those that can be used, numbered anew from 0 on without gaps."""
        order = list(self.grids)
        return Survey(
            {place: self.sources[number] for place, number in enumerate(order)},
            {place: self.grids[number] for place, number in enumerate(order)},
            {place: self.forms[number] for place, number in enumerate(order)},
            {},
        )

    def placed(self, grid: Grid) -> dict[int, Placed]:
        """Where each lies on a grid; those that do not reach it are left out."""
        found = {}
        for number, own in self.grids.items():
            with suppress(NoOverlap):
                found[number] = Placed(self.sources[number], place(own, grid, self.sources[number]).covered)
        return found


def survey(sources: Mapping[int, str]) -> Survey:
    """Reads the headers of the rasters of a layer; all must have as many bands as the first."""
    grids: dict[int, Grid] = {}
    forms: dict[int, Form] = {}
    failures: dict[int, ArpentError] = {}
    for number, source in sources.items():
        try:
            with open_image(source) as image:
                image.grid.require_crs(source)
                form = Form(image.bands, str(image.dtype), image.nodata)
                first = next(iter(forms.values()), form)
                if len(form.bands) != len(first.bands):
                    raise InputError(
                        f"{source} has another number of bands than those before it",
                        found=len(form.bands),
                        expected=len(first.bands),
                        cure="Make its pair again with the settings of the others, or leave it out.",
                    )
                grids[number], forms[number] = image.grid, form
        except InputError as problem:
            failures[number] = problem
    kept = {number: source for number, source in sources.items() if number in grids}
    return Survey(kept, grids, forms, failures)


def form_of(forms: Iterable[Form], name: str) -> Form:
    """What can hold the pixels of all the rasters of a layer.

    Of several no-data numbers the lowest is kept, which is least likely to be a value somewhere else.
    """
    every = list(forms)
    bands = every[0].bands if len(every[0].bands) > 1 else (name,)
    dtype = np.result_type(*(form.dtype for form in every))
    if str(dtype) not in _KEPT:
        dtype = np.dtype(np.float32 if dtype.kind == "f" else np.float64)
    numbers = {form.nodata for form in every if form.nodata is not None}
    held = [number for number in numbers if _holds(dtype, number)]
    lowest = min((number for number in held if not math.isnan(number)), default=None)
    if lowest is None:
        lowest = _NOTHING if dtype.kind == "f" else float(np.iinfo(dtype.name).min)
    return Form(bands, str(dtype), lowest)


def _holds(dtype: DTypeLike, number: float) -> bool:
    kind = np.dtype(dtype)
    if kind.kind == "f":
        return True
    return number.is_integer() and np.iinfo(kind.name).min <= number <= np.iinfo(kind.name).max


class Filling:
    """Copies a layer from the winners, window by window.

    Args:
        name: of the product.
        rasters: the layer of every pair that has it, on the grid of the mosaic.
        winner: number of the raster to copy from, ``(height, width)`` of a window; one without raster copies nothing.
        form: what the product's pixels are.
    """

    def __init__(self, name: str, rasters: Rasters, winner: WinnerOf, form: Form) -> None:
        self._name, self._rasters, self._winner, self._form = name, rasters, winner, form

    def __call__(self, window: Window) -> dict[str, NDArray[np.generic]]:
        """The product's pixels ``(bands, height, width)`` of a window."""
        pixels = np.full((len(self._form.bands), *window.shape), self._form.nodata, self._form.dtype)
        for piece in chosen_pieces(self._rasters, self._winner(window), window):
            there = pixels[:, *piece.inside]
            np.copyto(there, piece.values.astype(pixels.dtype, copy=False), where=piece.valid)
        return {self._name: pixels}
