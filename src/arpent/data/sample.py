"""One image of a data set, with what is known about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import PurePosixPath
from typing import Any, Literal, get_args

from arpent.core import Window

__all__ = ["SPLITS", "Sample", "Split", "files_of"]

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)
"""The sides of a split: to learn from, to choose by, and to judge by, once."""


@dataclass(frozen=True)
class Sample:
    """One image, or a window of one, with what is known about it.

    Attributes:
        image: path or address.
        mask: path or address of the truth, where there is one.
        name: unique in its index; made from the path where none is given.
        domain: the place or campaign that it belongs to ("D004_2021"); splits keep domains whole.
        sensor: name of the camera in Arpent's table, or "".
        date: of acquisition.
        split: the side it is on.
        window: the part of the image that belongs to the sample; all of it if None.
        attributes: every other column of the index ("caption", "labels", "altitude" …).
    """

    image: str
    mask: str | None = None
    name: str = ""
    domain: str = ""
    sensor: str = ""
    date: date | None = None
    split: Split | None = None
    window: Window | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        if not self.name:
            part = "" if self.window is None else f"@{self.window.row},{self.window.col}"
            object.__setattr__(self, "name", f"{PurePosixPath(self.image).stem}{part}")


def files_of(samples: Iterable[Sample]) -> list[tuple[str, str]]:
    """Images and masks with their role, each once: an image that is cut into blocks is that of many samples."""
    named = ((file, role) for one in samples for file, role in ((one.image, "image"), (one.mask, "mask")) if file)
    return list(dict.fromkeys(named))
