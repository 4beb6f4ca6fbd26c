"""Whether the images of an index are like those that a model was trained on: a look at some of them, before scores."""

from __future__ import annotations

from collections.abc import Sequence

from arpent.core import Language, Normalisation, Normalisations
from arpent.data import Sample, SampleIndex, Statistics, glance
from arpent.engine import far_from_training
from arpent.io import open_image

__all__ = ["far_lines"]

_LOOKED_AT = 32
"""Samples of a kind that are looked at, evenly spread."""


def far_lines(rule: Normalisations, bands: Sequence[str], index: SampleIndex, language: Language) -> list[str]:
    """A warning, with the numbers, for each kind of images that is far from training as a whole.

    Args:
        rule: how pixels become network input, for all images or by sensor.
        bands: that the network sees.
        index: the images.
        language: of the warnings.
    """
    kinds: dict[str, list[Sample]] = {}
    for sample in index:
        kinds.setdefault(sample.sensor, []).append(sample)
    found = []
    for sensor, samples in kinds.items():
        own = rule if isinstance(rule, Normalisation) else rule.get(sensor)
        if own is None:
            continue  # reading such an image says what is wrong
        for seen in _glances(samples[:: -(-len(samples) // _LOOKED_AT)], own, bands).values():
            line = far_from_training(seen, own, sensor or index.origin, language)
            if line is not None:
                found.append(line)
    return found


def _glances(samples: Sequence[Sample], rule: Normalisation, bands: Sequence[str]) -> dict[str, Statistics]:
    """Statistics of a sample of the pixels, by their type."""
    found: dict[str, Statistics] = {}
    absent = rule.absent_of(bands)
    for sample in samples:
        with open_image(sample.image, bands=bands, absent=absent, sensor=sample.sensor or None) as reader:
            seen = glance(reader, sample.window or reader.grid.window, rule)
            kind = str(reader.dtype)
        if seen is not None:
            found[kind] = found[kind].merge(seen) if kind in found else seen
    return found
