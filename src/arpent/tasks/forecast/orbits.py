"""What files say of the radar: direction and number of its orbit, kind of product, and the looks that this has."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import TypeVar

from arpent.errors import DatasetError
from arpent.pixels import SENTINEL_1_LOOKS

__all__ = ["Orbit", "common_orbit", "only", "orbit_of", "told_looks"]

_DIRECTION = ("orbit_direction", "sat:orbit_state", "orbit_state", "orbitproperties_pass", "pass", "orbit_pass")
_RELATIVE = ("relative_orbit", "sat:relative_orbit", "relative_orbit_number", "relativeorbitnumber_start", "rel_orbit")
_PRODUCT = ("product_type", "sar:product_type", "product")
_PRODUCTS = {"GRD": "GRD", "RTC": "RTC", "GAMMA0": "RTC"}

_ESA_NAME = re.compile(
    r"S1(?P<unit>[A-D])_[A-Z0-9]{2}_(?P<kind>[A-Z]{3})[A-Z_]_\w{4}_\d{8}T\d{6}_\d{8}T\d{6}_(?P<orbit>\d{6})"
)
_PYROSAR_NAME = re.compile(r"S1[A-D]__[A-Z0-9]{2}___(?P<direction>[AD])_\d{8}T\d{6}")
_RTC_NAME = re.compile(r"(?:^|_)RTC\d*(?:_|$)", re.IGNORECASE)
_GRD_NAME = re.compile(r"(?:^|_)GRD[A-Z]?(?:_|$)", re.IGNORECASE)
_OTHER_MODES = re.compile(r"(?:^|_)(?:EW|WV|SM|S[1-6]|GRD[FM])(?:_|$)", re.IGNORECASE)

# Absolute orbits begin at different places of the cycle of 175 (ESA, Sentinel-1 mission guide).
_CYCLE = 175
_OFFSETS = {"A": 73, "B": 27}


Value = TypeVar("Value")


@dataclass(frozen=True)
class Orbit:
    """What is known of how an image was taken; None where nothing is.

    Attributes:
        direction: ascending or descending.
        relative: number of the track, 1 … 175.
        product: GRD or RTC.
    """

    direction: str | None = None
    relative: int | None = None
    product: str | None = None

    def __str__(self) -> str:
        track = None if self.relative is None else f"orbit {self.relative}"
        return ", ".join(part for part in (self.direction, track, self.product) if part) or "unknown"


def orbit_of(path: str, tags: Mapping[str, str]) -> Orbit:
    """What tags say, and the name where they are silent.

    Args:
        path: of the image.
        tags: its metadata.
    """
    stem = PurePath(path).stem
    known = {key.casefold(): str(value).strip() for key, value in tags.items()}
    found = _of_name(stem)
    direction = next((known[key] for key in _DIRECTION if key in known), "").casefold()
    relative = next((known[key] for key in _RELATIVE if key in known), "")
    product = next((known[key] for key in _PRODUCT if key in known), "").upper()
    return Orbit(
        {"a": "ascending", "d": "descending"}.get(direction[:1], found.direction),
        int(relative) if relative.isdecimal() else found.relative,
        next((name for word, name in _PRODUCTS.items() if word in product), found.product),
    )


def _of_name(stem: str) -> Orbit:
    product = "RTC" if _RTC_NAME.search(stem) else "GRD" if _GRD_NAME.search(stem) else None
    esa = _ESA_NAME.search(stem)
    if esa and esa["unit"] in _OFFSETS:
        relative = (int(esa["orbit"]) - _OFFSETS[esa["unit"]]) % _CYCLE + 1
        return Orbit(None, relative, product)
    pyrosar = _PYROSAR_NAME.search(stem)
    direction = {"A": "ascending", "D": "descending"}[pyrosar["direction"]] if pyrosar else None
    return Orbit(direction, None, product)


def common_orbit(found: Mapping[str, Orbit], place: str, *, allow_mixed: bool = False) -> Orbit:
    """What all images of a place share; what they differ in is None.

    Images of different orbits see hills and walls from different sides: what changes between them is not the ground.

    Args:
        found: what is known of each image, by its name.
        place: for messages.
        allow_mixed: whether images may differ.

    Raises:
        DatasetError: they differ, and may not.
    """
    if not allow_mixed:
        for what, values in (
            ("orbit directions", {name: orbit.direction for name, orbit in found.items()}),
            ("relative orbits", {name: orbit.relative for name, orbit in found.items()}),
            ("kinds of product", {name: orbit.product for name, orbit in found.items()}),
        ):
            known = {value: name for name, value in values.items() if value is not None}
            if len(known) > 1:
                told = "; ".join(f"{value} ({name})" for value, name in sorted(known.items(), key=str))
                raise DatasetError(
                    f"the images of {place} mix {what}",
                    found=told,
                    cure="Prepare each by itself, or mix them knowingly with --allow-mixed-orbits.",
                )
    return Orbit(
        only(orbit.direction for orbit in found.values()),
        only(orbit.relative for orbit in found.values()),
        only(orbit.product for orbit in found.values()),
    )


def only(values: Iterable[Value | None]) -> Value | None:
    """The one value that is known; None where none is, or several are."""
    known = {value for value in values if value is not None}
    return known.pop() if len(known) == 1 else None


def told_looks(orbit: Orbit, name: str, tags: Mapping[str, str]) -> float | None:
    """The looks that an image tells by what it is: a product Sentinel-1 IW GRDH, or a simulation of one.

    Args:
        orbit: what is known of the product.
        name: of the file.
        tags: of the file.

    Returns:
        None where it tells nothing, and where its speckle was filtered already.
    """
    if "SPECKLE_FILTER" in tags or _OTHER_MODES.search(PurePath(name).stem):
        return None
    return SENTINEL_1_LOOKS if orbit.product == "GRD" or tags.get("SIMULATED") == "yes" else None
