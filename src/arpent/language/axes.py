"""What a text about land speaks of, axis by axis, and the classes of each; everything lies in ``tables/axes.toml``."""

from __future__ import annotations

import bisect
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from arpent.errors import UnknownName
from arpent.language.measured import Measured

__all__ = [
    "ABSTENTION",
    "AXES",
    "GROUND",
    "SHARES",
    "STEADY",
    "Abstention",
    "Axis",
    "Profile",
    "Share",
    "axes_of",
    "axis_named",
    "class_of",
    "word_table",
]

Profile = Literal["arpent", "xvision"]


LAKE = 0.5
"""Ground of which more than this share is water is told to be that before anything else."""

KNOWN = 0.5
"""Where less than this share of the ground is of any kind, nothing is concluded from its shares."""


@dataclass(frozen=True)
class Axis:
    """One thing that is said of land.

    Attributes:
        name: "vigour".
        index: the spectral index whose mean it states.
        keys: its classes, from low to high.
        bounds: where each class but the first begins, inclusive.
        levels: the classes that a word of quantity means on this axis, several joined by "|".
        source: where the bounds come from.
        share: the share of the ground that decides its class, instead of the index.
        written: how texts call the index, where not by its name.
        silent: kinds of ground that leave the axis without a class where more than this share is of them.
    """

    name: str
    index: str
    keys: tuple[str, ...]
    bounds: tuple[float, ...]
    levels: Mapping[str, str]
    source: str
    share: str | None = None
    written: str = ""
    silent: Mapping[str, float] = field(default_factory=dict)

    @property
    def index_word(self) -> str:
        """The index as texts write it."""
        return self.written or self.index

    def class_of(self, value: float) -> str:
        """The class of a value, taken as it is written: with two decimals."""
        return self.keys[bisect.bisect_right(self.bounds, round(value, 2))]

    def deciding(self, measured: Measured) -> float | None:
        """What was measured that decides the class; None where it is not known, or means nothing on such ground.

        Nor is a share known where the ground is mostly of no kind: thin growth that is neither vegetation nor soil
        leaves a soil that is neither covered nor bare.
        """
        if any(measured.shares.get(kind, 0.0) > most for kind, most in self.silent.items()):
            return None
        if self.share and "vegetation" in measured.shares and sum(measured.shares.values()) < KNOWN:
            return None
        return _known(measured.shares.get(self.share) if self.share else measured.indices.get(self.index))

    def stated(self, measured: Measured) -> float | None:
        """The number that a text owes its reader: what decides the class or, where there is no class, the index."""
        deciding = self.deciding(measured)
        return _known(measured.indices.get(self.index)) if deciding is None else deciding


def _known(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


@dataclass(frozen=True)
class Share:
    """A condition by which pixels count as one kind of ground.

    Attributes:
        name: "water", "vegetation" or "soil".
        index: that tells them.
        least: its least value, inclusive; None for no bound.
        below: its bound from above, exclusive; None for no bound.
        source: where the bound comes from.
    """

    name: str
    index: str
    least: float | None
    below: float | None
    source: str


@dataclass(frozen=True)
class Abstention:
    """When nothing is described: more than `cloud` of the parcel under cloud, or less than `valid` of it seen."""

    cloud: float
    valid: float


@cache
def word_table(name: str) -> dict[str, Any]:
    """The content of ``language/tables/<name>.toml``. Shared: treat it as read-only."""
    return tomllib.loads(files("arpent.language").joinpath("tables", f"{name}.toml").read_text("utf-8"))


@cache
def axes_of(profile: Profile = "arpent") -> Mapping[str, Axis]:
    """The axes of a profile, by name: Arpent's own, or those that XVision published."""
    return {
        name: Axis(
            name=name,
            index=entry["index"],
            keys=tuple(entry["keys"]),
            bounds=tuple(entry["bounds"]),
            levels=entry["levels"],
            source=entry["source"],
            share=entry.get("share"),
            written=entry.get("written", ""),
            silent=entry.get("silent", {}),
        )
        for name, entry in word_table("axes")["axis" if profile == "arpent" else profile].items()
    }


def axis_named(name: str, profile: Profile = "arpent") -> Axis:
    """The axis of that name.

    Raises:
        UnknownName: the profile has no such axis.
    """
    axes = axes_of(profile)
    if name not in axes:
        raise UnknownName.among(name, axes, "axis")
    return axes[name]


def class_of(axis: str, value: float, profile: Profile = "arpent") -> str:
    """The class of a value on an axis: ``class_of("vigour", 0.42)`` is "moderate"."""
    return axis_named(axis, profile).class_of(value)


AXES: tuple[str, ...] = tuple(axes_of())
"""The axes that every description speaks of."""

GROUND: tuple[Share, ...] = tuple(
    Share(entry["name"], entry["index"], entry.get("least"), entry.get("below"), entry["source"])
    for entry in word_table("axes")["ground"]
)
"""The conditions by which a pixel is of a kind of ground, in order: the first that it meets counts."""

SHARES: tuple[str, ...] = tuple(dict.fromkeys(share.name for share in GROUND))
"""The kinds of ground."""

STEADY: float = word_table("axes")["change"]["steady"]
"""An index that moves by less than this between two dates is steady."""

ABSTENTION = Abstention(**word_table("axes")["abstention"])
