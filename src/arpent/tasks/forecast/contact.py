"""What a person looks at first of a DATASET: all dates of its places, in one tone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from arpent.core import Language
from arpent.io import quicklook
from arpent.language import say
from arpent.report.contact import Contact, ContactRow, contact_sheet
from arpent.tasks.forecast.dataset import Dataset, Frame, Place
from arpent.tasks.forecast.radar_pictures import as_pictures

__all__ = ["draw_contact_sheet", "pictures_of", "tones_of"]

_PLACES, _DATES = 3, 21  # shown at most
_SIDE = 220  # pixels of a picture
_WATER = 1  # of the nomenclatures sar and water


def draw_contact_sheet(dataset: Dataset, path: Path, language: Language = "en") -> Path:
    """Draws the first places of a data set as PNG: VV in red, VH in green, their ratio in blue; water outlined."""
    whole = {place.name.split("@")[0]: place for place in dataset.places}
    shown = [ContactRow(name, _contacts(place, language)) for name, place in list(whole.items())[:_PLACES]]
    first = dataset.places[0]
    note = tones_of(dataset.bands, language)
    if first.frames[0].mask:
        note = say("prepare.sheet_outlined", language, what=note)
    title = say("prepare.sheet", language, places=len(whole), dates=sum(len(p.frames) for p in whole.values()))
    return contact_sheet(shown, path, title=title, note=note)


def tones_of(bands: Sequence[str], language: Language) -> str:
    """What the colours of radar pictures mean."""
    return say(f"prepare.sheet_{'colours' if len(bands) > 1 else 'grey'}", language, band=bands[0].upper())


def _contacts(place: Place, language: Language) -> list[Contact]:
    step = -(-len(place.frames) // _DATES)
    frames = place.frames[::step]
    contacts = []
    for number, (frame, rgb) in enumerate(zip(frames, pictures_of(frames, _SIDE), strict=True)):
        since = (frame.date - frames[number - 1].date).days if number else 0
        aside = say("prepare.sheet_since", language, days=since) if number else ""
        contacts.append(Contact(rgb, frame.date.isoformat(), aside, _water(frame, rgb.shape[:2])))
    return contacts


def pictures_of(frames: Sequence[Frame], side: int) -> list[NDArray[np.uint8]]:
    """Dates of a place as small pictures ``(height, width, 3)`` in one tone."""
    seen = as_pictures([quicklook(frame.image, side) for frame in frames])
    return [np.ascontiguousarray(one.pixels.transpose(1, 2, 0)) for one in seen]


def _water(frame: Frame, shape: tuple[int, int]) -> NDArray[np.bool_] | None:
    if frame.mask is None:
        return None
    seen = quicklook(frame.mask, _SIDE, classes=True)
    water = seen.valid & (seen.pixels[0] == _WATER)
    return water if water.shape == shape else None
