"""What is compared: the dates of one place, before anything is opened. Opens without torch."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from arpent.errors import InvalidSetting

__all__ = ["MOST_FRAMES", "Frame", "Pair", "before_after", "day_of", "files_of"]

MOST_FRAMES = 3
"""Two dates before and one after."""


@dataclass(frozen=True)
class Frame:
    """One date.

    Attributes:
        image: anything that `io.open_image` reads.
        date: of the image, as YYYYDDD (year and day of the year); None where it is not known.
        quality: a quality layer, on any grid; None where there is none.
        layer: the kind of that layer: one of `pixels.QUALITY_LAYERS`, or "planaura" for codes 0-6 as they stand.
    """

    image: str
    date: int | None = None
    quality: str | None = None
    layer: str = "fmask"

    @property
    def stem(self) -> str:
        """The image's name without folder and ending, for file names."""
        return PurePath(self.image.rstrip("/")).stem


@dataclass(frozen=True)
class Pair:
    """One to three dates of a place: the last is "after", those before it are "before".

    Attributes:
        frames: in the order of their dates.
        name: for people and for file names.
        title: of its picture; the name, where it is empty.
    """

    frames: tuple[Frame, ...]
    name: str
    title: str = ""

    def __post_init__(self) -> None:
        if not 1 <= len(self.frames) <= MOST_FRAMES:
            raise InvalidSetting(
                f"'{self.name}' compares too many dates, or none",
                found=f"{len(self.frames)} images",
                expected=f"one to {MOST_FRAMES}",
                cure="Give one image for its features, two to compare, three with two dates before; "
                "for more dates there is 'arpent change series'.",
            )

    @property
    def before(self) -> tuple[Frame, ...]:
        """The dates before the last; empty for a single image."""
        return self.frames[:-1]

    @property
    def after(self) -> Frame:
        """The last date."""
        return self.frames[-1]


def day_of(date: int) -> dt.date:
    """The day that is written as YYYYDDD."""
    return dt.date(date // 1000, 1, 1) + dt.timedelta(days=date % 1000 - 1)


def before_after(frames: Sequence[Frame]) -> str:
    """The images as a title: "before → after"."""
    return " → ".join(frame.stem for frame in frames)


def files_of(frames: Sequence[Frame], model: str | Path | None = None) -> list[str | Path]:
    """What is read to see the dates: images, quality layers, and the model where it is a file."""
    given = [*(frame.image for frame in frames), *(frame.quality for frame in frames), model]
    return [one for one in given if one is not None]
