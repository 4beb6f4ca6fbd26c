"""Several shifted predictions become one, pixel by pixel."""

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from odc.geo import CRS

from arpent.core import Grid, Strip
from arpent.io import CogWriter, RasterSpec
from arpent.store import RunFolder
from arpent.tasks.change.shifts import fold_shifts

EMPTY = -100.0


def publish(run, name, values, shift, dtype="float32", nodata=EMPTY, scale=1):
    """A product of a prediction whose tiles begin `shift` pixels further down and to the right."""
    pixel = 30.0 * scale
    origin = Affine(pixel, 0, 400_000 + 30.0 * shift, 0, -pixel, 5_000_000 - 30.0 * shift)
    spec = RasterSpec(
        Grid(*values.shape[1:], origin, CRS("EPSG:32618")), ("a", "b")[: len(values)], dtype, nodata=nodata
    )
    writer = CogWriter(run.scratch / f"{name}.tif", spec)
    writer.write(Strip(0, values.astype(dtype)))
    writer.close()
    run.publish(run.scratch / f"{name}.tif", kind="raster", name=name)


def read(run, name):
    with rasterio.open(run.path / f"{name}.tif") as file:
        return file.read()


@pytest.fixture
def begin(tmp_path_factory):
    return lambda: RunFolder.create(tmp_path_factory.mktemp("run") / "run", "change", "test", exact=True)


def plain(cosines, layers, shifts):
    """The rule as it is told: the first of the highest cosines chooses; where there is none, the first of all."""
    height, width = cosines[0].shape[1:]
    made = np.empty_like(layers[0])
    for row in range(height):
        for col in range(width):
            best, value = 0, -np.inf
            for number, shift in enumerate(shifts):
                if row >= shift and col >= shift:
                    seen = cosines[number][0, row - shift, col - shift]
                    if seen != EMPTY and seen > value:
                        best, value = number, seen
            made[:, row, col] = layers[best][:, row - shifts[best], col - shifts[best]]
    return made


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_every_layer_follows_the_highest_cosine(begin, data):
    height, width = data.draw(st.integers(9, 40)), data.draw(st.integers(9, 40))
    shifts = [0, 4, 8][: data.draw(st.integers(2, 3))]
    random = np.random.default_rng(data.draw(st.integers(0, 99)))
    cosines, dates, pictures = [], [], []
    with begin() as run:
        single = run.aside(run.scratch / "single")
        for number, shift in enumerate(shifts):
            shape = (1, height - shift, width - shift)
            cosine = random.choice([EMPTY, -0.5, 0.25, 0.5, 1.0], shape).astype(np.float32)
            date = np.where(cosine == EMPTY, EMPTY, 2023000 + number).astype(np.int32)
            picture = random.integers(0, 9, (2, *shape[1:])).astype(np.int16)
            publish(single, f"cosine_map!x!{shift}", cosine, shift)
            publish(single, f"before_date!x!{shift}", date, shift, "int32")
            publish(single, f"infer_0!x!{shift}", picture, shift, "int16", -9999)
            cosines.append(cosine), dates.append(date), pictures.append(picture)
        (single.path / "feature_maps_0!x!0.csv").write_text("x")
        single.publish(single.path / "feature_maps_0!x!0.csv", kind="table", name="t!x!0")
        fold_shifts(run, single, "!x", [f"!x!{shift}" for shift in shifts])
        assert {"cosine_map!x", "before_date!x", "infer_0!x", "t!x"} <= set(run.published)
        finished = run.finish()
    assert np.array_equal(read(finished, "cosine_map!x"), plain(cosines, cosines, shifts))
    assert np.array_equal(read(finished, "before_date!x"), plain(cosines, dates, shifts))
    assert np.array_equal(read(finished, "infer_0!x"), plain(cosines, pictures, shifts))
    assert (finished.path / "feature_maps_0!x.csv").read_text() == "x"


def test_maps_of_any_shape_keep_it(begin):
    with begin() as run:
        single = run.aside(run.scratch / "single")
        for shift in (0, 64):
            publish(single, f"cosine_map!p!{shift}", np.full((1, 300 - shift, 120 - shift), 0.5), shift)
        fold_shifts(run, single, "!p", ["!p!0", "!p!64"])
        assert read(run, "cosine_map!p").shape == (1, 300, 120)


def test_coarse_maps_are_laid_where_they_belong(begin):
    with begin() as run:
        single = run.aside(run.scratch / "single")
        publish(single, "cosine_map!p!0", np.full((1, 10, 10), 0.5), 0, scale=16)
        publish(single, "cosine_map!p!64", np.full((1, 6, 6), 0.75), 64, scale=16)
        fold_shifts(run, single, "!p", ["!p!0", "!p!64"])
        made = read(run, "cosine_map!p")[0]
    assert (made[4:, 4:] == 0.75).all()
    assert (made[:4] == 0.5).all()
    assert (made[:, :4] == 0.5).all()
