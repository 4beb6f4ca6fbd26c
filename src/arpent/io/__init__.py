"""Files in and out: windowed reader, COG writer, vectors, tables, STAC items."""

from arpent.io.cog import CogWriter
from arpent.io.prefetch import read_ahead
from arpent.io.reader import ImageReader, open_image
from arpent.io.spec import RasterSpec, scratch_bytes
from arpent.io.tally import BandStatistics

__all__ = [
    "BandStatistics",
    "CogWriter",
    "ImageReader",
    "RasterSpec",
    "open_image",
    "read_ahead",
    "scratch_bytes",
]
