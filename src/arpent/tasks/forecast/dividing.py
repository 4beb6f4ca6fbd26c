"""Sides for training, validation and test: whole places, blocks of one, or earlier and later dates."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace

from arpent.core import Window
from arpent.data import DEFAULT_FRACTIONS, Sample, SampleIndex, Split, cut_blocks, split_by_block, split_by_domain
from arpent.errors import EmptySplit, InvalidSetting
from arpent.io import open_image
from arpent.language import say
from arpent.tasks.forecast.prepare_settings import PrepareSettings

__all__ = ["Divided", "divide"]

_ENOUGH = 3  # places that can be shared out among three sides
_BLOCKS = 4  # blocks on the shorter side of a place, where patches are not larger


@dataclass(frozen=True)
class Divided:
    """A data set on its sides.

    Attributes:
        index: a row per image, or per block of one; every one on a side, or none at all.
        note: what people should know.
    """

    index: SampleIndex
    note: str


def divide(index: SampleIndex, settings: PrepareSettings) -> Divided:
    """Puts images on sides, all dates of a piece of ground on the same, unless time divides them.

    Args:
        index: of all images, with dates.
        settings: how, and into how many dates a sample reaches.

    Raises:
        EmptySplit: what is asked for cannot fill three sides.
    """
    language = settings.language
    if any(sample.split for sample in index):
        return Divided(index, say("prepare.split_given", language))
    ways = {
        "place": lambda: _by_place(index, settings),
        "block": lambda: _by_block(index, settings),
        "time": lambda: _by_time(index, settings),
    }
    if settings.split == "none" or (settings.split == "auto" and not any(sample.mask for sample in index)):
        return Divided(index, say("prepare.split_none", language))
    if settings.split != "auto":
        return Divided(ways[settings.split](), say(f"prepare.split_{settings.split}", language))
    for way in ("place", "block", "time") if len(index.domains) >= _ENOUGH else ("block", "time"):
        try:
            return Divided(ways[way](), say(f"prepare.split_{way}", language))
        except EmptySplit:
            continue  # the next way asks for less
    return Divided(index, say("prepare.split_too_few", language))


def _firsts(index: SampleIndex) -> SampleIndex:
    """One image of each place: all of its dates lie on the same ground."""
    return SampleIndex({sample.domain: sample for sample in reversed(index.samples)}.values(), index.origin)


def _by_place(index: SampleIndex, settings: PrepareSettings) -> SampleIndex:
    placed = split_by_domain(_firsts(index), DEFAULT_FRACTIONS, seed=settings.seed)
    side = {sample.domain: sample.split for sample in placed}
    return index.with_splits(side[sample.domain] for sample in index)


def _by_block(index: SampleIndex, settings: PrepareSettings) -> SampleIndex:
    firsts = _firsts(index)
    sides = []
    for sample in firsts:
        with open_image(sample.image) as reader:
            if reader.gsd is None:
                raise EmptySplit(
                    f"{sample.domain} has no place on earth, so that it has no blocks of ground",
                    cure="Split by time, or georeference the images.",
                )
            sides.append(max(settings.patch, min(reader.grid.shape) // _BLOCKS) * reader.gsd)
    block = max(sides)
    placed = split_by_block(cut_blocks(firsts, block), DEFAULT_FRACTIONS, block=block, seed=settings.seed)
    parts: defaultdict[str, list[tuple[Window, Split]]] = defaultdict(list)
    for part in placed:
        if part.split is not None and part.window is not None:
            parts[part.domain].append((part.window, part.split))
    kept = [
        replace(sample, window=window, split=split, name=f"{sample.name}@{window.row},{window.col}")
        for sample in index
        for window, split in parts[sample.domain]
    ]
    return SampleIndex(kept, index.origin)


def _by_time(index: SampleIndex, settings: PrepareSettings) -> SampleIndex:
    """Later dates judge what was learnt from earlier ones; each side is long enough for a forecast."""
    need = settings.past + settings.future
    sides: dict[Sample, Split] = {}
    for domain in index.domains:
        dates = sorted((s for s in index if s.domain == domain), key=lambda sample: str(sample.date))
        if len(dates) < 2 * need:
            raise EmptySplit(
                f"the dates of {domain} cannot fill two sides",
                found=len(dates),
                expected=f"{2 * need} or more: {settings.past} past and {settings.future} future ones for each side",
                cure="Give more dates or places, or look fewer dates back and ahead.",
            )
        tail = max(need, len(dates) // 5)
        test = tail if len(dates) >= need + 2 * tail else 0
        for number, sample in enumerate(reversed(dates)):
            sides[sample] = "test" if number < test else "val" if number < test + tail else "train"
    if not sides:
        raise InvalidSetting("there is no image to divide", cure="Give a folder with images.")
    return index.with_splits(sides[sample] for sample in index)
