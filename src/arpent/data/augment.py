"""Random changes that leave the truth true: symmetries of the square, light, haze, noise and missing bands."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal, TypeVar, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from arpent.core.settings import Settings

__all__ = ["Augment", "Patch", "dihedral", "generator_for"]

Array = TypeVar("Array", bound=NDArray[Any])


@dataclass(frozen=True)
class Patch:
    """One piece of an image with its truth.

    Attributes:
        image: ``(bands, height, width)``, normalised.
        valid: ``(height, width)``; False where the image has no data.
        target: ``(height, width)`` class indices, -1 where the truth is not known; None without truth. Of several
            dates ``(dates, height, width)``.
        metadata: ``(values,)``, what is known of the image beside its pixels; None for nothing. Of several dates
            ``(dates, values)``.
        features: ``(maps, height / cell, width / cell)``, what a network has made of the image; None for nothing.
    """

    image: NDArray[np.float32]
    valid: NDArray[np.bool_]
    target: NDArray[np.int16] | None = None
    metadata: NDArray[np.float32] | None = None
    features: NDArray[np.float32] | None = None


def generator_for(seed: int, epoch: int, index: int) -> np.random.Generator:
    """The random numbers of one sample in one epoch.

    They come from a counter, not from a stream, so that they do not depend on which thread draws first, on how many
    there are, or on where a resumed run begins.
    """
    return np.random.Generator(np.random.Philox(key=[seed, 0], counter=[0, 0, epoch, index]))


def dihedral(array: Array, element: int) -> Array:
    """One of the eight symmetries of the square, applied to the last two axes; exact.

    Args:
        array: ``(..., height, width)``.
        element: 0 to 7: quarter turns counter-clockwise (`element` modulo 4), after a mirror from left to right from
            4 on. 0, 2, 4 and 6 keep the shape of a rectangle.
    """
    mirrored = array[..., ::-1] if element & 4 else array
    return cast(Array, np.rot90(mirrored, element & 3, axes=(-2, -1)))


class Augment(Settings):
    """How training patches are varied. Radiometric strengths are in standard deviations of the training images."""

    geometry: Literal["d4", "flips", "none"] = "d4"
    """Symmetries to draw from: all eight, the four without quarter turns, or none."""
    gain: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Contrast of each band is multiplied by a number between 1 - gain and 1 + gain."""
    bias: Annotated[float, Field(ge=0)] = 0.0
    """Each band is shifted by up to this many standard deviations."""
    gamma: Annotated[float, Field(ge=0)] = 0.0
    """Each band is bent between its darkest and lightest pixel by an exponent from exp(-gamma) to exp(gamma)."""
    noise: Annotated[float, Field(ge=0)] = 0.0
    """Standard deviation of noise added to each pixel."""
    drop_band: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Chance that a band is missing; one band always remains."""

    def __call__(self, patch: Patch, rng: np.random.Generator) -> Patch:
        """A varied copy; pixels without data stay 0."""
        return self._light(self._turn(patch, rng), rng)

    def _turn(self, patch: Patch, rng: np.random.Generator) -> Patch:
        # Always one draw, so that changing the geometry leaves the rest of the sequence as it is.
        element = int(rng.integers(8))
        if self.geometry == "none":
            return patch
        if self.geometry == "flips" or patch.valid.shape[0] != patch.valid.shape[1]:
            element &= ~1
        target = None if patch.target is None else dihedral(patch.target, element)
        features = None if patch.features is None else dihedral(patch.features, element)
        image, valid = dihedral(patch.image, element), dihedral(patch.valid, element)
        return replace(patch, image=image, valid=valid, target=target, features=features)

    def _light(self, patch: Patch, rng: np.random.Generator) -> Patch:
        bands = len(patch.image)
        draws = rng.uniform(-1, 1, (3, bands)).astype(np.float32)
        dropped = rng.random(bands) < self.drop_band
        kept_band = rng.integers(bands)
        if not (self.gain or self.bias or self.gamma or self.noise or self.drop_band):
            return patch
        source = _bent(patch, np.exp(self.gamma * draws[2])) if self.gamma else patch.image
        gain, bias = 1 + self.gain * draws[0], self.bias * draws[1]
        # A turned patch is a view; the first product also lays it out row by row again.
        image = np.multiply(source, gain[:, None, None], out=np.empty(source.shape, np.float32))
        if self.bias:
            image += bias[:, None, None]
        if self.noise:
            image += np.float32(self.noise) * rng.standard_normal(image.shape, np.float32)
        dropped[kept_band] = False
        image[dropped] = 0
        if not patch.valid.all():
            image *= patch.valid
        return replace(patch, image=image)


def _bent(patch: Patch, exponents: NDArray[np.float32]) -> NDArray[np.float32]:
    """Bends each band between its extremes over valid pixels, which stay where they are."""
    if not patch.valid.any():
        return patch.image
    low = patch.image.min((1, 2), where=patch.valid, initial=np.inf)[:, None, None]
    high = patch.image.max((1, 2), where=patch.valid, initial=-np.inf)[:, None, None]
    width = np.where(high > low, high - low, np.float32(1))
    share = np.clip((patch.image - low) / width, 0, 1)
    np.power(share, exponents[:, None, None], out=share)
    return np.asarray(low + share * width, np.float32)
