from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine


@pytest.fixture
def write_tiff(tmp_path) -> Callable[..., Path]:
    """Writes ``(bands, height, width)`` as a GeoTIFF below `tmp_path`; 1 m pixels in Lambert-93 unless told."""

    def write(name, pixels, *, left=700_000.0, top=6_600_000.0, gsd=1.0, crs="EPSG:2154", nodata=None, bands=None):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        profile = {"driver": "GTiff", "count": len(pixels), "height": pixels.shape[1], "width": pixels.shape[2]}
        profile["photometric"] = "MINISBLACK"  # else GDAL takes a fourth band of bytes for transparency
        place = {"crs": crs, "transform": Affine(gsd, 0, left, 0, -gsd, top)} if crs else {}
        with rasterio.open(path, "w", **profile, **place, dtype=pixels.dtype, nodata=nodata) as out:
            out.write(pixels)
            for number, band in enumerate(bands or (), start=1):
                out.set_band_description(number, band)
        return path

    return write


@pytest.fixture
def scene(write_tiff):
    """An image of 4 bands of 100 × 130 pixels, with a hole, and its mask in the numbers of the commune."""
    rng = np.random.default_rng(11)
    image = rng.integers(1, 256, (4, 100, 130), dtype=np.uint8)
    image[:, 10:20, 30:50] = 0
    mask = rng.choice(np.array([0, 1, 3, 4, 5, 6, 7], np.uint8), (1, 100, 130))
    names = ("red", "green", "blue", "nir")
    return write_tiff("scene.tif", image, nodata=0, bands=names), write_tiff("scene_mask.tif", mask)
