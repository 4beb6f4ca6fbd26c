"""How many looks the speckle of a data set has: given, told by its images, known from a training, or measured.

A filter that is told fewer looks than there are takes edges for speckle. What is measured comes out too low, since
ground with a texture of its own varies as speckle does; so that numbers are measured where nothing else is known, and
whatever was used is kept, for images that are filtered later to be filtered alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from arpent.core import Language
from arpent.io.header import read_header
from arpent.language import say
from arpent.language.quantities import number
from arpent.tasks.forecast.measuring import looks_in
from arpent.tasks.forecast.orbits import told_looks
from arpent.tasks.forecast.power import FrameReader
from arpent.tasks.forecast.prepare_settings import PrepareSettings
from arpent.tasks.forecast.survey import Surveyed

__all__ = ["Looks", "looks_of"]

_MEASURED: Final = 1 << 20  # pixels of an image that are looked at
_FEWEST, _MOST = 1.0, 1e4  # no radar has fewer; with as many as the latter there is no speckle to take away


@dataclass(frozen=True)
class Looks:
    """The looks that a data set is filtered by.

    Attributes:
        by_band: equivalent number of looks of each polarisation; none for filters that need none.
        source: where they are from; "trained" means a model's training.
    """

    by_band: Mapping[str, float]
    source: Literal["given", "known", "trained", "measured"] = "given"

    def told(self, settings: PrepareSettings) -> str:
        """What people should know of it."""
        language = settings.language
        words = {"filter": settings.filter, "window": settings.window, "looks": _listed(self.by_band, language)}
        return say(f"prepare.looks_{self.source}", language, **words)


def looks_of(places: Sequence[Surveyed], settings: PrepareSettings, trained: Mapping[str, float]) -> Looks:
    """The looks of all images of a data set, which come from one sensor.

    Args:
        places: all of them.
        settings: which filter, and whether the looks are given.
        trained: those that a model's training images were filtered by, if any.
    """
    bands = places[0].bands
    if settings.filter in ("none", "quegan_yu"):
        return Looks({})
    if set(bands) <= set(trained):
        return Looks({band: trained[band] for band in bands}, "trained")
    if settings.enl != "auto":
        return Looks(dict.fromkeys(bands, settings.enl))
    told = [_told_of(place) for place in places]
    known = [one for one in told if one is not None]
    if len(known) == len(told):
        return Looks(dict.fromkeys(bands, min(known)), "known")
    measured = [_measured(place, settings) for place in places]
    # Texture only ever makes them fewer: the place with most has least of it.
    return Looks({band: max(one[band] for one in measured) for band in bands}, "measured")


def _told_of(place: Surveyed) -> float | None:
    first = place.dates[0]
    return told_looks(place.orbit, first.name, read_header(first.images[0], first.name).tags)


def _measured(place: Surveyed, settings: PrepareSettings) -> dict[str, float]:
    """Looks by band, on the first date."""
    with FrameReader(place.dates[0], settings, place.grid, place.bands) as reader:
        found = looks_in(reader, place.bands, _MEASURED) or {}
    looks = {band: min(max(found.get(band, _FEWEST), _FEWEST), _MOST) for band in place.bands}
    return {band: float(f"{one:.4g}") for band, one in looks.items()}


def _listed(looks: Mapping[str, float], language: Language) -> str:
    """All bands by one number where they share it."""
    numbers = {band: number(one, language, 1) for band, one in looks.items()}
    if len(set(numbers.values())) == 1:
        return next(iter(numbers.values()))
    return ", ".join(f"{band.upper()} {one}" for band, one in numbers.items())
