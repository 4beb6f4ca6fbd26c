"""What users can set when they train a model of change. Opens without torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from arpent.core import Language, Settings
from arpent.data import Augment
from arpent.engine import FitSettings
from arpent.tasks.change.settings import Qualities

__all__ = ["ChangeTrainSettings", "MaskingSettings"]

_HLS = ("blue", "green", "red", "nir08", "swir16", "swir22")


class MaskingSettings(Settings):
    """What the masked autoencoder hides."""

    ratio: Annotated[float, Field(gt=0, lt=1)] = 0.75
    """Share of the patches that is hidden."""
    normalise: bool = False
    """Compare patches by their texture alone: the network then paints patches without their own light."""


class ChangeTrainSettings(Settings):
    """A training: first to paint hidden patches, if there are `images`; then to tell change, if there are `pairs`."""

    name: str = "change"
    """Name of the run and of the statistics in its bundle."""
    images: str | None = None
    """Images without truth to learn to paint: an index, or a folder with a folder of GeoTIFFs for each place."""
    pairs: str | None = None
    """Index with the columns image, date, domain, sensor and change: the mask of what changed since the date before."""
    start: str | None = None
    """Bundle to go on from, instead of a new network; its bands, normalisation and shape are kept."""
    bands: Annotated[tuple[str, ...], Field(min_length=1)] = _HLS
    """Bands that the network sees, by name."""
    dates: Annotated[int, Field(ge=1, le=3)] = 2
    """Dates that the network paints at a time; pairs have two."""
    network: Mapping[str, Any] = Field(default_factory=dict)
    """Settings of the network besides its numbers of bands and dates."""
    masking: MaskingSettings = MaskingSettings()
    """What is hidden from the network that learns to paint."""
    pretrain: FitSettings = FitSettings(epochs=50)
    """How the network learns to paint."""
    freeze: bool = False
    """Leave the encoder as it is and train the change head alone; cosines then stay what they were."""
    contrast: Annotated[float, Field(ge=0)] = 4.0
    """Weight of the term that pulls cosines down where ground changed and up where it did not."""
    fit: FitSettings = FitSettings(best="average_precision")
    """How the network learns to tell change."""
    hidden: Qualities = ("cloud", "shadow")
    """Qualities under which the ground is not seen: a change there is not learnt."""
    patches: Annotated[int, Field(ge=1)] | None = None
    """Squares of the network's image size per epoch; as many as would tile the training images if not given."""
    batch_size: Annotated[int, Field(ge=1)] = 8
    """Squares per step."""
    workers: Annotated[int, Field(ge=0)] = 2
    """Threads that read ahead."""
    augment: Augment = Augment()
    """How squares are varied; each band of each date has its own light."""
    language: Language = "en"
    """Language of figures: en or fr."""

    @model_validator(mode="after")
    def _something_to_learn(self) -> Self:
        if self.images is None and self.pairs is None:
            raise ValueError("'images' to learn to paint, 'pairs' to learn change, or both are needed")
        if self.pairs is not None and self.dates == 1:
            raise ValueError("'dates' must be 2 or 3 to learn from pairs")
        return self
