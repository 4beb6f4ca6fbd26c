"""What users can set when they train and make land-cover maps. Opens without torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from arpent.core import Language, Settings
from arpent.data import Augment
from arpent.engine import FitSettings, PredictSettings

__all__ = ["LandcoverSettings", "MapSettings", "TrainSettings"]


class LandcoverSettings(Settings):
    """What to map, from which bands, with which network."""

    classes: str = "commune"
    """Nomenclature of the masks and of the map."""
    bands: Annotated[tuple[str, ...], Field(min_length=1)] = ("red", "green", "blue", "nir")
    """Bands that the network sees, by name."""
    architecture: str = "unet"
    """Network, by its name in the registry."""
    network: Mapping[str, Any] = Field(default_factory=dict)
    """Settings of the network besides its numbers of bands and classes."""
    loss: Literal["cross-entropy", "cross-entropy+dice"] = "cross-entropy+dice"
    """What is minimised."""
    probabilities: bool = False
    """Whether a map also gives the probability of each class, in percent."""


class TrainSettings(Settings):
    """A land-cover training, from images and masks to a bundle."""

    index: str
    """CSV or Parquet table of images and masks, or a folder of both."""
    name: str = "landcover"
    """Name of the run and of the statistics in its bundle."""
    task: LandcoverSettings = LandcoverSettings()
    """What to map, from which bands, with which network."""
    patch: Annotated[int, Field(ge=8)] = 256
    """Side in pixels of the squares that are learnt from."""
    patches: Annotated[int, Field(ge=1)] | None = None
    """Squares per epoch; as many as would tile the training images if not given."""
    batch_size: Annotated[int, Field(ge=1)] = 8
    """Squares per step."""
    workers: Annotated[int, Field(ge=0)] = 2
    """Threads that read ahead."""
    augment: Augment = Augment()
    """How squares are varied."""
    fit: FitSettings = FitSettings(best="miou")
    """How the network is trained."""
    normalise: Literal["norma-01", "norma-source", "norma-target"] = "norma-target"
    """How pixels are normalised: by their bit depth, as the model started from, or by the training images."""
    bits: Annotated[int, Field(ge=0, le=16)] | None = None
    """Significant bits of a pixel, for norma-01; those of the sensor if not given, 0 for pixels in [0, 1] already."""


class MapSettings(PredictSettings):
    """How a land-cover map is made."""

    probabilities: bool = False
    """Also give the probability of each class, in percent."""
    sensor: str | None = None
    """Whose image it is, where neither the file nor its name says so."""
    language: Language = "en"
    """Language of names on the preview: en or fr."""
