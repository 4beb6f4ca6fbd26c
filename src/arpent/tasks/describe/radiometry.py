"""From the numbers of a file to reflectance × 10 000: their scale, and the offset of later processing baselines.

What the metadata say counts. Where they say nothing the darkest pixels decide, and the user is told: from baseline
04.00 on every number is 1000 too high, and an index computed from such numbers is plausible and wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from arpent.core import Language, sensor
from arpent.errors import InputError
from arpent.io import ImageReader
from arpent.language import say
from arpent.tasks.describe.layouts import CIRRUS
from arpent.tasks.describe.product_facts import OFFSET, ProductFacts
from arpent.tasks.describe.scene_settings import SceneSettings

__all__ = ["Radiometry", "floor_offset", "radiometry_of"]

_DAZZLING = 20_000
"""Reflectance × 10 000 that hardly a pixel goes beyond."""
_UNIT = 10_000.0
_DARKEST = 0.5  # percent of the pixels that lie below the floor
_BRIGHTEST = 99.0
_LIFTED = 950.0
"""Lowest floor of numbers that carry the offset: water and shadow reflect a percent or two in the infrared."""
_BRIGHT = 2500.0
"""A floor above this is cloud, snow or a salt flat, and says nothing of the offset."""
_FRACTION = 2.0
_BYTE = 255.0
_THOUSANDS = 300.0


@dataclass(frozen=True)
class Radiometry:
    """How numbers become reflectance × 10 000: (number + shift) × factor.

    Attributes:
        shift: ``(bands,)``.
        factor: ``(bands,)``.
        notes: what people should know.
    """

    shift: NDArray[np.float32]
    factor: NDArray[np.float32]
    notes: tuple[str, ...] = ()

    def first(self, count: int) -> Radiometry:
        """That of the first bands alone."""
        return Radiometry(self.shift[:count], self.factor[:count], self.notes)

    def applied(self, numbers: NDArray[np.generic]) -> NDArray[np.float32]:
        """Reflectance × 10 000 of numbers ``(bands, …)``."""
        sides = (-1, *(1,) * (numbers.ndim - 1))
        scaled = numbers.astype(np.float32)
        if self.shift.any():
            scaled += self.shift.reshape(sides)
        if (self.factor != 1).any():
            scaled *= self.factor.reshape(sides)
        return scaled


def radiometry_of(
    reader: ImageReader, names: Sequence[str], sample: NDArray[np.float32], facts: ProductFacts, settings: SceneSettings
) -> Radiometry:
    """How the numbers of an image are to be read.

    Args:
        reader: of the image.
        names: of the Sentinel-2 bands that it reads, in its order.
        sample: ``(bands, n)`` numbers of some valid pixels.
        facts: what the product says of itself.
        settings: what the user says.

    Raises:
        InputError: nothing tells what the numbers mean.
    """
    notes: list[str] = []
    scale, known_offset = _scale(reader, sample, facts, settings, notes)
    factor = (np.asarray(scale) * _UNIT).astype(np.float32)
    if known_offset is not None and settings.offset == "auto":
        return Radiometry(known_offset.astype(np.float32), factor, tuple(notes))
    offset = _offset(names, sample * factor[:, None], facts, settings, notes)
    return Radiometry((offset / factor).astype(np.float32), factor, tuple(notes))


def _scale(
    reader: ImageReader,
    sample: NDArray[np.float32],
    facts: ProductFacts,
    settings: SceneSettings,
    notes: list[str],
) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
    """Reflectance of the number 1, by band, and what the header says must be added to numbers."""
    count = len(reader.bands)
    if settings.scale != "auto":
        return np.full(count, settings.scale), None
    header, added = np.array(reader.scale), np.array(reader.offset)
    if (header != 1).all():
        return header, added / header if added.any() else None
    foreign = None if reader.sensor is None else sensor(reader.sensor)
    if foreign is not None and foreign.scale not in (1.0, 1 / _UNIT):
        return np.full(count, foreign.scale), np.full(count, foreign.offset / foreign.scale)
    if facts.scale is not None:
        return np.full(count, facts.scale), None
    return np.full(count, _told_by_numbers(reader, sample, facts, settings.language, notes)), None


def _told_by_numbers(
    reader: ImageReader, sample: NDArray[np.float32], facts: ProductFacts, language: Language, notes: list[str]
) -> float:
    top = float(np.percentile(sample, _BRIGHTEST, axis=1).max()) if sample.size else np.nan
    whole = reader.dtype.kind in "ui"
    product = facts.offset is not None
    if not sample.size:
        return 1 / _UNIT if whole else 1.0
    if whole and reader.dtype.itemsize > 1 and (top > _BYTE or product):
        if top > _DAZZLING:
            notes.append(say("scene.dazzling", language, level=f"{top:.0f}"))
        return 1 / _UNIT
    if not whole and 0 < top <= _FRACTION:
        notes.append(say("scene.fractions", language))
        return 1.0
    if not whole and top > _THOUSANDS:
        return 1 / _UNIT
    kind = "bytes" if reader.dtype.itemsize == 1 else "whole numbers" if whole else "fractions"
    raise InputError(
        f"{reader.source} does not say what its numbers mean",
        found=f"{kind}, nearly all below {top:.4g}",
        expected="reflectance × 10 000, or reflectance from 0 to 1",
        cure="Give the image as it was delivered, or say which reflectance the number 1 stands for: --scale 0.004.",
    )


def _offset(
    names: Sequence[str],
    sample: NDArray[np.float32],
    facts: ProductFacts,
    settings: SceneSettings,
    notes: list[str],
) -> float:
    """What must be added to reflectance × 10 000; `sample` is in that unit."""
    if settings.offset != "auto":
        return float(settings.offset)
    language = settings.language
    seen, why = floor_offset(names, sample, language)
    if facts.offset is not None:
        if facts.offset < 0:
            notes.append(say("scene.baseline_offset", language, offset=f"{facts.offset:g}", told_by=facts.told_by))
            if seen == 0:
                notes.append(say("scene.baseline_but", language, why=why))
        elif seen:
            notes.append(say("scene.baseline_though", language, why=why, told_by=facts.told_by))
        return facts.offset
    if seen is None:
        if why:
            notes.append(say("scene.offset_unknown", language, why=why))
        return 0.0
    if seen:
        notes.append(say("scene.offset_since", language, offset=f"{seen:g}", why=why))
    return seen


def floor_offset(
    names: Sequence[str], sample: NDArray[np.float32], language: Language = "en"
) -> tuple[float | None, str]:
    """The offset that the darkest pixels show, and how they show it; None where they cannot.

    Args:
        names: of the bands.
        sample: ``(bands, n)`` reflectance × 10 000.
        language: of the words.
    """
    if not sample.size:
        return None, ""
    if CIRRUS in names:
        middle = float(np.median(sample[list(names).index(CIRRUS)]))
        if middle >= _LIFTED:
            return OFFSET, say("scene.cirrus_lifted", language, level=f"{middle:.0f}")
        return 0.0, say("scene.cirrus_at", language, level=f"{middle:.0f}")
    ground = np.percentile(sample, _DARKEST, axis=1)
    floor = float(ground.min())
    if floor > _BRIGHT:
        return None, say("scene.no_dark", language, level=f"{floor:.0f}")
    return OFFSET if floor >= _LIFTED else 0.0, say("scene.darkest", language, level=f"{floor:.0f}")
