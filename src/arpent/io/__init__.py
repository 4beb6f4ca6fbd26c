"""Files in and out: windowed reader, COG writer, vectors, tables, STAC items."""

from typing import TYPE_CHECKING

from arpent.core.lazy import on_demand
from arpent.io.cog import CogWriter
from arpent.io.footprint import Footprint, footprint
from arpent.io.mosaic import Sheet
from arpent.io.photo import orientation, upright
from arpent.io.picture import MOST_PIXELS, PICTURE_SUFFIXES, picture_files, read_picture
from arpent.io.prefetch import read_ahead
from arpent.io.published import quicklook, recorded_classes, recorded_shares, recorded_statistics
from arpent.io.reader import ImageReader, open_image
from arpent.io.spec import Compression, RasterSpec, scratch_bytes
from arpent.io.stac import stac_item
from arpent.io.table import RowWriter
from arpent.io.tally import BandStatistics

if TYPE_CHECKING:
    from arpent.io.vector import Attributes, ClassStrips, polygonise

__all__ = [
    "MOST_PIXELS",
    "PICTURE_SUFFIXES",
    "Attributes",
    "BandStatistics",
    "ClassStrips",
    "CogWriter",
    "Compression",
    "Footprint",
    "ImageReader",
    "RasterSpec",
    "RowWriter",
    "Sheet",
    "footprint",
    "open_image",
    "orientation",
    "picture_files",
    "polygonise",
    "quicklook",
    "read_ahead",
    "read_picture",
    "recorded_classes",
    "recorded_shares",
    "recorded_statistics",
    "scratch_bytes",
    "stac_item",
    "upright",
]

# The compiler behind the vectoriser takes a second to import; who only reads or writes images does not wait for it.
__getattr__ = on_demand(__name__, {"vector": ("Attributes", "ClassStrips", "polygonise")})
