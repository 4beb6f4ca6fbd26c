"""Small files of every kind that Arpent reads, models for every task, and a process that runs commands on them."""

from __future__ import annotations

import datetime as dt
import json
import pkgutil
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import cv2
import numpy as np
import pytest
import yaml

import arpent
from arpent.core import Band, Contract, Grid, Normalisation, Strip, nomenclature, sensor
from arpent.io import CogWriter, RasterSpec
from arpent.testing.forks import Ended, Forks

HLS = ("B02", "B03", "B04", "B8A", "B11", "B12")
REFERENCE = """
csv_inference_file: pairs.csv
inference_save_folder_frame_0: before
inference_save_folder_frame_1: after
num_predictions: 2
change_map: { save_dates_layer: true, date_regex: '_(\\d{7})' }
feature_maps: { return: false }
mosaic_params: { target_crs: 'EPSG:32618' }
model_params: { load_params: { checkpoint_path: change.safetensors }, img_size: 64 }
"""
FIRST = dt.date(2023, 3, 1)
PARTS = pytest.StashKey["dict[str, Part]"]()


def written(path: Path, pixels, bands, *, place=(650_000, 6_860_000, 0.2, 2154), nodata=None) -> Path:
    """Writes an image ``(bands, h, w)``; left, top, metres per pixel and reference system are its place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    left, top, gsd, crs = place
    grid = Grid.north_up(left, top, gsd, *pixels.shape[1:], crs)
    with CogWriter(path, RasterSpec(grid, tuple(bands), str(pixels.dtype), nodata=nodata)) as writer:
        writer.write(Strip(0, pixels))
    return path


@dataclass
class Part:
    """What one file of this suite has done, and the worst that it has met.

    Attributes:
        commands: that have run, what made their inputs among them.
        kills: commands that were killed.
        files: mutated ones that commands were given.
        corrupt: products that are not those of an undisturbed run, or that stand where none should.
        lost: finished rows of tiles that a killed run had, and its next attempt no longer.
        harm: mutated files that did what no file may do.
        unfinished: commands that told how long they would take, and were ended before that.
        longest: seconds of the processor of the longest of the others.
        peak: bytes of resident memory of the largest.
    """

    commands: int = 0
    kills: int = 0
    files: int = 0
    corrupt: int = 0
    lost: int = 0
    harm: int = 0
    unfinished: int = 0
    longest: float = 0.0
    peak: int = 0


class CountedForks(Forks):
    """Forks that note of every command how long it took, and how much memory.

    Attributes:
        parts: by file of tests.
        part: that of the running test.
    """

    def __enter__(self) -> Self:
        self.parts: dict[str, Part] = {}
        self.part = Part()
        return super().__enter__()

    def run(self, words: Sequence[object], folder: Path, **more: Any) -> Ended:
        """Runs a command and notes it."""
        ended = super().run(words, folder, **more)
        self.part.commands += 1
        if ended.status not in (-signal.SIGALRM, -signal.SIGXCPU):
            self.part.longest = max(self.part.longest, ended.processor)
        self.part.peak = max(self.part.peak, ended.peak)
        return ended


class Stock:
    """A folder of inputs, made as they are asked for; commands work in `home`, so that paths can be short."""

    def __init__(self, home: Path, forks: Forks) -> None:
        self.home, self.forks, self.rng = home, forks, np.random.default_rng(3)

    def made(self, *words: object) -> None:
        """Runs a command that must go well."""
        ended = self.forks.run([*words, "--quiet"], self.home)
        assert ended.status == 0, ended.said

    @cached_property
    def land(self) -> Path:
        """An aerial image of 96 × 96 pixels."""
        return written(self.home / "land.tif", self.rng.integers(1, 255, (4, 96, 96), np.uint8), self._bands)

    _bands = ("red", "green", "blue", "nir")

    @cached_property
    def long(self) -> Path:
        """An aerial image of 3072 × 48 pixels: six blocks of the file, one below the other."""
        pixels = self.rng.integers(1, 255, (4, 3072, 48), np.uint8)
        return written(self.home / "long.tif", pixels, self._bands)

    @cached_property
    def model(self) -> Path:
        """A model of land cover."""
        from arpent.testing.toys import toy_bundle

        return toy_bundle(self.home / "land.safetensors", widths=(4, 8))

    @cached_property
    def weights(self) -> Path:
        """Weights as torch saves them: a small encoder of timm; the same as safetensors; a U-Net of smp."""
        import segmentation_models_pytorch as smp
        import timm
        import torch
        from safetensors.torch import save_file

        encoder = timm.create_model("test_resnet", pretrained=False).state_dict()
        torch.save(encoder, self.home / "weights.pth")
        save_file(encoder, self.home / "weights.safetensors")
        torch.save(smp.Unet("mobilenet_v2", encoder_weights=None, classes=3).state_dict(), self.home / "unet.pth")
        return self.home / "weights.pth"

    @cached_property
    def settings(self) -> Path:
        """Settings of a prediction."""
        (self.home / "set.yaml").write_text("tile: 64\nring: 4\nhalo: 8\nbatch_size: 2\nmin_area: 2.5\nlanguage: fr\n")
        return self.home / "set.yaml"

    @cached_property
    def training(self) -> Path:
        """The configuration of a training of land cover; its index and images lie beside it."""
        for number, name in enumerate(("a", "b")):
            place = (650_000, 6_860_000 + 40_000 * number, 0.2, 2154)
            pixels = self.rng.integers(1, 255, (4, 64, 64), np.uint8)
            written(self.home / f"{name}.tif", pixels, self._bands, place=place)
            mask = self.rng.choice(np.array([1, 3, 5], np.uint8), (1, 64, 64))
            written(self.home / f"{name}_mask.tif", mask, ("class",), place=place)
        (self.home / "index.csv").write_text("image,mask,split\na.tif,a_mask.tif,train\nb.tif,b_mask.tif,val\n")
        settings = {
            "index": "index.csv",
            "task": {"network": {"widths": [4, 8]}},
            "patch": 32,
            "batch_size": 2,
            "fit": {"epochs": 3, "device": "cpu"},
        }
        (self.home / "train.yaml").write_text(yaml.safe_dump(settings))
        return self.home / "train.yaml"

    @cached_property
    def study(self) -> Path:
        """The configuration of a transfer study from `model` to three images."""
        assert self.training and self.model
        place = (650_000, 6_940_000, 0.2, 2154)
        written(self.home / "c.tif", self.rng.integers(1, 255, (4, 64, 64), np.uint8), self._bands, place=place)
        mask = self.rng.choice(np.array([1, 3, 5], np.uint8), (1, 64, 64))
        written(self.home / "c_mask.tif", mask, ("class",), place=place)
        rows = zip("abc", ("train", "val", "test"), strict=True)
        lines = ("image,mask,split", *(f"{name}.tif,{name}_mask.tif,{side}" for name, side in rows))
        (self.home / "sides.csv").write_text("\n".join(lines) + "\n")
        target = yaml.safe_load(self.training.read_text()) | {"index": "sides.csv"}
        tried = {"normalisations": ["norma-target"], "strategies": ["app-scratch", "ft-initialisation"], "examples": 1}
        settings = {"target": target, "start": self.model.name, "judged_patch": 32, **tried}
        (self.home / "study.yaml").write_text(yaml.safe_dump(settings))
        return self.home / "study.yaml"

    @cached_property
    def pair(self) -> tuple[Path, Path]:
        """Two dates of a place, as HLS has them."""
        names = ("a_2020001.tif", "b_2024001.tif")
        place = (500_000, 5_000_000, 30.0, 32618)
        coarse = self.rng.uniform(200, 3000, (2, 6, 12, 12)).repeat(8, 2).repeat(8, 3).astype(np.int16)
        one, two = (
            written(self.home / name, values, HLS, place=place, nodata=-9999)
            for name, values in zip(names, coarse, strict=True)
        )
        return one, two

    @cached_property
    def changes(self) -> Path:
        """A model of change."""
        import torch

        from arpent.models import build, save_bundle

        shape = {"width": 16, "depth": 1, "heads": 2, "decoder_width": 16, "decoder_depth": 1, "decoder_heads": 2}
        shape |= {"frames": 2, "image_size": 64, "patch": 16, "channels": 6}
        contract = Contract(
            task="change",
            architecture="planaura",
            settings=shape,
            bands=tuple(Band(name=name) for name in HLS),
            nodata=-9999,
            normalisation=Normalisation(origin="test", mean=(1000.0,) * 6, std=(500.0,) * 6),
            arpent=arpent.__version__,
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(1)
            return save_bundle(self.home / "change.safetensors", build("planaura", shape).eval(), contract)

    @cached_property
    def reference(self) -> Path:
        """A configuration of Planaura that compares two pairs."""
        first, second = self.pair
        assert self.changes
        third = first.with_name("a_2021001.tif")
        third.write_bytes(first.read_bytes())
        rows = "".join(f"{one.name},{second.name}\n" for one in (first, third))
        (self.home / "pairs.csv").write_text(f"input_file_0,input_file_1\n{rows}")
        (self.home / "reference.yaml").write_text(REFERENCE)
        return self.home / "reference.yaml"

    @cached_property
    def cosines(self) -> Path:
        """A folder with the cosines and dates of two pairs, to be fused."""
        folder = self.home / "cosines"
        for number in range(2):
            place = (600_000 + 90 * number, 5_000_000, 30.0, 32618)
            cosine = self.rng.uniform(-1, 1, (1, 60, 60)).astype(np.float32)
            written(folder / f"cosine_map!{number:03}.tif", cosine, ("cosine_map",), place=place, nodata=-100)
            dates = np.full((1, 60, 60), 2020001 + number, np.int32)
            written(folder / f"after_date!{number:03}.tif", dates, ("after_date",), place=place, nodata=-100)
        return folder

    @cached_property
    def fields(self) -> Path:
        """An image of Sentinel-2: water, a meadow, and ploughed land."""
        bands = sensor("sentinel-2-l2a").band_names
        rows = np.linspace(300, 3000, 12)[:, None, None] * np.repeat([0.2, 1.0, 1.5], 20)[None, None]
        pixels = (rows * self.rng.uniform(0.9, 1.1, (12, 60, 60))).astype(np.uint16)
        place = (500_000, 4_690_000, 10.0, 32631)
        return written(self.home / "fields_2022-06-01.tif", pixels, bands, place=place)

    @cached_property
    def listed(self) -> Path:
        """A catalog that leads to an item, the image of Sentinel-2; a collection of items holds the same one."""
        bands = [{"name": name} for name in sensor("sentinel-2-l2a").band_names]
        kind = "image/tiff; application=geotiff"
        item = {
            "type": "Feature",
            "id": "fields",
            "bbox": [3.0, 42.35, 3.01, 42.37],
            "properties": {"datetime": "2022-06-01T10:30:00Z", "constellation": "sentinel-2"},
            "links": [{"rel": "parent", "href": "./catalog.json"}],
            "assets": {"data": {"href": f"./{self.fields.name}", "type": kind, "roles": ["data"], "bands": bands}},
        }
        links = [{"rel": "item", "href": "./item.json"}]
        below = {"type": "FeatureCollection", "features": [item], "links": []}
        (self.home / "item.json").write_text(json.dumps(item))
        (self.home / "items.json").write_text(json.dumps(below))
        (self.home / "catalog.json").write_text(json.dumps({"type": "Catalog", "id": "fields", "links": links}))
        return self.home / "catalog.json"

    @cached_property
    def parcels(self) -> Path:
        """Three parcels in degrees."""
        from pyproj import Transformer

        turn = Transformer.from_crs(32631, 4326, always_xy=True).transform
        features = []
        for number in range(3):
            left, top = 500_000 + 200 * number, 4_690_000
            ring = [(left, top), (left + 190, top), (left + 190, top - 590), (left, top - 590), (left, top)]
            shape = {"type": "Polygon", "coordinates": [[list(turn(*corner)) for corner in ring]]}
            facts = {"name": f"field {number}", "crop": "wheat"}
            features.append({"type": "Feature", "properties": facts, "geometry": shape})
        (self.home / "parcels.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": features}))
        return self.home / "parcels.geojson"

    @cached_property
    def table(self) -> Path:
        """What was measured of these parcels."""
        self.made("describe", "indices", self.fields.name, "-p", self.parcels.name, "-o", "table.parquet")
        return self.home / "table.parquet"

    @cached_property
    def embedded(self) -> Path:
        """A run with embeddings of squares."""
        words = ("--chip", "20", "--encoder", "croma-tiny", "--random-init", "--device", "cpu")
        self.made("describe", "embed", self.fields.name, "-o", "embedded", *words)
        return self.home / "embedded"

    @cached_property
    def describer(self) -> Path:
        """A small language model that has been taught to describe squares of two dates."""
        days = [self.fields.name, "fields_2022-07-01.tif"]
        (self.home / days[1]).write_bytes(self.fields.read_bytes())
        chips = ("--chip", "20", "--place", "here")
        self.made("describe", "indices", *days, *chips, "-o", "lesson/table.parquet")
        self.made("describe", "caption", "lesson/table.parquet", "-o", "lesson/captions.jsonl")
        encoder = ("--encoder", "croma-tiny", "--random-init", "--device", "cpu")
        self.made("describe", "embed", *days, *chips, "-o", "lesson/seen", *encoder)
        sizes = {"width": 32, "layers": 1, "heads": 4, "hidden": 48, "vocabulary": 400}
        settings = {
            "table": "lesson/table.parquet",
            "captions": "lesson/captions.jsonl",
            "embeddings": "lesson/seen",
            "base": "small",
            "small": {"model": sizes, "texts": 64, "sights": 640},
            "lora": {"rank": 4, "alpha": 8},
            "samples": 24,
            "fit": {"epochs": 1, "device": "cpu"},
        }
        (self.home / "lesson.yaml").write_text(yaml.safe_dump(settings))
        if not (self.home / "describer").exists():  # another file of tests, in the same process, may have made it
            self.made("describe", "train", "lesson.yaml", "-o", "describer")
        return self.home / "describer"

    @cached_property
    def dates(self) -> Path:
        """Radar images of four dates as they come, to be made a data set."""
        folder = self.home / "dates"
        for at in range(4):
            power = self.rng.gamma(4.4, 1 / 4.4, (2, 48, 48)) * np.array([0.1, 0.02])[:, None, None]
            place = (500_000, 4_800_000, 10.0, 32631)
            day = FIRST + dt.timedelta(days=6 * at)
            written(folder / f"s1_{day}.tif", power.astype(np.float32), ("vv", "vh"), place=place)
        return folder

    @cached_property
    def series(self) -> Path:
        """A data set of radar: four dates of a lake that grows."""
        from arpent.data import Sample, SampleIndex
        from arpent.tasks.forecast.dataset import Dataset, DatasetFacts

        power = np.array([(0, 0), (0.005, 0.001), (0.1, 0.03), (0.5, 0.1), (0.05, 0.01)], np.float32)
        rows, cols = np.mgrid[:96, :96]
        samples, place = [], (500_000, 4_800_000, 10.0, 32631)
        for at in range(4):
            day = FIRST + dt.timedelta(days=6 * at)
            ids = np.where(np.hypot(rows - 48, cols - 48) < 20 + 4 * at, 1, 2).astype(np.uint8)
            ids[:16, :16], ids[-14:] = 3, 4
            speckled = power[ids].transpose(2, 0, 1) * self.rng.gamma(60, 1 / 60, (2, 96, 96))
            image = written(
                self.home / "series" / f"image_{day}.tif",
                speckled.astype(np.float32),
                ("vv", "vh"),
                place=place,
                nodata=float("nan"),
            )
            mask = written(self.home / "series" / f"mask_{day}.tif", ids[None], ("class",), place=place, nodata=0)
            samples.append(Sample(str(image), str(mask), domain="lake", sensor="sentinel-1", date=day))
        facts = DatasetFacts(bands=("vv", "vh"), future=2, patch=64, step_days=6, classes=nomenclature("sar"))
        Dataset.write(self.home / "series", SampleIndex(samples), facts)
        return self.home / "series"

    @cached_property
    def forecaster(self) -> Path:
        """A model of forecasts."""
        import torch

        from arpent.models import build, save_bundle

        shape = {"network": {"widths": [4, 8]}, "hidden": 8, "layers": 1, "width": 4, "cell": 8, "future": 2}
        bands, decibels = (Band(name="vv"), Band(name="vh")), ((-25.0, 0.0), (-32.0, -5.0))
        contract = Contract(
            task="forecast",
            architecture="forecaster",
            settings=shape,
            bands=bands,
            gsd=10.0,
            dtype="float32",
            normalisation=Normalisation(origin="test", mean=(-12.0, -18.0), std=(6.0, 6.0), decibels=decibels),
            classes=nomenclature("sar"),
            arpent=arpent.__version__,
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return save_bundle(self.home / "forecaster.safetensors", build("forecaster", shape), contract)

    @cached_property
    def pictures(self) -> Path:
        """Twelve pictures, red or not, with captions and labels in tables beside the folder."""
        folder = self.home / "pictures"
        folder.mkdir()
        captions, labels = ["name,caption"], ["name,red,striped"]
        for number in range(24):
            pixels = self.rng.integers(90, 120, (40, 50, 3)).astype(np.uint8)
            red, striped = number % 2, number // 2 % 2
            pixels[..., 2] += 120 * red
            if striped:
                pixels[::4] = 20
            name = f"{number:02}.{'png' if number % 3 else 'jpg'}"
            cv2.imwrite(str(folder / name), pixels)
            captions += [f"{name},a place {'on fire' if red else 'at rest'} of kind {number}", f"{name},some place"]
            labels.append(f"{name},{red},{striped}")
        (self.home / "captions.csv").write_text("\n".join(captions) + "\n")
        (self.home / "labels.csv").write_text("\n".join(labels) + "\n")
        return folder

    @cached_property
    def dataset(self) -> Path:
        """A data set of these pictures."""
        assert self.pictures
        words = ("-o", "dataset", "--captions", "captions.csv", "--labels", "labels.csv")
        self.made("classify", "prepare", "pictures", *words)
        return self.home / "dataset"

    @cached_property
    def labeller(self) -> Path:
        """A model of labels, by pictures alone."""
        assert self.dataset
        words = ("--branch", "image", "--pretrained", "random", "--epochs", "1", "--device", "cpu", "--side", "32")
        self.made("classify", "train", "dataset", "-o", "labeller", *words)
        return self.home / "labeller"

    @cached_property
    def mapped(self) -> Path:
        """A finished run of land cover."""
        assert self.land and self.model
        words = ("-m", self.model.name, "-o", "mapped", "--runtime", "torch", "--device", "cpu", "--vector")
        self.made("landcover", "predict", self.land.name, *words)
        return self.home / "mapped"


def _modules() -> list[str]:
    """What commands import once they are used, but for what serves and what needs several machines."""
    found = [module.name for module in pkgutil.walk_packages(arpent.__path__, "arpent.")]
    left_out = ("arpent.web", "arpent.testing", "arpent.__main__", "arpent.engine.cluster", "arpent.engine.ray")
    return [*(name for name in found if not name.startswith(left_out)), "warm"]


@pytest.fixture(scope="session")
def forks(request: pytest.FixtureRequest) -> Iterator[CountedForks]:
    """Runs commands in forks of a process that has imported everything."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
    with CountedForks(_modules(), [Path(__file__).parent], threads) as forks:
        request.config.stash[PARTS] = forks.parts
        yield forks


@pytest.fixture(autouse=True)
def _part(request: pytest.FixtureRequest) -> None:
    """Counts what a test does with its file."""
    if "forks" in request.fixturenames:
        forks = request.getfixturevalue("forks")
        forks.part = forks.parts.setdefault(request.path.stem.removeprefix("test_"), Part())


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """What was proved, file by file."""
    parts = config.stash.get(PARTS, {})
    if not parts:
        return
    rows = [
        ("", "commands", "kills", "mutated files", "corrupt", "rows lost", "harm", "unfinished", "longest", "memory")
    ]
    for name, part in parts.items():
        counts = (part.commands, part.kills, part.files, part.corrupt, part.lost, part.harm, part.unfinished)
        bounds = (f"{part.longest:.1f} s", f"{part.peak / 2**30:.2f} GiB")
        rows.append((name, *(f"{count:,}" for count in counts), *bounds))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    terminalreporter.section("what was proved")
    for row in rows:
        cells = (cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))
        terminalreporter.write_line("  ".join((row[0].ljust(widths[0]), *cells)))
    terminalreporter.write_line(
        "Corrupt, rows lost and harm must be 0. Longest: of the processor, without the unfinished,"
    )
    terminalreporter.write_line(
        "which said how long they would take. Memory: of the largest command, imports included."
    )


@pytest.fixture(scope="session")
def stock(forks: Forks, tmp_path_factory: pytest.TempPathFactory) -> Stock:
    return Stock(tmp_path_factory.mktemp("stock"), forks)
