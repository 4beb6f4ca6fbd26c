"""From what a user names to a pair: images, their dates, and what is known of their quality. Opens without torch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from arpent.core import Language, date_pattern
from arpent.errors import InvalidSetting
from arpent.language import say
from arpent.tasks.change.frames import Frame, Pair, before_after, day_of
from arpent.tasks.change.quality_layers import kind_of
from arpent.tasks.change.reference_names import check_date, date_in, guessed_date

__all__ = ["PairImages", "doubtful_dates", "doubtful_pairs", "order_of", "pair_of"]

_NAMED = 3
"""Pairs of a list whose dates are in doubt that are named."""


@dataclass(frozen=True)
class PairImages:
    """Files of a pair.

    Attributes:
        images: in the order of their dates.
        quality: a layer for each of them, in that order; none to look for them beside the images.
        layer: kind of the layers; None to tell it from their names.
    """

    images: tuple[str, ...]
    quality: tuple[str, ...] = ()
    layer: str | None = None


def pair_of(files: PairImages, dates: Sequence[str | int | None] = (), regex: str | None = None) -> Pair:
    """The pair of these files.

    Args:
        files: images and quality layers.
        dates: of the images, as YYYYDDD or YYYYMMDD; None, or nothing, for what their names say.
        regex: how names give their dates; None for the ways of HLS and Sentinel-2 and for 2024-03-01, where a name
            without a date will do.

    Raises:
        InvalidSetting: not as many layers as images, a date that is none, or a name that does not fit `regex`.
    """
    if files.quality and len(files.quality) != len(files.images):
        raise InvalidSetting(
            "there must be a quality layer for each image, or none",
            found=f"{len(files.quality)} for {len(files.images)} images",
            cure="Give --quality once for each image, in their order.",
        )
    known = [*dates, *[None] * len(files.images)]
    frames = []
    for number, image in enumerate(files.images):
        layer = files.quality[number] if files.quality else None
        frame = Frame(image, _date(image, known[number], regex), layer)
        kind = files.layer or (frame.layer if layer is None else kind_of(layer))
        frames.append(Frame(frame.image, frame.date, frame.quality, kind))
    return Pair(tuple(frames), before_after(frames))


def doubtful_dates(pair: Pair, language: Language = "en") -> Iterator[str]:
    """What people should know about dates that are equal, or in another order than their images."""
    for first, then in pairwise(pair.frames):
        if first.date is None or then.date is None or first.date < then.date:
            continue
        days = say(
            "told.before_after",
            language,
            first=first.image,
            first_day=day_of(first.date).isoformat(),
            then=then.image,
            then_day=day_of(then.date).isoformat(),
        )
        yield say("told.one_day" if first.date == then.date else "told.later_first", language, days=days)


def doubtful_pairs(pairs: Iterable[Pair], language: Language = "en") -> Iterator[str]:
    """The same of a list of pairs; of a long list the first ones are named, and the others counted."""
    doubted = [pair for pair in pairs if any(doubtful_dates(pair))]
    for pair in doubted[:_NAMED]:
        yield from doubtful_dates(pair, language)
    if len(doubted) > _NAMED:
        yield say("told.more_pairs", language, count=len(doubted) - _NAMED)


def order_of(frames: Sequence[Frame], language: Language = "en") -> Iterator[str]:
    """What people should know about images that are not given in the order of their dates."""
    if any(frame.date is None for frame in frames):
        return
    ordered = sorted(frames, key=lambda frame: frame.date or 0)
    if ordered != list(frames):
        names = ", ".join(f"{frame.stem} ({day_of(frame.date or 0)})" for frame in ordered)
        yield say("told.sorted", language, names=names)


def _date(image: str, given: str | int | None, regex: str | None) -> int | None:
    if given is not None:
        return check_date(str(given).replace("-", ""))
    if regex is None:
        return guessed_date(image)
    found = date_in(image, date_pattern(regex))
    if found is None:
        raise InvalidSetting(
            f"{image} carries no date that {regex} finds",
            cure="Correct --date-regex, or give the dates with --date0, --date1 …",
        )
    return found
