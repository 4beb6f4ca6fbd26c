"""A piece of country as Sentinel-2 delivers it: water, a meadow and ploughed land, in any of the layouts."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from rasterio.errors import NotGeoreferencedWarning

from arpent.core import Grid, sensor

L2A = sensor("sentinel-2-l2a").band_names
L1C = sensor("sentinel-2-l1c").band_names
EUROSAT = sensor("eurosat").band_names

#          B01 B02 B03 B04 B05 B06 B07 B08 B8A B09 B10 B11 B12
WATER = (300, 300, 300, 200, 150, 100, 100, 100, 80, 80, 10, 40, 20)
MEADOW = (200, 300, 500, 400, 1000, 2500, 3200, 3400, 3600, 3600, 10, 1800, 900)
PLOUGHED = (800, 900, 1100, 1600, 1700, 1800, 2000, 2100, 2200, 2200, 10, 3000, 2500)
GRID = Grid.north_up(500_000, 4_690_000, 10, 60, 90, "EPSG:32631")


@dataclass(frozen=True)
class Country:
    """Numbers of each band of L1C, ``(60, 90)``: water on the left, meadow in the middle, ploughed land on the right.

    Attributes:
        bands: by name, as reflectance × 10 000.
    """

    bands: Mapping[str, NDArray[np.float64]]

    def stack(self, order: Sequence[str], *, top: bool = False, lifted: int = 0) -> NDArray[np.uint16]:
        """Bands in some order; `top` darkens B09 as water vapour does in L1C, `lifted` is added to every number."""
        planes = [self.bands[name] * (0.3 if top and name == "B09" else 1) for name in order]
        return (np.stack(planes).round() + lifted).astype(np.uint16)


@pytest.fixture(scope="session")
def country() -> Country:
    rng = np.random.default_rng(5)
    grain = rng.uniform(0.9, 1.1, (60, 90))
    planes = {}
    for at, name in enumerate(L1C):
        plane = np.repeat([[WATER[at], MEADOW[at], PLOUGHED[at]]], 60, axis=0).repeat(30, axis=1)
        planes[name] = plane * grain
    return Country(planes)


Write = Callable[..., Path]


@pytest.fixture
def write_scene(tmp_path: Path) -> Write:
    """Writes an image: ``write_scene("a.tif", pixels, names=…, tags=…, grid=…, scale=…, offset=…)``."""

    def write(name: str, pixels: NDArray[Any], *, grid: Grid | None = GRID, **options: Any) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        driver = "JP2OpenJPEG" if path.suffix == ".jp2" else "GTiff"
        profile: dict[str, Any] = {"driver": driver, "count": len(pixels), "dtype": pixels.dtype}
        profile |= {"height": pixels.shape[1], "width": pixels.shape[2]}
        profile |= {"quality": "100", "reversible": "YES"} if driver != "GTiff" else {"photometric": "MINISBLACK"}
        if grid is not None:
            profile |= {
                "crs": rasterio.crs.CRS.from_wkt(grid.require_crs("the scene").to_wkt()),
                "transform": grid.transform,
            }
        with (
            warnings.catch_warnings(action="ignore", category=NotGeoreferencedWarning),
            rasterio.open(path, "w", **profile) as file,
        ):
            file.write(pixels)
            if "names" in options:
                file.descriptions = tuple(options["names"])
            if "tags" in options:
                file.update_tags(**options["tags"])
            if "scale" in options:
                file.scales = (options["scale"],) * len(pixels)
                file.offsets = (options.get("offset", 0.0),) * len(pixels)
        return path

    return write


METADATA = """<?xml version="1.0"?>
<n1:Level-{level}_User_Product xmlns:n1="https://psd-14.sentinel2.eo.esa.int/PSD/User_Product_Level-{level}.xsd">
<n1:General_Info><Product_Info><PRODUCT_START_TIME>2022-06-01T10:56:21.024Z</PRODUCT_START_TIME>
<PROCESSING_BASELINE>{baseline}</PROCESSING_BASELINE></Product_Info>
<Product_Image_Characteristics>{added}<{quantity} unit="none">10000</{quantity}></Product_Image_Characteristics>
</n1:General_Info></n1:Level-{level}_User_Product>
"""


@pytest.fixture
def write_safe(write_scene: Write, country: Country) -> Write:
    """Writes a ``.SAFE`` folder: ``write_safe("2A", lifted=1000, baseline="04.00", told=True, cloud=…)``."""

    def write(level: str, *, lifted: int = 0, baseline: str = "03.01", told: bool = False, cloud: Any = None) -> Path:
        stem = "T31TDG_20220601T105621"
        number = baseline.replace(".", "")
        name = f"S2A_MSIL{level}_20220601T105621_N{number}_R094_T31TDG_20220601T151618.SAFE"
        inside = f"{name}/GRANULE/L{level}_T31TDG/IMG_DATA"
        for band in sensor(f"sentinel-2-l{level.lower()}").bands:
            size = int(band.gsd or 10)
            step = size // 10
            pixels = country.stack([band.name], top=level == "1C", lifted=lifted)[:, ::step, ::step]
            coarse = Grid.north_up(500_000, 4_690_000, size, pixels.shape[1], pixels.shape[2], "EPSG:32631")
            place = f"R{size}m/{stem}_{band.name}_{size}m.jp2" if level == "2A" else f"{stem}_{band.name}.jp2"
            path = write_scene(f"{inside}/{place}", pixels, grid=coarse)
        if cloud is not None:
            coarse = Grid.north_up(500_000, 4_690_000, 20, 30, 45, "EPSG:32631")
            write_scene(f"{inside}/R20m/{stem}_SCL_20m.jp2", cloud[None].astype(np.uint8), grid=coarse)
        folder = next(parent for parent in path.parents if parent.suffix == ".SAFE")
        word = "BOA_ADD_OFFSET" if level == "2A" else "RADIO_ADD_OFFSET"
        added = "".join(f'<{word} band_id="{at}">-1000</{word}>' for at in range(13)) if told else ""
        quantity = "BOA_QUANTIFICATION_VALUE" if level == "2A" else "QUANTIFICATION_VALUE"
        metadata = METADATA.format(level=level, baseline=baseline, added=added, quantity=quantity)
        (folder / f"MTD_MSIL{level}.xml").write_text(metadata, "utf-8")
        return folder

    return write
