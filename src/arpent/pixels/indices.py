"""Spectral indices: a table of formulas on named bands of surface reflectance."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from arpent.errors import BandMismatch, InvalidSetting, UnknownName

__all__ = ["SpectralIndex", "index_names", "spectral_index", "spectral_indices"]

Image = NDArray[np.float32]
_BLOCK = 1 << 15  # pixels per step: a few bands and intermediate results of that size stay in the cache of a core


@dataclass(frozen=True)
class SpectralIndex:
    """One index.

    Attributes:
        name: as it is written ("NDVI").
        title: for people.
        bands: STAC common names of the bands that the formula takes, in its order.
        formula: from reflectances (0 to 1), 32-bit floats of one shape, to the index.
        low: least value that is usual over land and water; infinite ranges do not occur in the table.
        high: greatest usual value.
        reference: who proposed it.
    """

    name: str
    title: str
    bands: tuple[str, ...]
    formula: Callable[..., Image]
    low: float
    high: float
    reference: str


def _ratio(above: Image, below: Image) -> Image:
    """`above` over `below`; NaN where `below` is 0, for there the index has no value."""
    return np.divide(above, below, out=np.full_like(above, np.nan), where=below != 0)


def _contrast(a: Image, b: Image) -> Image:
    return _ratio(a - b, a + b)


def _evi(blue: Image, red: Image, nir: Image) -> Image:
    return _ratio(2.5 * (nir - red), nir + 6 * red - 7.5 * blue + 1)


def _evi2(red: Image, nir: Image) -> Image:
    return _ratio(2.5 * (nir - red), nir + 2.4 * red + 1)


def _savi(red: Image, nir: Image) -> Image:
    return _ratio(1.5 * (nir - red), nir + red + 0.5)


def _osavi(red: Image, nir: Image) -> Image:
    return _ratio(nir - red, nir + red + 0.16)


def _msavi(red: Image, nir: Image) -> Image:
    soil = 2 * nir + 1
    inner: Image = np.maximum(soil * soil - 8 * (nir - red), np.float32(0))
    return np.float32(0.5) * (soil - np.sqrt(inner))


def _arvi(blue: Image, red: Image, nir: Image) -> Image:
    return _contrast(nir, 2 * red - blue)


def _bsi(blue: Image, red: Image, nir: Image, swir: Image) -> Image:
    return _contrast(swir + red, nir + blue)


def _lai(blue: Image, red: Image, nir: Image) -> Image:
    return 3.618 * _evi(blue, red, nir) - 0.118


_TABLE = {
    entry.name.casefold(): entry
    for entry in (
        SpectralIndex(
            "NDVI", "normalised difference vegetation index", ("nir", "red"), _contrast, -1, 1,
            "Rouse, Haas, Schell and Deering 1974",
        ),
        SpectralIndex(
            "GNDVI", "green normalised difference vegetation index", ("nir", "green"), _contrast, -1, 1,
            "Gitelson, Kaufman and Merzlyak 1996",
        ),
        SpectralIndex(
            "NDRE", "normalised difference red edge", ("nir", "rededge071"), _contrast, -1, 1,
            "Barnes et al. 2000",
        ),
        SpectralIndex(
            "CIre", "red edge chlorophyll index", ("rededge078", "rededge071"), lambda a, b: _ratio(a, b) - 1, -1, 10,
            "Gitelson, Gritz and Merzlyak 2003",
        ),
        SpectralIndex("DVI", "difference vegetation index", ("nir", "red"), np.subtract, -1, 1, "Tucker 1979"),
        SpectralIndex("SAVI", "soil-adjusted vegetation index", ("red", "nir"), _savi, -1.5, 1.5, "Huete 1988"),
        SpectralIndex(
            "OSAVI", "optimised soil-adjusted vegetation index", ("red", "nir"), _osavi, -1, 1,
            "Rondeaux, Steven and Baret 1996",
        ),
        SpectralIndex(
            "MSAVI", "modified soil-adjusted vegetation index", ("red", "nir"), _msavi, -1, 1,
            "Qi, Chehbouni, Huete, Kerr and Sorooshian 1994",
        ),
        SpectralIndex(
            "EVI", "enhanced vegetation index", ("blue", "red", "nir"), _evi, -1, 1, "Huete et al. 2002"
        ),
        SpectralIndex(
            "EVI2", "enhanced vegetation index of two bands", ("red", "nir"), _evi2, -1, 1,
            "Jiang, Huete, Didan and Miura 2008",
        ),
        SpectralIndex(
            "ARVI", "atmospherically resistant vegetation index", ("blue", "red", "nir"), _arvi, -1, 1,
            "Kaufman and Tanré 1992",
        ),
        SpectralIndex(
            "LAI", "leaf area index, estimated from EVI", ("blue", "red", "nir"), _lai, -1, 8, "Boegh et al. 2002"
        ),
        SpectralIndex(
            "NDWI", "normalised difference water index", ("green", "nir"), _contrast, -1, 1, "McFeeters 1996"
        ),
        SpectralIndex(
            "MNDWI", "modified normalised difference water index", ("green", "swir16"), _contrast, -1, 1, "Xu 2006"
        ),
        SpectralIndex(
            "NDMI", "normalised difference moisture index", ("nir", "swir16"), _contrast, -1, 1,
            "Gao 1996; Wilson and Sader 2002",
        ),
        SpectralIndex(
            "NBR", "normalised burn ratio", ("nir", "swir22"), _contrast, -1, 1, "García and Caselles 1991"
        ),
        SpectralIndex(
            "NDBI", "normalised difference built-up index", ("swir16", "nir"), _contrast, -1, 1,
            "Zha, Gao and Ni 2003",
        ),
        SpectralIndex(
            "BSI", "bare soil index", ("blue", "red", "nir", "swir16"), _bsi, -1, 1, "Rikimaru, Roy and Miyatake 2002"
        ),
        SpectralIndex(
            "NDSI", "normalised difference snow index", ("green", "swir16"), _contrast, -1, 1,
            "Hall, Riggs and Salomonson 1995",
        ),
        SpectralIndex(
            "NDTI", "normalised difference tillage index", ("swir16", "swir22"), _contrast, -1, 1,
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


def spectral_indices(names: Sequence[str], reflectance: Mapping[str, NDArray[np.floating]]) -> Image:
    """Several indices of one image, ``(names, height, width)``.

    Where a formula divides by zero the result is NaN.

    Args:
        names: of the indices.
        reflectance: images ``(height, width)`` of reflectance from 0 to 1, by STAC common name. A sensor whose only
            near infrared is the narrow one ("nir08") uses it for "nir".
    """
    entries = [spectral_index(name) for name in names]
    bands = _bands_for(entries, reflectance)
    shape = next(iter(bands.values())).shape if bands else (0, 0)
    flat = {name: np.ascontiguousarray(image, np.float32).ravel() for name, image in bands.items()}
    result = np.empty((len(entries), *shape), np.float32)
    rows = result.reshape(len(entries), -1)
    for start in range(0, rows.shape[1], _BLOCK):
        block = slice(start, start + _BLOCK)
        for row, entry in zip(rows, entries, strict=True):
            row[block] = entry.formula(*(flat[band][block] for band in entry.bands))
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
