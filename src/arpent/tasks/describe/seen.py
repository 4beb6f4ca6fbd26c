"""What is looked at: a `Scene`, or whatever gives its pixels as one does."""

from __future__ import annotations

import datetime as dt
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from arpent.core import Grid, Raster, Window

__all__ = ["Measurable", "Seen"]


class Seen(Protocol):
    """What can be encoded."""

    @property
    def name(self) -> str:
        """Of the image."""
        ...

    @property
    def taken(self) -> dt.date | None:
        """The day."""
        ...

    @property
    def grid(self) -> Grid:
        """Its pixels."""
        ...

    @property
    def bands(self) -> tuple[str, ...]:
        """Names of Sentinel-2 bands."""
        ...

    def read(self, window: Window) -> Raster:
        """Reflectance × 10 000."""
        ...


class Measurable(Seen, Protocol):
    """What can be measured."""

    @property
    def place(self) -> str:
        """Where it was taken, in a word."""
        ...

    def clouds(self, window: Window) -> NDArray[np.bool_] | None:
        """Where there is cloud."""
        ...
