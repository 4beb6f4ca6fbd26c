"""How pixels become network input: the one switch that training, fine-tuning and the transfer study share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from arpent.core import ByteScale, Contract, Normalisation, Normalisations, sensor
from arpent.data import (
    SampleIndex,
    Statistics,
    byte_scale_of,
    normalisation,
    read_statistics,
    standardisation,
    with_absent,
)
from arpent.errors import InvalidSetting
from arpent.tasks.landcover.settings import TrainSettings
from arpent.tasks.landcover.survey import Samples, measured

__all__ = ["bits_of", "no_statistics_of_bytes", "rule_anew", "rule_for", "rule_of_images", "sees_bytes"]


def rule_for(
    kind: str,
    bands: Sequence[str],
    *,
    bits: int | None,
    source: Contract | None,
    statistics: Callable[[], Statistics],
    origin: str = "training images",
    depth: str = "Set 'bits' to the significant bits of the sensor, or name its sensor in the index.",
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
        depth: the cure where the bit depth is needed and not known.

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
            cure=depth,
        )
    return normalisation(kind, bands, bits=bits)


def rule_anew(
    kind: str,
    contract: Contract,
    dtype: str,
    *,
    bits: int | None,
    statistics: Callable[[], Statistics],
    origin: str,
    depth: str,
) -> Normalisation:
    """The normalisation that a user names for a trained model; see `rule_for`.

    A model that sees bytes still does: deep pixels are brought to them first, in the way that the model was trained
    with, by the statistics of the images at hand. Images of bytes are so already.

    Args:
        kind: "norma-01", "norma-source" or "norma-target".
        contract: of the model.
        dtype: of the pixels.
        bits: significant bits of a digital number.
        statistics: measures the images at hand, in the bands that the model sees of them.
        origin: what these are called.
        depth: the cure where the bit depth is needed and not known.
    """
    bands = [name for name in contract.band_names if name not in contract.absent]
    own = contract.normalisation
    if kind == "norma-source" or own is None or own.to_bytes is None or dtype == "uint8":
        made = rule_for(kind, bands, bits=bits, source=contract, statistics=statistics, origin=origin, depth=depth)
        return with_absent(made, contract.band_names, contract.absent)
    known: Mapping[str, Any] = contract.recipe.get("settings", {})
    way: Any = known.get("to_bytes", "none")
    way = "percentile" if way == "none" else way  # a fine-tuning may have taken the conversion over from its start
    seen = statistics()
    scale = byte_scale_of(seen, way, cut=known.get("byte_cut", 2.0), top=known.get("byte_top"))
    scale = scale.model_copy(update={"origin": f"{way} of {origin}"})
    made = rule_for(kind, bands, bits=8, source=contract, statistics=lambda: seen.as_bytes(scale), origin=origin)
    return with_absent(made.model_copy(update={"to_bytes": scale}), contract.band_names, contract.absent)


def rule_of_images(settings: TrainSettings, samples: Samples, source: Contract | None = None) -> Normalisations:
    """The normalisation that a training asks for, with the conversion to bytes where it asks for one.

    Images are read once at most: the statistics of their bytes follow from those of their numbers.

    Args:
        settings: of the training.
        samples: of which the training side is measured, unless the settings name statistics.
        source: of the model that is started from, if there is one.

    Returns:
        One for all images, or where they are of several sensors, one for each of these.

    Raises:
        InvalidSetting: what the normalisation needs is not there, or one number is given for several sensors.
        UnknownName: the model that is started from has statistics of several sensors, and none of this one.
    """
    if len(samples.kinds) == 1:
        (only,) = samples.kinds
        return _rule_of_sensor(only, settings, samples, source)
    given = {"statistics": settings.statistics, "bits": settings.bits}
    for name, value in given.items():
        if value is not None:
            raise InvalidSetting(
                f"'{name}' cannot hold for images of several sensors",
                found=", ".join(samples.kinds),
                cure="Leave it out: each sensor has its own.",
            )
    return {name: _rule_of_sensor(name, settings, samples.of_sensor(name), source) for name in samples.kinds}


def _rule_of_sensor(name: str, settings: TrainSettings, samples: Samples, source: Contract | None) -> Normalisation:
    """The normalisation of the images of one sensor."""
    kind, asked = samples.kinds[name], settings.task.bands
    bands = [band for band in asked if band not in kind.absent]
    if source is not None and settings.normalise == "norma-source":
        source = source.of_sensor(name)
    kept: list[Statistics] = []

    def statistics() -> Statistics:
        if not kept:
            kept.append(_statistics(settings, samples, bands))
        return kept[0]

    def rule(bits: int | None, measure: Callable[[], Statistics]) -> Normalisation:
        origin = settings.name  # a name and no sentence: it stands in messages of either language
        return rule_for(settings.normalise, bands, bits=bits, source=source, statistics=measure, origin=origin)

    if settings.to_bytes == "none":
        made = rule(bits_of(settings.bits, kind.dtype, samples.train), statistics)
        return with_absent(made, asked, kind.absent)
    if settings.normalise == "norma-source" and source is not None:
        source = _of_bytes(source)
    scale = byte_scale_of(statistics(), settings.to_bytes, cut=settings.byte_cut, top=settings.byte_top)
    made = rule(8, lambda: statistics().as_bytes(scale)).model_copy(update={"to_bytes": scale})
    return with_absent(made, asked, kind.absent)


def sees_bytes(contract: Contract) -> bool:
    """Whether a model was trained on bytes, or on what it makes bytes of, so that its statistics speak of them."""
    rule = contract.normalisation
    return contract.dtype == "uint8" or (rule is not None and rule.to_bytes is not None)


def _of_bytes(source: Contract) -> Contract:
    """What a model says of bytes, whatever they were made from: the images at hand are brought to them anew.

    Raises:
        InvalidSetting: its statistics are of deep pixels.
    """
    if not sees_bytes(source):
        raise no_statistics_of_bytes()
    rule = source.normalisation
    plain = None if rule is None else rule.model_copy(update={"to_bytes": None})
    return source.model_copy(update={"normalisation": plain})


def no_statistics_of_bytes() -> InvalidSetting:
    """The error of pixels that are to become bytes for a model that has learnt deeper ones."""
    return InvalidSetting(
        "norma-source takes the statistics of the model that is started from, and these are not of bytes",
        cure="Leave 'to_bytes' out, or choose norma-target or norma-01.",
    )


def _statistics(settings: TrainSettings, samples: Samples, bands: Sequence[str]) -> Statistics:
    if settings.statistics is None:
        return measured(samples.train, bands)
    found = read_statistics(settings.statistics)
    return found.select(bands)


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
    seen = {n: band for n, band in enumerate(source.bands) if n not in rule.absent}
    places = [next((n for n, band in seen.items() if band.answers_to(name)), None) for name in bands]
    new = [name for name, place in zip(bands, places, strict=True) if place is None]
    measured = {}
    if new and rule.to_bytes is not None:
        raise InvalidSetting(
            f"the model that is started from brings its bands to bytes, and does not say how to bring {', '.join(new)}",
            cure="Choose norma-target with 'to_bytes', or norma-01.",
        )
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
        to_bytes=_bytes_of(rule.to_bytes, [place for place in places if place is not None]),
    )


def _bytes_of(scale: ByteScale | None, places: Sequence[int]) -> ByteScale | None:
    """The conversion of some bands, in their order."""
    if scale is None:
        return None
    low, high = (tuple(ends[place] for place in places) for ends in (scale.low, scale.high))
    return ByteScale(low=low, high=high, origin=scale.origin)
