"""How instruments turn light into numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from arpent.core import Band, Sensor
from arpent.testing.materials import ANCHORS, BANDS_OF_SHADE
from arpent.testing.sky import Overcast, Sky

__all__ = ["Camera", "block_mean", "blur", "blur_margin", "camera", "dtype_of", "encode", "shade_of", "through_air"]

F32 = NDArray[np.float32]


@dataclass(frozen=True)
class Camera:
    """What distinguishes one optical instrument from another, beyond its bands.

    Attributes:
        blur: standard deviation of its point spread, in pixels.
        floor: noise in the dark, in reflectance.
        share: noise as a share of the signal.
        white: reflectance of the brightest number, for cameras whose images are toned for the eye; None for those
            that count linearly.
        gain: numbers per unit of reflectance, for raw counts; None for products with a scale of their own.
        top: the greatest number, of toned images and raw counts.
        air: share of the atmosphere left in the image: 0 for surface reflectance, 1 as seen from orbit.
    """

    blur: float = 0.0
    floor: float = 0.0015
    share: float = 0.012
    white: float | None = None
    gain: float | None = None
    top: float = 10_000.0
    air: float = 0.0


# BD ORTHO is toned by hand: a square root and a white point bring means and deviations near those that FLAIR prints
# (105, 111, 102, 106 and 52, 45, 44, 40). Pléiades Neo: MTF 0.15 … 0.2 at the Nyquist frequency, that is a blur of
# 0.6 px, and 11 significant bits (Airbus, Pléiades Neo user guide); vegetation in the near infrared comes to half
# their range. MSI: signal to noise of 100 and more (ESA, Sentinel-2 MSI performance).
_CAMERAS = {
    "bd-ortho": Camera(blur=0.45, floor=0.0010, share=0.035, white=0.40, top=255.0, air=0.10),
    "pleiades-neo": Camera(blur=0.60, floor=0.0012, share=0.018, gain=2900.0, top=2047.0, air=1.0),
}
_NEAR_INFRARED_WHITE = 1.05


def camera(sensor: Sensor) -> Camera:
    """The camera of a sensor; a well-kept surface reflectance product for those without an entry of their own."""
    return _CAMERAS.get(sensor.name, Camera())


def dtype_of(sensor: Sensor) -> np.dtype[np.generic]:
    """The type of its numbers."""
    if sensor.bands[0].wavelength is None:
        return np.dtype(np.float32)
    if sensor.bits == 8:
        return np.dtype(np.uint8)
    if sensor.nodata is not None and sensor.nodata < 0:
        return np.dtype(np.int16)
    return np.dtype(np.uint16)


def shade_of(wavelengths: tuple[float, ...]) -> F32:
    """Light left in shadow, per band."""
    return np.interp(wavelengths, ANCHORS, BANDS_OF_SHADE).astype(np.float32)


def _air(wavelengths: tuple[float, ...]) -> F32:
    """How much air weighs in each band: 1 in the violet, little in the infrared (Ångström's exponent, 1.6)."""
    return np.array([(443.0 / max(w, 400.0)) ** 1.6 for w in wavelengths], np.float32)


def through_air(light: F32, wavelengths: tuple[float, ...], optics: Camera, sky: Sky, cover: Overcast) -> None:
    """Puts haze, clouds and their shadows between the ground and the camera, in place; ``(band, row, column)``."""
    weight = _air(wavelengths)
    veil = (0.10 * optics.air + 0.14 * sky.haze) * weight
    lost = (0.12 * optics.air + 0.30 * sky.haze) * weight
    cloudy = sky.clouds > 0.0
    for band in range(light.shape[0]):
        seen = light[band]
        if cloudy:
            seen *= 1.0 - np.float32(0.62) * cover.shadow * (1.0 - np.float32(0.35) * weight[band])
        seen *= 1.0 - lost[band]
        seen += veil[band]
        if cloudy:
            white = np.float32(0.62 if wavelengths[band] < 1400.0 else 0.42)
            seen += cover.opacity * (white * (np.float32(0.85) + np.float32(0.3) * cover.opacity) - seen)


def blur_margin(sigma: float) -> int:
    """Pixels that `blur` needs around what it returns."""
    return math.ceil(2.5 * sigma)


def blur(light: F32, sigma: float) -> F32:
    """Gaussian point spread; the result lacks the margin of `blur_margin` pixels on all sides."""
    margin = blur_margin(sigma)
    if margin == 0:
        return light
    taps = [math.exp(-0.5 * (n / sigma) ** 2) for n in range(-margin, margin + 1)]
    weights = np.array(taps, np.float32) / np.float32(sum(taps))
    rows = light.shape[1] - 2 * margin
    down = weights[0] * light[:, :rows]
    for n in range(1, len(taps)):
        down += weights[n] * light[:, n : n + rows]
    cols = light.shape[2] - 2 * margin
    across = weights[0] * down[:, :, :cols]
    for n in range(1, len(taps)):
        across += weights[n] * down[:, :, n : n + cols]
    return np.ascontiguousarray(across)


def block_mean(band: F32, factor: int) -> None:
    """Gives all pixels of each `factor` × `factor` block their mean, in place: a band of larger pixels, resampled."""
    # Summed in an order of our own: numpy chooses one by the shape of the array, and so by the window.
    total = np.zeros((band.shape[0] // factor, band.shape[1] // factor), np.float32)
    for row in range(factor):
        for col in range(factor):
            total += band[row::factor, col::factor]
    total /= np.float32(factor * factor)
    for row in range(factor):
        for col in range(factor):
            band[row::factor, col::factor] = total


def encode(light: F32, sensor: Sensor, bands: tuple[Band, ...]) -> NDArray[np.generic]:
    """Reflectance to the numbers of the sensor's files; never the number that means no data."""
    optics = camera(sensor)
    kind = dtype_of(sensor)
    if optics.white is not None:
        whites = [_NEAR_INFRARED_WHITE if (band.wavelength or 0) > 700 else optics.white for band in bands]
        scale = np.array(whites, np.float32)[:, None, None]
        numbers = np.sqrt(np.clip(light / scale, 0, None)) * np.float32(optics.top)
        return np.asarray(np.clip(np.rint(numbers), 0, optics.top).astype(kind))
    if optics.gain is not None:
        numbers = light * np.float32(optics.gain)
        return np.asarray(np.clip(np.rint(numbers), 1, optics.top).astype(kind))
    numbers = (light - np.float32(sensor.offset)) / np.float32(sensor.scale)
    ceiling = min(int(np.iinfo(kind.name).max), round((1.6 - sensor.offset) / sensor.scale))
    return np.asarray(np.clip(np.rint(numbers), 1, ceiling).astype(kind))
