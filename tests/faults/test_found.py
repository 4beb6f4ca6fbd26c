"""Inputs that once did harm, each as small as it can be; what the suite finds is kept here."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import rasterio

from arpent.cli.app import main
from arpent.core import Grid, Strip, ground_sampling_distance
from arpent.data import SampleIndex
from arpent.engine.ledger import Ledger
from arpent.errors import ArpentError, FileMissing, UnreadableFile
from arpent.io import CogWriter, RasterSpec, open_image, recorded_statistics
from arpent.tasks.classify.dataset import Dataset as Pictures
from arpent.tasks.describe.examples import read_captions
from arpent.tasks.forecast.dataset import Dataset as Series

DEEP = "[" * 100_000


@pytest.fixture
def image(tmp_path) -> Path:
    grid = Grid.north_up(500_000, 5_000_000, 10, 16, 16, 32631)
    with CogWriter(tmp_path / "a.tif", RasterSpec(grid, ("red",), "uint8")) as writer:
        writer.write(Strip(0, np.ones((1, 16, 16), np.uint8)))
    return tmp_path / "a.tif"


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("dataset.json", lambda path: Series.read(path.parent)),
        ("dataset.json", lambda path: Pictures.read(path.parent)),
        ("captions.jsonl", read_captions),
        ("ledger.json", lambda path: Ledger(path.parent).read("x")),
    ],
)
def test_json_nested_without_end_is_one_line(tmp_path, name, read) -> None:
    (tmp_path / name).write_text(DEEP)
    with pytest.raises(ArpentError) as met:
        read(tmp_path / name)
    assert "\n" not in str(met.value)


def test_an_index_of_names_that_no_file_can_have(tmp_path) -> None:
    (tmp_path / "index.csv").write_text(f"image\n{'a' * 5000}.tif\n")
    with pytest.raises(FileMissing):
        SampleIndex.read(tmp_path / "index.csv")


def test_statistics_that_are_no_numbers_are_none(image) -> None:
    with rasterio.open(image, "r+", IGNORE_COG_LAYOUT_BREAK="YES") as file:
        file.update_tags(1, STATISTICS_VALID_PERCENT="4x0", STATISTICS_MEAN="x")
    (found,) = recorded_statistics(image) or (None,)
    assert found is None or found.mean is None


@pytest.mark.parametrize(
    "transform",
    [
        (0, 0, 500_000, 0, 0, 5_000_000),
        (1e-310, 0, 500_000, 0, -1e-310, 5_000_000),  # its inverse has no end
        (1e200, 0, 500_000, 0, -1e200, 5_000_000),
        (10, 0, 1e308, 0, -1e-10, 5_000_000),
    ],
)
def test_pixels_without_size_are_refused(image, transform) -> None:
    with rasterio.open(image, "r+", IGNORE_COG_LAYOUT_BREAK="YES") as file:
        file.transform = rasterio.Affine(*transform)
    with pytest.raises(UnreadableFile, match="no size"):
        open_image(image)


def test_an_image_whose_corners_are_nowhere_on_earth_is_opened_without_a_word(tmp_path) -> None:
    """As a full disk of a geostationary satellite is; warnings are errors here."""
    disk = "+proj=geos +h=35785831 +lon_0=0 +sweep=y"
    grid = Grid.north_up(-5_500_000, 5_500_000, 1e6, 11, 11, disk)
    with CogWriter(tmp_path / "a.tif", RasterSpec(grid, ("red",), "uint8")) as writer:
        writer.write(Strip(0, np.ones((1, 11, 11), np.uint8)))
    assert main(["stats", str(tmp_path / "a.tif"), "-o", str(tmp_path / "s.json"), "--quiet"]) == 0
    assert ground_sampling_distance(grid) == pytest.approx(1e6, rel=0.01)
    assert ground_sampling_distance(Grid.north_up(5e7, 5e7, 1e6, 3, 3, disk)) is None


def test_a_folder_that_vanishes_while_it_is_searched(tmp_path, monkeypatch) -> None:
    """What lies deep below is not looked for: an image that is called / would be looked for everywhere."""
    deep = tmp_path.joinpath(*"abcdefghi")
    deep.mkdir(parents=True)
    (deep / "a.tif").write_bytes(b"")
    scan = os.scandir

    def vanishing(path):
        if not isinstance(path, int) and Path(path).name == "b":
            shutil.rmtree(path)
        return scan(path)

    with pytest.raises(UnreadableFile, match="holds no raster"):
        open_image(tmp_path)
    monkeypatch.setattr(os, "scandir", vanishing)
    with pytest.raises(UnreadableFile, match="holds no raster"):
        open_image(tmp_path)


def test_many_bands_are_looked_at_once(tmp_path) -> None:
    """65,535 bands: what GDAL makes anew for each question is asked once, or a header takes minutes."""
    band = '<VRTRasterBand dataType="Byte" band="{}"/>'
    bands = "".join(band.format(number) for number in range(1, 20_001))
    text = f'<VRTDataset rasterXSize="2" rasterYSize="2">{bands}</VRTDataset>'
    (tmp_path / "a.vrt").write_text(text)
    with open_image(tmp_path / "a.vrt", bands=("band_1",)) as opened:
        assert opened.grid.shape == (2, 2)


def test_a_virtual_image_of_a_name_that_is_no_text_is_one_line(tmp_path, capfd) -> None:
    """GDAL repeats the name in its message, which rasterio fails to decode; zeros would be read."""
    text = b'<VRTDataset rasterXSize="2" rasterYSize="2"><VRTRasterBand dataType="Byte" band="1"><SimpleSource>'
    text += b"<SourceFilename>l\xa7nd.tif</SourceFilename></SimpleSource></VRTRasterBand></VRTDataset>"
    (tmp_path / "a.vrt").write_bytes(text)
    assert main(["stats", str(tmp_path / "a.vrt"), "-o", str(tmp_path / "s.json"), "--quiet"]) == 3
    assert len(capfd.readouterr().err.splitlines()) == 1
