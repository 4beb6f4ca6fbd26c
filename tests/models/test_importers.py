import os
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import safetensors.torch
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from torch import nn

from arpent.core import file_sha256, nomenclature
from arpent.errors import FileMissing, InvalidSetting, UnreadableFile, WeightsMismatch, WeightsMissing
from arpent.models import (
    ImportSettings,
    import_weights,
    importers,
    load_bundle,
    open_model,
    published_model,
    read_checkpoint,
    save_bundle,
)

STARTS = [
    b"",
    b"PK\x03\x04",
    b"\x80\x02",
    b"\x80\x04\x95",
    b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.",
    b"\x08" + bytes(7) + b"{}",
]


class Malicious:
    """What a hostile file of weights holds: an object that runs a command when it is opened."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.target),)


@pytest.fixture(scope="module")
def flair_state() -> dict[str, torch.Tensor]:
    import segmentation_models_pytorch as smp

    torch.manual_seed(6)
    model = smp.Unet("resnet18", encoder_weights=None, in_channels=4, classes=19)
    return {f"model.seg_model.{name}": tensor for name, tensor in model.state_dict().items()}


@pytest.fixture
def flair_file(tmp_path: Path, flair_state: dict[str, torch.Tensor]) -> Path:
    file = tmp_path / "flair.pth"
    torch.save(flair_state, file)
    return file


@pytest.mark.parametrize("protocol", ["zip", "legacy"])
def test_a_file_that_would_run_a_command_is_refused_and_runs_nothing(tmp_path: Path, protocol: str) -> None:
    trap = tmp_path / "trap"
    file = tmp_path / "weights.pth"
    content = {"weight": torch.zeros(1), "extra": Malicious(trap)}
    torch.save(content, file, _use_new_zipfile_serialization=protocol == "zip")
    with pytest.raises(UnreadableFile, match="could run a stranger's code"):
        import_weights(file, "timm")
    assert not trap.exists()
    torch.load(file, weights_only=False)
    assert trap.exists()  # the trap was real


def test_a_bare_pickle_is_refused_too(tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    file = tmp_path / "weights.bin"
    file.write_bytes(pickle.dumps(Malicious(trap)))
    with pytest.raises(UnreadableFile):
        read_checkpoint(file)
    assert not trap.exists()


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from(["w.pth", "w.safetensors"]), content=st.binary(max_size=60), start=st.sampled_from(STARTS))
@example(name="w.pth", content=b"", start=b"")
@example(name="w.safetensors", content=b"", start=b"")
def test_what_is_no_file_of_weights_is_refused_in_one_line(
    name: str, content: bytes, start: bytes, tmp_path: Path
) -> None:
    file = tmp_path / name
    file.write_bytes(start + content)
    with pytest.raises((UnreadableFile, WeightsMismatch)) as raised:
        import_weights(file, "timm")
    assert "\n" not in str(raised.value)


def test_a_truncated_file_is_refused(flair_file: Path) -> None:
    flair_file.write_bytes(flair_file.read_bytes()[:-5000])
    with pytest.raises(UnreadableFile, match="cannot be read as weights"):
        import_weights(flair_file, "flair")


def test_a_tensor_alone_has_no_names(tmp_path: Path) -> None:
    torch.save(torch.zeros(3), tmp_path / "one.pt")
    with pytest.raises(UnreadableFile, match="holds no named tensors"):
        read_checkpoint(tmp_path / "one.pt")


def test_nothing_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(FileMissing):
        import_weights(tmp_path / "none.pth", "smp")


def test_flair_gets_the_contract_of_the_published_model(flair_file: Path) -> None:
    contract = import_weights(flair_file, "flair").contract
    assert (contract.task, contract.architecture) == ("landcover", "smp-unet")
    assert contract.band_names == ("red", "green", "blue", "nir")
    assert (contract.gsd, contract.dtype) == (0.2, "uint8")
    assert contract.classes == nomenclature("flair-19")
    assert contract.normalisation.mean == (105.08, 110.87, 101.82, 106.38)
    assert contract.recipe["imported_as"] == "flair"
    assert contract.licence is None  # these are not the published weights


def test_safetensors_and_pickled_tensors_import_alike(
    tmp_path: Path, flair_file: Path, flair_state: dict[str, torch.Tensor]
) -> None:
    safetensors.torch.save_file(flair_state, tmp_path / "flair.safetensors")
    one, two = (import_weights(file, "flair").model for file in (flair_file, tmp_path / "flair.safetensors"))
    assert all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), two.state_dict().values(), strict=True))


def test_an_imported_model_survives_as_a_bundle(tmp_path: Path, flair_file: Path) -> None:
    bundle = import_weights(flair_file, "flair")
    again = load_bundle(save_bundle(tmp_path / "flair.safetensors", bundle.model, bundle.contract))
    assert again.contract == bundle.contract


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda state: state.pop("model.seg_model.encoder.bn1.weight"), r"missing encoder\.bn1\.weight"),
        (lambda state: state.update({"model.seg_model.decoder.x": torch.zeros(2)}), r"unexpected decoder\.x"),
        (
            lambda state: state.update({"model.seg_model.encoder.bn1.bias": torch.zeros(2)}),
            r"misshapen encoder\.bn1\.bias 2 for 64",
        ),
    ],
)
def test_an_import_is_strict_and_lists_what_does_not_fit(
    change: Callable[[dict], object], says: str, tmp_path: Path, flair_state: dict[str, torch.Tensor]
) -> None:
    state = dict(flair_state)
    change(state)
    torch.save(state, tmp_path / "w.pth")
    with pytest.raises(WeightsMismatch, match=says):
        import_weights(tmp_path / "w.pth", "flair")


def test_counters_of_batch_norm_may_be_missing_as_in_old_files(
    tmp_path: Path, flair_state: dict[str, torch.Tensor]
) -> None:
    state = {name: tensor for name, tensor in flair_state.items() if not name.endswith("num_batches_tracked")}
    torch.save(state, tmp_path / "old.pth")
    import_weights(tmp_path / "old.pth", "flair")


class TestALayoutOfSeveralPublishedModels:
    @pytest.fixture
    def planaura(self, root: Path) -> Path:
        return root / "tests" / "golden" / "planaura_tiny_official_layout.pth"

    def test_that_expect_different_images_must_be_told_apart(self, planaura: Path) -> None:
        with pytest.raises(InvalidSetting) as raised:
            import_weights(planaura, "planaura", ImportSettings(heads=4, decoder_heads=4))
        told = str(raised.value)
        assert "planaura-hls, planaura-s2, planaura-s2-senegal" in told
        assert "--like" in told

    @pytest.mark.parametrize("name", ["planaura-hls", "planaura-s2", "planaura-s2-senegal"])
    def test_gets_the_images_of_the_one_that_is_named(self, name: str, planaura: Path) -> None:
        contract = import_weights(planaura, "planaura", ImportSettings(heads=4, decoder_heads=4, like=name)).contract
        images = published_model(name).images
        assert (contract.normalisation, contract.nodata) == (images.normalisation(), images.nodata)
        assert (contract.gsd, contract.bands) == (images.gsd, images.described_bands())

    def test_needs_no_word_when_the_file_is_one_of_them(self, planaura: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        entry = published_model("planaura-s2")
        file = entry.files[0].model_copy(update={"sha256": file_sha256(planaura)})
        published = entry.model_copy(update={"files": (file,)})
        monkeypatch.setattr(
            importers, "published_model", lambda name: published if name == entry.name else published_model(name)
        )
        contract = import_weights(planaura, "planaura", ImportSettings(heads=4, decoder_heads=4)).contract
        assert (contract.nodata, contract.source) == (0.0, entry.page)

    def test_needs_no_word_when_all_expect_the_same_images(self, root: Path) -> None:
        contract = import_weights(root / "tests" / "golden" / "croma_tiny_official_layout.pt", "croma").contract
        assert contract.normalisation == published_model("croma-large").images.normalisation()


def test_what_a_contract_cannot_describe_is_said(root: Path) -> None:
    golden = root / "tests" / "golden"
    contract = import_weights(golden / "croma_tiny_official_layout.pt", "croma").contract
    assert (len(contract.bands), contract.recipe["undescribed"]) == (12, ["radar (2 bands)"])
    planaura = ImportSettings(heads=4, decoder_heads=4, like="planaura-s2")
    other = import_weights(golden / "planaura_tiny_official_layout.pth", "planaura", planaura).contract
    assert "undescribed" not in other.recipe


def test_what_inference_left_in_a_checkpoint_is_listed(root: Path, tmp_path: Path) -> None:
    state = torch.load(root / "tests" / "golden" / "planaura_tiny_official_layout.pth", weights_only=True)
    state["backbone.patchify_mask.weight"] = torch.ones(1, 1, 16, 16)
    torch.save({"model_state_dict": state, "epoch": 3}, tmp_path / "p.pth")
    said = ImportSettings(heads=4, decoder_heads=4, like="planaura-s2")
    assert import_weights(tmp_path / "p.pth", "planaura", said).contract.recipe["left_out"] == [
        "backbone.patchify_mask.weight"
    ]
    parts = torch.load(root / "tests" / "golden" / "croma_tiny_official_layout.pt", weights_only=True)
    flat = {f"{part}.{name}": tensor for part, state in parts.items() for name, tensor in state.items()}
    torch.save({"attn_bias": torch.zeros(1, 16, 9, 9), **flat}, tmp_path / "c.pt")
    assert import_weights(tmp_path / "c.pt", "croma").contract.recipe["left_out"] == ["attn_bias"]


class TestOtherBands:
    @pytest.fixture
    def six_bands(self, tmp_path: Path) -> Path:
        import segmentation_models_pytorch as smp

        model = smp.Unet("resnet18", encoder_weights=None, in_channels=6, classes=5)
        torch.save(model.state_dict(), tmp_path / "six.pt")
        return tmp_path / "six.pt"

    def test_must_be_named(self, six_bands: Path) -> None:
        with pytest.raises(InvalidSetting, match=r"take 6 bands \(found no names\)"):
            import_weights(six_bands, "smp")

    def test_are_taken_by_name_from_the_model_that_is_alike(self, six_bands: Path) -> None:
        said = ImportSettings(bands=("deep_blue", "blue", "green", "red", "red_edge", "nir"), gsd=0.3, task="landcover")
        contract = import_weights(six_bands, "smp", said).contract
        assert contract.band_names == said.bands
        assert contract.gsd == 0.3

    def test_cannot_be_normalised_as_photographs(self, six_bands: Path) -> None:
        said = ImportSettings(bands=tuple("abcdef"), normalise="imagenet")
        with pytest.raises(InvalidSetting, match="red, green and blue only"):
            import_weights(six_bands, "smp", said)

    def test_must_be_as_many_as_the_weights_take(self, six_bands: Path) -> None:
        with pytest.raises(InvalidSetting, match=r"take 6 bands \(found 2 named\)"):
            import_weights(six_bands, "smp", ImportSettings(bands=("a", "b")))

    def test_a_nomenclature_must_have_as_many_classes_as_maps(self, six_bands: Path) -> None:
        said = ImportSettings(bands=tuple("abcdef"), nomenclature="flair-19")
        with pytest.raises(InvalidSetting, match="19 classes and the weights make 5 maps"):
            import_weights(six_bands, "smp", said)


@pytest.mark.parametrize(("name", "input_of_byte"), [("symmetric", -1.0), ("unit", 0.0), ("imagenet", -0.485 / 0.229)])
def test_a_black_pixel_becomes_the_input_that_the_preset_says(name: str, input_of_byte: float, tmp_path: Path) -> None:
    import timm

    torch.save(timm.create_model("resnet18", pretrained=False).state_dict(), tmp_path / "r.pth")
    normalisation = import_weights(tmp_path / "r.pth", "timm", ImportSettings(normalise=name)).contract.normalisation
    assert (0 * normalisation.scale - normalisation.mean[0]) / normalisation.std[0] == pytest.approx(input_of_byte)


class TestAPublishedName:
    def test_stands_for_its_file_in_the_models_folder(
        self, models_home: Path, flair_state: dict[str, torch.Tensor]
    ) -> None:
        file = models_home / "flair-rgbi-15" / "FLAIR-INC_rgbi_15cl_resnet34-unet_weights.pth"
        file.parent.mkdir(parents=True)
        torch.save(flair_state, file)
        contract = open_model("flair-rgbi-15").contract
        assert contract.licence == "etalab-2.0"
        assert contract.source == "https://huggingface.co/IGNF/FLAIR-INC_rgbi_15cl_resnet34-unet"

    def test_or_for_a_file_that_is_named(self, models_home: Path, flair_file: Path) -> None:
        assert open_model("flair-rgbi-15", flair_file).contract.task == "landcover"

    def test_that_is_not_here_says_how_to_get_it(self, models_home: Path) -> None:
        with pytest.raises(WeightsMissing) as raised:
            open_model("planaura-s2")
        told = str(raised.value)
        assert "arpent models fetch planaura-s2" in told
        assert "https://huggingface.co/NRCan/Planaura-1.0/resolve/main/Planaura-1.0-S2.pth" in told
        assert str(models_home / "planaura-s2" / "Planaura-1.0-S2.pth") in told

    def test_of_a_language_model_is_not_one_of_our_networks(self, models_home: Path) -> None:
        with pytest.raises(InvalidSetting, match="language model"):
            open_model("qwen2-1.5b")

    def test_gives_way_to_a_bundle_of_that_name(
        self, tmp_path: Path, flair_file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        bundle = import_weights(flair_file, "flair")
        monkeypatch.chdir(tmp_path)
        save_bundle("resnet34", bundle.model, bundle.contract)
        assert open_model("resnet34").contract.architecture == "smp-unet"


def test_the_very_file_that_was_published_is_recognised(flair_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = published_model("flair-rgbi-15")
    known = entry.model_copy(update={"files": (entry.files[0].model_copy(update={"sha256": file_sha256(flair_file)}),)})
    monkeypatch.setattr(importers, "published_model", lambda _: known)
    contract = import_weights(flair_file, "flair").contract
    assert (contract.licence, contract.source) == ("etalab-2.0", entry.page)


@pytest.mark.requires("data")
def test_the_real_mobilenet_predicts_as_torchvision_does(
    data_folder: Path, differs: Callable[[nn.Module, nn.Module, tuple[int, ...]], float]
) -> None:
    import torchvision

    file = data_folder / "weights" / "mobilenet_v2_1.0_224_imagenet_float32_torchvision_layout.pt"
    bundle = import_weights(file, "torchvision", ImportSettings(head="keep", normalise="symmetric"))
    theirs = torchvision.models.mobilenet_v2(weights=None)
    theirs.load_state_dict(torch.load(file, weights_only=True))
    assert differs(bundle.model, theirs, (1, 3, 224, 224)) < 1e-5
    assert bundle.contract.settings["classes"] == 1000
    assert bundle.contract.normalisation.scale == pytest.approx(1 / 127.5)
