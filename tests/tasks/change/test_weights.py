"""Weights of the published layouts become bundles that say which images they take."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from arpent.core import Normalisation
from arpent.errors import (
    BundleInvalid,
    ContractMismatch,
    FileMissing,
    InvalidSetting,
    NetworkMissing,
    UnknownName,
    UnreadableFile,
    WeightsMismatch,
    WeightsMissing,
)
from arpent.models import save_bundle
from arpent.tasks.change.weights import ModelFit, find_model, load_model, published_checkpoint

GOLDEN = Path(__file__).parents[2] / "golden"
TINY = GOLDEN / "planaura_tiny_official_layout.pth"
BANDS = ("B02", "B03", "B04", "B8A", "B11", "B12")
RULE = Normalisation(origin="test", mean=(0.0,) * 6, std=(1.0,) * 6)


def fit(**changes):
    return ModelFit(**{"bands": BANDS, "normalisation": RULE, "heads": 4, "decoder_heads": 4, **changes})


@pytest.fixture(scope="module")
def official():
    return torch.load(TINY, weights_only=True)


@pytest.fixture
def stored(official, tmp_path):
    """The tiny checkpoint in another form."""

    def store(name, change=lambda state: state):
        path = tmp_path / name
        content = change(dict(official))
        if path.suffix == ".safetensors":
            save_file(content, path)
        else:
            torch.save(content, path)
        return path

    return store


@pytest.mark.parametrize("stride, name", [(16, "s16_att"), (16, "s16_noatt"), (1, "s1_att"), (1, "s1_noatt")])
def test_the_public_loader_gives_the_numbers_of_the_reference(stride, name):
    with np.load(GOLDEN / "planaura_tiny_golden.npz") as golden:
        x, wanted = torch.from_numpy(golden["input"]), torch.from_numpy(golden[f"{name}_cosine"])
    bundle = load_model(TINY, fit())
    with torch.no_grad():
        answer = bundle.model(x, stride=stride, attention=name.endswith("_att"), dims=())
    assert torch.allclose(answer.cosine, wanted, atol=1e-4)


@pytest.mark.parametrize("name", ["flat.pth", "flat.safetensors"])
def test_every_published_form_is_read(stored, name):
    bare = stored(name, lambda state: {key.removeprefix("backbone."): value for key, value in state.items()})
    training = stored("training.pth", lambda state: {"model_state_dict": state, "epoch": 3})
    ones = stored("used.pth", lambda state: {**state, "backbone.patchify_mask.weight": torch.ones(1, 1, 16, 16)})
    first = load_model(TINY, fit()).model.state_dict()
    for path in (bare, training, ones):
        other = load_model(path, fit()).model.state_dict()
        assert all(torch.equal(first[key], other[key]) for key in first)


def test_the_contract_says_what_was_told(stored):
    bundle = load_model(TINY, fit(nodata=-9999.0))
    contract = bundle.contract
    assert (contract.task, contract.architecture, contract.band_names) == ("change", "planaura", BANDS)
    assert (contract.nodata, contract.gsd, contract.dtype) == (-9999.0, None, None)
    assert contract.recipe["file"] == TINY.name
    assert not bundle.model.training


def test_a_published_name_brings_its_statistics_and_licence(stored):
    hls = stored("Planaura-1.0-HLS.pth")
    contract = load_model(hls, ModelFit(heads=4, decoder_heads=4)).contract
    assert contract.normalisation.mean[0] == 643.9851
    assert (contract.gsd, contract.nodata, contract.dtype) == (30.0, -9999.0, "int16")
    assert contract.licence == "Open Government Licence - Canada"
    assert contract.source.endswith("NRCan/Planaura-1.0")
    s2 = load_model(TINY, ModelFit(heads=4, decoder_heads=4, like="planaura-s2")).contract
    assert (s2.nodata, s2.gsd) == (0.0, 10.0)


def test_what_weights_do_not_tell_must_be_said():
    with pytest.raises(InvalidSetting, match="--like planaura-hls"):
        load_model(TINY, ModelFit(heads=4, decoder_heads=4))
    with pytest.raises(UnknownName, match="planaura-s2"):
        load_model(TINY, fit(like="planaura-s3"))
    with pytest.raises(InvalidSetting, match="heads"):
        load_model(TINY, fit(heads=None))
    with pytest.raises(InvalidSetting, match="5 attention heads"):
        load_model(TINY, fit(heads=5))
    with pytest.raises(InvalidSetting, match="per band"):
        load_model(TINY, fit(bands=BANDS[:4]))


def test_strictness_names_the_tensors(stored):
    lacking = stored("lacking.pth", lambda s: {k: v for k, v in s.items() if not k.endswith("blocks.1.norm1.bias")})
    with pytest.raises(WeightsMismatch, match=r"missing encoder\.blocks\.1\.norm1\.bias"):
        load_model(lacking, fit())
    more = stored("more.pth", lambda s: {**s, "backbone.head.weight": torch.ones(1)})
    with pytest.raises(WeightsMismatch, match=r"unexpected head\.weight"):
        load_model(more, fit())
    with pytest.raises(WeightsMismatch, match="depth 2 instead of 12"):
        load_model(TINY, fit(shape={"depth": 12, "width": 96}))
    with pytest.raises(WeightsMismatch, match="not the weights of Planaura"):
        load_model(stored("other.pth", lambda s: {"layer.weight": torch.ones(2, 2)}), fit())


def test_other_bands_only_when_said_aloud():
    three = Normalisation(origin="photographs", mean=(0.0,) * 3, std=(1.0,) * 3)
    asked = fit(bands=("red", "green", "blue"), normalisation=three)
    with pytest.raises(ContractMismatch, match="--reset-patch-embedding"):
        load_model(TINY, asked)
    reset = fit(bands=("red", "green", "blue"), normalisation=three, reset_patch_embedding=True)
    first, second = (load_model(TINY, reset) for _ in range(2))
    assert first.contract.recipe["untrained"] == ["patch embedding"]
    assert first.model.settings.channels == 3
    key = "encoder.patch_embed.proj.weight"
    assert torch.equal(first.model.state_dict()[key], second.model.state_dict()[key])


def test_positions_are_resampled_or_computed():
    kept = load_model(TINY, fit(image_size=128)).model
    assert kept.settings.grid.rows == 8
    assert kept.encoder.pos_embed.shape[1] == 1 + 2 * 64
    computed = load_model(TINY, fit(keep_positions=False, frames=1)).model
    assert computed.settings.positions == "computed"
    assert computed(torch.randn(1, 6, 1, 64, 64)).cosine is None
    three = load_model(TINY, fit(keep_positions=False, frames=3)).model
    assert three(torch.randn(1, 6, 3, 64, 64)).cosine.shape == (1, 4, 4)
    with pytest.raises(ContractMismatch, match="keep_pos_embedding: false"):
        load_model(TINY, fit(frames=3))


def test_pickled_modules_are_never_opened(tmp_path):
    class Trap:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "sprung",))

    (tmp_path / "module.pt").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(UnreadableFile, match="state dict"):
        load_model(tmp_path / "module.pt", fit())
    torch.save(torch.nn.Linear(2, 2), tmp_path / "whole.pt")
    with pytest.raises(UnreadableFile, match="safetensors"):
        load_model(tmp_path / "whole.pt", fit())
    assert not (tmp_path / "sprung").exists()


def test_a_bundle_keeps_to_its_own_contract(tmp_path):
    bundle = load_model(TINY, fit())
    path = save_bundle(tmp_path / "tiny.safetensors", bundle.model, bundle.contract)
    assert load_model(path, fit(bands=("red",), image_size=512)).contract == bundle.contract
    folder = save_bundle(tmp_path / "folder", bundle.model, bundle.contract)
    assert load_model(folder).contract.architecture == "planaura"
    wrong = bundle.contract.model_copy(update={"architecture": "unet", "task": "landcover", "settings": {}})
    with pytest.raises((BundleInvalid, WeightsMismatch)):
        load_model(save_bundle(tmp_path / "wrong.safetensors", bundle.model, wrong))
    (tmp_path / "broken.safetensors").write_bytes(b"\x00" * 40)
    with pytest.raises(UnreadableFile):
        load_model(tmp_path / "broken.safetensors")


def test_published_models_by_name_and_repository(stored, tmp_path, monkeypatch):
    monkeypatch.setenv("ARPENT_MODELS", str(tmp_path / "models"))
    with pytest.raises(WeightsMissing, match="models fetch planaura-hls"):
        find_model("planaura-hls")
    with pytest.raises(NetworkMissing, match=r"put it at .*planaura-hls/Planaura-1\.0-HLS\.pth"):
        find_model("NRCan/Planaura-1.0/Planaura-1.0-HLS")
    with pytest.raises(NetworkMissing, match=r"somebody--else/own\.pth"):
        find_model("hf:somebody/else/own.pth")
    home = tmp_path / "models" / "planaura-hls"
    stored("Planaura-1.0-HLS.pth").rename(home / "Planaura-1.0-HLS.pth")
    for name in ("planaura-hls", "NRCan/Planaura-1.0/Planaura-1.0-HLS.pth", "NRCan/Planaura-1.0/Planaura-1.0-HLS"):
        assert find_model(name) == home / "Planaura-1.0-HLS.pth"
    assert published_checkpoint("NRCan/Planaura-1.0", "Planaura-1.0-HLS") == home / "Planaura-1.0-HLS.pth"


def test_wrong_names_are_told():
    with pytest.raises(UnknownName, match=r"Planaura-1\.0-S2\.pth"):
        find_model("NRCan/Planaura-1.0/Planaura-1.0-S3")
    for repo, file in (("", "x.pth"), ("a/b", ""), ("a/b", "../x.pth")):
        with pytest.raises(InvalidSetting, match="repository and a file"):
            published_checkpoint(repo, file)
    with pytest.raises(FileMissing, match="planaura-hls"):
        find_model("weights/none.pth")
    with pytest.raises(BundleInvalid, match="flair-rgbi-15 is a model for landcover, not for change"):
        find_model("flair-rgbi-15")
