"""Bands added to a trained network."""

import pytest
import torch
from torch import nn

from arpent.core import Band, sensor
from arpent.errors import ContractMismatch, InvalidSetting, UnknownName
from arpent.models import build, extend_stem

FOUR = sensor("bd-ortho").bands
SIX = sensor("pleiades-neo").bands
SLIM = {"unet": {"widths": [4, 8]}, "smp-unet": {"encoder": "resnet18"}}


def network(architecture: str = "unet", channels: int = 4, **more: object) -> nn.Module:
    torch.manual_seed(3)
    return build(architecture, {"channels": channels, "classes": 5, **SLIM[architecture], **more}).eval()


def first(model: nn.Module) -> torch.Tensor:
    return next(module.weight for module in model.modules() if isinstance(module, nn.Conv2d))


@pytest.mark.parametrize(
    ("architecture", "more"), [("unet", {}), ("unet", {"depthwise": True}), ("smp-unet", {})], ids=str
)
@torch.inference_mode()
def test_zero_gives_exactly_the_answer_for_four_bands(architecture, more):
    model = network(architecture, **more)
    wide = extend_stem(model, FOUR, SIX, "zero")
    image = torch.randn(2, 6, 64, 64)
    # The new camera lists its bands in the order of the old one, and two more.
    if more:  # a sum over 6 bands, 2 of them times zero, may be taken in another order
        torch.testing.assert_close(wide(image), model(image[:, :4]), atol=1e-6, rtol=1e-5)
    else:
        assert torch.equal(wide(image), model(image[:, :4]))
    assert first(model).shape[:2] != first(wide).shape[:2], "the network that was given stays as it is"


@torch.inference_mode()
def test_bands_are_matched_by_name_and_not_by_place():
    model = network()
    shuffled = (SIX[4], SIX[3], SIX[0], SIX[5], SIX[2], SIX[1])  # red edge, nir, red, deep blue, blue, green
    wide = extend_stem(model, FOUR, shuffled, "zero")
    image = torch.randn(1, 6, 32, 32)
    # Sums in another order differ in their last bits.
    torch.testing.assert_close(wide(image), model(image[:, [2, 5, 4, 1]]), atol=1e-5, rtol=1e-5)


def test_new_bands_begin_as_they_should():
    model = network()
    old, share = first(model), 4 / 6
    red, green, blue, nir = old.unbind(1)
    edge = Band(name="edge", wavelength=740)  # nearer to 830 nm than to 620
    copied = first(extend_stem(model, FOUR, (*FOUR, edge, SIX[5]), "copy"))
    torch.testing.assert_close(copied[:, 4], nir * share)
    torch.testing.assert_close(copied[:, 5], blue * share)
    mean = first(extend_stem(model, FOUR, SIX, "mean"))
    torch.testing.assert_close(mean[:, 5], old.mean(1) * share)
    spectral = first(extend_stem(model, FOUR, SIX, "spectral"))
    torch.testing.assert_close(spectral[:, 4], (red + (nir - red) * (725 - 620) / (830 - 620)) * share)
    torch.testing.assert_close(spectral[:, 5], blue * share)  # beyond the last band: the last one
    torch.testing.assert_close(spectral[:, 1], green * share)


def test_the_mean_answers_a_grey_surface_as_before():
    model = network()
    torch.testing.assert_close(first(extend_stem(model, FOUR, SIX, "mean")).sum(1), first(model).sum(1))


def test_fewer_bands_are_taken_too():
    model = network()
    narrow = extend_stem(model, FOUR, FOUR[:3], "zero")
    assert torch.equal(first(narrow), first(model)[:, :3])


def test_what_cannot_be_done_is_said():
    model = network()
    with pytest.raises(ContractMismatch, match="none of these bands"):
        extend_stem(model, FOUR, sensor("sentinel-1").bands, "zero")
    with pytest.raises(InvalidSetting, match="wavelength of band 'height'"):
        extend_stem(model, FOUR, (*FOUR, Band(name="height")), "spectral")
    with pytest.raises(UnknownName, match="zero"):
        extend_stem(model, FOUR, SIX, "zeros")
    with pytest.raises(ContractMismatch, match="3 inputs"):
        extend_stem(model, FOUR[:3], SIX, "zero")
