"""What a person looks at first of a DATASET: all dates of its places, in one tone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from arpent.core import Language
from arpent.io import quicklook
from arpent.language import say
from arpent.pixels import linear_to_decibels
from arpent.report.contact import Contact, ContactRow, contact_sheet
from arpent.tasks.forecast.dataset import Dataset, Frame, Place

__all__ = ["draw_contact_sheet"]

_PLACES, _DATES = 3, 21  # shown at most
_SIDE = 220  # pixels of a picture
_CUT = 1.0  # per cent at each end of the tone
_COLOUR = 0.55  # the rest is grey: pure composites of radar are garish, and hide what changes
_WATER = 1  # of the nomenclatures sar and water


def draw_contact_sheet(dataset: Dataset, path: Path, language: Language = "en") -> Path:
    """Draws the first places of a data set as PNG: VV in red, VH in green, their ratio in blue; water outlined."""
    whole = {place.name.split("@")[0]: place for place in dataset.places}
    shown = [ContactRow(name, _contacts(place, language)) for name, place in list(whole.items())[:_PLACES]]
    first = dataset.places[0]
    note = say(
        "prepare.sheet_colours" if len(dataset.bands) > 1 else "prepare.sheet_grey",
        language,
        band=dataset.bands[0].upper(),
    )
    if first.frames[0].mask:
        note = say("prepare.sheet_outlined", language, what=note)
    title = say("prepare.sheet", language, places=len(whole), dates=sum(len(p.frames) for p in whole.values()))
    return contact_sheet(shown, path, title=title, note=note)


def _contacts(place: Place, language: Language) -> list[Contact]:
    step = -(-len(place.frames) // _DATES)
    frames = place.frames[::step]
    levels = [linear_to_decibels(np.asarray(_picture(frame), np.float32)) for frame in frames]
    stretched = _toned(levels)
    contacts = []
    for number, (frame, rgb) in enumerate(zip(frames, stretched, strict=True)):
        since = (frame.date - frames[number - 1].date).days if number else 0
        aside = say("prepare.sheet_since", language, days=since) if number else ""
        contacts.append(Contact(rgb, frame.date.isoformat(), aside, _water(frame, rgb.shape[:2])))
    return contacts


def _picture(frame: Frame) -> NDArray[np.float32]:
    seen = quicklook(frame.image, _SIDE)
    return np.where(seen.valid, seen.pixels, np.nan).astype(np.float32)


def _water(frame: Frame, shape: tuple[int, int]) -> NDArray[np.bool_] | None:
    if frame.mask is None:
        return None
    seen = quicklook(frame.mask, _SIDE, classes=True)
    water = seen.valid & (seen.pixels[0] == _WATER)
    return water if water.shape == shape else None


def _toned(levels: Sequence[NDArray[np.float32]]) -> list[NDArray[np.uint8]]:
    """Pictures of all dates between the same decibels, channel by channel."""
    channels = [np.stack([one[0], one[1], one[0] - one[1]] if len(one) > 1 else [one[0]] * 3) for one in levels]
    every = np.stack([channel[:, ::2, ::2] for channel in channels], axis=1).reshape(3, -1)
    known = every[:, np.isfinite(every).all(axis=0)]
    low, high = np.percentile(known, [_CUT, 100 - _CUT], axis=1) if known.size else (np.zeros(3), np.ones(3))
    span = np.maximum(high - low, 1e-3)
    pictures = []
    for channel in channels:
        shares = (channel - low[:, None, None]) / span[:, None, None]
        paper = ~np.isfinite(shares).all(axis=0)
        shares = np.clip(np.where(paper, 1.0, shares), 0, 1)
        shares = _COLOUR * shares + (1 - _COLOUR) * shares[:2].mean(axis=0)
        rgb = np.rint(255 * shares).astype(np.uint8)
        pictures.append(np.ascontiguousarray(rgb.transpose(1, 2, 0)))
    return pictures
