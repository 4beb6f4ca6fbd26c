"""Wide convolutions in bfloat16 give what they give in float32, but for rounding; on any processor."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from arpent.engine.runtime import OpenVinoNetwork, TorchNetwork
from arpent.engine.stems import WideConvolutions

PATCHES = [
    (nn.Conv2d(16, 32, 4, 4), (16, 49, 48)),
    (nn.Conv2d(6, 32, 16, 16), (6, 70, 64)),
    (nn.Conv2d(12, 64, 8, 8), (12, 64, 64)),
]
OTHERS = [(nn.Conv2d(8, 16, 16, 8), (8, 64, 64)), (nn.Conv2d(12, 16, 24, 12, padding=3), (12, 72, 72))]


def error(model: nn.Module, network, shape) -> float:
    """Of a network's answer, relative to that of the model in float32."""
    image = torch.randn(2, *shape, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        right = model(image)
    found = network(image)
    assert found.shape == right.shape and found.dtype == torch.float32
    return float((found - right).norm() / right.norm())


@pytest.mark.parametrize(("stem", "shape"), PATCHES + OTHERS)
def test_torch_in_bfloat16_is_right(stem, shape):
    network = TorchNetwork(stem, torch.device("cpu"), "bf16")
    assert error(stem, network, shape) < 0.01


@pytest.mark.parametrize(("stem", "shape"), PATCHES + OTHERS)
@pytest.mark.parametrize("fixed", [True, False])
def test_openvino_in_bfloat16_is_right(stem, shape, fixed):
    pytest.importorskip("openvino", reason="OpenVINO is not installed: pip install 'arpent[fast]'")
    network = OpenVinoNetwork(stem, "bf16", fixed=fixed)
    assert error(stem, network, shape) < 0.01


CUTS = [
    (functional.conv1d, (5, 4, 9), 9, {}),
    (functional.conv2d, (5, 4, 8, 10), (8, 10), {"padding": "valid"}),
    (functional.conv2d, (5, 4, 16, 16), [16, 16], {"dilation": (1, 1), "bias": None}),
    (functional.conv3d, (5, 4, 1, 8, 8), (1, 8, 8), {"padding": (0, 0, 0)}),
]


@pytest.mark.parametrize(("function", "shape", "stride", "more"), CUTS)
def test_a_product_is_the_convolution(function, shape, stride, more):
    draw = torch.Generator().manual_seed(2)
    weight, bias = torch.randn(shape, generator=draw), torch.randn(5, generator=draw)
    image = torch.randn(3, 4, *(2 * side + 3 for side in shape[2:]), generator=draw)
    told = {"bias": bias, "stride": stride, **more}
    right = function(image, weight, **told)
    with WideConvolutions() as wide:
        found = function(image, weight, **told)
    torch.testing.assert_close(found, right, rtol=1e-4, atol=1e-4)
    assert found.is_contiguous() is False and not wide.overlapping  # the product, and not the convolution


def test_narrow_kernels_are_left_alone():
    stem = nn.Sequential(nn.Conv2d(4, 8, 3, 3), nn.Conv2d(8, 8, 7, padding=3), nn.Conv2d(8, 8, 9, groups=8))
    image = torch.randn(1, 4, 84, 84)
    with WideConvolutions() as wide:
        found = stem(image)
    assert torch.equal(found, stem(image)) and not wide.overlapping
