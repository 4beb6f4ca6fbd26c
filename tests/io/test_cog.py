"""The raster sink: what is written is read back, is a COG, and survives being killed."""

from __future__ import annotations

import json
import os
import signal
import struct
import subprocess
import sys
import time
import warnings
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from rasterio.errors import NotGeoreferencedWarning
from rio_cogeo import cog_validate

from arpent.core import Grid, Strip, nomenclature
from arpent.errors import DiskFull, InvalidSetting, NotWritable, OutputError, RunDamaged
from arpent.io import CogWriter, RasterSpec, assemble, scratch_bytes
from arpent.io.tiff import read_directories

DTYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64")


def utm(height: int, width: int) -> Grid:
    return Grid.north_up(500_000, 5_000_000, 10, height, width, "EPSG:32631")


def write(path: Path, spec: RasterSpec, pixels: NDArray[Any], rows: int = 97) -> CogWriter:
    with CogWriter(path, spec) as writer:
        for row in range(0, pixels.shape[1], rows):
            writer.write(Strip(row, pixels[:, row : row + rows]))
    return writer


def pixels_of(spec: RasterSpec, seed: int = 0, holes: float = 0.3) -> NDArray[Any]:
    """Smooth waves with noise and a hole of no-data."""
    rng = np.random.default_rng(seed)
    shape = (len(spec.bands), *spec.grid.shape)
    rows, cols = np.mgrid[: shape[1], : shape[2]]
    values = 60 + 40 * np.sin(rows / 50) * np.cos(cols / 70) + rng.integers(0, 20, shape)
    pixels = values.astype(spec.dtype)
    if spec.nodata is not None:
        pixels[:, : int(shape[1] * holes) + 1, : int(shape[2] * holes) + 1] = spec.nodata
    return pixels


def read(path: Path, level: int | None = None) -> NDArray[Any]:
    options = {} if level is None else {"overview_level": level}
    with (
        warnings.catch_warnings(action="ignore", category=NotGeoreferencedWarning),
        rasterio.open(path, **options) as dataset,
    ):
        return dataset.read()


def verdict(path: Path) -> tuple[list[str], list[str]]:
    with warnings.catch_warnings(action="ignore", category=NotGeoreferencedWarning):
        _, errors, doubts = cog_validate(path, quiet=True)
    return errors, doubts


@st.composite
def specs(draw: st.DrawFn) -> RasterSpec:
    dtype = draw(st.sampled_from(DTYPES))
    floating = dtype.startswith("float")
    nodata = draw(st.sampled_from([None, 0, 99, *([float("nan"), -9999.0] if floating else [])]))
    methods = ["average", "nearest"] if floating else ["average", "nearest", "mode"]
    count = draw(st.sampled_from([1, 1, 2, 4, 17]))
    size = st.one_of(st.integers(1, 40), st.integers(500, 530), st.integers(1020, 1100))
    height, width = draw(size), draw(size)
    if count == 17:
        height, width = min(height, 600), min(width, 600)
    grid = draw(st.sampled_from([utm(height, width), Grid(height, width)]))
    return RasterSpec(
        grid,
        tuple(f"b{i}" for i in range(count)),
        dtype,
        nodata,
        overviews=draw(st.sampled_from(methods)),
        compression=draw(st.sampled_from(["deflate", "zstd"])),
    )


@settings(max_examples=25)
@given(spec=specs(), rows=st.integers(1, 1200), seed=st.integers(0, 9))
def test_what_is_written_is_read_back_from_a_cog_without_a_warning(
    spec: RasterSpec, rows: int, seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("cog") / "a.tif"
    pixels = pixels_of(spec, seed)
    write(path, spec, pixels, max(rows, spec.grid.height // 20 + 1))
    assert np.array_equal(read(path), pixels, equal_nan=spec.is_float)
    if spec.grid.width > 1:  # a single column has no overviews, which the validator misses
        assert verdict(path) == ([], [])
    with warnings.catch_warnings(action="ignore", category=NotGeoreferencedWarning), rasterio.open(path) as dataset:
        assert dataset.dtypes == (spec.dtype,) * len(spec.bands)
        assert dataset.descriptions == spec.bands
        assert repr(dataset.nodata) == repr(None if spec.nodata is None else float(spec.nodata))  # NaN is no equal
        assert dataset.transform == spec.grid.transform
        assert (dataset.crs is None) == (spec.grid.crs is None)
        factors = [2**i for i in range(1, len(spec.levels))]
        assert len(dataset.overviews(1)) == len(factors)
        if spec.grid.width > 20:  # rasterio tells factors from widths, which are rounded up
            assert dataset.overviews(1) == factors
    assert not list(path.parent.glob(".*"))


@pytest.mark.parametrize(
    ("height", "width"), [(1, 1), (1, 1500), (1500, 2), (1500, 512), (1100, 384), (2100, 1024), (1030, 256), (513, 512)]
)
def test_narrow_and_tall_images_are_tiled_too(height: int, width: int, tmp_path: Path) -> None:
    spec = RasterSpec(utm(height, width), ("v",), "uint8", 0)
    pixels = pixels_of(spec)
    write(tmp_path / "a.tif", spec, pixels)
    assert verdict(tmp_path / "a.tif") == ([], [])
    assert np.array_equal(read(tmp_path / "a.tif"), pixels)


def test_a_single_column_has_no_overviews(tmp_path: Path) -> None:
    spec = RasterSpec(utm(1500, 1), ("v",), "uint8", 0)
    write(tmp_path / "a.tif", spec, pixels_of(spec))
    assert np.array_equal(read(tmp_path / "a.tif"), pixels_of(spec))
    assert verdict(tmp_path / "a.tif")[0] == []


def test_a_rotated_grid_and_its_crs_come_back(tmp_path: Path) -> None:
    grid = Grid(300, 400, Affine(3, 1, 652_000, 1, -3, 6_862_000), utm(1, 1).crs)
    spec = RasterSpec(grid, ("v",), "int16", -1)
    write(tmp_path / "a.tif", spec, pixels_of(spec))
    with rasterio.open(tmp_path / "a.tif") as dataset:
        assert dataset.transform.almost_equals(grid.transform)
        assert dataset.crs.to_epsg() == 32631
    assert verdict(tmp_path / "a.tif") == ([], [])


def test_many_bands_lie_apart(tmp_path: Path) -> None:
    spec = RasterSpec(utm(70, 90), tuple(f"d{i}" for i in range(768)), "float32", float("nan"))
    pixels = np.random.default_rng(0).normal(size=(768, 70, 90)).astype("float32")
    pixels[5] = np.nan
    write(tmp_path / "a.tif", spec, pixels)
    with rasterio.open(tmp_path / "a.tif") as dataset:
        assert dataset.interleaving.value == "BAND"
        assert np.array_equal(dataset.read(), pixels, equal_nan=True)
    assert verdict(tmp_path / "a.tif") == ([], [])


def test_larger_files_are_big_tiffs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assemble, "_CLASSIC_LIMIT", 50_000)
    spec = RasterSpec(utm(1100, 1300), ("a", "b"), "uint16", 0)
    pixels = pixels_of(spec)
    write(tmp_path / "a.tif", spec, pixels)
    assert (tmp_path / "a.tif").read_bytes()[:4] == b"II\x2b\0"
    assert np.array_equal(read(tmp_path / "a.tif"), pixels)
    assert verdict(tmp_path / "a.tif") == ([], [])


def test_the_layout_keeps_what_it_promises(tmp_path: Path) -> None:
    """Sizes before the blocks, their last bytes behind them, coarsest level first, rows of blocks in order."""
    spec = RasterSpec(utm(1700, 1300), ("v",), "uint8", 0)
    write(tmp_path / "a.tif", spec, pixels_of(spec))
    data = (tmp_path / "a.tif").read_bytes()
    assert data[8:51] == b"GDAL_STRUCTURAL_METADATA_SIZE=000140 bytes\n"
    assert b"KNOWN_INCOMPATIBLE_EDITION=NO\n " in data[:191]
    with rasterio.open(tmp_path / "a.tif") as dataset:
        assert dataset.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
    levels = read_directories(data)
    previous, sparse = 0, 0
    for level in reversed(levels):
        for offset, size in zip(level[324].values, level[325].values, strict=True):
            if size == 0:
                assert offset == 0
                sparse += 1
                continue
            assert struct.unpack_from("<I", data, offset - 4)[0] == size
            assert data[offset + size : offset + size + 4] == data[offset + size - 4 : offset + size]
            assert offset > previous
            previous = offset
    assert previous < len(data)
    assert [level[256].values[0] for level in levels] == [1300, 650, 325]
    assert sparse == 0


def test_blocks_without_data_take_no_space(tmp_path: Path) -> None:
    spec = RasterSpec(utm(1500, 1500), ("v",), "float32", float("nan"))
    pixels = np.full((1, 1500, 1500), np.nan, "float32")
    writer = write(tmp_path / "a.tif", spec, pixels)
    assert (tmp_path / "a.tif").stat().st_size < 5_000
    assert np.isnan(read(tmp_path / "a.tif")).all()
    assert np.isnan(read(tmp_path / "a.tif", 1)).all()
    assert writer.statistics[0].mean is None
    assert verdict(tmp_path / "a.tif") == ([], [])


def test_nan_beside_a_number_for_no_data_is_kept(tmp_path: Path) -> None:
    spec = RasterSpec(utm(20, 20), ("v",), "float32", -1.0)
    pixels = np.full((1, 20, 20), -1, "float32")
    pixels[0, 3, 4] = np.nan
    write(tmp_path / "a.tif", spec, pixels)
    assert np.array_equal(read(tmp_path / "a.tif"), pixels, equal_nan=True)


def test_a_class_map_carries_palette_names_and_counts(tmp_path: Path) -> None:
    classes = nomenclature("commune")
    spec = RasterSpec(
        utm(600, 700), ("class",), "uint8", 0, classes, "mode", title="Commune", tags={"A": "é"}, language="fr"
    )
    pixels = np.random.default_rng(0).choice(np.append(classes.ids, 0), (1, 600, 700)).astype("uint8")
    writer = write(tmp_path / "a.tif", spec, pixels)
    with rasterio.open(tmp_path / "a.tif") as dataset:
        palette, tags, facts = dataset.colormap(1), dataset.tags(), dataset.tags(1)
    assert palette[5] == (0x15, 0x53, 0xAE, 255)
    assert palette[0][3] == 0  # transparent
    assert tags["NOMENCLATURE"] == "commune"
    assert json.loads(tags["CLASSES"])["5"] == {"en": "water", "fr": "surface d'eau", "colour": "#1553ae"}
    assert (tags["TIFFTAG_IMAGEDESCRIPTION"], tags["A"]) == ("Commune", "é")
    valid = pixels[pixels > 0]
    assert float(facts["STATISTICS_MEAN"]) == pytest.approx(valid.mean())
    assert float(facts["STATISTICS_STDDEV"]) == pytest.approx(valid.std())
    assert float(facts["STATISTICS_VALID_PERCENT"]) == pytest.approx(100 * valid.size / pixels.size, abs=0.01)
    assert writer.statistics[0].histogram[5] == (pixels == 5).sum()
    names = ET.parse(tmp_path / "a.tif.aux.xml").getroot()
    listed = [node.text or "" for node in names.iter("Category")]
    assert (listed[0], listed[5], listed[7]) == ("", "surface d'eau", "feuillu")
    water = next(row for row in names.iter("Row") if row[0].text == "5")
    assert [cell.text for cell in water][1:5] == [str((pixels == 5).sum()), "surface d'eau", "water", "surface d'eau"]


def test_statistics_are_those_of_valid_finite_pixels(tmp_path: Path) -> None:
    spec = RasterSpec(utm(700, 300), ("a", "b"), "float32", -1.0, unit="dB")
    pixels = np.random.default_rng(0).normal(1e4, 1, (2, 700, 300)).astype("float32")
    pixels[0, :100], pixels[1, 0, :3] = -1, (np.nan, np.inf, -np.inf)
    writer = write(tmp_path / "a.tif", spec, pixels)
    first, second = writer.statistics
    valid = pixels[0, 100:].astype(float)
    assert (first.mean, first.std) == (pytest.approx(valid.mean(), rel=1e-12), pytest.approx(valid.std(), rel=1e-9))
    assert (first.minimum, first.maximum, first.valid_share) == (valid.min(), valid.max(), pytest.approx(6 / 7))
    assert second.maximum is not None
    assert np.isfinite(second.maximum)
    with rasterio.open(tmp_path / "a.tif") as dataset:
        assert dataset.units == ("dB", "dB")


class Killed(Exception):
    """Stands for a process that dies between two rows."""


@settings(max_examples=12)
@given(data=st.data(), dtype=st.sampled_from(["uint8", "float32"]), count=st.sampled_from([1, 2, 17]))
def test_a_killed_product_resumes_to_the_same_bytes(
    data: st.DataObject, dtype: str, count: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("cog")
    height = data.draw(st.integers(1, 1300))
    spec = RasterSpec(utm(height, 530), tuple(f"b{i}" for i in range(count)), dtype, 0)
    pixels = pixels_of(spec)
    write(folder / "whole.tif", spec, pixels, 1 + height // 3)
    path, state, died = folder / "resumed.tif", None, 0
    while True:
        writer = CogWriter(path, spec) if state is None else CogWriter.resume(path, spec, state)
        try:
            while writer.rows_written < height:
                rows = data.draw(st.integers(1, 400))
                writer.write(Strip(writer.rows_written, pixels[:, writer.rows_written :][:, :rows]))
                if data.draw(st.booleans()):
                    fresh = json.loads(json.dumps(writer.checkpoint()))
                    # A process may die before it has written the state down: then the one before must do.
                    state = fresh if state is None or data.draw(st.booleans()) else state
                    if state is not fresh:
                        raise Killed
                if died < 3 and data.draw(st.booleans()):
                    raise Killed
            writer.close()
            break
        except Killed:
            died += 1
        finally:
            writer.suspend()
    assert path.read_bytes() == (folder / "whole.tif").read_bytes()


WRITER = """
import json, sys, time
from pathlib import Path
import numpy as np
from arpent.core import Grid, Strip
from arpent.io import CogWriter, RasterSpec

folder = Path(sys.argv[1])
spec = RasterSpec(Grid.north_up(0, 0, 10, 3000, 600, "EPSG:32631"), ("v",), "uint16", 0)
pixels = np.random.default_rng(0).integers(0, 3000, (1, 3000, 600), "uint16")
note, path = folder / "state.json", folder / "a.tif"
writer = CogWriter.resume(path, spec, json.loads(note.read_text())) if note.exists() else CogWriter(path, spec)
while writer.rows_written < 3000:
    writer.write(Strip(writer.rows_written, pixels[:, writer.rows_written :][:, :61]))
    beside = folder / "state.part"
    beside.write_text(json.dumps(writer.checkpoint()))
    beside.replace(note)
    print(writer.rows_written, flush=True)
writer.close()
"""


def test_kill_9_at_random_moments_gives_the_same_bytes(tmp_path: Path) -> None:
    spec = RasterSpec(Grid.north_up(0, 0, 10, 3000, 600, "EPSG:32631"), ("v",), "uint16", 0)
    write(tmp_path / "whole.tif", spec, np.random.default_rng(0).integers(0, 3000, (1, 3000, 600), "uint16"))
    for wait in (3, 9, 14):
        process = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        for _ in range(wait):
            process.stdout.readline()
        time.sleep(0.001 * wait)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert not (tmp_path / "a.tif").exists()
    subprocess.run([sys.executable, "-c", WRITER, str(tmp_path)], check=True, capture_output=True)
    assert (tmp_path / "a.tif").read_bytes() == (tmp_path / "whole.tif").read_bytes()
    assert not list(tmp_path.glob(".*"))


def test_resuming_refuses_what_does_not_belong_together(tmp_path: Path) -> None:
    spec = RasterSpec(utm(100, 700), ("v",), "uint8", 0)
    writer = CogWriter(tmp_path / "a.tif", spec)
    writer.write(Strip(0, pixels_of(spec)[:, :50]))
    state = writer.checkpoint()
    writer.suspend()
    with pytest.raises(RunDamaged, match="another product"):
        CogWriter.resume(tmp_path / "a.tif", RasterSpec(utm(100, 700), ("v",), "uint8", 1), state)
    log = tmp_path / ".a.tif.partial" / "level-1.blocks"
    os.truncate(log, 0)
    state["levels"][1]["bytes"] = 10
    with pytest.raises(RunDamaged, match="shorter than at its last checkpoint"):
        CogWriter.resume(tmp_path / "a.tif", spec, state)
    with pytest.raises(RunDamaged, match="does not hold its checkpoint"):
        CogWriter.resume(tmp_path / "a.tif", spec, {**state, "checkpoint": 7})


@pytest.mark.parametrize("checkpointed", [False, True])
def test_an_error_leaves_no_product(tmp_path: Path, *, checkpointed: bool) -> None:
    spec = RasterSpec(utm(100, 100), ("v",), "uint8", 0)
    with pytest.raises(Killed), CogWriter(tmp_path / "a.tif", spec) as writer:
        writer.write(Strip(0, pixels_of(spec)[:, :50]))
        if checkpointed:
            writer.checkpoint()
        raise Killed
    assert not (tmp_path / "a.tif").exists()
    # What can be resumed is kept.
    assert (tmp_path / ".a.tif.partial").exists() == checkpointed


def test_strips_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    spec = RasterSpec(utm(100, 100), ("v",), "uint8", 0)
    writer = CogWriter(tmp_path / "a.tif", spec)
    for strip in (Strip(0, np.zeros((1, 5, 99), "uint8")), Strip(0, np.zeros((1, 5, 100), "int16"))):
        with pytest.raises(InvalidSetting, match="does not fit"):
            writer.write(strip)
    for strip in (Strip(5, np.zeros((1, 5, 100), "uint8")), Strip(0, np.zeros((1, 101, 100), "uint8"))):
        with pytest.raises(InvalidSetting, match="out of turn"):
            writer.write(strip)
    with pytest.raises(OutputError, match="not complete"):
        writer.close()
    writer.abandon()
    with pytest.raises(OutputError, match="closed or failed"):
        writer.write(Strip(0, np.zeros((1, 5, 100), "uint8")))
    assert list(tmp_path.iterdir()) == []


LIMITED = """
import resource, sys
import numpy as np
from arpent.core import Grid, Strip
from arpent.errors import DiskFull
from arpent.io import CogWriter, RasterSpec

resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), -1))
spec = RasterSpec(Grid(2000, 1000), ("v",), "uint8")
noise = np.random.default_rng(0).integers(0, 255, (1, 2000, 1000), "uint8")
try:
    with CogWriter(sys.argv[1], spec) as writer:
        for row in range(0, 2000, 100):
            writer.write(Strip(row, noise[:, row : row + 100]))
except DiskFull as error:
    print(error)
"""


@pytest.mark.parametrize("limit", [300_000, 2_300_000])
def test_a_full_disk_is_said_and_leaves_nothing(limit: int, tmp_path: Path) -> None:
    """The smaller limit is met while blocks are gathered, the larger one when they are put together."""
    answer = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path / "a.tif"), str(limit)], capture_output=True, text=True
    )
    assert answer.stdout.startswith("no space is left to write"), answer.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_small_full_disk(tmp_path: Path) -> None:
    """The same on a real file system that is full."""
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "x", tmp_path]).returncode:
        pytest.skip("mounting a small file system needs root")
    try:
        spec = RasterSpec(Grid(2000, 1000), ("v",), "uint8")
        noise = np.random.default_rng(0).integers(0, 255, (1, 2000, 1000), "uint8")
        with pytest.raises(DiskFull):
            write(tmp_path / "a.tif", spec, noise)
        assert not (tmp_path / "a.tif").exists()
    finally:
        subprocess.run(["umount", "-l", tmp_path], check=True)


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NotWritable, match="cannot be written"):
        CogWriter(tmp_path / "file" / "a.tif", RasterSpec(utm(5, 5), ("v",), "uint8"))


def test_scratch_is_never_more_than_announced(tmp_path: Path) -> None:
    spec = RasterSpec(utm(1100, 1300), ("v", "w"), "uint16", 0)
    noise = np.random.default_rng(0).integers(1, 65_535, (2, 1100, 1300), "uint16")
    writer = CogWriter(tmp_path / "a.tif", spec)
    writer.write(Strip(0, noise))
    writer.checkpoint()
    used = sum(file.stat().st_size for file in (tmp_path / ".a.tif.partial").iterdir())
    writer.close()
    assert max(used, (tmp_path / "a.tif").stat().st_size) < scratch_bytes(spec) < 2 * used


MEMORY = """
import resource, sys
import numpy as np
from arpent.core import Grid, Strip
from arpent.io import CogWriter, RasterSpec

height = int(sys.argv[2])
with CogWriter(sys.argv[1], RasterSpec(Grid(height, 1500), ("v",), "uint8", 0, overviews="mode")) as writer:
    strip = np.random.default_rng(0).integers(1, 5, (1, 500, 1500), "uint8")
    for row in range(0, height, 500):
        writer.write(Strip(row, strip))
from arpent.testing.memory import peak_memory
print(peak_memory())
"""


def test_memory_does_not_grow_with_height(tmp_path: Path) -> None:
    peaks = []
    for height in (2000, 12_000):
        command = [sys.executable, "-c", MEMORY, str(tmp_path / "a.tif"), str(height)]
        peaks.append(int(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
    assert peaks[1] < 1.1 * peaks[0]
