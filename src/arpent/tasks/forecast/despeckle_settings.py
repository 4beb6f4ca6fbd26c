"""What users can set when speckle is removed. Opens without torch."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from arpent.core import Language, Settings
from arpent.io import Compression

__all__ = ["DespeckleSettings"]


class DespeckleSettings(Settings):
    """Which filter removes the speckle, and in which units images come and go."""

    filter: Literal["lee", "kuan", "enhanced_lee", "refined_lee", "frost", "gamma_map", "quegan_yu"] = "lee"
    """Filter; quegan_yu takes all images together, as dates of one place."""
    window: Annotated[int, Field(ge=3, le=99)] = 7
    """Side of the filter's window in pixels, an odd number."""
    enl: Annotated[float, Field(gt=0)] | Literal["auto"] = "auto"
    """Equivalent number of looks; auto is 4.4 for Sentinel-1 IW GRD and simulations, and else measures it in each band,
    as the median over blocks of 25 × 25 pixels."""
    damping: Annotated[float, Field(gt=0)] | None = None
    """How fast enhanced_lee and frost turn from the mean to the pixel; if not given, 1 and 2."""
    units: Literal["auto", "linear", "db", "amplitude"] = "auto"
    """What the pixels are: linear power, decibels, or amplitudes, the roots of power; auto takes values below 0 for
    decibels and whole numbers for amplitudes, and says so."""
    output_units: Literal["same", "linear", "db"] = "same"
    """What the products hold; the filter itself always works on linear power."""
    ratio: bool = False
    """Keep the ratio of each image to its filtered self too: pure speckle, if nothing else was removed."""
    bands: tuple[str, ...] = ()
    """Bands to filter; all if not given."""
    compression: Compression = "deflate"
    """Of the products: deflate, which everything reads, or zstd, which is written faster."""
    language: Language = "en"
    """Language of what is told: en or fr."""
