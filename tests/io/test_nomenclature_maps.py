"""What GIS programs see of a map in each nomenclature: names at their numbers, colours, and no data apart."""

import xml.etree.ElementTree as ET

import numpy as np
import pytest
import rasterio
import rasterio.shutil

from arpent.core import Grid, Strip, nomenclature, nomenclature_names
from arpent.io import CogWriter, RasterSpec


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize("name", nomenclature_names())
def test_gdal_reads_names_and_colours_of_every_nomenclature(name, language, tmp_path):
    classes = nomenclature(name)
    grid = Grid.north_up(650_000, 6_860_000, 1, 4, 64, 2154)
    numbers = np.append(classes.ids, classes.nodata).astype("uint8")
    pixels = np.resize(numbers, (1, 4, 64))
    spec = RasterSpec(grid, ("class",), "uint8", classes.nodata, classes, language=language)
    with CogWriter(tmp_path / "map.tif", spec) as writer:
        writer.write(Strip(0, pixels))
    with rasterio.open(tmp_path / "map.tif") as dataset:
        assert dataset.nodata == classes.nodata
        assert np.array_equal(dataset.read(), pixels)
        colours = dataset.colormap(1)
    assert colours[classes.nodata][3] == 0
    for entry in classes.classes:
        assert colours[entry.id] == (*bytes.fromhex(entry.colour[1:]), 255)
    rasterio.shutil.copy(tmp_path / "map.tif", tmp_path / "seen.vrt", driver="VRT")  # GDAL writes what GDAL has read
    named = [one.text or "" for one in ET.parse(tmp_path / "seen.vrt").iter("Category")]
    assert [named[number] for number in classes.ids] == list(classes.labels(language))
    assert len(named) == max(int(number) for number in classes.ids) + 1 or named[classes.nodata] == ""
