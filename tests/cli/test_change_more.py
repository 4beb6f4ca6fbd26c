"""Series, photographs and polygons on the command line."""

import numpy as np
import pyarrow.parquet as pq
import pyogrio
import pytest
from PIL import Image

from arpent.core import Grid, Strip
from arpent.io import CogWriter, RasterSpec
from arpent.store import Place, open_run


def test_a_series_by_the_dates_in_its_names(arpent, dated, colours, tmp_path):
    said = arpent("change", "series", *dated, "-m", colours, "-o", tmp_path / "run", "--runtime", "torch", "--quiet")
    assert said.code == 0, said.err
    assert (tmp_path / "run" / "series_date.tif").exists()
    assert "2024-05-01" in said.out
    metrics = open_run(tmp_path / "run").manifest.metrics
    changed = {name: area for name, area in metrics.items() if name.startswith("changed_m2/")}
    assert max(changed, key=changed.get) == "changed_m2/2024122"


def test_a_pair_with_its_polygons(arpent, dated, colours, tmp_path):
    options = ("-m", colours, "--runtime", "torch", "--polygons", "gpkg", "--threshold", "0.9", "--min-area", "1000")
    said = arpent("change", "pair", dated[0], dated[-1], *options, "-o", tmp_path / "run", "--json")
    assert said.code == 0, said.err
    assert said.document["products"]["change"] == "change.gpkg"
    _, table = pyogrio.read_arrow(tmp_path / "run" / "change.gpkg")
    assert table.num_rows >= 1
    assert min(table["area_m2"].to_pylist()) >= 900
    assert set(table["before_date"].to_pylist()) == {2024032}
    assert set(table["after_date"].to_pylist()) == {2024153}


def test_dates_and_layers_must_be_as_many_as_images(arpent, dated, coloured, colours, tmp_path):
    words = ("change", "series", *dated[:3], "-m", colours, "-o", tmp_path / "run")
    few = arpent(*words, "--dates", "2024001,2024002")
    assert few.code == 2
    assert "a date for each image" in few.err
    layers = arpent(*words, "--quality", dated[0], "--quality", dated[1])
    assert layers.code == 2
    assert "a quality layer for each image" in layers.err
    nameless = arpent(*words[:2], *(coloured(tmp_path / f"{n}.tif", False) for n in "abc"), *words[5:])
    assert nameless.code == 2
    assert "a.tif is not known" in nameless.err
    assert not (tmp_path / "run").exists()


def test_photographs(arpent, colours, tmp_path):
    rng = np.random.default_rng(0)
    for name, size in (("a", (60, 40)), ("b", (60, 40)), ("c", (50, 30))):
        Image.fromarray(rng.integers(0, 255, (*size[::-1], 3)).astype("uint8")).save(tmp_path / f"{name}.jpg")
    a, b, c = (tmp_path / f"{name}.jpg" for name in "abc")
    options = ("-m", colours, "--runtime", "torch")
    said = arpent("change", "photo", a, b, *options, "-o", tmp_path / "run", "--set", "threshold=0.9", "--json")
    assert said.code == 0, said.err
    assert (tmp_path / "run" / "overlay.png").exists()
    assert 0 <= said.document["metrics"]["changed_share"] <= 1
    other = arpent("change", "photo", a, c, *options, "-o", tmp_path / "other")
    assert other.code == 2
    assert "--fit" in other.err
    assert arpent("change", "photo", a, c, *options, "-o", tmp_path / "other", "--force", "--fit").code == 0
    lacking = arpent("change", "photo", a, b)
    assert lacking.code == 2
    assert "two pictures and a model" in lacking.err


def test_polygons_of_a_run(arpent, tmp_path):
    cosine = np.full((1, 40, 30), 0.95, np.float32)
    cosine[:, 5:15, 5:25] = 0.2
    grid = Grid.north_up(500_000, 5_000_000, 10, 40, 30, "EPSG:32631")
    with Place(exact=tmp_path / "pair").begin("change", "pair", {}) as run:
        with CogWriter(run.scratch / "cosine_map.tif", RasterSpec(grid, ("cosine",), "float32", -100)) as writer:
            writer.write(Strip(0, cosine))
        run.publish(run.scratch / "cosine_map.tif", kind="raster")
        run.finish()
    words = ("change", "polygons", tmp_path / "pair", "--min-area", "500")
    said = arpent(*words, "-o", tmp_path / "polygons", "--json")
    assert said.code == 0, said.err
    assert said.document["changes"] == {"change": 1}
    row = pq.read_table(tmp_path / "polygons" / "change.parquet").to_pylist()[0]
    assert row["pixels"] == 200
    assert row["area_m2"] == pytest.approx(20_000, rel=2e-3)
    assert arpent(*words, "-o", tmp_path / "gpkg", "--form", "gpkg").code == 0
    assert pyogrio.read_info(tmp_path / "gpkg" / "change.gpkg")["features"] == 1
    assert arpent("change", "polygons", tmp_path / "nowhere").code == 3
