"""Files in and out: windowed reader, COG writer, vectors, tables, STAC items."""

from arpent.io.prefetch import read_ahead
from arpent.io.reader import ImageReader, open_image

__all__ = [
    "ImageReader",
    "open_image",
    "read_ahead",
]
