import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from arpent.errors import InvalidSetting
from arpent.models import UNet, UNetSettings, tile_needs


def _measured_reach(model: UNet, stride: int) -> int:
    """Marks one input pixel as not-a-number, which every operation passes on, and looks how far it went."""
    side, farthest = 160, 0
    for offset in range(stride):
        at = side // 2 + offset
        images = torch.zeros(1, 1, side, side)
        images[0, 0, at, at] = float("nan")
        with torch.inference_mode():
            touched = torch.isnan(model(images)).any(1)[0]
        rows, columns = touched.any(1).nonzero().flatten(), touched.any(0).nonzero().flatten()
        ends = (rows[0], rows[-1], columns[0], columns[-1])
        farthest = max(farthest, *(abs(int(end) - at) for end in ends))
    return farthest


@pytest.mark.parametrize("levels", [1, 2, 3, 4])
@pytest.mark.parametrize("depthwise", [False, True])
def test_the_receptive_field_is_exactly_how_far_a_pixel_reaches(levels: int, depthwise: bool) -> None:
    widths = (2, 3, 3, 4)[:levels]
    shape = UNetSettings(channels=1, classes=2, widths=widths, depthwise=depthwise)
    needs = tile_needs("unet", shape)
    assert _measured_reach(UNet(shape).eval(), needs.stride) == needs.receptive_field


def test_no_gradient_arrives_from_beyond_the_receptive_field() -> None:
    torch.manual_seed(0)
    shape = UNetSettings(channels=1, classes=1, widths=(4, 4, 4))
    model = UNet(shape).eval()
    images = torch.rand(1, 1, 128, 128, requires_grad=True)
    model(images)[0, 0, 61, 61].backward()
    rows = (images.grad[0, 0] != 0).any(1).nonzero().flatten()
    assert rows.numel() > 1
    assert max(61 - int(rows[0]), int(rows[-1]) - 61) <= tile_needs("unet", shape).receptive_field


def test_a_tile_with_a_halo_of_the_receptive_field_equals_the_whole_image() -> None:
    torch.manual_seed(1)
    shape = UNetSettings(channels=3, classes=5, widths=(4, 8, 8))
    model, needs = UNet(shape).eval(), tile_needs("unet", shape)
    assert needs.receptive_field is not None
    halo = -(-needs.receptive_field // needs.stride) * needs.stride
    images = torch.randn(1, 3, 128, 160)
    with torch.inference_mode():
        whole = model(images)
        tile = model(images[:, :, 40 - halo : 72 + halo, 64 - halo : 96 + halo])
    core = tile[:, :, halo : halo + 32, halo : halo + 32]
    assert torch.allclose(core, whole[:, :, 40:72, 64:96], atol=1e-6)


@settings(max_examples=25)
@given(rows=st.integers(1, 6), cols=st.integers(1, 6), channels=st.integers(1, 6), classes=st.integers(1, 20))
def test_maps_have_the_size_of_the_images(rows: int, cols: int, channels: int, classes: int) -> None:
    model = UNet(UNetSettings(channels=channels, classes=classes, widths=(2, 3))).eval()
    with torch.inference_mode():
        assert model(torch.zeros(2, channels, 2 * rows, 2 * cols)).shape == (2, classes, 2 * rows, 2 * cols)


def test_the_default_is_small() -> None:
    model = UNet(UNetSettings())
    assert sum(p.numel() for p in model.parameters()) < 500_000


def test_without_norm_the_convolutions_have_a_bias() -> None:
    model = UNet(UNetSettings(norm="none"))
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in model.modules())
    assert model.encoder[0][0].bias is not None


def test_a_size_that_is_no_multiple_of_the_stride_is_refused() -> None:
    with pytest.raises(InvalidSetting, match=r"found 100 × 64 pixels; expected multiples of 8"):
        UNet(UNetSettings())(torch.zeros(1, 4, 100, 64))
