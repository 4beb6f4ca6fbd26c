"""From file to run folder: resume after kill -9, bounded memory, contracts, and one file that cannot look finished."""

import json
import random
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import rasterio
import shapely

from arpent.core import Grid, Strip, nomenclature
from arpent.engine import Job, PredictSettings, Product, Rows, run_job
from arpent.errors import ContractMismatch, NoValidPixels
from arpent.io import CogWriter, RasterSpec, open_image
from arpent.models import load_bundle
from arpent.store import Place, open_run, verify
from arpent.tasks.landcover import LandcoverSettings, LandcoverTask
from arpent.testing.items import validate_stac
from arpent.testing.toys import toy_bundle

BANDS = ("red", "green", "blue", "nir")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """A small U-Net with random weights whose answers differ from place to place."""
    return toy_bundle(tmp_path_factory.mktemp("bundle") / "model.safetensors", gsd=0.2, dtype="uint8")


def write_image(path, height, width, *, bands=BANDS, resolution=0.2, fill=None, dtype="uint8", nodata=0):
    grid = Grid.north_up(650_000, 6_860_000, resolution, height, width, 2154)
    rng = np.random.default_rng(height)
    with CogWriter(path, RasterSpec(grid, bands, dtype, nodata=nodata, compression="zstd")) as writer:
        for strip in grid.window.strips(512):
            if fill is None:
                low = rng.integers(1, 255, (len(bands), 32, 32), dtype=np.uint8)
                values = np.resize(low.repeat(16, 1).repeat(16, 2), (len(bands), strip.height, width)).astype(dtype)
            else:
                values = np.full((len(bands), strip.height, width), fill, dtype)
            writer.write(Strip(strip.row, values))
    return path


def predict_into(run_path, image, bundle_path, *, resume=False, probabilities=True, **settings):
    bundle = load_bundle(bundle_path)
    task = LandcoverTask(LandcoverSettings(probabilities=probabilities), bundle.contract.classes)
    chosen = PredictSettings(**{"tile": 256, "runtime": "torch", "device": "cpu", **settings})
    place = Place(exact=Path(run_path), resume=resume)
    with open_image(image, bands=BANDS) as reader, place.begin("landcover", "test", {"image": str(image)}) as run:
        run_job(Job(task, bundle, reader, run, chosen, taken=datetime(2021, 6, 20, tzinfo=UTC)))
        return run.finish()


def test_a_run_is_complete_described_and_verified(bundle, tmp_path):
    run = predict_into(tmp_path / "run", write_image(tmp_path / "scene.tif", 700, 900), bundle)
    names = {product.name: product.kind for product in run.manifest.products}
    assert names == {
        "classes": "raster",
        "preview": "picture",
        "probabilities": "raster",
        "probabilities_view": "picture",
    }
    assert verify(open_run(run.path)).files == 7  # two maps, their items, the names of classes, two pictures
    assert not (run.path / ".scratch").exists()
    for product in run.manifest.products:
        if product.stac:
            validate_stac(json.loads((run.path / product.stac.file).read_text()))
    with rasterio.open(run.path / "classes.tif") as made, rasterio.open(run.path / "probabilities.tif") as chances:
        classes = made.read(1)
        assert set(np.unique(classes)) <= set(nomenclature("commune").ids.tolist())
        percent = chances.read().astype(int)
        chosen = np.take_along_axis(percent, nomenclature("commune").index_of_id[classes][None], 0)[0]
        assert (chosen == percent.max(0)).all()
        assert np.abs(percent.sum(0) - 100).max() <= 6


@pytest.mark.slow
def test_killed_at_five_moments_and_resumed_every_file_is_the_same_to_the_byte(bundle, tmp_path, launcher):
    image = write_image(tmp_path / "scene.tif", 900, 128)
    chance = random.Random(4)
    rows = []
    call = "test_job.predict_into(folder, *sys.argv[4:], resume=True, tile=128)"
    with launcher("matplotlib.backends.backend_agg, test_job", call, image, bundle) as runs:
        began = time.perf_counter()
        assert not runs.killed(tmp_path / "whole", 60)
        lasts = time.perf_counter() - began
        whole = contents(tmp_path / "whole")
        for _ in range(40):
            folder = tmp_path / f"killed{len(list(tmp_path.glob('killed*/manifest.json')))}"
            # Starting takes most of the time: half of the moments are counted from a row of tiles.
            row = chance.choice([0, chance.randrange(1, 8)])
            seconds = lasts * chance.random() / (20 if row else 1)
            if runs.killed(folder, seconds, lambda: rows_done(folder) >= row):  # noqa: B023
                rows.append(rows_done(folder))
                found = contents(folder)
                assert found.items() <= whole.items() or "manifest.json" in found
            if len(rows) >= 5 and len(set(rows)) >= 3:
                break
        assert len(rows) >= 5, f"only {len(rows)} predictions were killed"
        assert len(set(rows)) >= 3, f"all of them were killed at rows {set(rows)}"
        assert not runs.killed(folder, 60) or (folder / "manifest.json").exists()
    ends = [path.parent for path in tmp_path.glob("killed*/manifest.json")]
    assert folder in ends
    for end in ends:
        assert contents(end) == whole


def contents(run_path):
    """What a run folder shows to others: every file's bytes; of the manifest all but the times."""
    found = {path.name: path.read_bytes() for path in Path(run_path).glob("[!.]*")}
    if "manifest.json" in found:
        manifest = json.loads(found["manifest.json"])
        found["manifest.json"] = {
            key: value for key, value in manifest.items() if key not in ("created", "finished", "attempts", "timings")
        }
    return found


def rows_done(run_path):
    """Finished rows of tiles that the ledger of an unfinished run names."""
    ledger = Path(run_path) / ".scratch" / "ledger.json"
    return json.loads(ledger.read_text())["next_row"] if ledger.exists() else 0


@pytest.mark.parametrize("stop_after", ["classes.tif", "probabilities.tif"])
def test_killed_between_two_products_nothing_is_lost_or_made_twice(bundle, tmp_path, stop_after, monkeypatch):
    image = write_image(tmp_path / "scene.tif", 600, 300)
    whole = predict_into(tmp_path / "whole", image, bundle)
    close = CogWriter.close

    def dies(self):
        done = close(self)
        if done.name == stop_after:
            raise SystemError("killed here")
        return done

    with monkeypatch.context() as patch, pytest.raises(SystemError):
        patch.setattr(CogWriter, "close", dies)
        predict_into(tmp_path / "run", image, bundle)
    predict_into(tmp_path / "run", image, bundle, resume=True)
    assert contents(tmp_path / "run") == contents(whole.path)


def test_an_image_that_does_not_fit_the_model_is_refused_with_all_that_differs(bundle, tmp_path):
    coarse = write_image(tmp_path / "coarse.tif", 300, 300, resolution=1.0, dtype="uint16")
    with pytest.raises(ContractMismatch, match=r"pixels of 1 m .* 0\.2 m; pixels of type uint16 .* uint8"):
        predict_into(tmp_path / "run", coarse, bundle)


def test_an_image_of_no_data_leaves_no_product(bundle, tmp_path):
    empty = write_image(tmp_path / "empty.tif", 300, 300, fill=0)
    with pytest.raises(NoValidPixels, match="no pixel with data"):
        predict_into(tmp_path / "run", empty, bundle)
    assert not list((tmp_path / "run").glob("*.tif"))


@pytest.mark.parametrize("shape", [(1, 1), (1, 700), (333, 2)])
def test_images_of_any_size_are_mapped(bundle, tmp_path, shape):
    run = predict_into(tmp_path / "run", write_image(tmp_path / "scene.tif", *shape), bundle)
    with rasterio.open(run.path / "classes.tif") as made:
        assert made.shape == shape
        assert (made.read(1) > 0).all()


@pytest.mark.slow
def test_memory_does_not_grow_with_the_height_of_the_image(bundle, tmp_path):
    """Of 12 000 rows more, the network's input alone would take 384 MB.

    One process does both; its heap and GDAL's cache grow until they are full.
    """
    runs = []
    for height in (2_000, 14_000):
        image = write_image(tmp_path / f"{height}.tif", height, 2_000)
        runs.append((str(tmp_path / f"run{height}"), str(image), str(bundle)))
    script = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "import test_job\n"
        "from arpent.testing.memory import peak_memory\n"
        f"for run, image, bundle in {runs!r}:\n"
        "    test_job.predict_into(run, image, bundle, probabilities=False, tile=512)\n"
        "    print(peak_memory())\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    short, tall = map(int, done.stdout.split())
    assert tall - short < 256 * 2**20, (short, tall)


class CountingTask(LandcoverTask):
    """Also writes a line for each tile."""

    def products(self):
        table = Product("tiles", "lines", kind="table", file="lines.csv")
        return [*super().products(), table, Product("places", "lines", kind="table")]

    def infer(self, model, batch):
        tiles = [tile.window for tile in batch["tiles"]]
        grid = self.grid.transform
        points = shapely.points([grid @ (tile.col, tile.row) for tile in tiles])
        columns = {"row": [tile.row for tile in tiles], "geometry": pa.array(shapely.to_wkb(points), pa.binary())}
        return {**super().infer(model, batch), "lines": Rows(pa.table(columns))}


def test_tables_lie_in_the_images_own_system_under_the_name_asked_for(bundle, tmp_path):
    image = write_image(tmp_path / "scene.tif", 300, 300)
    loaded = load_bundle(bundle)
    task = CountingTask(LandcoverSettings(), loaded.contract.classes)
    chosen = PredictSettings(tile=256, runtime="torch", device="cpu")
    with open_image(image, bands=BANDS) as reader, Place(exact=tmp_path / "run").begin("landcover", "a", {}) as run:
        task.grid = reader.grid
        run_job(Job(task, loaded, reader, run, chosen))
        made = run.finish()
    assert len(made.file("tiles").read_text().splitlines()) == 1 + 4
    assert made.file("tiles").name == "lines.csv"
    places = pq.ParquetFile(made.path / "places.parquet")
    assert '"code":2154' in places.metadata.metadata[b"geo"].decode().replace(" ", "")
    assert places.metadata.num_rows == 4
    verify(open_run(made.path))
