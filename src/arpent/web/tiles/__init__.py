"""Tiles: display images are made once, and handed out in blocks."""

from arpent.web.tiles.canvas import Canvas, canvas_of
from arpent.web.tiles.colours import Palette, colour_bands, palette_of
from arpent.web.tiles.display import Display
from arpent.web.tiles.open_files import OpenFiles
from arpent.web.tiles.shelf import Shelf, tile_tag
from arpent.web.tiles.sources import check_raster

__all__ = [
    "Canvas",
    "Display",
    "OpenFiles",
    "Palette",
    "Shelf",
    "canvas_of",
    "check_raster",
    "colour_bands",
    "palette_of",
    "tile_tag",
]
