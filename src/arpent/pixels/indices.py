"""Spectral indices: a table of formulas on named bands of surface reflectance."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numba
import numpy as np
from numpy.typing import NDArray

from arpent.errors import BandMismatch, InvalidSetting, UnknownName

__all__ = ["SpectralIndex", "index_names", "spectral_index", "spectral_indices"]

Image = NDArray[np.float32]
Role = Literal["vigour", "chlorophyll", "biomass", "moisture", "water", "soil", "built", "burn", "snow", "residue"]


@dataclass(frozen=True)
class SpectralIndex:
    """One index.

    Attributes:
        name: as it is written ("NDVI").
        title: for people.
        role: what it speaks of.
        bands: STAC common names of the bands that the formula takes, in its order.
        formula: from the reflectances (0 to 1) of one pixel to the index; compiled when it is first used.
        low: least value that means anything; beyond it a ratio has run away where its bands are all but zero.
        high: greatest such value.
        reference: who proposed it.
        unit: of the values; empty for plain numbers.
    """

    name: str
    title: str
    role: Role
    bands: tuple[str, ...]
    formula: Callable[..., float]
    low: float
    high: float
    reference: str
    unit: str = ""


@numba.njit(inline="always")
def _ratio(above: float, below: float) -> float:
    """`above` over `below`; NaN where `below` is 0, for there the index has no value."""
    return above / below if below != 0 else np.nan


def _contrast(a: float, b: float) -> float:
    return _ratio(a - b, a + b)


def _difference(a: float, b: float) -> float:
    return a - b


def _red_edge_chlorophyll(long: float, short: float) -> float:
    return _ratio(long, short) - 1


def _evi(blue: float, red: float, nir: float) -> float:
    return _ratio(2.5 * (nir - red), nir + 6 * red - 7.5 * blue + 1)


def _evi2(red: float, nir: float) -> float:
    return _ratio(2.5 * (nir - red), nir + 2.4 * red + 1)


def _savi(red: float, nir: float) -> float:
    return _ratio(1.5 * (nir - red), nir + red + 0.5)


def _osavi(red: float, nir: float) -> float:
    return _ratio(nir - red, nir + red + 0.16)


def _msavi(red: float, nir: float) -> float:
    soil = 2 * nir + 1
    return (soil - math.sqrt(max(soil * soil - 8 * (nir - red), 0))) / 2


def _arvi(blue: float, red: float, nir: float) -> float:
    return _ratio(nir - (2 * red - blue), nir + (2 * red - blue))


def _bsi(blue: float, red: float, nir: float, swir: float) -> float:
    return _ratio((swir + red) - (nir + blue), (swir + red) + (nir + blue))


def _lai(blue: float, red: float, nir: float) -> float:
    return 3.618 * _ratio(2.5 * (nir - red), nir + 6 * red - 7.5 * blue + 1) - 0.118


_TABLE = {
    entry.name.casefold(): entry
    for entry in (
        SpectralIndex(
            "NDVI", "normalised difference vegetation index", "vigour", ("nir", "red"), _contrast, -1, 1,
            "Rouse, Haas, Schell and Deering 1974",
        ),
        SpectralIndex(
            "GNDVI", "green normalised difference vegetation index", "vigour", ("nir", "green"), _contrast, -1, 1,
            "Gitelson, Kaufman and Merzlyak 1996",
        ),
        SpectralIndex(
            "NDRE", "normalised difference red edge", "chlorophyll", ("nir", "rededge071"), _contrast, -1, 1,
            "Barnes et al. 2000",
        ),
        SpectralIndex(
            "CIre", "red edge chlorophyll index", "chlorophyll", ("rededge078", "rededge071"), _red_edge_chlorophyll,
            -1, 10, "Gitelson, Gritz and Merzlyak 2003",
        ),
        SpectralIndex(
            "DVI", "difference vegetation index", "biomass", ("nir", "red"), _difference, -1, 1, "Tucker 1979"
        ),
        SpectralIndex(
            "SAVI", "soil-adjusted vegetation index", "biomass", ("red", "nir"), _savi, -1.5, 1.5, "Huete 1988"
        ),
        SpectralIndex(
            "OSAVI", "optimised soil-adjusted vegetation index", "biomass", ("red", "nir"), _osavi, -1, 1,
            "Rondeaux, Steven and Baret 1996",
        ),
        SpectralIndex(
            "MSAVI", "modified soil-adjusted vegetation index", "biomass", ("red", "nir"), _msavi, -1, 1,
            "Qi, Chehbouni, Huete, Kerr and Sorooshian 1994",
        ),
        SpectralIndex(
            "EVI", "enhanced vegetation index", "biomass", ("blue", "red", "nir"), _evi, -1, 1.5, "Huete et al. 2002"
        ),
        SpectralIndex(
            "EVI2", "enhanced vegetation index of two bands", "biomass", ("red", "nir"), _evi2, -1, 1,
            "Jiang, Huete, Didan and Miura 2008",
        ),
        SpectralIndex(
            "ARVI", "atmospherically resistant vegetation index", "vigour", ("blue", "red", "nir"), _arvi, -1.5, 1.5,
            "Kaufman and Tanré 1992",
        ),
        SpectralIndex(
            "LAI", "leaf area index, estimated from EVI", "biomass", ("blue", "red", "nir"), _lai, -1, 8,
            "Boegh et al. 2002", "m²/m²",
        ),
        SpectralIndex(
            "NDWI", "normalised difference water index", "water", ("green", "nir"), _contrast, -1, 1, "McFeeters 1996"
        ),
        SpectralIndex(
            "MNDWI", "modified normalised difference water index", "water", ("green", "swir16"), _contrast, -1, 1,
            "Xu 2006",
        ),
        SpectralIndex(
            "NDMI", "normalised difference moisture index", "moisture", ("nir", "swir16"), _contrast, -1, 1,
            "Gao 1996; Wilson and Sader 2002",
        ),
        SpectralIndex(
            "NBR", "normalised burn ratio", "burn", ("nir", "swir22"), _contrast, -1, 1, "García and Caselles 1991"
        ),
        SpectralIndex(
            "NDBI", "normalised difference built-up index", "built", ("swir16", "nir"), _contrast, -1, 1,
            "Zha, Gao and Ni 2003",
        ),
        SpectralIndex(
            "BSI", "bare soil index", "soil", ("blue", "red", "nir", "swir16"), _bsi, -1, 1,
            "Rikimaru, Roy and Miyatake 2002",
        ),
        SpectralIndex(
            "NDSI", "normalised difference snow index", "snow", ("green", "swir16"), _contrast, -1, 1,
            "Hall, Riggs and Salomonson 1995",
        ),
        SpectralIndex(
            "NDTI", "normalised difference tillage index", "residue", ("swir16", "swir22"), _contrast, -1, 1,
            "van Deventer, Ward, Gowda and Lyon 1997",
        ),
    )
}  # fmt: skip


def index_names() -> tuple[str, ...]:
    """Every index in the table."""
    return tuple(entry.name for entry in _TABLE.values())


def spectral_index(name: str) -> SpectralIndex:
    """The index of that name, in any case."""
    if name.casefold() not in _TABLE:
        raise UnknownName.among(name, index_names(), "spectral index")
    return _TABLE[name.casefold()]


@cache
def _compiled(formula: Callable[..., float], inputs: int) -> Callable[..., Image]:
    """A formula as a loop over pixels that reads each band once; kept on disk between runs."""
    signature = f"float32({', '.join(['float32'] * inputs)})"
    vectorize: Callable[..., Callable[..., Callable[..., Image]]] = numba.vectorize
    return vectorize([signature], cache=True)(formula)


def spectral_indices(
    names: Sequence[str], reflectance: Mapping[str, NDArray[np.floating]], out: Image | None = None
) -> Image:
    """Several indices of one image, ``(names, height, width)``.

    Where a formula divides by zero the result is NaN. Twenty indices of a large image are soon computed: most of the
    time goes into new memory for them, which `out` saves whoever measures window after window.

    Args:
        names: of the indices.
        reflectance: images ``(height, width)`` of reflectance from 0 to 1, by STAC common name. A sensor whose only
            near infrared is the narrow one ("nir08") uses it for "nir".
        out: an array ``(names, height, width)`` of float32 to write to.
    """
    entries = [spectral_index(name) for name in names]
    bands = _bands_for(entries, reflectance)
    shape = next(iter(bands.values())).shape if bands else (0, 0)
    planes = {name: np.ascontiguousarray(image, np.float32) for name, image in bands.items()}
    result = np.empty((len(entries), *shape), np.float32) if out is None else out
    if result.shape != (len(entries), *shape) or result.dtype != np.float32:
        raise InvalidSetting(
            "the array for the indices has another shape or type",
            found=f"{result.shape} of {result.dtype}",
            expected=f"{(len(entries), *shape)} of float32",
            cure="Give one that fits, or none.",
        )
    with np.errstate(divide="ignore", invalid="ignore"):  # both sides of a test for 0 are computed, one is taken
        for plane, entry in zip(result, entries, strict=True):
            _compiled(entry.formula, len(entry.bands))(*(planes[band] for band in entry.bands), out=plane)
    return result


def _bands_for(
    entries: Sequence[SpectralIndex], reflectance: Mapping[str, NDArray[np.floating]]
) -> dict[str, NDArray[np.floating]]:
    """The images that the indices take, by the name that the formulas use."""
    given = dict(reflectance)
    if "nir" not in given and "nir08" in given:
        given["nir"] = given["nir08"]
    wanted = list(dict.fromkeys(band for entry in entries for band in entry.bands))
    missing = [band for band in wanted if band not in given]
    if missing:
        needing = [entry.name for entry in entries if set(entry.bands) & set(missing)]
        raise BandMismatch(
            f"{', '.join(needing)} cannot be computed without {', '.join(missing)}",
            found=", ".join(reflectance),
            expected=", ".join(wanted),
            cure="Give these bands, or ask for other indices.",
        )
    if len({given[band].shape for band in wanted}) > 1:
        raise InvalidSetting(
            "bands of different size cannot be combined",
            found=", ".join(f"{band} {given[band].shape}" for band in wanted),
            cure="Read all bands on one grid.",
        )
    return {band: given[band] for band in wanted}
