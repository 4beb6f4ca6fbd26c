"""What users can set wherever images are read to be described. Opens without torch and without the image reader."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from arpent.core import Language, Settings

__all__ = ["IndexSettings", "Layout", "SceneSettings"]

Layout = Literal["auto", "l2a", "l1c", "eurosat"]
"""Order of bands that have no names: the 12 of L2A, the 13 of L1C, or the 13 of EuroSAT, whose B8A comes last."""

_QUALITIES = ("cloud", "shadow", "snow")


class SceneSettings(Settings):
    """How Sentinel-2 images are read, and how parcels are cut out of them."""

    layout: Layout = "auto"
    """Order of bands without names: l2a (12 bands), l1c (13), eurosat (13, B8A last); auto tells where it can."""
    bands: tuple[str, ...] | None = None
    """Names of the bands in the order of the file, such as B02,B03,B04,B08, where the file has no names."""
    offset: Literal["auto", "0", "-1000"] = "auto"
    """Added to the numbers of the file: -1000 from processing baseline 04.00 on; auto reads the metadata, then the
    darkest pixels."""
    scale: Annotated[float, Field(gt=0, le=1)] | Literal["auto"] = "auto"
    """Reflectance of the number 1; auto is 0.0001 for whole numbers and 1 for fractions."""
    quality: str = "auto"
    """Cloud layer: a file, no for none, or auto for a band of the image or a file beside it; with auto and without any,
    what is as bright as cloud or snow does not count."""
    quality_layer: Literal["auto", "scl", "fmask", "qa_pixel", "qa60", "cloudmask", "codes"] = "auto"
    """Kind of the cloud layer; auto tells it by name."""
    exclude: tuple[str, ...] = _QUALITIES
    """What does not count as valid: cloud, shadow, adjacent, snow, aerosol."""
    date_regex: str | None = None
    """How names of images give their dates; its first group is the date."""
    place: str | None = None
    """Name of the place; that of the image without its date if not given, behind its folder where images of other
    ground are called the same."""
    name_column: str | None = None
    """Column of the parcels that names them; name, parcel, id … or the number of the row if not given."""
    crop_column: str | None = None
    """Column of the parcels that names their crop; none if not given."""
    chip: Annotated[int, Field(ge=0)] = 0
    """Side in pixels of the squares that images without parcels are cut into; 0 keeps each image whole."""
    language: Language = "en"
    """Language of what is told: en or fr."""


class IndexSettings(SceneSettings):
    """Which indices are measured."""

    indices: tuple[str, ...] | None = None
    """Indices to measure, by name; all that the bands allow if not given."""
