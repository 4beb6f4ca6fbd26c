"""What the ground is made of, what it reflects, and how that changes through the year.

Reflectances are rounded from the curves that the ECOSTRESS library (Meerdink et al. 2019, Remote Sens. Environ.)
and the USGS library version 7 (Kokaly et al. 2017, doi 10.3133/ds1035) publish for like surfaces, and for canopies,
which libraries of leaves do not give, from the per-class Sentinel-2 surface reflectances that land-cover studies of
western Europe print. They are plausible, not calibrated. Growth follows the crop calendar of the JRC's MARS bulletins.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from arpent.core import nomenclature

__all__ = [
    "ANCHORS",
    "BANDS_OF_SHADE",
    "CLASS_OF",
    "MATERIALS",
    "STEPS",
    "VARIANTS",
    "VEGETATION",
    "WATERS",
    "Material",
    "lender",
    "number",
    "reflectances",
]

VARIANTS: Final = 16
"""How many shades a material comes in: fields of one crop differ in date and soil, roofs in age."""

ANCHORS: Final = np.array([443, 492, 560, 665, 704, 740, 783, 833, 865, 945, 1614, 2202], np.float64)
"""Wavelengths in nanometres at which spectra are given; between them they are interpolated."""

Spectrum = tuple[float, ...]

_SOIL: Spectrum = (0.060, 0.072, 0.100, 0.138, 0.158, 0.172, 0.186, 0.202, 0.216, 0.230, 0.300, 0.250)
_STUBBLE: Spectrum = (0.075, 0.095, 0.135, 0.185, 0.208, 0.225, 0.242, 0.262, 0.278, 0.292, 0.355, 0.285)
_DRY: Spectrum = (0.045, 0.062, 0.102, 0.118, 0.158, 0.212, 0.240, 0.268, 0.285, 0.298, 0.312, 0.205)
_LEAFLESS: Spectrum = (0.042, 0.050, 0.066, 0.080, 0.105, 0.132, 0.148, 0.164, 0.174, 0.184, 0.202, 0.140)


@dataclass(frozen=True)
class Material:
    """A kind of surface.

    Attributes:
        name: for code and for people who debug.
        land: number of its class in the nomenclature ``commune``.
        lush: reflectance in full growth, at `ANCHORS`; for lifeless matter the only one.
        bare: reflectance out of season; None where the seasons do nothing.
        calendar: pairs of (day of the year, share of `lush`), linear in between.
        spread: relative scatter of brightness between variants.
        radar: mean backscatter VV, VH in decibels. Orders of magnitude of Ulaby and Dobson (1989), C band, 39°.
    """

    name: str
    land: int
    lush: Spectrum
    radar: tuple[float, float]
    bare: Spectrum | None = None
    calendar: tuple[tuple[int, float], ...] = ()
    spread: float = 0.10


# fmt: off
MATERIALS: Final[tuple[Material, ...]] = (
    Material("asphalt", 3, (.068, .074, .085, .096, .099, .102, .105, .109, .112, .116, .135, .128), (-14.5, -23.0)),
    Material("concrete", 3, (.165, .190, .228, .255, .265, .272, .278, .286, .291, .296, .325, .305), (-12.0, -21.0)),
    Material("tiles", 1, (.055, .068, .108, .225, .252, .275, .295, .312, .322, .330, .380, .340),
             (-4.5, -13.5), spread=.18),
    Material("slate", 1, (.064, .068, .072, .076, .078, .081, .084, .088, .090, .092, .108, .104),
             (-4.5, -13.5), spread=.16),
    Material("sheet", 1, (.240, .268, .298, .315, .320, .324, .328, .332, .335, .338, .350, .325),
             (-2.5, -12.5), spread=.16),
    Material("flat roof", 1, (.150, .165, .182, .195, .199, .203, .208, .214, .218, .222, .250, .240),
             (-4.0, -13.0), spread=.20),
    Material("river", 5, (.046, .052, .062, .042, .034, .022, .020, .017, .015, .012, .006, .004),
             (-20.5, -28.5), spread=.08),
    Material("pond", 5, (.034, .038, .050, .034, .030, .020, .018, .016, .014, .011, .006, .004),
             (-22.0, -29.5), spread=.20),
    Material("flood water", 5, (.072, .086, .116, .124, .114, .090, .084, .076, .068, .050, .015, .010),
             (-19.5, -27.5), spread=.12),
    Material("swollen river", 5, (.070, .084, .112, .118, .108, .086, .080, .072, .064, .047, .014, .010),
             (-19.5, -27.5), spread=.06),
    Material("pool", 13, (.210, .280, .265, .085, .050, .034, .029, .025, .021, .018, .008, .005),
             (-10.0, -19.0), spread=.12),
    Material("conifer", 6, (.015, .018, .033, .020, .055, .142, .182, .198, .206, .208, .092, .041),
             (-9.6, -14.8), spread=.10),
    Material("broadleaf", 7, (.019, .024, .050, .025, .084, .242, .312, .334, .345, .348, .168, .074), (-9.2, -14.4),
             _LEAFLESS, ((0, 0.), (88, 0.), (128, 1.), (265, .95), (312, .12), (330, 0.), (366, 0.)), .12),
    Material("vine", 9, (.022, .028, .060, .036, .100, .262, .330, .358, .370, .372, .200, .092), (-11.2, -18.4),
             _LEAFLESS, ((0, 0.), (100, 0.), (165, 1.), (262, .9), (305, .1), (366, 0.))),
    Material("vine soil", 9, (.085, .105, .150, .200, .222, .238, .252, .268, .280, .292, .365, .305),
             (-11.4, -18.8), spread=.14),
    Material("vine grass", 9, (.028, .034, .075, .048, .112, .250, .310, .338, .352, .358, .225, .115),
             (-11.4, -18.6),
             _DRY, ((0, .75), (95, 1.), (150, .9), (215, .35), (270, .6), (366, .75))),
    Material("meadow", 10, (.025, .031, .071, .041, .110, .272, .340, .370, .385, .390, .222, .110), (-12.2, -19.2),
             _DRY, ((0, .80), (95, 1.), (150, 1.), (168, .62), (205, .50), (250, .62), (300, .9), (366, .80))),
    Material("lawn", 10, (.028, .035, .082, .046, .120, .285, .352, .382, .397, .402, .230, .112), (-12.0, -18.6),
             _DRY, ((0, .85), (95, 1.), (180, .85), (225, .60), (270, .85), (366, .85))),
    Material("cereal", 11, (.020, .025, .061, .030, .090, .302, .400, .430, .444, .440, .190, .085), (-12.8, -19.8),
             _STUBBLE, ((0, .30), (60, .45), (100, .95), (145, 1.), (178, .20), (200, 0.), (290, 0.), (366, .30))),
    Material("rapeseed", 11, (.028, .036, .105, .078, .160, .318, .388, .415, .428, .424, .215, .104), (-10.6, -15.8),
             _STUBBLE, ((0, .55), (75, .80), (108, 1.), (160, .85), (186, .15), (200, 0.), (255, .10), (366, .55))),
    Material("maize", 11, (.022, .028, .063, .033, .100, .302, .390, .420, .435, .432, .210, .095), (-10.8, -17.2),
             _SOIL, ((0, 0.), (128, 0.), (165, .55), (190, 1.), (238, .95), (270, .25), (285, 0.), (366, 0.))),
    Material("sunflower", 11, (.028, .036, .096, .082, .150, .310, .372, .400, .414, .412, .228, .112),
             (-10.4, -17.0),
             _SOIL, ((0, 0.), (115, 0.), (160, .6), (190, 1.), (215, .85), (245, .15), (260, 0.), (366, 0.))),
    Material("plough", 12, _SOIL, (-12.6, -22.4), spread=.20),
    Material("gravel", 4, (.130, .158, .208, .262, .282, .297, .311, .327, .338, .349, .420, .380),
             (-13.2, -22.6), spread=.14),
    Material("earth", 4, (.085, .108, .158, .228, .252, .268, .282, .300, .312, .326, .405, .345),
             (-13.4, -23.2), spread=.14),
    Material("mud", 4, (.070, .084, .108, .134, .144, .150, .156, .164, .168, .172, .150, .110),
             (-14.0, -23.5), spread=.10),
    Material("burnt", 4, (.034, .039, .046, .056, .060, .065, .071, .079, .085, .094, .150, .162),
             (-13.0, -21.5), spread=.12),
    Material("brash", 4, (.058, .074, .102, .134, .162, .192, .212, .234, .248, .264, .330, .262),
             (-12.2, -19.8), spread=.12),
)
# fmt: on

CLASS_OF: Final[NDArray[np.uint8]] = np.array([material.land for material in MATERIALS], np.uint8)
"""Class of each material."""

VEGETATION: Final = (6, 7, 9, 10, 11)
"""Classes of living plants: conifers, broad-leaved trees, vines, grass, crops."""

WATERS: Final = (5, 13)
"""Classes of water: open water, swimming pools."""

STEPS: Final = (0.7548776662466927, 0.5698402909980532)
"""Of the plane sequence of Roberts (2018): multiples of them, modulo 1, leave none of the square empty."""

BANDS_OF_SHADE: Final[Spectrum] = (0.36, 0.32, 0.26, 0.21, 0.20, 0.19, 0.18, 0.17, 0.17, 0.16, 0.12, 0.10)
"""Light left in a cast shadow, as a share of full light, at `ANCHORS`: the blue of a clear sky lasts."""


def number(name: str) -> int:
    """The number by which compiled code knows a material."""
    return [material.name for material in MATERIALS].index(name)


def _growth(material: Material, day: float) -> float:
    """Share of `lush` on a day of the year."""
    if material.bare is None:
        return 1.0
    days, shares = zip(*material.calendar, strict=True)
    return float(np.interp(day, days, shares))


def _scatter(index: int, variant: int) -> tuple[float, float]:
    """Two numbers in −1 … 1, its own for each variant of each material.

    No two variants are alike, and none of the range is left empty.
    """
    step = 1 + variant + VARIANTS * index
    return 2 * (STEPS[0] * step % 1.0) - 1, 2 * (STEPS[1] * step % 1.0) - 1


def _source_of_class(permutation: int, kept: tuple[int, ...]) -> dict[int, int]:
    """Which class lends its spectra to which: each another one, but for those that keep their own."""
    ids = [int(i) for i in nomenclature("commune").ids if i not in kept]
    # One step round a ring of the classes, shuffled by a multiplicative hash, leaves none in its place.
    ring = sorted(ids, key=lambda land: (land + 1) * (2 * permutation + 1) * 2654435761 % 4294967296)
    return dict(zip(ring, ring[1:] + ring[:1], strict=True)) | {land: land for land in kept}


def lender(index: int, permutation: int, kept: tuple[int, ...] = ()) -> int:
    """The number of the material that lends its looks to the one of number `index`.

    Args:
        index: of the borrower.
        permutation: 0 for each its own; any other number deals the looks of whole classes out anew.
        kept: classes that keep their own.
    """
    if permutation == 0:
        return index
    land = _source_of_class(permutation, kept)[MATERIALS[index].land]
    if land == MATERIALS[index].land:
        return index
    pool = [i for i, material in enumerate(MATERIALS) if material.land == land]
    return pool[index % len(pool)]


@lru_cache(maxsize=64)
def reflectances(wavelengths: tuple[float, ...], day: int, permutation: int = 0) -> NDArray[np.float32]:
    """Surface reflectance ``(material, variant, band)`` on a day of the year.

    Args:
        wavelengths: centre of each band in nanometres.
        day: 1 … 366.
        permutation: 0 for the spectra as they are; any other number deals the spectra of whole classes out anew, so
            that a model cannot know them by heart.
    """
    found = np.empty((len(MATERIALS), VARIANTS, len(wavelengths)), np.float32)
    for index in range(len(MATERIALS)):
        source = lender(index, permutation)
        material = MATERIALS[source]
        for variant in range(VARIANTS):
            delay, brightness = _scatter(source, variant)
            share = _growth(material, (day - 14.0 * delay) % 366.0)
            spectrum = np.array(material.lush)
            if material.bare is not None:
                spectrum = share * spectrum + (1.0 - share) * np.array(material.bare)
            spectrum = spectrum * math.exp(material.spread * brightness)
            found[index, variant] = np.interp(wavelengths, ANCHORS, spectrum)
    found.setflags(write=False)
    return found
