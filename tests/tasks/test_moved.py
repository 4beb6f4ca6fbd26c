"""Which parameters moved."""

import copy

import numpy as np
import pytest
import torch

from arpent.core import nomenclature, sensor
from arpent.errors import BundleInvalid, ContractMismatch
from arpent.models import build, extend_stem, load_bundle, save_bundle
from arpent.store import read_contract
from arpent.tasks.landcover.moved import draw_moved, moved

SIX = sensor("pleiades-neo").bands


@pytest.fixture
def before(trained):
    return load_bundle(trained.file("model"))


@pytest.fixture
def kept(tmp_path, before):
    """Saves a network as a bundle with the contract of the trained one, but for some changes."""

    def keep(model, name="after.safetensors", **changes):
        return save_bundle(tmp_path / name, model, before.contract.model_copy(update=changes))

    return keep


def test_a_model_has_not_moved_from_itself(trained):
    found = moved(trained.path, trained.path)
    assert found.shares == {}
    assert found.still == len(found.layers)
    assert {layer.cosine for layer in found.layers} == {1.0}
    assert [layer.part for layer in found.layers] == sorted(
        (layer.part for layer in found.layers), key=("encoder", "decoder", "head").index
    )


def test_changes_are_measured_layer_by_layer(trained, before, kept):
    after = copy.deepcopy(before.model)
    with torch.no_grad():
        after.head.weight.mul_(1.5)
        after.head.bias.mul_(1.5)
        after.encoder[1][0].weight.neg_()
        after.decoder[0][1].running_mean.add_(1.0)
    found = moved(trained.path, kept(after))
    layers = {layer.name: layer for layer in found.layers}
    assert layers["head"].relative == pytest.approx(0.5)
    assert layers["head"].cosine == pytest.approx(1)
    assert layers["encoder.1.0"].relative == pytest.approx(2)
    assert layers["encoder.1.0"].cosine == pytest.approx(-1)
    assert layers["decoder.0.1"].statistics > 0
    assert layers["decoder.0.1"].relative == 0
    assert found.still == len(found.layers) - 3
    before.model.requires_grad_(False)
    weight = float((2 * before.model.encoder[1][0].weight).square().sum())
    head = float(sum(part.square().sum() for part in before.model.head.parameters())) / 4
    assert found.shares["encoder"] == pytest.approx(weight / (weight + head))
    assert found.shares["decoder"] == 0
    assert sum(found.shares.values()) == pytest.approx(1)
    assert sum(layer.numbers for layer in found.layers) == sum(p.numel() for p in before.model.parameters())


def test_a_stem_of_more_bands_is_compared_on_those_of_both(trained, before, kept):
    wide = extend_stem(before.model, before.contract.bands, SIX, "zero")
    settings = {**before.contract.settings, "channels": 6}
    found = moved(trained.path, kept(wide, bands=SIX, settings=settings))
    assert found.shares == {}
    assert found.layers[0].bands == ("red", "green", "blue", "nir")
    assert {layer.bands for layer in found.layers[1:]} == {()}
    turned = extend_stem(before.model, before.contract.bands, before.contract.bands[::-1], "zero")
    assert moved(trained.path, kept(turned, bands=before.contract.bands[::-1])).shares == {}


def test_heads_are_compared_on_the_classes_of_both(trained, before, kept):
    """FLAIR's classes stand in another order and are more."""
    flair = nomenclature("flair-19")
    settings = {**before.contract.settings, "classes": len(flair)}
    other = build("unet", settings).eval()
    state = before.model.state_dict()
    places = {entry.en: place for place, entry in enumerate(flair.classes)}
    shared = [(n, places[e.en]) for n, e in enumerate(before.contract.classes.classes) if e.en in places]
    head = {name: tensor.clone() for name, tensor in other.state_dict().items() if name.startswith("head")}
    for here, there in shared:
        for name, tensor in head.items():
            tensor[there] = state[name][here]
    other.load_state_dict({**state, **head})
    found = moved(trained.path, kept(other, classes=flair, settings=settings))
    assert len(shared) > 5
    assert found.shares == {}
    assert found.layers[-1].numbers == len(shared) * (8 + 1)
    nameless = kept(other, "nameless.safetensors", classes=None, settings=settings)
    assert moved(trained.path, nameless).left_out == ("head",)


def test_bundles_that_are_folders_are_read_too(trained, before, kept):
    found = moved(trained.path, kept(before.model, "after"))
    assert found.still == len(found.layers) == len({name.rpartition(".")[0] for name in before.model.state_dict()})


def test_another_network_is_refused(trained, kept, tmp_path):
    deeper = build("unet", {"channels": 4, "classes": 11, "widths": [8, 16, 24]})
    contract = read_contract(trained.file("model"))
    path = kept(deeper, settings={**contract.settings, "widths": [8, 16, 24]})
    with pytest.raises(ContractMismatch, match="another network"):
        moved(trained.path, path)
    other = build("unet", {"channels": 4, "classes": 11, "widths": [8, 16, 24]})
    lying = kept(other, "lying.safetensors")
    with pytest.raises(BundleInvalid, match="same tensors"):
        moved(trained.path, lying)


@pytest.mark.parametrize("language", ["en", "fr"])
def test_the_chart_has_a_bar_for_each_layer(trained, before, kept, tmp_path, language):
    after = copy.deepcopy(before.model)
    with torch.no_grad():
        for parameter in after.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    path = draw_moved(moved(trained.path, kept(after)), tmp_path / "moved.png", language)
    import matplotlib.image

    picture = (matplotlib.image.imread(path)[..., :3] * 255).astype(np.uint8)
    blue, orange, green = ((picture == colour).all(-1).sum() for colour in ((0, 114, 178), (213, 94, 0), (0, 158, 115)))
    assert min(blue, orange, green) > 500
