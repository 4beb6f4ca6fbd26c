"""Which encoder is opened: both published layouts and a bundle see alike, and what is missing says how to get it."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from arpent.core import Grid, Raster, file_sha256
from arpent.errors import BundleInvalid, InvalidSetting, UnknownName, WeightsMismatch, WeightsMissing
from arpent.models import ImportSettings, import_weights, save_bundle
from arpent.models.croma import croma_state
from arpent.tasks.describe.encoders import ENCODERS, open_encoder
from arpent.tasks.describe.encoding import Encoder
from arpent.testing.toys import toy_bundle

GOLDEN = Path(__file__).parents[2] / "golden"
OFFICIAL = GOLDEN / "croma_tiny_official_layout.pt"


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The golden checkpoint in both layouts, as bare safetensors, and as bundles in a file and in a folder."""
    folder = tmp_path_factory.mktemp("weights")
    nested = torch.load(OFFICIAL, weights_only=True)
    flat = croma_state(nested)
    with np.load(GOLDEN / "croma_tiny_golden.npz") as golden:
        torch.save({"attn_bias": torch.from_numpy(golden["attn_bias"]), **flat}, folder / "torchgeo.pth")
    save_file({name: tensor.contiguous() for name, tensor in flat.items()}, folder / "bare.safetensors")
    bundle = import_weights(OFFICIAL, "croma")
    save_bundle(folder / "whole.safetensors", bundle.model, bundle.contract)
    save_bundle(folder / "folder", bundle.model, bundle.contract)
    return {path.stem: path for path in (OFFICIAL, *folder.iterdir())}


def test_every_way_to_keep_the_same_weights_gives_the_same_tokens(files):
    with np.load(GOLDEN / "croma_tiny_golden.npz") as golden:
        images, expected, pooled = (golden[name] for name in ("x_optical", "optical_encodings", "optical_GAP"))
    assert len(files) == 5
    for path in files.values():
        encoder = Encoder.open(path, device="cpu")
        assert encoder.tokens(images) == pytest.approx(expected, abs=1e-5)
        assert encoder.pooled(expected.mean(1)) == pytest.approx(pooled, abs=1e-5)
        hashed = path / "bundle.json" if path.is_dir() else path
        assert (encoder.identity, encoder.random, encoder.width) == (file_sha256(hashed), False, 64)


def test_the_official_statistics_are_kept_in_the_bundle(files):
    """Mean ± 2 standard deviations of each band become 0 and 1; what lies beyond is cut off."""
    mean = [1116, 1189, 1408, 1513, 1891, 2484, 2723, 2755, 2886, 3270, 2563, 1914]
    std = [1956, 1859, 1728, 1741, 1755, 1622, 1622, 1612, 1611, 2651, 1442, 1329]
    encoder = Encoder.open(files["whole"], device="cpu")
    assert encoder.contract.normalisation.unit
    at = np.array([[m - 3 * s, m - 2 * s, m, m + s, m + 2 * s, m + 9 * s] for m, s in zip(mean, std, strict=True)])
    grid = Grid.north_up(0, 0, 10, 1, 6, "EPSG:32631")
    names = encoder.contract.band_names
    unit = encoder.normalised(Raster(at[:, None].astype(np.float32), np.ones((1, 6), bool), grid, names))
    assert names == ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12")
    assert unit[:, 0] == pytest.approx(np.tile([0, 0, 0.5, 0.75, 1, 1], (12, 1)), abs=1e-6)


def test_published_weights_that_are_not_here_say_how_to_get_them(tmp_path, monkeypatch):
    monkeypatch.setenv("ARPENT_MODELS", str(tmp_path))
    with pytest.raises(WeightsMissing) as raised:
        open_encoder("croma-large")
    told = str(raised.value)
    assert "MIT, 2,690 MB" in told and "arpent models fetch croma-large" in told and "--random-init" in told
    assert f"https://huggingface.co/antofuller/CROMA/resolve/main/CROMA_large.pt at {tmp_path}" in told


def test_published_weights_that_are_here_are_taken(tmp_path, monkeypatch):
    monkeypatch.setenv("ARPENT_MODELS", str(tmp_path))
    (tmp_path / "croma-base").mkdir()
    (tmp_path / "croma-base" / "CROMA_base.pt").write_bytes(OFFICIAL.read_bytes())
    opened = open_encoder("croma-base")
    assert (opened.name, opened.identity) == ("croma-base", file_sha256(OFFICIAL))


def test_random_weights_are_never_silent():
    with pytest.raises(WeightsMissing, match=r"no trained weights.*--random-init"):
        open_encoder("croma-tiny")
    opened = open_encoder("croma-tiny", random_init=True, seed=3)
    assert opened.identity.startswith("random:croma-tiny:seed3:") and opened.source is None
    assert opened.bundle.contract.recipe == {"random": True, "seed": 3}


def test_another_draw_of_random_weights_is_told_apart():
    same, again, other = (open_encoder("croma-tiny", random_init=True, seed=seed) for seed in (3, 3, 4))
    assert same.drawn == again.drawn != other.drawn
    assert open_encoder(OFFICIAL).drawn == ""


def test_opening_random_weights_leaves_the_random_state_alone():
    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)
    open_encoder("croma-tiny", random_init=True)
    assert torch.equal(torch.rand(1), expected)


@pytest.mark.parametrize(
    ("source", "random", "error", "told"),
    [
        ("croma-larg", False, UnknownName, "Did you mean 'croma-large'"),
        ("croma-larg", True, InvalidSetting, "croma-tiny, croma-base, croma-large"),
        (OFFICIAL, True, InvalidSetting, "Leave out --random-init"),
    ],
)
def test_names_that_mean_nothing(source, random, error, told):
    with pytest.raises(error, match=told):
        open_encoder(source, random_init=random)


def test_models_of_something_else_are_refused(tmp_path):
    with pytest.raises(BundleInvalid, match="no encoder of optical images"):
        open_encoder(toy_bundle(tmp_path / "unet.safetensors"))
    radar = {name: part for name, part in torch.load(OFFICIAL, weights_only=True).items() if name.startswith("s1")}
    torch.save(radar, tmp_path / "radar.pt")
    bundle = import_weights(tmp_path / "radar.pt", "croma", ImportSettings(bands=("VV", "VH")))
    save_bundle(tmp_path / "radar.safetensors", bundle.model, bundle.contract)
    with pytest.raises(BundleInvalid, match="optical"):
        open_encoder(tmp_path / "radar.safetensors")
    torch.save({"layer.weight": torch.ones(1)}, tmp_path / "other.pt")
    with pytest.raises(WeightsMismatch):
        open_encoder(tmp_path / "other.pt")
    (tmp_path / "cut.safetensors").write_bytes(b"12345678901")
    with pytest.raises(BundleInvalid):
        open_encoder(tmp_path / "cut.safetensors")


def test_the_encoders_have_the_published_sizes():
    assert {name: (own.width, own.depth, own.heads, own.patch) for name, own in ENCODERS.items()} == {
        "croma-tiny": (256, 2, 4, 8),
        "croma-base": (768, 12, 16, 8),
        "croma-large": (1024, 24, 16, 8),
    }
