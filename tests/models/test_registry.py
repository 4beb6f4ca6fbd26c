import subprocess
import sys

import pytest
import torch

from arpent import models
from arpent.errors import InvalidSetting, UnknownName, UnknownSetting
from arpent.models import TileNeeds, UNetSettings, architecture, architectures, build, tile_needs


def test_every_architecture_builds_from_its_own_settings() -> None:
    assert architectures() == (
        "croma",
        "forecaster",
        "labeller",
        "planaura",
        "planaura-change",
        "smp-unet",
        "timm",
        "unet",
    )
    for name in architectures():
        with torch.device("meta"):
            assert isinstance(build(name, architecture(name).settings()), torch.nn.Module), name


def test_a_misspelt_architecture_suggests_the_right_one() -> None:
    with pytest.raises(UnknownName, match=r"no architecture is called 'u-net'. Did you mean 'unet'\?"):
        build("u-net", {})


def test_a_misspelt_setting_suggests_the_right_one() -> None:
    with pytest.raises(UnknownSetting, match=r"architecture 'unet' has no setting 'chanels'. Did you mean 'channels'"):
        build("unet", {"chanels": 3})


def test_a_value_out_of_range_is_named() -> None:
    with pytest.raises(InvalidSetting, match="'classes'"):
        build("unet", {"classes": 0})


def test_settings_may_be_a_mapping_as_a_contract_gives_it_or_the_model_itself() -> None:
    of_mapping = build("unet", {"widths": [4, 8], "classes": 3})
    of_model = build("unet", UNetSettings(widths=(4, 8), classes=3))
    assert [p.shape for p in of_mapping.parameters()] == [p.shape for p in of_model.parameters()]


def test_the_u_net_of_smp_has_the_published_number_of_parameters() -> None:
    with torch.device("meta"):
        model = build("smp-unet", {"encoder": "resnet34", "channels": 4, "classes": 19})
    assert sum(p.numel() for p in model.parameters()) == 24_442_115


@pytest.mark.parametrize(
    ("name", "settings", "needs"),
    [
        ("unet", {}, TileNeeds(8, 51)),
        ("unet", {"widths": [4]}, TileNeeds(1, 2)),
        ("smp-unet", {}, TileNeeds(32)),
        ("smp-unet", {"decoder_widths": [32, 16, 8]}, TileNeeds(8)),
        ("planaura", {}, TileNeeds(16)),
        ("croma", {}, TileNeeds(8)),
        ("timm", {}, TileNeeds(32)),
        ("labeller", {}, TileNeeds(256)),
        ("forecaster", {}, TileNeeds(16)),
        ("forecaster", {"architecture": "smp-unet", "network": {"encoder": "resnet18"}}, TileNeeds(32)),
    ],
)
def test_what_a_network_needs_of_its_tiles_is_known_before_it_is_built(name, settings, needs) -> None:
    assert tile_needs(name, settings) == needs


def test_tiles_for_no_such_network_are_refused() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'unet'"):
        tile_needs("u-net", {})
    with pytest.raises(UnknownSetting, match="Did you mean 'widths'"):
        tile_needs("unet", {"width": [4]})


def test_a_shallower_u_net_of_smp_takes_smaller_tiles() -> None:
    model = build("smp-unet", {"encoder": "resnet18", "decoder_widths": [32, 16, 8], "classes": 2})
    with torch.inference_mode():
        assert model.eval()(torch.zeros(1, 4, 24, 40)).shape == (1, 2, 24, 40)


@pytest.mark.parametrize(("name", "key"), [("smp-unet", "encoder"), ("timm", "name")])
def test_an_encoder_that_the_library_does_not_have_is_unknown(name: str, key: str) -> None:
    with pytest.raises(UnknownName, match="Did you mean 'resnet34'") as raised:
        build(name, {key: "resnet-34"})
    assert len(str(raised.value)) < 600  # of a thousand names, only those alike


def test_the_image_encoder_gives_features_or_scores() -> None:
    with torch.device("meta"):
        features = build("timm", {"name": "mobilenetv2_100"})
        scores = build("timm", {"name": "mobilenetv2_100", "channels": 6, "classes": 7})
        assert features(torch.zeros(2, 3, 64, 64)).shape == (2, 1280)
        assert scores(torch.zeros(2, 6, 64, 64)).shape == (2, 7)


def test_every_public_name_can_be_had_and_no_other() -> None:
    assert all(getattr(models, name) is not None for name in models.__all__)
    assert models.__all__ == sorted(models.__all__, key=lambda n: (n != n.upper(), n[0].islower(), n))
    with pytest.raises(AttributeError, match="no attribute 'unett'"):
        models.unett  # noqa: B018


def test_the_catalog_opens_without_torch() -> None:
    code = "import sys, arpent.models as m; m.published_names(); m.models_folder(); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
