"""One encoding of a scene for all of its parcels, held against the network run plainly and loops over pixels."""

import datetime as dt
from dataclasses import dataclass

import numpy as np
import pytest
import shapely
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from arpent.core import Grid, Raster, Window
from arpent.engine import OpenVinoNetwork
from arpent.errors import ContractMismatch
from arpent.io.vectors import vector_width
from arpent.models import published_model
from arpent.tasks.describe.embedding_table import encoder_of, vectors_of, visual_of
from arpent.tasks.describe.encoding import Encoder, visual_tokens
from arpent.tasks.describe.encoding_work import Encoding
from arpent.tasks.describe.layouts import BANDS
from arpent.tasks.describe.parcels import Field, Fields, lay, squares
from arpent.tasks.describe.scene_plan import EncodedScene, Tiling

CRS = "EPSG:32631"


@dataclass(frozen=True)
class ArrayScene:
    """A scene in memory, as `describe.scenes` opens them."""

    pixels: np.ndarray
    valid: np.ndarray
    bands: tuple = BANDS
    name: str = "country"
    taken: dt.date = dt.date(2022, 6, 1)
    place: str = "T31TDG"
    metres: float = 10.0

    @classmethod
    def random(cls, height, width, seed=0, **facts):
        rng = np.random.default_rng(seed)
        coarse = rng.uniform(0, 6000, (12, -(-height // 5), -(-width // 5))).repeat(5, 1).repeat(5, 2)
        pixels = coarse[:, :height, :width].astype(np.float32)
        return cls(pixels, rng.random((height, width)) < 0.9, **facts)

    @property
    def grid(self):
        return Grid.north_up(500_000, 4_690_000, self.metres, *self.valid.shape, CRS)

    def read(self, window):
        return Raster(
            self.pixels[(slice(None), *window.slices)],
            self.valid[window.slices],
            self.grid.crop(window),
            self.bands,
        )


@pytest.fixture(scope="module")
def encoder():
    return Encoder.open("croma-tiny", random_init=True, device="cpu")


def plain_tokens(encoder, scene, window):
    """Tokens ``(rows, cols, width)`` of a window, by the formula of the published normalisation."""
    images = published_model("croma-base").images
    mean, std = (np.array(part)[:, None, None] for part in (images.mean, images.std))
    pixels = np.where(scene.valid[window.slices], scene.pixels[(slice(None), *window.slices)], np.nan)
    unit = np.nan_to_num(np.clip((pixels - mean) / std, 0, 1), nan=0.5)
    rows, cols = -(-window.height // 8), -(-window.width // 8)
    padded = np.full((12, rows * 8, cols * 8), 0.5)
    padded[:, : window.height, : window.width] = unit
    with torch.inference_mode():
        out = encoder.network_module(torch.from_numpy(padded[None].astype(np.float32)))
    return out.optical[0].reshape(rows, cols, -1).numpy(), out.optical_pooled[0].numpy()


def test_a_whole_image_of_one_tile_has_cromas_own_embedding(encoder):
    scene = ArrayScene.random(120, 120)
    scene = ArrayScene(scene.pixels, np.ones((120, 120), bool))
    table = encoder.encode(scene, squares(scene.grid, 0, "country"))
    tokens, pooled = plain_tokens(encoder, scene, scene.grid.window)
    assert vectors_of(table)[0] == pytest.approx(pooled, abs=1e-5)
    assert visual_of(table)[0] == pytest.approx(visual_tokens(tokens, scene.valid), abs=2e-3)  # halves
    assert vector_width(table.schema, "visual") == 25 * 256 and table["parcel"].to_pylist() == ["country"]
    assert table["taken"].to_pylist() == [dt.date(2022, 6, 1)] and table["place"].to_pylist() == ["T31TDG"]
    assert encoder_of(table.schema).pooling == "gap"


@pytest.mark.parametrize("size", [(64, 64), (40, 100), (33, 21), (2, 5)])
def test_small_images_of_any_size_are_seen_as_they_are(encoder, size):
    scene = ArrayScene.random(*size)
    table = encoder.encode(scene, squares(scene.grid, 0), cells=4)
    tokens, _ = plain_tokens(encoder, scene, scene.grid.window)
    assert visual_of(table)[0] == pytest.approx(visual_tokens(tokens, scene.valid, 4), abs=2e-3)
    assert table["valid"].to_pylist() == [pytest.approx(scene.valid.mean())]


def test_a_parcel_is_the_masked_mean_of_its_patches(encoder):
    """A triangle across the border of two tiles, held against the tokens of both."""
    scene = ArrayScene.random(120, 240, seed=3)
    grid = scene.grid
    triangle = shapely.Polygon([(500_900, 4_689_900), (501_600, 4_689_400), (501_000, 4_688_850)])
    parcels = lay(Fields((Field("field", triangle),), CRS), grid)
    table = encoder.encode(scene, parcels)
    mask = parcels.items[0].mask(grid.window) & scene.valid
    halves = [plain_tokens(encoder, scene, Window(0, col, 120, 120))[0] for col in (0, 120)]
    tokens = np.concatenate(halves, axis=1)
    counts = mask.reshape(15, 8, 30, 8).sum((1, 3))
    expected = (tokens * counts[..., None]).sum((0, 1)) / counts.sum()
    assert counts[:, :15].sum() > 500 < counts[:, 15:].sum()
    assert vectors_of(table)[0] == pytest.approx(expected, abs=1e-5)
    assert encoder_of(table.schema).pooling == "mean"
    assert table["valid"].to_pylist()[0] == pytest.approx(mask.sum() / parcels.items[0].pixels)
    assert shapely.from_wkb(table["geometry"].to_pylist()[0]).centroid.x == pytest.approx(3.0142, abs=1e-4)


def test_five_hundred_parcels_share_one_encoding(encoder, monkeypatch):
    scene = ArrayScene.random(300, 300)
    rng = np.random.default_rng(1)
    corners = zip(rng.uniform(500_000, 502_800, 500), rng.uniform(4_687_200, 4_689_900, 500), strict=True)
    fields = tuple(Field(f"p{n}", shapely.box(x, y, x + 150, y + 90)) for n, (x, y) in enumerate(corners))
    parcels = lay(Fields(fields, CRS), scene.grid)
    seen = []
    tokens = Encoder.tokens
    monkeypatch.setattr(Encoder, "tokens", lambda self, images: seen.append(len(images)) or tokens(self, images))
    table = encoder.encode(scene, parcels, batch_size=4)
    assert sum(seen) == 9 and max(seen) == 4
    assert table["parcel"].to_pylist() == [parcel.name for parcel in parcels.items]
    assert np.isfinite(vectors_of(table)).all()
    alone = encoder.encode(scene, lay(Fields(fields[7:8], CRS), scene.grid))
    among = table.filter(table["parcel"].to_numpy() == "p7")
    assert vectors_of(alone)[0] == pytest.approx(vectors_of(among)[0], abs=1e-5)


@settings(deadline=None, max_examples=15)
@given(
    st.integers(1, 260),
    st.integers(1, 260),
    st.sampled_from([8, 40, 120]),
    st.sampled_from([0, 8]),
    st.integers(25, 90),
)
def test_tiles_partition_the_patches_of_every_size(height, width, size, halo, chip):
    grid = Grid.north_up(0, 0, 10, height, width, CRS)
    tiling = Tiling(size, halo)
    plan = tiling.plan(grid, 8)
    owned = np.zeros((-(-height // 8), -(-width // 8)), int)
    for tile in plan:
        assert tile.core in tile.window
        assert tile.window.row % 8 == tile.window.col % 8 == tile.core.row % 8 == tile.core.col % 8 == 0
        assert max(tile.window.shape) <= max(size, 2 * halo + 8)
        core = tile.core.coarsened(8)
        owned[core.slices] += 1
    assert (owned == 1).all()
    blank = ArrayScene(np.zeros((12, height, width)), np.ones((height, width), bool))
    scene = EncodedScene.of(blank, squares(grid, chip), tiling, 8)
    covered = [np.zeros(parcel.window.shape, int) for parcel in scene.parcels]
    for tile, near in scene.tiles:
        for number in near:
            shared = scene.parcels[number].window.intersect(tile.core)
            covered[number][shared.relative_to(scene.parcels[number].window).slices] += 1
    assert all((own == 1).all() for own in covered)


def test_what_is_not_valid_does_not_count(encoder):
    scene = ArrayScene.random(48, 96)
    scene.valid[:, :48] = False
    dirty = ArrayScene(np.where(scene.valid, scene.pixels, np.nan).astype(np.float32), scene.valid)
    table = encoder.encode(dirty, squares(scene.grid, 48))
    assert table["valid"].to_pylist()[0] == 0 < table["valid"].to_pylist()[1]
    assert table["embedding"].is_valid().to_pylist() == table["visual"].is_valid().to_pylist() == [False, True]
    assert np.isnan(vectors_of(table)[0]).all() and np.isnan(visual_of(table)[0]).all()
    assert np.isfinite(vectors_of(table)[1]).all() and np.isfinite(visual_of(table)[1]).all()


def test_a_scene_that_does_not_fit_is_refused_with_all_that_differs(encoder):
    scene = ArrayScene.random(40, 40, metres=30.0)
    fewer = ArrayScene(scene.pixels[:10], scene.valid, BANDS[:10], metres=30.0)
    with pytest.raises(ContractMismatch, match=r"bands B11, B12 are missing .*30 m where .* 10 m"):
        encoder.encode(fewer, squares(scene.grid, 0))


def test_bands_are_taken_by_name(encoder):
    scene = ArrayScene.random(40, 40)
    turned = ArrayScene(scene.pixels[::-1], scene.valid, BANDS[::-1])
    parcels = squares(scene.grid, 20)
    assert np.array_equal(vectors_of(encoder.encode(turned, parcels)), vectors_of(encoder.encode(scene, parcels)))


def test_few_parcels_are_open_at_a_time(encoder):
    """What is held does not depend on the height of the scene."""
    scene = ArrayScene.random(1200, 120)
    tiling = Tiling(40)
    planned = EncodedScene.of(scene, squares(scene.grid, 30), tiling, 8)
    work = Encoding(encoder, [planned], tiling, lambda number: scene)
    most = 0
    for item in work.items:
        work.rows([work.prepare(item)])
        most = max(most, len(work.state()["keys"]))
    assert len(planned.parcels) == 160 and most <= 9
    assert not len(work.state()["keys"])


def test_what_is_kept_goes_on_to_the_same_rows(encoder):
    scene = ArrayScene.random(200, 200)
    tiling = Tiling(80)
    planned = EncodedScene.of(scene, squares(scene.grid, 70), tiling, 8)
    whole = Encoding(encoder, [planned], tiling, lambda number: scene)
    expected = [whole.rows([whole.prepare(item)]) for item in whole.items]
    for stop in range(1, len(whole.items)):
        first, second = (Encoding(encoder, [planned], tiling, lambda number: scene) for _ in range(2))
        for item in first.items[:stop]:
            first.rows([first.prepare(item)])
        second.restore(first.state())
        assert [second.rows([second.prepare(item)]) for item in second.items[stop:]] == expected[stop:]


def test_runtimes_and_precisions_agree(encoder):
    scene = ArrayScene.random(64, 64)
    parcels = squares(scene.grid, 32)
    exact = vectors_of(encoder.encode(scene, parcels))
    other = Encoder.open("croma-tiny", random_init=True, runtime="openvino", device="cpu")
    assert isinstance(other.start(), OpenVinoNetwork)
    assert vectors_of(other.encode(scene, parcels)) == pytest.approx(exact, abs=1e-4)
    reduced = Encoder.open("croma-tiny", random_init=True, device="cpu", precision="bf16")
    assert vectors_of(reduced.encode(scene, parcels)) == pytest.approx(exact, abs=0.05)


def test_the_seed_decides_random_weights(encoder):
    scene = ArrayScene.random(16, 16)
    again = Encoder.open("croma-tiny", random_init=True, device="cpu")
    other = Encoder.open("croma-tiny", random_init=True, seed=1, device="cpu")
    one, two, three = (vectors_of(each.encode(scene, squares(scene.grid, 0))) for each in (encoder, again, other))
    assert np.array_equal(one, two) and not np.allclose(one, three, atol=1e-3)
    assert encoder.random and encoder.identity == again.identity != other.identity
