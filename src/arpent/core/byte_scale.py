"""Deep pixels as bytes: a conversion small enough to be kept with a model and replayed."""

from __future__ import annotations

from typing import Annotated, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from arpent.errors import BandMismatch, InvalidSetting

__all__ = ["ByteScale"]


class ByteScale(BaseModel):
    """A linear conversion of each band to bytes, small enough to be kept with a model and replayed.

    `low` becomes 1 and `high` becomes 255; 0 is left for pixels without data.

    Attributes:
        low: per band, in the units of the file.
        high: per band, above `low`.
        origin: where the numbers come from, for people.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    low: tuple[float, ...]
    high: tuple[float, ...]
    origin: Annotated[str, Field(max_length=200)] = ""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        pairs = zip(self.low, self.high, strict=False)
        if len(self.low) != len(self.high) or not all(low < high for low, high in pairs):
            raise InvalidSetting(
                "a conversion to bytes needs a low below a high for each band",
                found=f"low {self.low}, high {self.high}",
                cure="Take them from the statistics of images that are not flat.",
            )
        return self

    @classmethod
    def between(cls, low: ArrayLike, high: ArrayLike, origin: str) -> Self:
        """The conversion of `low` to 1 and `high` to 255; a band of a single value gets a range of 1."""
        lows = np.atleast_1d(np.asarray(low, np.float64))
        highs = np.atleast_1d(np.asarray(high, np.float64))
        highs = np.where(highs > lows, highs, lows + 1)
        return cls(low=tuple(map(float, lows)), high=tuple(map(float, highs)), origin=origin)

    def __call__(self, pixels: NDArray[np.generic], valid: NDArray[np.bool_] | None = None) -> NDArray[np.uint8]:
        """Bytes ``(bands, height, width)``; 0 where `valid` ``(height, width)`` is False or a pixel is not a number."""
        if len(pixels) != len(self.low):
            raise BandMismatch(
                "the image has another number of bands than the conversion to bytes",
                found=len(pixels),
                expected=len(self.low),
                cure="Open the image with the bands of the model.",
            )
        result = np.zeros(pixels.shape, np.uint8)
        for band, (low, high) in enumerate(zip(self.low, self.high, strict=True)):
            values = pixels[band].astype(np.float32)
            values -= np.float32(low)
            values *= np.float32(254 / (high - low))
            values += np.float32(1.5)  # half a step turns truncation into rounding
            np.clip(values, 1, 255, out=values)
            holes = np.isnan(values)
            if valid is not None:
                holes |= ~valid
            values[holes] = 0
            result[band] = values.astype(np.uint8)
        return result

    def inverse(self, bytes_: NDArray[np.uint8] | NDArray[np.float32]) -> NDArray[np.float32]:
        """The middle of the values that share a byte, ``(bands, height, width)``; NaN for pixels without data."""
        low, high = (np.asarray(part, np.float32)[:, None, None] for part in (self.low, self.high))
        values = low + (bytes_.astype(np.float32) - 1) * ((high - low) / 254)
        values[bytes_ == 0] = np.nan
        return np.asarray(values, np.float32)
