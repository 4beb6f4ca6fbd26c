"""``arpent plan``: what is said of a job, and that its shards are commands that do it."""

import csv
import shlex
from pathlib import Path

import numpy as np
import pytest
import rasterio

from arpent import __version__
from arpent.cli import planned_image, planning, sampling
from arpent.cli.plan import square_metres
from arpent.cli.plannable import asked
from arpent.core import Band, Contract, Grid, Normalisation, Strip, nomenclature
from arpent.engine.calibration import Consumed, Extent
from arpent.errors import InvalidSetting
from arpent.io import CogWriter, RasterSpec
from arpent.models import build, save_bundle

TILES = ("--tile", "32", "--ring", "4", "--halo", "4", "--runtime", "torch", "--device", "cpu")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """An untrained model of land cover for red, green and blue."""
    classes, bands = nomenclature("commune"), ("red", "green", "blue")
    settings = {"channels": 3, "classes": len(classes), "widths": [4], "norm": "none"}
    contract = Contract(
        task="landcover",
        architecture="unet",
        settings=settings,
        bands=tuple(Band(name=name) for name in bands),
        gsd=0.2,
        dtype="uint8",
        normalisation=Normalisation(origin="test", mean=(100.0,) * 3, std=(50.0,) * 3),
        classes=classes,
        arpent=__version__,
    )
    return save_bundle(tmp_path_factory.mktemp("bundle") / "rgb.safetensors", build("unet", settings), contract)


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    """360 × 300 pixels, without data in its lower right quarter."""
    pixels = np.random.default_rng(0).integers(1, 255, (3, 300, 360)).astype(np.uint8)
    pixels[:, 150:, 180:] = 0
    path = tmp_path_factory.mktemp("image") / "place.tif"
    grid = Grid.north_up(500_000, 5_000_000, 0.2, 300, 360, "EPSG:32631")
    with CogWriter(path, RasterSpec(grid, ("red", "green", "blue"), "uint8", 0)) as writer:
        writer.write(Strip(0, pixels))
    return path


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch):
    monkeypatch.setattr(planned_image, "_GUESS", 64)
    monkeypatch.setattr(planned_image, "_MOST", 5)


def test_a_plan_says_what_a_job_takes_and_its_shards_do_it(arpent, image, bundle, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ("landcover", "predict", image, "--model", bundle, *TILES, "-o", tmp_path / "map")
    said = arpent("plan", "--shards", "3", "--shard-list", "shards.csv", "--seconds", "1", *words, "--json")
    assert said.code == 0, said.err
    plan = said.document
    assert plan["grid"] == [300, 360]
    assert plan["square_metres"] == pytest.approx(60 * 72, rel=0.01)
    for name in ("seconds", "cpu_seconds", "kept", "disk"):
        assert 0 < plan["figures"][name]["low"] <= plan["figures"][name]["typical"] <= plan["figures"][name]["high"]
    assert plan["calibration"]["apart"] and not plan["calibration"]["networked"]
    assert plan["calibration"]["parts"] >= 3
    assert list(tmp_path.iterdir()) == [tmp_path / "shards.csv"], "calibration leaves nothing"

    rows = list(csv.DictReader((tmp_path / "shards.csv").read_text().splitlines()))
    assert [int(row["shard"]) for row in rows] == [1, 2, 3]
    assert sum(int(row["units"]) for row in rows) == plan["units"]
    seen, valid = np.zeros((300, 360), int), np.zeros((300, 360), bool)
    for row in rows:
        command = shlex.split(row["command"])
        assert arpent(*command[1:], "--quiet").code == 0
        core = [float(row[f"core_{corner}"]) for corner in ("left", "bottom", "right", "top")]
        with rasterio.open(tmp_path / f"map-00{row['shard']}" / "classes.tif") as made:
            assert list(made.bounds) == pytest.approx([float(row[c]) for c in ("left", "bottom", "right", "top")])
            inside = made.read(1, window=made.window(*core)) > 0
        col, top = round((core[0] - 500_000) / 0.2), round((5_000_000 - core[3]) / 0.2)
        part = np.s_[top : top + inside.shape[0], col : col + inside.shape[1]]
        seen[part] += 1
        valid[part] = inside
    assert (seen == 1).all(), "the cores cover the image once"
    assert valid[:150].all() and not valid[160:, 190:].any()


@pytest.mark.parametrize(
    ("output", "shard"),
    [
        ("s3://land/runs/map", "s3://land/runs/map-007"),
        ("gs://land/runs/map/", "gs://land/runs/map-007"),
        ("maps/map/", "maps/map-007"),
        (None, "runs/landcover-predict-007"),
    ],
)
def test_shards_go_where_the_job_goes(output, shard):
    words = ["landcover", "predict", "a.tif", "--model", "b", *(["-o", output] if output else [])]
    command = shlex.split(asked(words).shard(7))
    assert command == ["arpent", "landcover", "predict", "a.tif", "--model", "b", "--output", shard]


def test_parts_are_run_on_the_disk_that_the_job_will_write_to(tmp_path, monkeypatch):
    """Runs for an object store are made in the folder of copies, which may lie on another disk than this folder."""
    here, cache = tmp_path / "here", tmp_path / "cache"
    for folder in (here, cache):
        folder.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setenv("ARPENT_CACHE", str(cache))
    wheres = {
        "s3://land/runs/map": cache,
        "gs://land/map": cache,
        str(tmp_path / "maps" / "map"): tmp_path,
        "map": here,
    }
    for output, folder in wheres.items():
        assert planning._where(asked(["landcover", "predict", "a.tif", "--model", "b", "-o", output])) == folder
    assert planning._where(asked(["landcover", "predict", "a.tif", "--model", "b"])) == here


def test_what_is_foretold_is_what_it_takes(arpent, image, bundle, tmp_path, monkeypatch):
    """In bytes, which do not depend on who else is using the machine."""
    monkeypatch.chdir(tmp_path)
    words = ("landcover", "predict", str(image), "--model", bundle, *TILES, "-o", "map")
    plan = arpent("plan", *words, "--seconds", "1", "--json").document
    assert arpent(*words, "--quiet").code == 0
    took = sum(
        file.stat().st_size for file in (tmp_path / "map").rglob("*") if file.is_file() and file.suffix != ".png"
    )
    assert 0.5 < plan["figures"]["kept"]["typical"] / took < 2
    assert plan["units"] == 18 * 22


@pytest.mark.skipif(not Path("/proc/self/io").exists(), reason="this system does not count what a process reads")
@pytest.mark.parametrize("block", [128, 512])
def test_bytes_read_and_written_are_foretold(arpent, bundle, tmp_path, monkeypatch, block):
    """Within a quarter, from parts that are small beside the whole.

    Blocks are read whole, seams between rows of tiles are set down, and the file is hashed once, all of which a part
    does to another measure than the whole. One thread reads: with two it is chance which blocks both of them read.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(planned_image, "_LEAST", 4)  # however slow the machine is
    monkeypatch.setattr(planned_image, "_MOST", 4)
    pixels = np.random.default_rng(0).integers(1, 255, (3, 900, 900)).astype(np.uint8)
    kind = {"driver": "GTiff", "width": 900, "height": 900, "count": 3, "dtype": "uint8", "crs": "EPSG:32631"}
    stored = {"tiled": True, "blockxsize": block, "blockysize": block, "interleave": "pixel", "compress": "deflate"}
    placed = Grid.north_up(500_000, 5_000_000, 0.2, 900, 900, "EPSG:32631").transform
    with rasterio.open("tiled.tif", "w", **kind, **stored, transform=placed, nodata=0) as file:
        file.write(pixels)
        file.descriptions = ("red", "green", "blue")
    words = ("landcover", "predict", "tiled.tif", "--model", bundle, "--tile", "128", *TILES[2:], "--read-threads", "1")
    plan = arpent("plan", *words, "-o", "map", "--seconds", "0.1", "--json").document
    before = _counted()
    assert arpent(*words, "-o", "map", "--quiet").code == 0
    for name, took in zip(("read", "written"), np.subtract(_counted(), before), strict=True):
        assert plan["figures"][name]["typical"] == pytest.approx(took, rel=0.25), name


def _counted():
    """Bytes that this process has read and written."""
    lines = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return int(lines["rchar"]), int(lines["wchar"])


def test_parts_grow_to_the_time_that_there_is():
    """A small part is nearly all start: by its pace alone a calibration would end long before its time."""

    class Law:
        asked = []  # noqa: RUF012 - of one test

        def warm(self):
            """Costs nothing."""

        def small(self):
            return self._of(4)

        def large(self, units):
            self.asked.append(units)
            return self._of(units)

        def _of(self, units):
            return Consumed(Extent(units, units, 0), 10 + 0.1 * units, 1.0, None, None, 1, 1)

    small, large = planning._calibrated(Law(), 300)
    assert [one.extent.units for one in small] == [4, 4]
    first, second, third = Law.asked
    assert first == pytest.approx(300 / 3 / (10.4 / 4), rel=0.01)
    assert second > 3 * first
    assert third > 3 * second
    assert len(large) == 3


@pytest.mark.parametrize(
    ("tile", "language", "told"),
    [
        ("32", "en", "Overlaps cost more than the work: with tiles of 32 pixels the network sees each pixel 3.7 times"),
        ("32", "fr", "avec --tile 128, ce serait 1,3 fois"),
        ("64", "en", None),
    ],
)
def test_tiles_that_are_nearly_all_overlap_are_told(arpent, image, bundle, tmp_path, monkeypatch, tile, language, told):
    monkeypatch.chdir(tmp_path)
    words = ("landcover", "predict", image, "--model", bundle, "--tile", tile, *TILES[2:])
    said = " ".join(arpent("plan", *words, "--seconds", "0.1", "--language", language).out.split())
    assert told in said if told else "Overlaps" not in said


def test_so_much_ground_of_which_the_image_is_a_sample(arpent, image, bundle, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ("landcover", "predict", image, "--model", bundle, *TILES, "--area", "551000km2", "--gsd", "10")
    said = arpent("plan", *words, "--shards", "1000", "--seconds", "0.5", "--json")
    plan = said.document
    assert plan["size"] == pytest.approx(551e9 / 10**2, rel=1e-4)
    assert len(plan["shards"]) == 1000
    assert not any(shard["command"] for shard in plan["shards"])
    assert plan["figures"]["cpu_seconds"]["typical"] > 10
    told = arpent("plan", *words, "--shards", "2", "--seconds", "0.2", "--language", "fr")
    assert "551\N{NARROW NO-BREAK SPACE}000" in told.out
    assert "Aucune tuile n’est calculée deux fois" in told.out
    assert "1 cœur" in told.out or "cœurs" in told.out


def test_without_an_image_one_is_made_up(arpent, bundle, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sampling, "_SIDE", 256)
    words = ("landcover", "predict", "--model", bundle, *TILES, "--area", "1km2", "--gsd", "0.2", "--seconds", "0.5")
    said = arpent("plan", *words)
    assert said.code == 0, said.err
    assert "simulated landscape" in said.out
    assert "5,000 × 5,000 (1" in said.out
    assert list(tmp_path.iterdir()) == []


def test_bytes_that_come_over_the_network_are_not_counted_as_none(arpent, image, bundle, s3, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    s3.client.upload_file(str(image), "land", "image.tif")
    words = ("landcover", "predict", "s3://land/image.tif", "--model", bundle, *TILES, "--seconds", "0.2")
    plan = arpent("plan", *words, "--json").document
    assert "read" not in plan["figures"] and "kept" in plan["figures"]
    assert plan["calibration"]["networked"]
    told = arpent("plan", *words, "--language", "fr").out
    assert "Les octets lus ne sont pas donnés" in " ".join(told.split())


def test_a_pair_of_dates_is_planned_too(arpent, image, colours, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pair = ("change", "pair", image, image, "--model", colours, "--box=500000,4999960,500050,5000000")
    plan = arpent("plan", *pair, "--seconds", "0.5", "--shards", "2", "--quality", "no", "--json").document
    assert plan["grid"] == [200, 250], "the box of the command is the job"
    assert all(shard["command"].count("--box") == 1 for shard in plan["shards"])


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("landcover", "train", "x.yaml"), "cannot be planned"),
        (("landcover", "train", "x.yaml"), "Train for one epoch"),
        (("landcover",), "Say which of its commands: landcover predict."),
        (("forecast", "predict", "x"), "one place"),
        (("forecast", "train", "x"), "Train for one epoch"),
        (("change", "run", "x.yaml"), "Plan 'change pair' on a pair like those of the list"),
        (("change", "series", "x"), "the pairs that it compares"),
        (("change", "mosaic", "x"), "takes little beside its pairs"),
        (("doctor",), "a small part of the input"),
        (("landcovre", "predict"), "Did you mean 'landcover'"),
        (
            ("landcover", "predct", "IMAGE"),
            "no command of 'arpent landcover' is called 'predct'. Did you mean 'predict'?",
        ),
        (("landcover", "predict", "IMAGE", "--count", "3"), "--count says nothing"),
        (("classify", "predict", "IMAGE", "--area", "3km2"), "--area says nothing"),
        (("landcover", "predict", "IMAGE", "--gsd", "3"), "--gsd goes with --area"),
        (("landcover", "predict", "IMAGE", "--shards", "0"), "--shards must be above nothing"),
        (("landcover", "predict", "IMAGE", "--area", "big"), "that is no area"),
        (("landcover", "predict", "no.tif", "--model", "no.safetensors"), "no.tif"),
        (("landcover", "predict", "IMAGE"), "See 'arpent landcover predict --help'."),
        (("landcover", "predict", "IMAGE", "--modle", "x"), "See 'arpent landcover predict --help'."),
        (
            ("landcover", "predict", "IMAGE", "--model", "BUNDLE", "--shards", "100000", *TILES),
            "each shard needs a tile",
        ),
    ],
)
def test_what_cannot_be_planned_is_told_in_one_line(arpent, image, bundle, tmp_path, monkeypatch, words, told):
    monkeypatch.chdir(tmp_path)
    known = {"IMAGE": str(image), "BUNDLE": str(bundle)}
    said = arpent("plan", *(known.get(word, word) for word in words), "--seconds", "0.1")
    assert said.code in (2, 3)
    assert told in said.err
    assert len(said.err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "metres"),
    [("551000km2", 551e9), ("551,000 km²", 551e9), ("12 ha", 12e4), ("1.5km2", 1.5e6), ("1,5km2", 1.5e6), ("70", 70)],
)
def test_areas_as_people_write_them(text, metres):
    assert square_metres(text) == pytest.approx(metres)


@pytest.mark.parametrize("text", ["", "km2", "-3km2", "0ha", "1.2.3ha", "three"])
def test_what_is_no_area(text):
    with pytest.raises(InvalidSetting, match="that is no area"):
        square_metres(text)
