"""Which images were compared in a pair, found by the names that its products carry."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from arpent.core import date_pattern, no_folder
from arpent.store import Manifest
from arpent.tasks.change.frames import MOST_FRAMES, Frame, Pair
from arpent.tasks.change.mosaic_settings import MosaicSettings
from arpent.tasks.change.reference_names import date_in, guessed_date

__all__ = ["ComparedImages", "stems_in"]

_ROLES = frozenset({"image", "before", "after"})


class ComparedImages:
    """Images that may be those of a pair.

    Args:
        images: what `io.open_image` reads, in their order.
        date_regex: finds the date in a name; the ways of `guessed_date` if None.
    """

    def __init__(self, images: Iterable[str], date_regex: str | None) -> None:
        self._frames = [Frame(image) for image in dict.fromkeys(images)]
        self._pattern = None if date_regex is None else date_pattern(date_regex)
        self._by_stem: dict[str, list[Frame]] = {}
        for frame in self._frames:
            self._by_stem.setdefault(frame.stem, []).append(frame)

    @classmethod
    def in_folders(cls, settings: MosaicSettings) -> ComparedImages:
        """Those in the folders that the settings name."""
        return cls(_listed(settings.inputs), settings.date_regex)

    @classmethod
    def of_run(cls, manifest: Manifest, settings: MosaicSettings) -> ComparedImages:
        """Those that a run has compared, and those in the folders that the settings name."""
        own = [record.source for record in manifest.inputs if record.role in _ROLES]
        return cls([*own, *_listed(settings.inputs)], settings.date_regex)

    def of(self, suffix: str) -> Pair | None:
        """The pair whose products carry this suffix; all images there are, where it is empty.

        None where they are not all there, or too many to be one pair.
        """
        frames = self._frames
        if suffix:
            left = {stem: list(self._by_stem[stem]) for stem in stems_in(suffix, self._by_stem)}
            # Images of different folders may have one name: each is taken once, as long as there is another.
            own = (left[stem] for stem in stems_in(suffix, left))
            frames = [same.pop(0) if len(same) > 1 else same[0] for same in own]
        if not 1 <= len(frames) <= MOST_FRAMES:
            return None
        dated = (Frame(frame.image, self._date(frame.image)) for frame in frames)
        return Pair(tuple(dated), suffix or frames[-1].stem)

    def _date(self, image: str) -> int | None:
        """The date in an image's name as YYYYDDD; None where it names none."""
        return guessed_date(image) if self._pattern is None else date_in(image, self._pattern)


def _listed(folders: Iterable[str]) -> list[str]:
    """The rasters and folders of bands in some folders."""
    found: list[str] = []
    for folder in folders:
        if not Path(folder).is_dir():
            raise no_folder(folder, "Check where the compared images are.")
        found.extend(str(path) for path in sorted(Path(folder).iterdir()) if not path.name.startswith("fmask_"))
    return found


def stems_in(suffix: str, stems: Collection[str]) -> tuple[str, ...]:
    """The stems that a suffix is made of, each after the same separator; none where it is not made of a few of them.

    The separator is tried as short as can be, then the stems as long as can be: they may hold one another, and it.
    """
    inside = [stem for stem in stems if suffix.find(stem) > 0]
    ordered = sorted(inside, key=lambda stem: (suffix.find(stem), -len(stem), stem))
    for separator in dict.fromkeys(suffix[: suffix.find(stem)] for stem in ordered):
        found = _taken_apart(suffix, separator, sorted(inside, key=len, reverse=True), MOST_FRAMES)
        if found:
            return found
    return ()


def _taken_apart(rest: str, separator: str, stems: Sequence[str], most: int) -> tuple[str, ...]:
    """At most `most` stems of a suffix for one separator; none where there is no way."""
    for stem in stems:
        piece = f"{separator}{stem}"
        if rest == piece:
            return (stem,)
        if most > 1 and rest.startswith(piece):
            further = _taken_apart(rest[len(piece) :], separator, stems, most - 1)
            if further:
                return (stem, *further)
    return ()
