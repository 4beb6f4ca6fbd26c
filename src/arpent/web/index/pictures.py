"""Which display image and which colours a frame has: asked for with every tile, so kept until the index changes."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from django.conf import settings

from arpent.errors import UnknownName
from arpent.web.index.models import LARGEST, Frame
from arpent.web.index.preparing import DISPLAYS
from arpent.web.index.reading import version
from arpent.web.index.restoring import legend_of
from arpent.web.layers import PAINTED
from arpent.web.tiles import Palette, palette_of

__all__ = ["Picture", "picture_of"]

_MOST = 20_000
_SECONDS = 1.0
"""How long a change of the index may go unnoticed."""


@dataclass(frozen=True, slots=True)
class Picture:
    """How a frame is drawn.

    Attributes:
        file: its display image.
        palette: colours of its bytes; None for pictures that have their own.
        digest: of pixels and colours.
        band: that is shown unless another is asked for.
        bands: names of those that can be chosen.
        zooms: of its own pixels.
        bounds: in degrees.
        title: of the layer.
    """

    file: Path
    palette: Palette | None
    digest: str
    band: int
    bands: tuple[str, ...]
    zooms: tuple[int, int]
    bounds: tuple[float, float, float, float]
    title: str


class _Memory:
    def __init__(self) -> None:
        self._lock = Lock()
        self._known: dict[tuple[int, int], Picture] = {}
        self._version = -1
        self._looked = -_SECONDS

    def get(self, layer: int, frame: int) -> Picture:
        now = time.monotonic()
        if now - self._looked >= _SECONDS:
            found = version()
            with self._lock:
                if found != self._version or len(self._known) > _MOST:
                    self._known, self._version = {}, found
                self._looked = now
        known = self._known  # what is looked up now is told to those of this version alone
        picture = known.get((layer, frame))
        if picture is None:
            picture = known[layer, frame] = _looked_up(layer, frame)
        return picture


_memory = _Memory()


def picture_of(layer: int, frame: int) -> Picture:
    """How a frame is drawn.

    Raises:
        UnknownName: there is no such frame, or it is one of shapes.
    """
    return _memory.get(layer, frame)


def _looked_up(layer: int, number: int) -> Picture:
    frame: Frame | None = (
        Frame.objects.select_related("layer")
        .filter(id=min(number, LARGEST), layer_id=min(layer, LARGEST))
        .exclude(display="")
        .first()
    )
    if frame is None:
        raise UnknownName(
            f"there are no tiles of frame {number} of layer {layer}", cure="Ask /api/layers which layers are rasters."
        )
    own = frame.layer
    return Picture(
        Path(settings.DATA_PATH) / DISPLAYS / frame.display,
        None if own.kind in PAINTED else palette_of(legend_of(own.legend)),
        frame.digest,
        frame.band,
        tuple(map(str, own.bands)),
        (own.minzoom, own.maxzoom),
        (own.west, own.south, own.east, own.north),
        own.title_en,
    )
