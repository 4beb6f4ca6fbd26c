"""Which band of a file is which band of Sentinel-2: by name, else as declared, else by what the pixels show.

The order of bands without names is never guessed where two orders are possible: EuroSAT's files keep the 13 bands of
L1C with B8A at their end, and nothing but the pixels tells them from the usual order.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from arpent.core import Band, Language, band_count, sensor
from arpent.errors import BandMismatch, UnknownName
from arpent.io.bands import Layer, is_quality
from arpent.language import say
from arpent.tasks.describe.scene_settings import Layout

__all__ = [
    "BANDS",
    "CIRRUS",
    "Naming",
    "are_nameless",
    "declared_naming",
    "named_bands",
    "order_of_thirteen",
    "undeclared_naming",
]

BANDS = sensor("sentinel-2-l2a").band_names
"""The twelve bands that scenes give, in CROMA's order."""

CIRRUS = "B10"
"""The band of L1C that sees no ground: read for what it tells of the offset, never given."""

_ORDERS = {"l2a": "sentinel-2-l2a", "l1c": "sentinel-2-l1c", "eurosat": "eurosat"}
_OWN = frozenset({"sentinel-2-l2a", "sentinel-2-l1c", "eurosat"})
_WITHIN = re.compile(r"(?:^|[^A-Za-z0-9])(B(?:0?[1-9]|1[0-2]|8A))(?=$|[^A-Za-z0-9])", re.IGNORECASE)
_PLACEHOLDER = re.compile(r"(?:band|layer)[ _-]?\d+|gray|undefined|red|green|blue|nir|pan", re.IGNORECASE)
_EUROSAT = re.compile(
    r"(?:^|[/\\])(?:AnnualCrop|Forest|HerbaceousVegetation|Highway|Industrial|Pasture|PermanentCrop|Residential|River"
    r"|SeaLake)_\d+\.tiff?$"
)
_TWELVE, _THIRTEEN = 12, 13
_CLASSES = 11
"""Highest number of a scene classification."""


@dataclass(frozen=True)
class Naming:
    """Which band of a file is which.

    Attributes:
        own: name in the file, by name of the Sentinel-2 band.
        note: what people should know of how that was told; empty where the file names its bands.
    """

    own: Mapping[str, str]
    note: str = ""


def are_nameless(layers: Sequence[Layer]) -> bool:
    """Whether the bands have only numbers, or the colours that a writer gives the first three of many."""
    return len(layers) in (_TWELVE, _THIRTEEN) and all(_PLACEHOLDER.fullmatch(layer.name) for layer in layers)


def named_bands(layers: Sequence[Layer], sensor_name: str | None, language: Language = "en") -> Naming:
    """What the names in a file tell; empty where it has none that a Sentinel-2 band answers to.

    Args:
        layers: of the file.
        sensor_name: whose image it is, where that is known: bands of another camera are known by their colours only,
            since it may number them otherwise.
        language: of the note.
    """
    foreign = sensor_name is not None and sensor_name not in _OWN
    plain = [layer for layer in layers if not is_quality(layer.name)]
    own: dict[str, str] = {}
    for band in sensor("sentinel-2-l1c").bands:
        found = _layer_of(band, plain, foreign=foreign)
        if found is not None and found.name not in own.values():
            own[band.name] = found.name
    note = say("scene.colours", language, name=sensor_name) if foreign and own else ""
    return Naming(own, note)


def _layer_of(band: Band, layers: Sequence[Layer], *, foreign: bool) -> Layer | None:
    words = [band.common or band.name] if foreign else [band.name, *band.aliases, band.common or band.name]
    for word in words:
        for layer in layers:
            if layer.name.casefold() == word.casefold() or layer.answers_to(word):
                return layer
    if foreign:
        return None
    inside = [layer for layer in layers if (m := _WITHIN.search(layer.name)) and band.answers_to(m[1])]
    return inside[0] if len(inside) == 1 else None


def declared_naming(layers: Sequence[Layer], source: str, layout: Layout, bands: Sequence[str] | None) -> Naming:
    """The order that a user declares, by `layout` or band by band.

    Raises:
        BandMismatch: the file has another number of bands.
        UnknownName: no band of that name.
    """
    plain = [layer.name for layer in layers if not is_quality(layer.name)]
    if bands is not None:
        order = [name if is_quality(name) else _known(name) for name in bands]
        if len(order) != len(plain):
            plain = [layer.name for layer in layers]
    else:
        order = list(sensor(_ORDERS[layout]).band_names)
    if len(order) != len(plain):
        raise BandMismatch(
            f"{source} does not have the bands that are declared",
            found=band_count(len(plain)),
            expected=f"{len(order)}: {', '.join(order)}",
            cure="Correct --layout or --bands.",
        )
    return Naming({name: own for name, own in zip(order, plain, strict=True) if not is_quality(name)})


def _known(name: str) -> str:
    bands = sensor("sentinel-2-l1c").bands
    for band in bands:
        if band.answers_to(name):
            return band.name
    raise UnknownName.among(name, [band.name for band in bands], "band of Sentinel-2")


def undeclared_naming(
    layers: Sequence[Layer], source: str, values: NDArray[np.float32], language: Language = "en"
) -> Naming:
    """The order of bands without names, where their number and their pixels leave no doubt.

    Args:
        layers: of the file.
        source: what the user calls it.
        values: ``(bands, n)`` of some pixels.
        language: of the note.

    Raises:
        BandMismatch: the order cannot be told.
    """
    names = [layer.name for layer in layers]
    nameless = are_nameless(layers)
    if nameless and len(names) == _TWELVE and not _is_water_vapour(values):
        return Naming(dict(zip(BANDS, names, strict=True)), say("scene.twelve", language))
    if nameless and len(names) == _THIRTEEN:
        if _are_classes(values[-1]):
            return Naming(dict(zip(BANDS, names[:-1], strict=True)), say("scene.twelve_and_classes", language))
        told = order_of_thirteen(values)
        if told is None or (told == "l1c" and _EUROSAT.search(source)):
            raise BandMismatch(
                f"the order of the 13 bands of {source} cannot be told",
                expected="names, or an order: B8A is the ninth band in L1C and the last in EuroSAT",
                cure="Say which it is: --layout l1c or --layout eurosat.",
            )
        note = say("scene.thirteen", language, title=sensor(_ORDERS[told]).title)
        return Naming(dict(zip(sensor(_ORDERS[told]).band_names, names, strict=True)), note)
    raise BandMismatch(
        f"{source} has no band that is known as one of Sentinel-2",
        found=f"{band_count(len(names))}, {', '.join(names[:_THIRTEEN])}",
        expected=", ".join(BANDS),
        cure="Name its bands in their order: --bands B02,B03,B04,B08 for the four of 10 m, or --layout for all.",
    )


def order_of_thirteen(values: NDArray[np.float32]) -> Layout | None:
    """The order of the bands of L1C, from their pixels ``(13, n)``; None where these leave a doubt.

    Two signs must not contradict each other, and the first must be clear. The cirrus band is all but black, at the
    tenth place in EuroSAT and at the eleventh in L1C, while its neighbours see the ground. And after B08 comes either
    its twin B8A, nearly as bright, or B09, which water vapour darkens.
    """
    if not values.size:
        return None
    middle = np.median(values, axis=1)
    middle = middle * (10_000 if values.max() <= 2 else 1)  # fractions
    middle = middle - (1000 if middle[9:11].min() >= 950 else 0)  # the offset of later baselines
    tenth, eleventh = middle[9] + 20, middle[10] + 20
    if not min(tenth, eleventh) * 2 < max(tenth, eleventh):
        return None
    told: Layout = "eurosat" if tenth < eleventh else "l1c"
    twin = _twin(middle)
    contradicted = (told == "eurosat" and twin is True) or (told == "l1c" and twin is False)
    return None if contradicted else told


def _twin(middle: NDArray[np.floating]) -> bool | None:
    """Whether the ninth band is as bright as the eighth; None in between, or where both are dark."""
    if middle[7] < 500:
        return None
    share = middle[8] / middle[7]
    return True if share > 0.9 else False if share < 0.6 else None


def _are_classes(values: NDArray[np.float32]) -> bool:
    """Whether the numbers of a band are those of a scene classification, and no fractions."""
    return bool(values.size and values.max() <= _CLASSES and values.max() >= 2 and (values == np.round(values)).all())


def _is_water_vapour(values: NDArray[np.float32]) -> bool:
    """Whether the ninth of twelve bands is the B09 of L1C: its twelve bands without cirrus, B8A at their end."""
    if not values.size:
        return False
    return _twin(np.median(values, axis=1) * (10_000 if values.max() <= 2 else 1)) is False
