"""The images that a run has looked at, as layers: those of one place and several dates together."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from arpent.core import guessed_day
from arpent.errors import ArpentError, InputError, InvalidSetting
from arpent.store import InputRecord, Run
from arpent.web.headers import read_header
from arpent.web.layers import Bounds, Frame, Layer
from arpent.web.styles import titled

__all__ = ["MOST_IMAGES", "Report", "around", "image_layers"]

MOST_IMAGES: Final = 64
"""Images that are shown beside the products of a run."""

Report = Callable[[ArpentError], object]
"""Who is told of what cannot be shown."""

_ROLES = re.compile(r"image|before|after|photograph|date [0-9-]+")
_SHARED = 0.5
"""Of the larger of two images that show one place, what both of them cover at least."""


@dataclass(frozen=True)
class _Placed:
    """An image, and where it lies."""

    frame: Frame
    bounds: Bounds


def image_layers(run: Run, report: Report | None = None) -> Iterator[Layer]:
    """Layers of the images among the inputs of a run that are still there, as they were.

    Args:
        run: finished.
        report: is told of those that cannot be shown.
    """
    found: list[_Placed] = []
    images = [record for record in run.manifest.inputs if _is_image(record)]
    if len(images) > MOST_IMAGES and report is not None:
        report(
            InvalidSetting(
                f"{len(images) - MOST_IMAGES} images that the run has looked at are not shown",
                found=f"{len(images)}",
                expected=f"at most {MOST_IMAGES}",
                cure="Its products are all there.",
            )
        )
    for record in images[:MOST_IMAGES]:
        try:
            header = read_header(Path(record.source))
        except InputError as problem:
            if report is not None:
                report(problem)
            continue
        found.append(_Placed(Frame(_day_of(record), header.file), header.bounds))
    places = _by_place(found)
    for number, group in enumerate(places):
        yield from _of_place(group, number, alone=len(places) == 1)


def _by_place(found: Sequence[_Placed]) -> list[list[_Placed]]:
    """The images in groups that show one place, each in the order of its dates."""
    groups: list[list[_Placed]] = []
    for one in found:
        group = next((group for group in groups if _alike(group[0].bounds, one.bounds)), None)
        if group is None:
            groups.append([one])
        else:
            group.append(one)
    return [sorted(group, key=lambda one: one.frame.date or dt.date.min) for group in groups]


def _of_place(group: Sequence[_Placed], number: int, *, alone: bool) -> Iterator[Layer]:
    """One layer of dates, or one layer per image where the dates do not tell them apart."""
    days = [one.frame.date for one in group]
    if len(group) > 1 and None not in days and len(set(days)) == len(days):
        title, key = titled("map.images"), "images" if alone else f"images_{number}"
        title = title if alone else title.of(group[0].frame.file.parent.name)
        frames = tuple(one.frame for one in group)
        yield Layer(key, key, "composite", title.en, title.fr, frames, bounds=around([one.bounds for one in group]))
        return
    for place, one in enumerate(group):
        name, key = one.frame.file.stem, f"image_{number}_{place}"
        title = titled("map.image").of(name)
        yield Layer(key, name, "composite", title.en, title.fr, (one.frame,), bounds=one.bounds)


def _alike(one: Bounds, other: Bounds) -> bool:
    """Whether two boxes are nearly the same place: most of what either covers is covered by both."""
    if one.west > one.east or other.west > other.east:
        return one == other
    width = min(one.east, other.east) - max(one.west, other.west)
    height = min(one.north, other.north) - max(one.south, other.south)
    larger = max((box.east - box.west) * (box.north - box.south) for box in (one, other))
    return min(width, height) > 0 and width * height > _SHARED * larger


def around(boxes: Sequence[Bounds]) -> Bounds:
    """A box around all; the first where one of them crosses the antimeridian."""
    if any(box.west > box.east for box in boxes):
        return boxes[0]
    return Bounds(
        min(box.west for box in boxes),
        min(box.south for box in boxes),
        max(box.east for box in boxes),
        max(box.north for box in boxes),
    )


def _is_image(record: InputRecord) -> bool:
    """Whether an input is an image that is there as it was when the run looked at it."""
    path = Path(record.source)
    if not _ROLES.fullmatch(record.role) or path.suffix.casefold() not in (".tif", ".tiff"):
        return False
    return path.is_file() and record.bytes is not None and path.stat().st_size == record.bytes


def _day_of(record: InputRecord) -> dt.date | None:
    kind, _, text = record.role.partition(" ")
    day = guessed_day(f"x_{text}.tif") if kind == "date" else None
    return day or guessed_day(record.source)
