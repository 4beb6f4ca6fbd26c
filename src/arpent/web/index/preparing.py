"""What is made of a layer before the index knows it: images for the screen, shapes in degrees."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from arpent.core import Bar, file_sha256
from arpent.errors import GeoreferenceMissing, InputError, NoValidPixels
from arpent.store import Run
from arpent.web import layers as shown
from arpent.web.index.boxes import Box, enclosing, outermost
from arpent.web.index.shapes import shape_tables
from arpent.web.tiles import palette_of
from arpent.web.tiles.display import Display, describe, make
from arpent.web.tiles.tones import tones_of

__all__ = ["DISPLAYS", "Prepared", "prepare"]

DISPLAYS = "display"
"""Folder of the images for the screen."""

_DEEPEST = 22
"""Zoom to which shapes are drawn."""


@dataclass(frozen=True)
class Prepared:
    """A layer, ready to be written.

    Attributes:
        layer: as the run has it.
        bounds: of everything in it.
        zooms: the least and the greatest.
        displays: by frame, the image's name in `DISPLAYS`; empty names for shapes.
        digests: by frame, of what is shown and how.
        shapes: how many there are, by their file.
    """

    layer: shown.Layer
    bounds: Box
    zooms: tuple[int, int]
    displays: tuple[str, ...]
    digests: tuple[str, ...]
    shapes: Mapping[Path, int] = field(default_factory=dict)


def prepare(run: Run, layer: shown.Layer, data: Path, bar: Bar) -> Prepared:
    """Makes what a layer needs; what is there already is used again.

    Args:
        run: that the layer belongs to.
        layer: one of its layers.
        data: folder of everything that the map makes.
        bar: told of every frame.

    Raises:
        InputError: a file is missing, damaged, of another kind, or has no place on earth.
    """
    return _shapes(layer, bar) if layer.source == "vector" else _rasters(run, layer, data, bar)


def _rasters(run: Run, layer: shown.Layer, data: Path, bar: Bar) -> Prepared:
    if layer.bounds is None:
        raise GeoreferenceMissing(f"layer {layer.name} has no place on earth", cure="Make the run with georeference.")
    known = {(run.path / record.file).resolve(): record.sha256 for record in run.manifest.files()}
    files = {frame.file: frame.file.resolve() for frame in layer.frames}
    contents = {file: known.get(file) or _look(file) for file in files.values()}
    # The dates of a picture share their tones: each looks as it does because of the others.
    others = sorted(contents.values()) if layer.kind in shown.PAINTED and len(contents) > 1 else []
    style = (layer.kind, repr(layer.legend.entries), layer.legend.low, layer.legend.high, *others)
    targets = {file: data / DISPLAYS / f"{_digest(content, *style)[:32]}.tif" for file, content in contents.items()}
    made = _displays(layer, targets, bar)
    colours = "own" if layer.kind in shown.PAINTED else palette_of(layer.legend).digest
    by_frame = [made[files[frame.file]] for frame in layer.frames]
    return Prepared(
        layer,
        Box(layer.bounds.west, layer.bounds.south, layer.bounds.east, layer.bounds.north),
        (min(one.minzoom for one in by_frame), max(one.maxzoom for one in by_frame)),
        tuple(one.file.name for one in by_frame),
        tuple(_digest(one.digest, colours, frame.band) for one, frame in zip(by_frame, layer.frames, strict=True)),
    )


def _displays(layer: shown.Layer, targets: Mapping[Path, Path], bar: Bar) -> dict[Path, Display]:
    """The images for the screen by their file; those that are there and whole are used again."""
    made: dict[Path, Display] = {}
    for file, target in targets.items():
        if target.is_file():
            with suppress(InputError):  # damaged or gone: it is made anew
                made[file] = describe(target, layer.kind)
    missing = [file for file in targets if file not in made]
    tones = tones_of(list(targets)) if missing and layer.kind in shown.PAINTED else {}
    bar.advance(len(layer.frames) - len(missing))
    for file in missing:
        made[file] = make(file, layer.kind, layer.legend, targets[file], tones.get(file))
        bar.advance()
    return made


def _look(file: Path) -> str:
    """What tells a file that no manifest vouches for from another in its place."""
    with suppress(OSError):  # who opens it says better what is wrong
        seen = file.stat()
        return f"{file} {seen.st_size} {seen.st_mtime_ns}"
    return str(file)


def _shapes(layer: shown.Layer, bar: Bar) -> Prepared:
    """Looks at all outlines once, and keeps none of them."""
    counts: dict[Path, int] = {}
    boxes = [np.empty((0, 4))]
    for file in dict.fromkeys(frame.file for frame in layer.frames):
        counts[file] = 0
        for table in shape_tables(file, bare=True):
            counts[file] += len(table)
            boxes.append(outermost(table.boxes))
    around = np.concatenate(boxes)
    if not len(around):
        raise NoValidPixels(f"layer {layer.name} has no shapes on earth", cure="Nothing is to be seen of it.")
    digests = {file: file_sha256(file) for file in counts}
    for _ in layer.frames:
        bar.advance()
    return Prepared(
        layer,
        enclosing(around),
        (0, _DEEPEST),
        ("",) * len(layer.frames),
        tuple(_digest(digests[frame.file], repr(layer.legend), place) for place, frame in enumerate(layer.frames)),
        counts,
    )


def _digest(*parts: object) -> str:
    return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()
