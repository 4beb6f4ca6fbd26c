"""Files in and out: windowed reader, COG writer, vectors, tables, STAC items."""

from arpent.io.cog import CogWriter
from arpent.io.footprint import Footprint, footprint
from arpent.io.prefetch import read_ahead
from arpent.io.reader import ImageReader, open_image
from arpent.io.spec import RasterSpec, scratch_bytes
from arpent.io.stac import stac_item, validate_stac
from arpent.io.table import RowWriter
from arpent.io.tally import BandStatistics

__all__ = [
    "BandStatistics",
    "CogWriter",
    "Footprint",
    "ImageReader",
    "RasterSpec",
    "RowWriter",
    "footprint",
    "open_image",
    "read_ahead",
    "scratch_bytes",
    "stac_item",
    "validate_stac",
]
