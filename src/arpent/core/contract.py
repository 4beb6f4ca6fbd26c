"""What a trained model demands of the images it is run on, and where it came from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from arpent.core.byte_scale import ByteScale
from arpent.core.classes import ClassMap
from arpent.core.sensors import Band
from arpent.errors import UnknownName

__all__ = ["BUNDLE_FORMAT", "Contract", "Normalisation", "Normalisations", "SensorContract"]

BUNDLE_FORMAT = 5
"""Version of the bundle format that this code writes; it reads this one and every earlier one."""

_FARTHEST = 1.5 * 1.01
"""Ratio of pixel sizes up to which images fit; 30 cm are 1.5 times 20 cm, though their projections stretch them."""


class Normalisation(BaseModel):
    """How numbers become network input: ``(value × scale − mean) ÷ std``, per band.

    Of radar images the value is not the power in the file but its decibels; statistics are of these.

    Attributes:
        origin: where the statistics come from, for people ("commune ortho, training split").
        scale: factor applied first; 1/255 brings bytes to [0, 1].
        mean: per band, after scaling.
        std: per band, after scaling; above zero.
        to_bytes: what brings the numbers of the file to bytes first, where that is done: the other numbers are then
            those of the bytes.
        decibels: for linear power: what the decibels of each band are cut off at, below and above.
        absent: places of the bands that the images lack: they are 0 to the network, which is the mean of every band.
        unit: whether the result is cut off at 0 and 1; what is absent or has no data is then 0.5, the middle.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    origin: str
    scale: Annotated[float, Field(gt=0)] = 1.0
    mean: tuple[float, ...]
    std: tuple[Annotated[float, Field(gt=0)], ...]
    to_bytes: ByteScale | None = None
    decibels: tuple[tuple[float, float], ...] | None = None
    absent: tuple[Annotated[int, Field(ge=0)], ...] = ()
    unit: bool = False

    def absent_of(self, bands: Sequence[str]) -> tuple[str, ...]:
        """Those of the `bands`, which it is for in their order, that the images lack."""
        return tuple(bands[place] for place in self.absent)


Normalisations = Normalisation | Mapping[str, Normalisation]
"""One normalisation for all images, or one for each sensor, by its name."""


class SensorContract(BaseModel):
    """What the images of one sensor were like, for a model that was trained on those of several.

    Attributes:
        gsd: metres per pixel.
        dtype: type of the pixels.
        nodata: number that meant no data.
        normalisation: of this sensor's pixels, for all bands of the network.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")

    gsd: float | None = None
    dtype: Literal["uint8", "uint16", "int16", "float32"] | None = None
    nodata: float | None = None
    normalisation: Normalisation


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
        sensors: what its images were like, by sensor, for models trained on several; `gsd`, `dtype`, `nodata` and
            `normalisation` are then None, and `of_sensor` gives the contract of one of them.
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
    sensors: Mapping[str, SensorContract] = {}
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

    @property
    def normalisations(self) -> Normalisations | None:
        """How pixels become network input: for all images, or by sensor; None if it does not say."""
        if not self.sensors:
            return self.normalisation
        return {name: own.normalisation for name, own in self.sensors.items()}

    @property
    def absent(self) -> tuple[str, ...]:
        """Bands of the network that the images it speaks of lack."""
        return () if self.normalisation is None else self.normalisation.absent_of(self.band_names)

    def of_sensor(self, name: str) -> Contract:
        """What the model demands of the images of one sensor; the contract itself, where it was not made for several.

        Raises:
            UnknownName: it was made for others.
        """
        if not self.sensors:
            return self
        if name not in self.sensors:
            raise UnknownName.among(name, self.sensors, "sensor of the model")
        own = self.sensors[name]
        changes = {"gsd": own.gsd, "dtype": own.dtype, "nodata": own.nodata, "normalisation": own.normalisation}
        return self.model_copy(update={**changes, "sensors": {}})

    def differences(self, bands: Sequence[str], gsd: float | None, dtype: str) -> list[str]:
        """What keeps images of these `bands`, `gsd` (metres) and `dtype` from fitting, in plain sentences.

        The order of bands does not matter, since they are picked by name; a ground sampling distance within a
        factor of 1.5 fits. Of a model for several sensors, ask the contract `of_sensor`.
        """
        found = {name.casefold() for name in bands}
        lost = [band.name for band in self.bands if not any(band.answers_to(name) for name in found)]
        named = f"band '{lost[0]}' is" if len(lost) == 1 else f"bands {', '.join(lost)} are"
        reasons = [f"{named} missing (the image has {', '.join(bands)})"] if lost else []
        if self.sensors:
            reasons.append(f"it is not said which of its sensors took the image ({', '.join(self.sensors)})")
        if self.gsd and gsd and not 1 / _FARTHEST <= gsd / self.gsd <= _FARTHEST:
            reasons.append(f"pixels of {gsd:.3g} m where the model was made for {self.gsd:.3g} m")
        if self.dtype and dtype != self.dtype:
            reasons.append(f"pixels of type {dtype} where the model was trained on {self.dtype}")
        return reasons
