"""What catalogs call the kinds of files that Arpent writes."""

from __future__ import annotations

from pathlib import PurePosixPath

__all__ = ["media_type"]

_TYPES = {
    ".tif": "image/tiff; application=geotiff; profile=cloud-optimized",
    ".parquet": "application/vnd.apache.parquet",
    ".geoparquet": "application/vnd.apache.parquet",
    ".gpkg": "application/geopackage+sqlite3",
    ".csv": "text/csv",
    ".jsonl": "application/x-ndjson",
    ".json": "application/json",
    ".html": "text/html",
    ".png": "image/png",
}


def media_type(file: str) -> str | None:
    """The media type of a file, by the suffix of its name or address; None for kinds that Arpent does not write."""
    return _TYPES.get(PurePosixPath(file).suffix.lower())
