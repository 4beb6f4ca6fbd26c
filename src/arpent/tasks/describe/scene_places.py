"""Which images show one place: their names say so, and their ground does not say otherwise."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from os.path import normpath
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from arpent.errors import ArpentError, InputError
from arpent.io import footprint
from arpent.io.assets import is_item
from arpent.io.sources import locate
from arpent.tasks.describe.scenes import is_day

__all__ = ["Placed", "folders_of", "places_of", "shortest_tails"]

_TILE = re.compile(r"T\d{2}[A-Z]{3}")


@dataclass(frozen=True)
class Placed:
    """An image, as far as its place is concerned.

    Attributes:
        source: what `open_scene` opens.
        name: of the image, which no other has.
        stem: its file's name without suffix, which others may have.
        place: that its name tells.
    """

    source: str
    name: str
    stem: str
    place: str

    @property
    def site(self) -> tuple[str, ...]:
        """The folders that it lies in, without those that are dates: one place has many."""
        return tuple(folder for folder in folders_of(self.source) if not is_day(folder))


def folders_of(source: str) -> tuple[str, ...]:
    """The folders that a path or an address leads through, the outermost first."""
    if "://" in source:
        parts = urlsplit(source)
        return tuple(filter(None, (parts.netloc, *PurePosixPath(unquote(parts.path)).parent.parts[1:])))
    return Path(normpath(Path(source).absolute())).parent.parts[1:]


def shortest_tails(paths: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """The fewest last parts of each path that tell all apart that can be told apart; the same number of each."""
    most = len(set(paths))
    longest = max(map(len, paths), default=0)
    tails = ([path[len(path) - count :] if count < len(path) else path for path in paths] for count in range(longest))
    return next((found for found in tails if len(set(found)) == most), [*paths])


def places_of(images: Sequence[Placed]) -> list[str]:
    """The place of each image, whatever their order.

    Where images whose names tell one place show different ground, each ground is a place of its own, called by the
    folders in which its images lie, or by the first of its images where one folder holds several grounds.
    """
    found = [image.place for image in images]
    for place in dict.fromkeys(found):
        alike = [number for number, image in enumerate(images) if image.place == place]
        if len(alike) == 1 or (_TILE.fullmatch(place) and all(_is_product(images[one].source) for one in alike)):
            continue
        shown = {number: ground for number in alike if (ground := _ground(images[number].source)) is not None}
        here = sorted(shown, key=lambda one: images[one].source)
        titles = _titles([images[one] for one in here], [shown[one] for one in here])
        for number, title in zip(here, titles, strict=True):
            found[number] = title
    return found


def _is_product(source: str) -> bool:
    """Whether an image is read from afar, where no look is for nothing: products are named for their tiles."""
    return "://" in source or is_item(source)


def _ground(source: str) -> BaseGeometry | None:
    """The ground of an image in longitude and latitude, empty if it knows none; None if it cannot be read."""
    try:
        scene = locate(source)
        grid = scene.header(scene.layers[0].address).grid
    except ArpentError:  # told when it is opened
        return None
    try:
        return shapely.geometry.shape(footprint(grid).geometry) if grid.georeferenced else shapely.Polygon()
    except InputError:  # beyond the area in which its reference system is defined
        return shapely.Polygon()


def _titles(images: Sequence[Placed], shapes: Sequence[BaseGeometry]) -> list[str]:
    """The places of images whose names tell the same one."""
    grounds = _grounds(images, shapes)
    of_ground: dict[int, list[Placed]] = {}
    for image, ground in zip(images, grounds, strict=True):
        of_ground.setdefault(ground, []).append(image)
    if len(of_ground) < 2:
        return [image.place for image in images]
    shared = [_shared([image.site for image in some]) for some in of_ground.values()]
    if len(set(shared)) == len(shared):
        titles = ["/".join((*tail, images[0].place)) for tail in shortest_tails(shared)]
    else:
        titles = [min(image.name for image in some) for some in of_ground.values()]
    called = dict(zip(of_ground, titles, strict=True))
    return [called[ground] for ground in grounds]


def _shared(paths: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """What paths begin with in common."""
    same = 0
    for parts in zip(*paths, strict=False):
        if len(set(parts)) > 1:
            break
        same += 1
    return paths[0][:same]


def _grounds(images: Sequence[Placed], shapes: Sequence[BaseGeometry]) -> list[int]:
    """Numbers of the grounds that images show: equal where two share more than half of the smaller one.

    Where an image knows no ground, its folder stands for it; unless no name returns in another folder, and nothing
    speaks for a second place.
    """
    pairs = list(_overlapping(shapes))
    first = _joined(len(images), pairs)
    unknown = [number for number, shape in enumerate(shapes) if shape.is_empty]
    sites = [image.site for image in images]
    pairs += [(sites.index(sites[one]), one) for one in unknown]
    named = {(images[one].stem, sites[one]) for one in unknown}
    returning = len({stem for stem, _ in named}) < len(named)
    if unknown and not returning and len({*first} - {*unknown}) < 2:
        pairs += [(0, one) for one in range(len(images))]
    return _joined(len(images), pairs)


def _overlapping(shapes: Sequence[BaseGeometry]) -> Iterator[tuple[int, int]]:
    """Numbers of shapes of which two share more than half of the smaller one."""
    numbers: dict[bytes, int] = {}
    for number, shape in enumerate(shapes):
        if not shape.is_empty:
            yield numbers.setdefault(shapely.to_wkb(shape), number), number  # most dates of a place have equal pixels
    own = [*numbers.values()]
    unlike = np.array([shapes[number] for number in own], object)
    left, right = shapely.STRtree(unlike).query(unlike, predicate="intersects")
    shared = shapely.area(shapely.intersection(unlike[left], unlike[right]))
    smaller = np.minimum(shapely.area(unlike[left]), shapely.area(unlike[right]))
    for one, other in np.column_stack([left, right])[2 * shared > smaller]:
        yield own[one], own[other]


def _joined(count: int, pairs: Iterable[tuple[int, int]]) -> list[int]:
    """Of each of so many things the first one that it is joined with, over any number of others."""
    first = [*range(count)]

    def of(one: int) -> int:
        while first[one] != one:
            first[one] = one = first[first[one]]
        return one

    for one, other in pairs:
        low, high = sorted((of(one), of(other)))
        first[high] = low
    return [of(one) for one in range(count)]
