"""What a trained model demands of the images it is run on, and where it came from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from arpent.core.byte_scale import ByteScale
from arpent.core.classes import ClassMap
from arpent.core.sensors import Band

__all__ = ["BUNDLE_FORMAT", "Contract", "Normalisation"]

BUNDLE_FORMAT = 2
"""Version of the bundle format that this code writes; it reads this one and every earlier one."""


class Normalisation(BaseModel):
    """How numbers become network input: ``(value × scale − mean) ÷ std``, per band.

    Attributes:
        origin: where the statistics come from, for people ("commune ortho, training split").
        scale: factor applied first; 1/255 brings bytes to [0, 1].
        mean: per band, after scaling.
        std: per band, after scaling; above zero.
        to_bytes: what brings the numbers of the file to bytes first, where that is done: the other numbers are then
            those of the bytes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    origin: str
    scale: Annotated[float, Field(gt=0)] = 1.0
    mean: tuple[float, ...]
    std: tuple[Annotated[float, Field(gt=0)], ...]
    to_bytes: ByteScale | None = None


class Contract(BaseModel):
    """The header of a model bundle; readable without torch.

    Attributes:
        format: version of the bundle format.
        task: the task that uses the model ("landcover").
        architecture: name in the model registry ("unet").
        settings: the architecture's own settings.
        bands: in the order of the input channels.
        gsd: metres per pixel the model was made for; None when it does not matter.
        dtype: type of the pixels it was trained on ("uint8", "uint16", "float32").
        nodata: number that meant no data in training.
        normalisation: see `Normalisation`.
        classes: what its output maps mean, for models that name classes.
        recipe: how it was trained: resolved settings, data hashes, seed, epochs.
        metrics: what it reached, by name.
        parts: for bundles that are folders, the SHA-256 of each file.
        licence: of the weights.
        source: where the weights come from, for imported ones.
        arpent: version of the code that wrote it.
    """

    # JSON has no NaN, and NaN is a common no-data value: it is written as a string, which reads back as a number.
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")

    format: Annotated[int, Field(ge=1)] = BUNDLE_FORMAT
    task: str
    architecture: str
    settings: Mapping[str, Any] = {}
    bands: tuple[Band, ...]
    gsd: float | None = None
    dtype: Literal["uint8", "uint16", "int16", "float32"] | None = None
    nodata: float | None = None
    normalisation: Normalisation | None = None
    classes: ClassMap | None = None
    recipe: Mapping[str, Any] = {}
    metrics: Mapping[str, float] = {}
    parts: Mapping[str, str] = {}
    licence: str | None = None
    source: str | None = None
    arpent: str

    @property
    def band_names(self) -> tuple[str, ...]:
        """Names of the input channels."""
        return tuple(band.name for band in self.bands)

    def differences(self, bands: Sequence[str], gsd: float | None, dtype: str) -> list[str]:
        """What keeps images of these `bands`, `gsd` (metres) and `dtype` from fitting, in plain sentences.

        The order of bands does not matter, since they are picked by name; a ground sampling distance within a
        factor of 1.5 fits.
        """
        found = {name.casefold() for name in bands}
        reasons = [
            f"band '{band.name}' is missing (the image has {', '.join(bands)})"
            for band in self.bands
            if not any(band.answers_to(name) for name in found)
        ]
        if self.gsd and gsd and not 1 / 1.5 <= gsd / self.gsd <= 1.5:
            reasons.append(f"pixels of {gsd:.3g} m where the model was made for {self.gsd:.3g} m")
        if self.dtype and dtype != self.dtype:
            reasons.append(f"pixels of type {dtype} where the model was trained on {self.dtype}")
        return reasons
