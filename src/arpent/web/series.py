"""Layers of one date each, as runs publish them, put together to one layer of dates for each place."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from arpent.web.images import around
from arpent.web.layers import Bounds, Layer
from arpent.web.styles import titled

__all__ = ["by_place"]

_DATED = re.compile(r"(.+)_(\d{4}-\d{2}-\d{2})")


def by_place(layers: Sequence[Layer]) -> Iterator[Layer]:
    """The layers; of embeddings named ``place_2021-03-11``, one for each place, where its first one stood."""
    groups: dict[tuple[str, tuple[str, ...]], list[Layer]] = {}
    for layer in layers:
        place = _place(layer)
        if place:
            groups.setdefault((place, layer.bands), []).append(layer)
    for layer in layers:
        place = _place(layer)
        if not place:
            yield layer
        elif groups[place, layer.bands][0] is layer:
            yield _joined(place, groups[place, layer.bands])


def _place(layer: Layer) -> str:
    found = _DATED.fullmatch(layer.name) if layer.kind == "embedding" else None
    return found[1] if found and _day(layer) else ""


def _day(layer: Layer) -> dt.date | None:
    """The date that its name ends with; None where there is no such day."""
    try:
        return dt.date.fromisoformat(layer.name[-10:])
    except ValueError:
        return None


def _joined(place: str, group: Sequence[Layer]) -> Layer:
    """One layer of dates, whose colours mean the same on all of them."""
    first, title = group[0], titled("map.features").of(place)
    frames = sorted((replace(layer.frames[0], date=_day(layer)) for layer in group), key=lambda one: str(one.date))
    lows = [layer.legend.low for layer in group if layer.legend.low is not None]
    highs = [layer.legend.high for layer in group if layer.legend.high is not None]
    boxes: list[Bounds] = [layer.bounds for layer in group if layer.bounds is not None]
    return replace(
        first,
        key=place,
        name=place,
        title_en=title.en,
        title_fr=title.fr,
        frames=tuple(frames),
        legend=replace(first.legend, low=min(lows), high=max(highs)) if lows and highs else first.legend,
        bounds=around(boxes) if boxes else None,
    )
