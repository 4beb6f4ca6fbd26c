"""Kinds of landscape. A model trained on one family and judged on another shows what it really learnt."""

from __future__ import annotations

from typing import NamedTuple

from arpent.errors import UnknownName

__all__ = ["FAMILIES", "Family", "family"]


class Family(NamedTuple):
    """The numbers that make a landscape; lengths in metres, shares between 0 and 1.

    The seven land-use shares are those of parcels outside woods; they need not add up to one.
    """

    block: float
    """Mean size of a block of parcels, the mesh of country lanes and hedges."""
    strip: float
    """Mean width of a parcel."""
    stretch: float
    """Length of a parcel over its width."""
    hedges: float
    """Share of block edges that carry a hedge."""
    lanes: float
    """Share of block edges that carry a lane."""
    woods: float
    """How much of the land natural woods take: 0 about none, 1 about half."""
    conifers: float
    """Share of conifers among natural woods."""
    villages: float
    """Distance between neighbouring villages."""
    houses: float
    """Share of village plots with a house."""
    pools: float
    """Share of houses with a swimming pool."""
    slate: float
    """Share of slate roofs; the others are mostly tiles."""
    river: float
    """Half the width of the river."""
    crops: float
    """Share of growing crops."""
    plowed: float
    """Share of bare ploughed land."""
    meadows: float
    """Share of meadows."""
    vineyards: float
    """Share of vineyards."""
    plantations: float
    """Share of planted conifers."""
    groves: float
    """Share of broad-leaved groves with straight edges."""
    bare: float
    """Share of bare ground: quarries, building land, gravel pits."""


# Orders of magnitude: parcel sizes of the French land-parcel register (RPG: 2 to 3 ha in the west, 6 to 10 ha on the
# plains of Beauce and Champagne); land-use shares of TERUTI-LUCAS, with the rare classes raised so that a scene of one
# square kilometre shows all of them; hedges after the IGN-OFB hedge inventory.
FAMILIES: dict[str, Family] = {
    "bocage": Family(
        block=135.0, strip=70.0, stretch=1.5, hedges=0.62, lanes=0.30, woods=0.50, conifers=0.35,
        villages=1150.0, houses=0.82, pools=0.35, slate=0.35, river=13.0,
        crops=0.24, plowed=0.14, meadows=0.28, vineyards=0.14, plantations=0.08, groves=0.05, bare=0.07,
    ),
    "openfield": Family(
        block=250.0, strip=62.0, stretch=3.4, hedges=0.05, lanes=0.55, woods=0.42, conifers=0.25,
        villages=1350.0, houses=0.86, pools=0.22, slate=0.12, river=18.0,
        crops=0.44, plowed=0.22, meadows=0.10, vineyards=0.08, plantations=0.05, groves=0.05, bare=0.06,
    ),
    "coteaux": Family(
        block=165.0, strip=45.0, stretch=2.2, hedges=0.20, lanes=0.48, woods=0.55, conifers=0.55,
        villages=1000.0, houses=0.74, pools=0.50, slate=0.04, river=10.0,
        crops=0.14, plowed=0.10, meadows=0.16, vineyards=0.40, plantations=0.06, groves=0.06, bare=0.08,
    ),
}  # fmt: skip
"""Hedged farmland, wide open plains, hills of vineyards."""


def family(name: str) -> Family:
    """The family of that name."""
    if name not in FAMILIES:
        raise UnknownName.among(name, FAMILIES, "family of landscapes")
    return FAMILIES[name]
