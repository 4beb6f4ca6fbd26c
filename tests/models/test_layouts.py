from collections.abc import Callable

import pytest
import timm
import torch
import torchvision
from torch import nn

from arpent.core.settings import parse
from arpent.errors import InvalidSetting, UnknownName, WeightsMismatch
from arpent.models import LayoutSettings, architecture, build, layout_names, load_state
from arpent.models.layouts import Recognised, recognise

NOTHING_SAID = LayoutSettings()


def _network(known: Recognised) -> nn.Module:
    model = build(known.architecture, known.settings)
    load_state(model, known.state, "the test")
    return model


@pytest.fixture(scope="module")
def smp_unet() -> nn.Module:
    """A U-Net with trained-looking statistics, as the library itself makes it."""
    import segmentation_models_pytorch as smp

    torch.manual_seed(2)
    model = smp.Unet("resnet18", encoder_weights=None, in_channels=5, classes=19)
    for name, buffer in model.named_buffers():
        if "running" in name:
            buffer.uniform_(0.5, 1.5)
    return model


def test_the_layouts_are_those_of_the_command_line() -> None:
    assert layout_names() == ("croma", "flair", "planaura", "smp", "timm", "torchvision")


def test_smp_predicts_as_the_library_does(
    smp_unet: nn.Module, differs: Callable[[nn.Module, nn.Module, tuple[int, ...]], float]
) -> None:
    known = recognise(smp_unet.state_dict(), "smp", NOTHING_SAID)
    assert (known.architecture, known.channels, known.classes) == ("smp-unet", 5, 19)
    assert known.settings["encoder"] == "resnet18"
    assert known.settings["decoder_widths"] == [256, 128, 64, 32, 16]
    assert differs(_network(known), smp_unet, (2, 5, 64, 64)) == 0


@pytest.mark.parametrize("prefix", ["model.seg_model.", "seg_model.", "", "module.model.seg_model."])
def test_flair_predicts_as_its_network_does_whatever_its_prefix(
    prefix: str, smp_unet: nn.Module, differs: Callable[[nn.Module, nn.Module, tuple[int, ...]], float]
) -> None:
    state = {f"{prefix}{name}": tensor for name, tensor in smp_unet.state_dict().items()}
    known = recognise(state, "flair", NOTHING_SAID)
    assert known.left_out == ()
    assert differs(_network(known), smp_unet, (1, 5, 64, 64)) == 0


def test_a_checkpoint_of_lightning_is_opened_and_the_weights_of_its_loss_left_out(smp_unet: nn.Module) -> None:
    state = {f"model.seg_model.{name}": tensor for name, tensor in smp_unet.state_dict().items()}
    state["criterion.weight"] = torch.ones(19)
    known = recognise({"state_dict": state, "epoch": 76, "hyper_parameters": {}}, "flair", NOTHING_SAID)
    assert known.left_out == ("criterion.weight",)
    _network(known)


@pytest.mark.parametrize("branch", ["model.enc.enc_mlp.0.weight", "enc.0.weight"])
def test_a_metadata_branch_is_refused_unless_its_loss_is_accepted(branch: str, smp_unet: nn.Module) -> None:
    state = {f"model.seg_model.{name}": tensor for name, tensor in smp_unet.state_dict().items()}
    state[branch] = torch.zeros(64, 45)
    with pytest.raises(InvalidSetting, match="--metadata drop"):
        recognise(state, "flair", NOTHING_SAID)
    assert recognise(state, "flair", LayoutSettings(metadata="drop")).left_out == (branch,)


@pytest.mark.parametrize(
    ("name", "of_timm"), [("mobilenet_v2", "mobilenetv2_100"), ("resnet18", "resnet18"), ("resnet50", "resnet50")]
)
def test_torchvision_predicts_as_the_library_does(
    name: str, of_timm: str, differs: Callable[[nn.Module, nn.Module, tuple[int, ...]], float]
) -> None:
    torch.manual_seed(3)
    theirs = torchvision.models.get_model(name, weights=None, num_classes=12)
    known = recognise(theirs.state_dict(), "torchvision", LayoutSettings(head="keep"))
    assert known.settings == {"name": of_timm, "channels": 3, "classes": 12}
    assert differs(_network(known), theirs, (2, 3, 64, 64)) < 1e-5


@pytest.mark.parametrize("name", ["mobilenetv2_100", "resnet34"])
def test_timm_predicts_as_the_library_does_with_its_head_and_without(
    name: str, differs: Callable[[nn.Module, nn.Module, tuple[int, ...]], float]
) -> None:
    torch.manual_seed(4)
    theirs = timm.create_model(name, pretrained=False, num_classes=9, in_chans=4)
    kept = recognise(theirs.state_dict(), "timm", LayoutSettings(head="keep"))
    assert differs(_network(kept), theirs, (2, 4, 64, 64)) == 0
    dropped = recognise(theirs.state_dict(), "timm", NOTHING_SAID)
    assert (dropped.classes, len(dropped.left_out)) == (0, 2)
    theirs.reset_classifier(0)
    assert differs(_network(dropped), theirs, (2, 4, 64, 64)) == 0


def test_an_encoder_that_the_tensors_do_not_tell_must_be_named() -> None:
    theirs = timm.create_model("test_resnet", pretrained=False, num_classes=0)
    with pytest.raises(InvalidSetting, match="--encoder NAME"):
        recognise(theirs.state_dict(), "timm", NOTHING_SAID)
    named = recognise(theirs.state_dict(), "timm", LayoutSettings(encoder="test_resnet"))
    assert named.settings["name"] == "test_resnet"


def test_a_head_that_is_not_there_cannot_be_kept() -> None:
    theirs = timm.create_model("resnet18", pretrained=False, num_classes=0)
    with pytest.raises(WeightsMismatch, match="no last layer"):
        recognise(theirs.state_dict(), "timm", LayoutSettings(head="keep"))


@pytest.mark.parametrize("layout", ["croma", "flair", "planaura", "smp", "timm", "torchvision"])
@pytest.mark.parametrize(
    "checkpoint",
    [{}, {"epoch": 3}, {"state_dict": {"x": "text"}}, {"bias": torch.zeros(3)}, {"conv": {"weight": torch.zeros(1)}}],
    ids=["nothing", "a number", "text", "a vector", "nested"],
)
def test_what_is_no_checkpoint_of_a_layout_is_refused(layout: str, checkpoint: dict) -> None:
    with pytest.raises((WeightsMismatch, InvalidSetting)) as raised:
        recognise(checkpoint, layout, NOTHING_SAID)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("lost", ["segmentation_head.0.weight", "encoder"])
def test_smp_without_its_ends_is_refused(lost: str, smp_unet: nn.Module) -> None:
    state = {name: tensor for name, tensor in smp_unet.state_dict().items() if not name.startswith(lost)}
    with pytest.raises(WeightsMismatch, match="layout 'smp'"):
        recognise(state, "smp", NOTHING_SAID)


def test_a_misspelt_layout_suggests_the_right_one() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'flair'"):
        recognise({}, "flaire", NOTHING_SAID)


@pytest.mark.parametrize(
    ("layout", "file", "said"),
    [
        ("planaura", "planaura_tiny_official_layout.pth", LayoutSettings(heads=4, decoder_heads=4)),
        ("croma", "croma_tiny_official_layout.pt", NOTHING_SAID),
    ],
)
def test_official_checkpoints_fit_our_networks_strictly(
    layout: str, file: str, said: LayoutSettings, root: object
) -> None:
    checkpoint = torch.load(f"{root}/tests/golden/{file}", weights_only=True)
    known = recognise(checkpoint, layout, said)
    assert known.architecture == layout
    parse(architecture(layout).settings, known.settings, "the test")
    _network(known)
