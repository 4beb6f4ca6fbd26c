"""How pixels become network input: the one switch that training, fine-tuning and the transfer study share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from arpent.core import Contract, Normalisation, sensor
from arpent.data import SampleIndex, Statistics, normalisation, standardisation
from arpent.errors import InvalidSetting

__all__ = ["bits_of", "rule_for"]


def rule_for(
    kind: str,
    bands: Sequence[str],
    *,
    bits: int | None,
    source: Contract | None,
    statistics: Callable[[], Statistics],
    origin: str = "training images",
) -> Normalisation:
    """The normalisation that a user names.

    Args:
        kind: "norma-01", "norma-source" or "norma-target".
        bands: that the network sees, in its order.
        bits: significant bits of a digital number, for "norma-01"; see `bits_of`.
        source: of the model that is started from, for "norma-source". Its bands are found by name; bands that it has
            never seen are normalised by the images at hand, and the origin says so.
        statistics: measures the images at hand; called only where they are needed, since that reads every image.
        origin: what the measured images are called, for people.

    Raises:
        InvalidSetting: what the normalisation needs is not there.
    """
    if kind == "norma-target":
        return standardisation(statistics(), origin)
    if kind == "norma-source":
        return _of_source(bands, source, statistics, origin)
    if kind == "norma-01" and bits is None:
        raise InvalidSetting(
            "norma-01 divides by the greatest number of the bit depth, which is not known here",
            expected="8 to 16, or 0 for pixels in [0, 1] already",
            cure="Set 'bits' to the significant bits of the sensor, or name its sensor in the index.",
        )
    return normalisation(kind, bands, bits=bits)


def bits_of(given: int | None, dtype: str, *indexes: SampleIndex) -> int | None:
    """The bit depth: as `given`, else of the one sensor that the samples name, else of bytes; None if not known."""
    if given is not None:
        return given
    depths = {sensor(name).bits if name else None for index in indexes for name in index.sensors}
    only = depths.pop() if len(depths) == 1 else None
    if only is not None and not (dtype == "uint8" and only > 8):
        return only
    return 8 if dtype == "uint8" else None


@dataclass(frozen=True)
class _Band:
    """Mean and standard deviation of one band, scaled."""

    mean: float
    std: float


def _of_source(
    bands: Sequence[str], source: Contract | None, statistics: Callable[[], Statistics], origin: str
) -> Normalisation:
    rule = source.normalisation if source is not None else None
    if source is None or rule is None:
        raise InvalidSetting(
            "norma-source takes the statistics of the model that is started from, and there is none"
            if source is None
            else "the model that is started from does not say how its images were normalised",
            cure="Choose norma-target (the images at hand) or norma-01 (the bit depth).",
        )
    places = [next((n for n, band in enumerate(source.bands) if band.answers_to(name)), None) for name in bands]
    new = [name for name, place in zip(bands, places, strict=True) if place is None]
    measured = {}
    if new:
        own = standardisation(statistics(), origin)
        measured = {name: _Band(own.mean[n] * rule.scale, own.std[n] * rule.scale) for n, name in enumerate(bands)}
    chosen = [
        measured[name] if place is None else _Band(rule.mean[place], rule.std[place])
        for name, place in zip(bands, places, strict=True)
    ]
    return Normalisation(
        origin=f"{rule.origin}; {', '.join(new)}: {origin}" if new else rule.origin,
        scale=rule.scale,
        mean=tuple(band.mean for band in chosen),
        std=tuple(band.std for band in chosen),
    )
