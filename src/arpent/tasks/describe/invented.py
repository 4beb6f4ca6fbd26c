"""Land that nobody has seen: measurements drawn at random, for a small language model to learn its first words from."""

from __future__ import annotations

import datetime as dt

import numpy as np

from arpent.language import Measured
from arpent.language.axes import axes_of

__all__ = ["invented"]

# Each index as a straight line in NDVI and what scatters around it. Chosen by hand, fitted to no image: a model that
# reads of this land learns that indices go together, and not by how much.
_LINES = {
    "NDVI": (0.0, 1.0, 0.0),
    "NDMI": (-0.30, 0.80, 0.14),
    "EVI2": (0.0, 0.55, 0.08),
    "BSI": (0.25, -0.65, 0.09),
    "NDRE": (0.02, 0.60, 0.07),
    "NBR": (-0.20, 0.95, 0.14),
    "SAVI": (0.0, 0.55, 0.08),
    "EVI": (0.0, 0.60, 0.09),
    "ARVI": (-0.10, 1.10, 0.08),
    "DVI": (0.0, 0.35, 0.06),
}
_FREE = 0.5
"""Share of the lands whose numbers have nothing to do with each other, so that each must be read where it stands."""
_FIRST_DAY = dt.date(2015, 7, 1)
_DAYS = 4000


def invented(rng: np.random.Generator, *, met: bool = True) -> Measured:
    """The measurements of a parcel that does not exist.

    Args:
        rng: they are drawn with.
        met: whether what no image shows is known too: the day.
    """
    ndvi, free = float(rng.uniform(-0.5, 0.95)), bool(rng.random() < _FREE)
    indices = {}
    for name in _names():
        base, slope, scatter = _LINES[name]
        value = rng.uniform(-0.6, 0.9) if free else base + slope * ndvi + rng.normal(0, scatter)
        indices[name] = float(np.clip(value, -0.95, 0.95))
    shares, day = _any_shares(rng) if free else _shares(ndvi, rng), int(rng.integers(_DAYS))
    return Measured(
        parcel=f"p{rng.integers(1000)}",
        indices=indices,
        shares=shares,
        valid=float(rng.uniform(0.6, 1.0)),
        cloud=float(rng.uniform(0, 0.3)),
        taken=_FIRST_DAY + dt.timedelta(days=day) if met else None,
        area=float(np.exp(rng.uniform(np.log(2e3), np.log(5e5)))),
    )


def _names() -> list[str]:
    """The indices that texts state, in whatever profile."""
    stated = {axis.index for profile in ("arpent", "xvision") for axis in axes_of(profile).values()}
    return [name for name in _LINES if name in stated]


def _shares(ndvi: float, rng: np.random.Generator) -> dict[str, float]:
    """Shares of soil, vegetation and water that go with an NDVI, and now and then all or nothing."""
    soil = 1 / (1 + np.exp((ndvi - 0.25) * 14 + rng.normal(0, 1)))
    water = float(rng.beta(0.3, 8)) if ndvi > 0 else float(rng.uniform(0, 1))
    soil = (1 - water) * (float(np.round(soil)) if rng.random() < 0.3 else float(soil))
    green = (1 - water - soil) * (float(rng.uniform(0.7, 1)) if ndvi > 0.15 else 0.0)
    return {"vegetation": green, "soil": soil, "water": water}


def _any_shares(rng: np.random.Generator) -> dict[str, float]:
    """Shares of soil, vegetation and water, and of what is none of them."""
    vegetation, soil, water, _ = rng.dirichlet((0.6, 0.6, 0.6, 0.3)).tolist()
    return {"vegetation": vegetation, "soil": soil, "water": water}
