"""Numbers of a file to numbers for a network, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from arpent.core import ByteScale, Normalisation, Normalisations
from arpent.data import kernels
from arpent.data.statistics import Statistics
from arpent.errors import BandMismatch, InvalidSetting, UnknownName
from arpent.pixels import decibels_to_linear, linear_to_decibels

__all__ = [
    "NORMALISATIONS",
    "Normaliser",
    "byte_scale_of",
    "in_decibels",
    "normalisation",
    "normaliser_of",
    "standardisation",
    "with_absent",
]

_WIDE = (-50.0, 50.0)
"""Decibels of a band that is not there."""

Kind = Literal["norma-01", "norma-source", "norma-target"]
NORMALISATIONS: tuple[Kind, ...] = ("norma-01", "norma-source", "norma-target")
"""The ways to normalise that users can name."""


class Normaliser:
    """Applies a `Normalisation` to images ``(bands, height, width)``.

    Pixels without data become 0, which is the mean of each band: to a network they are the least remarkable value. So
    do all pixels of bands that the images lack. Of a rule whose results lie in 0 to 1, that value is the middle.
    """

    def __init__(self, rule: Normalisation) -> None:
        if len(rule.mean) != len(rule.std):
            raise InvalidSetting(
                "a normalisation needs a mean and a standard deviation for each band",
                found=f"{len(rule.mean)} means, {len(rule.std)} standard deviations",
                cure="Compute the statistics again with arpent stats.",
            )
        self.rule = rule
        # (x × scale − mean) ÷ std as one multiplication and one addition per pixel.
        std = np.asarray(rule.std, np.float64)
        self._factor = (rule.scale / std).astype(np.float32)
        self._shift = (-np.asarray(rule.mean, np.float64) / std).astype(np.float32)
        self._nothing = np.float32(0.5 if rule.unit else 0)
        self._factor[list(rule.absent)], self._shift[list(rule.absent)] = 0, self._nothing

    def __call__(
        self,
        pixels: NDArray[np.generic],
        valid: NDArray[np.bool_] | None = None,
        out: NDArray[np.float32] | None = None,
    ) -> NDArray[np.float32]:
        """Normalised pixels, ``(bands, height, width)``.

        Args:
            pixels: in the units of the file.
            valid: ``(height, width)``; where it is False the result is 0 (0.5 of a rule that ends in 0 to 1), whatever
                the pixel holds.
            out: where to put the result, contiguous, of the same shape; new memory if not given.
        """
        bands = len(self._factor)
        if len(pixels) != bands:
            raise BandMismatch(
                "the image has another number of bands than the normalisation",
                found=len(pixels),
                expected=bands,
                cure="Open the image with the bands of the model.",
            )
        result = np.empty(pixels.shape, np.float32) if out is None else out
        if self.rule.decibels is not None:
            pixels = in_decibels(pixels, self.rule.decibels)
        if self.rule.to_bytes is not None:
            pixels = self.rule.to_bytes(pixels, valid)
        if pixels.dtype.byteorder not in "=|":
            pixels = pixels.astype(pixels.dtype.newbyteorder("="))
        mask = np.ones(pixels[0].size, np.bool_) if valid is None else np.ascontiguousarray(valid).ravel()
        flat = np.ascontiguousarray(pixels).reshape(bands, -1)
        made = result.reshape(bands, -1)
        kernels.affine(flat, mask, self._factor, self._shift, made)
        if self.rule.unit:
            np.clip(made, 0, 1, out=made)
            made[:, ~mask] = self._nothing
        return result

    def inverse(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """The numbers of the file again, as 32-bit floats ``(bands, height, width)``."""
        rule = self.rule
        mean, std = (np.asarray(part, np.float64)[:, None, None] for part in (rule.mean, rule.std))
        numbers = ((values * std + mean) / rule.scale).astype(np.float32)
        if rule.decibels is not None:
            return decibels_to_linear(numbers)
        return numbers if rule.to_bytes is None else rule.to_bytes.inverse(numbers)


def normaliser_of(rule: Normalisations) -> Normaliser | Mapping[str, Normaliser]:
    """What applies a normalisation, or one for each sensor, to patches."""
    if isinstance(rule, Normalisation):
        return Normaliser(rule)
    return {sensor: Normaliser(own) for sensor, own in rule.items()}


def with_absent(rule: Normalisation, bands: Sequence[str], absent: Sequence[str]) -> Normalisation:
    """A normalisation of images that lack some of the `bands`, as one of all of them.

    Args:
        rule: of the bands that are there, in their order.
        bands: that the network sees.
        absent: those of them that the images lack.
    """
    if not absent:
        return rule
    there = iter(range(len(rule.mean)))
    places = [None if band in absent else next(there) for band in bands]

    def spread(values: Sequence[float], filler: float) -> tuple[float, ...]:
        return tuple(filler if place is None else values[place] for place in places)

    scale = rule.to_bytes
    return Normalisation(
        origin=rule.origin,
        scale=rule.scale,
        decibels=rule.decibels and tuple(_WIDE if place is None else rule.decibels[place] for place in places),
        mean=spread(rule.mean, 0.0),
        std=spread(rule.std, 1.0),
        to_bytes=scale and ByteScale(low=spread(scale.low, 0.0), high=spread(scale.high, 1.0), origin=scale.origin),
        absent=tuple(place for place, there in enumerate(places) if there is None),
        unit=rule.unit,
    )


def normalisation(
    kind: str,
    bands: Sequence[str],
    *,
    bits: int | None = None,
    source: Normalisation | None = None,
    target: Statistics | None = None,
) -> Normalisation:
    """The normalisation that a user names.

    Args:
        kind: "norma-01" divides by the greatest number of the bit depth; "norma-source" is that of the model's own
            training images; "norma-target" uses the mean and standard deviation of the images at hand.
        bands: names of the bands, in order.
        bits: significant bits of a digital number, for "norma-01"; 0 for pixels in [0, 1] already.
        source: what the model was trained with, for "norma-source".
        target: statistics of the images at hand, for "norma-target".
    """
    if kind == "norma-01" and bits is not None:
        return _unit_range(len(bands), bits)
    if kind == "norma-source" and source is not None:
        _check_bands(len(source.mean), bands)
        return source
    if kind == "norma-target" and target is not None:
        _check_bands(len(target.bands), bands)
        return standardisation(target, "target images")
    if kind not in NORMALISATIONS:
        raise UnknownName.among(kind, NORMALISATIONS, "normalisation")
    needs = {"norma-01": "the bit depth", "norma-source": "a trained model", "norma-target": "statistics of the images"}
    raise InvalidSetting(f"{kind} needs {needs[kind]}", cure="Give it, or choose another normalisation.")


def in_decibels(power: NDArray[np.generic], cuts: Sequence[tuple[float, float]]) -> NDArray[np.float32]:
    """Decibels of linear power ``(bands, …)``, cut off below and above band by band; no power is the lower end."""
    decibels = linear_to_decibels(power.astype(np.float32, copy=False))
    for band, (low, high) in zip(decibels, cuts, strict=True):
        np.clip(band, low, high, out=band)
    return decibels


def standardisation(
    statistics: Statistics, origin: str, *, decibels: Sequence[tuple[float, float]] | None = None
) -> Normalisation:
    """Mean 0 and standard deviation 1 on the images that were measured; `origin` names them for people.

    A band that has one value everywhere is only shifted. Where pixels become decibels first, the statistics are of
    these (`in_decibels`).
    """
    std = statistics.std
    return Normalisation(
        origin=origin,
        mean=tuple(map(float, statistics.mean)),
        std=tuple(map(float, np.where(std > 0, std, 1.0))),
        decibels=None if decibels is None else tuple(decibels),
    )


def _unit_range(bands: int, bits: int) -> Normalisation:
    if not 0 <= bits <= 16:
        raise InvalidSetting(
            "no such bit depth",
            found=bits,
            expected="1 to 16 bits, or 0 for pixels in [0, 1] already",
            cure="Give the significant bits of the sensor (11 or 12 for Pléiades Neo), not those of the file.",
        )
    scale = 1 / (2**bits - 1) if bits else 1.0
    return Normalisation(origin=f"{bits}-bit range", scale=scale, mean=(0.0,) * bands, std=(1.0,) * bands)


def _check_bands(count: int, bands: Sequence[str]) -> None:
    if count != len(bands):
        raise BandMismatch(
            "the statistics are of another number of bands",
            found=count,
            expected=f"{len(bands)} ({', '.join(bands)})",
            cure="Measure the bands that the model reads.",
        )


def byte_scale_of(
    statistics: Statistics,
    method: Literal["percentile", "range", "fixed"] = "percentile",
    *,
    cut: float = 2.0,
    top: float | None = None,
) -> ByteScale:
    """The conversion to 8 bits that suits a set of images; kept with the model, it is replayed at prediction.

    Args:
        statistics: of the images.
        method: "percentile" cuts `cut` percent off both ends, "range" keeps all values, "fixed" maps 0 to `top`.
        cut: percent cut off at each end.
        top: number that becomes 255, for "fixed".
    """
    if method == "percentile":
        low, high = statistics.percentile([cut, 100 - cut])
    elif method == "range":
        low, high = statistics.low, statistics.high
    elif method == "fixed" and top is not None:
        low, high = np.zeros(len(statistics.bands)), np.full(len(statistics.bands), float(top))
    else:
        raise InvalidSetting(
            f"'{method}' is no complete way to bring images to 8 bits",
            expected="percentile, range, or fixed with its top",
            cure="Choose one of the three.",
        )
    return ByteScale.between(low, high, f"{method} of the training images")
