"""What segmentation networks are made of."""

import pytest
import torch

from arpent.errors import InvalidSetting
from arpent.models import build, parts_of

STUDY = {"encoder": "resnet34", "channels": 4, "classes": 19}


def counts(architecture, settings):
    with torch.device("meta"):
        model = build(architecture, settings)
    parts = parts_of(architecture, settings)
    found = {"encoder": 0, "decoder": 0, "head": 0}
    for name, parameter in model.named_parameters():
        found[parts.part_of(name)] += parameter.numel()
    return found


def test_the_network_of_the_study_has_the_size_of_the_study():
    """24 442 115 parameters, as published; the head is a convolution of 16 maps of 3 × 3 to 19, and 19 numbers."""
    found = counts("smp-unet", STUDY)
    assert sum(found.values()) == 24_442_115
    assert found["head"] == 16 * 9 * 19 + 19
    assert found["encoder"] == 21_284_672 + 64 * 49  # torchvision's ResNet-34 without its last layer, one band more


@pytest.mark.parametrize(
    ("architecture", "settings", "levels"),
    [
        ("smp-unet", STUDY, 5),
        ("smp-unet", {"encoder": "mobilenet_v2"}, 19),
        ("smp-unet", {"encoder": "efficientnet-b0"}, 18),
        ("unet", {"widths": [4, 6, 8]}, 3),
        ("unet", {"widths": [4], "depthwise": True}, 1),
    ],
)
def test_every_tensor_is_of_one_part_and_levels_go_inwards(architecture, settings, levels):
    with torch.device("meta"):
        model = build(architecture, settings)
    parts = parts_of(architecture, settings)
    assert len(parts.levels) == levels
    owned = {}
    for name in model.state_dict():
        owners = [level for level in parts.levels if any(name.startswith(f"{prefix}.") for prefix in level)]
        assert len(owners) == (parts.part_of(name) == "encoder"), name
        if owners:
            owned.setdefault(owners[0], []).append(name)
    assert list(owned) == list(parts.levels), "the network names its levels in the order in which images pass them"
    assert {parts.part_of(name) for name in model.state_dict()} == {"encoder", "decoder", "head"} - (
        {"decoder"} if settings.get("widths") == [4] else set()
    )


def test_parts_are_known_by_whole_words():
    parts = parts_of("unet", {"widths": [2] * 11})
    assert parts.part_of("encoder.10.0.weight") == "encoder"
    assert parts.part_of("header.weight") == "decoder"
    assert parts.prefixes("encoder") == parts.encoder
    assert parts.encoder[-1] == "encoder.10"


def test_a_network_of_one_piece_is_refused():
    with pytest.raises(InvalidSetting, match="smp-unet or unet"):
        parts_of("timm", {"name": "resnet18"})
