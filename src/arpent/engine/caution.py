"""What users should know before they trust a prediction."""

from __future__ import annotations

from pathlib import PurePath

from arpent.core import Language, Normalisation
from arpent.data import ONE_LANDSCAPE, FarBand, FarLimit, Statistics, far_bands
from arpent.language import number, say

__all__ = ["far_from_training"]


def far_from_training(
    statistics: Statistics,
    rule: Normalisation,
    source: str,
    language: Language = "en",
    limit: FarLimit = ONE_LANDSCAPE,
    *,
    trimmed: bool = False,
) -> str | None:
    """A warning, with the numbers, where an image is far from those a model was trained on; None where it is near.

    Args:
        statistics: of the image, or of a sample of it (`data.glance`).
        rule: the model's normalisation.
        source: the image, for people.
        language: of the warning.
        limit: from where on an image is far.
        trimmed: whether the statistics leave out the ends of each band (`Statistics.within`), and are others than
            ``arpent stats`` prints.
    """
    far = far_bands(statistics, rule, limit)
    if not far:
        return None
    which = say("drift.trimmed" if trimmed else "drift.mean", language)
    joint = "\N{NARROW NO-BREAK SPACE}; " if language == "fr" else "; "
    bands = joint.join(_told(band, which, language) for band in far)
    return say("drift.far", language, source=PurePath(source).name or source, origin=rule.origin, bands=bands)


def _told(band: FarBand, which: str, language: Language) -> str:
    def spoken(value: float) -> str:
        return number(value, language)

    if band.top is not None:
        return say("drift.range", language, band=band.name, which=which, top=spoken(band.top), mean=spoken(band.mean))
    return say(
        "drift.band",
        language,
        band=band.name,
        which=which,
        mean=spoken(band.mean),
        std=spoken(band.std),
        then_mean=spoken(band.expected_mean),
        then_std=spoken(band.expected_std),
    )
