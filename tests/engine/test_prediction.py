import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from arpent.engine import Ledger, PredictOptions, PredictSettings, Product, TorchNetwork, predict
from arpent.engine.ledger import Progressed
from arpent.errors import Interrupted, InvalidSetting, NoValidPixels, RunDamaged
from arpent.models import UNetSettings, build, tile_needs
from arpent.testing.tile_shapes import tile_shapes
from arpent.testing.toys import ArrayImage, ArraySink, Blur, as_floats
from arpent.tiling import TilePlan, TileShape

identity = torch.nn.Identity()


def floats(name="value", **more):
    return Product(name, "map", channels=2, bands=("a", "b"), nodata=-1.0, **more)


@settings(max_examples=40)
@given(
    height=st.integers(1, 200), width=st.integers(1, 200), shape=tile_shapes(), seed=st.integers(0, 99), data=st.data()
)
def test_an_identity_model_gives_back_float_and_integer_images(
    toy_task, run_in_memory, height, width, shape, seed, data
):
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 4096, (2, height, width)).astype(np.uint16)
    valid = rng.random((height, width)) > 0.3
    valid[rng.integers(height), rng.integers(width)] = True
    bands = {"bands": ("a", "b"), "channels": 2}
    task = toy_task(
        (
            floats("mixed"),
            Product("numbers", "map", dtype="uint16", nodata=65535, **bands),
            Product("codes", "map", dtype="uint16", nodata=65535, merge="centre", **bands),
        )
    )
    out = run_in_memory(task, identity, pixels, valid, shape=shape, batch_size=data.draw(st.integers(1, 5)))
    expected = np.where(valid, pixels, 65535)
    assert (out["numbers"] == expected).all()
    assert (out["codes"] == expected).all()
    np.testing.assert_allclose(out["mixed"], np.where(valid, pixels, -1.0), rtol=3e-6)


@pytest.mark.parametrize("side", [1, 7, 64, 150, 333])
def test_tiles_give_what_the_whole_image_gives(toy_task, run_in_memory, side):
    """With a halo of the receptive field and tiles that start at multiples of the stride, the two are equal."""
    model = Blur(channels=2, depth=3).eval()
    pixels = np.random.default_rng(side).normal(size=(2, side, 2 * side)).astype(np.float32)
    shape = TileShape(size=64, ring=4, halo=model.receptive_field, align=model.stride)
    out = run_in_memory(toy_task((floats(),)), model, pixels, shape=shape)["value"]
    even = np.pad(pixels, ((0, 0), (0, side % 2), (0, 0)), mode="reflect" if side > 1 else "edge")
    with torch.inference_mode():
        whole = model(torch.from_numpy(even)[None])[0].numpy()[:, :side]
    np.testing.assert_allclose(out, whole, atol=2e-6)


@pytest.mark.parametrize(("height", "width"), [(200, 330), (403, 150)])
def test_the_network_of_the_demo_gives_in_tiles_what_it_gives_for_the_whole_image(
    toy_task, run_in_memory, height, width
):
    """The U-Net with its stride, and its receptive field as the halo: scores differ in the last bits alone."""
    torch.manual_seed(3)
    shape = UNetSettings(channels=2, classes=5)
    model, needs = build("unet", shape).eval(), tile_needs("unet", shape)
    pixels = np.random.default_rng(height).normal(size=(2, height, width)).astype(np.float32)
    product = Product("scores", "map", channels=5, bands=tuple("abcde"))
    tiles = PredictSettings(tile=160, ring=4, halo=needs.receptive_field).shape(needs.stride)
    found = run_in_memory(toy_task((product,)), model, pixels, shape=tiles)["scores"]
    padded = np.pad(pixels, ((0, 0), (0, -height % needs.stride), (0, -width % needs.stride)), mode="reflect")
    with torch.inference_mode():
        whole = model(torch.from_numpy(padded)[None])[0].numpy()[:, :height, :width]
    np.testing.assert_allclose(found, whole, atol=1e-5 * np.abs(whole).max())
    assert len(TilePlan.of(height, width, tiles)) >= 7


def test_a_halo_that_is_too_small_shows(toy_task, run_in_memory):
    """The test above can fail: without its halo the network sees the rims of tiles."""
    model = Blur(channels=2, depth=3).eval()
    pixels = np.random.default_rng(0).normal(size=(2, 150, 150)).astype(np.float32)
    out = run_in_memory(toy_task((floats(),)), model, pixels, shape=TileShape(size=64, ring=0, halo=0, align=2))
    with torch.inference_mode():
        whole = model(torch.from_numpy(pixels)[None])[0].numpy()
    assert np.abs(out["value"] - whole).max() > 0.01


def test_a_coarser_product_has_its_own_grid(toy_task, run_in_memory):
    pixels = np.arange(90 * 70, dtype=np.float32).reshape(1, 90, 70)
    valid = np.ones((90, 70), bool)
    valid[:8, :8] = False
    pool = torch.nn.AvgPool2d(4)
    product = Product("coarse", "map", scale=4, nodata=-9.0)
    shape = TileShape(size=32, ring=4, halo=4, align=8, quantum=4)
    out = run_in_memory(toy_task((product,)), pool, pixels, valid, shape=shape)["coarse"]
    assert out.shape == (1, 23, 18)
    assert (out[0, :2, :2] == -9).all()
    full = pixels[0, :88, :68].reshape(22, 4, 17, 4).mean((1, 3))
    np.testing.assert_allclose(out[0, 2:22, 2:17], full[2:, 2:], rtol=1e-6)
    assert (out[0, 22, 2:] > 0).all()
    assert (out[0, 2:, 17] > 0).all()


def test_tiles_without_data_never_reach_the_network(toy_task, run_in_memory):
    seen = []

    class Spy(torch.nn.Identity):
        def forward(self, image):
            seen.append(image.shape[0])
            return super().forward(image)

    pixels = np.ones((2, 64, 640), np.float32)
    valid = np.zeros((64, 640), bool)
    valid[10, 500] = True
    out = run_in_memory(toy_task((floats(),)), Spy(), pixels, valid, shape=TileShape(size=64, ring=0, halo=0, align=8))
    assert sum(seen) == 1
    assert (out["value"][:, 10, 500] == 1).all()
    assert (out["value"] == -1).sum() == out["value"].size - 2


def test_an_image_without_any_data_is_an_error(toy_task, run_in_memory, small_tiles):
    with pytest.raises(NoValidPixels, match="toy image has no pixel with data"):
        run_in_memory(toy_task((floats(),)), identity, np.ones((2, 9, 9)), np.zeros((9, 9), bool), shape=small_tiles)


@pytest.mark.parametrize(
    ("product", "message"),
    [
        (Product("x", "nothing", channels=2, bands=("a", "b")), "without a map called 'nothing'"),
        (Product("x", "map", channels=3, bands=("a", "b", "c")), "wrong shape"),
        (Product("x", "map", channels=2), "wrong number of bands"),
        (Product("x", "map", kind="table"), "without rows"),
    ],
)
def test_a_task_that_breaks_its_word_is_told_how(toy_task, run_in_memory, small_tiles, product, message):
    with pytest.raises(InvalidSetting, match=message):
        run_in_memory(toy_task((product,)), identity, np.ones((2, 50, 50)), shape=small_tiles)


def test_ctrl_c_keeps_what_is_finished_and_says_how_to_go_on(toy_task, tmp_path, small_tiles):
    pixels = np.ones((2, 300, 40), np.float32)

    class Stop(torch.nn.Identity):
        calls = 0

        def forward(self, image):
            self.calls += 1
            if self.calls == 4:
                raise KeyboardInterrupt
            return super().forward(image)

    def run(model, sink):
        return predict(
            toy_task((floats(),)),
            TorchNetwork(model, torch.device("cpu")),
            ArrayImage(pixels, np.ones((300, 40), bool)),
            as_floats,
            shape=small_tiles,
            sinks=lambda product, state: sink,
            ledger=Ledger(tmp_path),
            options=PredictOptions(batch_size=1, fingerprint="same"),
        )

    first, second = ArraySink(), ArraySink()
    with pytest.raises(Interrupted, match="--resume"):
        run(Stop(), first)
    second.strips = list(first.strips)
    assert first.strips
    done = run(identity, second)
    assert done.tiles < 300 // 24 + 1
    assert (second.result == 1).all()
    assert second.result.shape == (2, 300, 40)


def test_a_ledger_of_another_run_is_refused(toy_task, tmp_path, small_tiles):
    def run(fingerprint):
        predict(
            toy_task((floats(),)),
            TorchNetwork(identity, torch.device("cpu")),
            ArrayImage(np.ones((2, 9, 9)), np.ones((9, 9), bool)),
            as_floats,
            shape=small_tiles,
            sinks=lambda product, state: ArraySink(),
            ledger=Ledger(tmp_path),
            options=PredictOptions(fingerprint=fingerprint),
        )

    run("one")
    with pytest.raises(InvalidSetting, match="other inputs, model or settings"):
        run("two")


def test_what_a_ledger_needs_and_has_lost_is_named(tmp_path):
    ledger = Ledger(tmp_path)
    ledger.write(Progressed("run", next_row=3), {"seam": np.arange(900.0)})
    done = ledger.read("run")
    assert ledger.arrays(done)["seam"].tolist() == list(range(900))
    file = tmp_path / done.arrays
    for content in (b"", b"PK\3\4", file.read_bytes()[:200], file.read_bytes().replace(b"\x40", b"\x41")):
        file.write_bytes(content)
        with pytest.raises(RunDamaged, match=r"row-3\.npz cannot be read"):
            ledger.arrays(done)
    file.unlink()
    with pytest.raises(RunDamaged, match="No such file"):
        ledger.arrays(done)
