"""What is known beside the pixels: FLAIR's formulas written out, missing values, any size, every runtime."""

import math
from datetime import date, time

import numpy as np
import pytest
import torch

from arpent.core import Contract, sensor
from arpent.errors import InvalidSetting, UnknownSetting
from arpent.models import Acquisition, Bundle, MetadataSettings, build, export, load_bundle, save_bundle
from arpent.models.metadata import MetadataBranch, Told, encode

BREST, BASTIA = (-4.49, 48.39), (9.45, 42.70)
FULL = Acquisition(2.35, 48.85, 120.0, "bd-ortho", date(2020, 7, 14), time(10, 30))
EARTH = MetadataSettings(cameras=("bd-ortho", "pleiades-neo"))
FLAIR = MetadataSettings(encoding="flair-compat")
SMALL = {"channels": 4, "classes": 3, "widths": [4, 8], "metadata": {"cameras": ["bd-ortho"]}}


def waves(angle):
    return [math.sin(angle), math.cos(angle)]


def test_the_encoding_of_flair_is_that_of_its_formulas():
    """Written out once more from the description, number by number; Lambert-93 has its middle at 700 000, 6 600 000."""
    known = Acquisition(3.0, 46.5, 1582.45495605, "UCE-M3-f100-s06", date(2019, 4, 15), time(9, 0))
    values = encode(known, FLAIR)
    place = []
    for metres in (700_000, 6_600_000):
        for k in range(8):
            place += waves(metres / 10e7 / 10e7 ** (2 * k / 16))
    assert values[:32] == pytest.approx(place, abs=1e-6)
    assert values[32] == pytest.approx(0.5)
    assert list(values[33:35]) == [1, 0]
    assert list(values[35:39]) == [0, 1, 0, 0]
    cycles = [*waves(2 * math.pi * (4 - 1 / 12)), *waves(2 * math.pi * 15 / 31), *waves(2 * math.pi * 9 / 24)]
    assert values[39:45] == pytest.approx([(wave + 1) / 2 for wave in cycles], abs=1e-6)
    assert list(values[45:]) == [1] * 5


def test_the_known_defects_of_flair_are_kept():
    months = [encode(Acquisition(day=date(2020, m, 3)), FLAIR)[39:41] for m in range(1, 13)]
    assert np.ptp(months, axis=0) == pytest.approx(0, abs=1e-6)
    assert months[0] == pytest.approx([0.25, (math.cos(-math.pi / 6) + 1) / 2], abs=1e-6)
    west, east = (encode(Acquisition(*where), FLAIR)[:32] for where in (BREST, BASTIA))
    assert np.abs(west - east).max() < 0.012


def test_our_own_tells_places_and_seasons_apart():
    west, east = (encode(Acquisition(*where), EARTH)[:32] for where in (BREST, BASTIA))
    assert np.abs(west - east).max() > 0.5
    seasons = np.array([encode(Acquisition(day=date(2020, m, 3)), EARTH)[35:37] for m in range(1, 13)])
    apart = np.linalg.norm(seasons[:, None] - seasons[None], axis=-1)
    assert apart[~np.eye(12, dtype=bool)].min() > 0.4


def test_what_is_missing_is_said():
    values = encode(Acquisition(), EARTH)
    assert not values.any()
    full = encode(FULL, EARTH)
    assert full.shape == values.shape == (32 + 1 + 2 + 3 + 2 + 5,)
    assert list(full[-5:]) == [1] * 5
    assert list(full[33:35]) == [1, 0]
    assert list(encode(Acquisition(camera="other", latitude=3.0), EARTH)[-5:]) == [0] * 5
    assert encode(FULL, MetadataSettings()).shape == (32 + 1 + 3 + 2 + 4,)


def shaken(network, seed=0):
    """A network whose branch says something: its last layer begins as nought."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in network.named_parameters():
        if name.startswith("metadata"):
            parameter.data = torch.randn(parameter.shape, generator=generator)
    return network.eval()


def test_a_branch_begins_by_changing_nothing_and_without_it_a_network_is_what_it_was():
    torch.manual_seed(1)
    plain = build("unet", {key: value for key, value in SMALL.items() if key != "metadata"}).eval()
    torch.manual_seed(1)
    told = build("unet", SMALL).eval()
    assert {name for name in told.state_dict() if name not in plain.state_dict()} == {
        name for name in told.state_dict() if name.startswith("metadata.")
    }
    told.load_state_dict(plain.state_dict(), strict=False)
    images = torch.randn(2, 4, 16, 16)
    settings = MetadataSettings(**SMALL["metadata"])
    known = torch.from_numpy(np.stack([encode(FULL, settings), encode(Acquisition(), settings)]))
    with torch.inference_mode():
        assert torch.equal(plain(images), told(images))
        assert torch.equal(plain(images), told(images, known))
    with pytest.raises(TypeError):
        plain(images, known, known)
    assert plain.metadata is None


@pytest.mark.parametrize("size", [(16, 16), (8, 24), (64, 32)])
def test_every_size_and_each_image_of_a_batch_is_told_its_own(size):
    network = shaken(build("unet", SMALL))
    settings = MetadataSettings(**SMALL["metadata"])
    known = torch.from_numpy(np.stack([encode(FULL, settings), encode(Acquisition(*BREST), settings)]))
    images = torch.randn(2, 4, *size)
    with torch.inference_mode():
        both = network(images, known)
        each = [network(images[k : k + 1], known[k : k + 1]) for k in range(2)]
        missing = network(images)
        nothing = network(images, torch.zeros_like(known))
    assert both.shape == (2, 3, *size)
    assert torch.allclose(both, torch.cat(each), atol=1e-5)
    assert not torch.allclose(both[0], missing[0], atol=1e-3)
    assert torch.allclose(missing, nothing, atol=1e-6)


def test_what_stands_for_missing_values_is_learnt_though_all_are_known():
    torch.manual_seed(0)
    branch = MetadataBranch(MetadataSettings(forget=0.5, dropout=0.0), 6)
    torch.nn.init.normal_(branch.layers[-1].weight)
    known = torch.from_numpy(np.stack([encode(FULL, MetadataSettings(forget=0.5))] * 16))
    branch(torch.zeros(16, 6, 2, 2), known).sum().backward()
    assert (branch.missing.grad != 0).any()
    branch.eval()
    branch.zero_grad()
    branch(torch.zeros(16, 6, 2, 2), known).sum().backward()
    assert (branch.missing.grad == 0).all()


def test_smp_networks_have_it_too():
    settings = {"channels": 4, "classes": 3, "decoder_widths": [32, 16, 8], "encoder": "resnet18"}
    plain = build("smp-unet", settings).eval()
    told = build("smp-unet", {**settings, "metadata": {}}).eval()
    told.load_state_dict(plain.state_dict(), strict=False)
    images = torch.randn(2, 4, 32, 64)
    with torch.inference_mode():
        assert torch.equal(plain(images), told(images))
        known = torch.from_numpy(encode(FULL, MetadataSettings()))[None]
        assert torch.equal(plain(images), told(images, known))
        assert not torch.allclose(shaken(told)(images, known), plain(images), atol=1e-3)


def bundle_of(network):
    contract = Contract(
        task="landcover", architecture="unet", settings=SMALL, bands=sensor("bd-ortho").bands, arpent="test"
    )
    return Bundle(network, contract)


def test_bundles_keep_it(tmp_path):
    network = shaken(build("unet", SMALL))
    again = load_bundle(save_bundle(tmp_path / "a.safetensors", network, bundle_of(network).contract)).model
    known = torch.from_numpy(encode(FULL, MetadataSettings(**SMALL["metadata"])))[None]
    images = torch.randn(1, 4, 16, 16)
    with torch.inference_mode():
        assert torch.equal(network(images, known), again(images, known))


@pytest.mark.requires("openvino")
def test_openvino_and_onnx_answer_alike(tmp_path):
    """On OpenVINO it is a second input, or folded in for one image; exports are those for an image of no knowledge."""
    ort = pytest.importorskip("onnxruntime")
    from arpent.engine import start_network

    network = shaken(build("unet", SMALL))
    values = encode(FULL, MetadataSettings(**SMALL["metadata"]))
    known, images = torch.from_numpy(values)[None], torch.randn(2, 4, 32, 32)
    with torch.inference_mode():
        expected, without = network(images, known.expand(2, -1)), network(images)
    second = start_network(network, "openvino", "cpu", fixed=True)(images, known.expand(2, -1))
    folded = start_network(Told(network, values).eval(), "openvino", "cpu")(images)
    assert torch.allclose(second, expected, atol=1e-4)
    assert torch.allclose(folded, expected, atol=1e-4)
    file = export(bundle_of(network), tmp_path / "a.onnx", "onnx")
    (answer,) = ort.InferenceSession(str(file), providers=["CPUExecutionProvider"]).run(
        None, {"images": images.numpy()}
    )
    assert answer == pytest.approx(without.numpy(), abs=1e-4)


def test_its_settings_are_closed():
    with pytest.raises(UnknownSetting, match="encoding"):
        build("unet", {**SMALL, "metadata": {"encodings": "earth"}})
    with pytest.raises(InvalidSetting, match="flair-compat"):
        build("unet", {**SMALL, "metadata": {"encoding": "flair"}})
