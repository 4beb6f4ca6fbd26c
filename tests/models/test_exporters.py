import json
import os
import stat
from pathlib import Path

import pytest
import torch

from arpent.core import Contract
from arpent.errors import InvalidSetting, NotWritable, UnknownName
from arpent.models import Bundle, Croma, CromaSettings, UNet, export, load_bundle
from arpent.models.openvino import openvino


@pytest.fixture
def bundle(small_model: UNet, small_contract: Contract) -> Bundle:
    return Bundle(small_model, small_contract)


@pytest.fixture
def encoder(small_contract: Contract) -> Bundle:
    import timm

    torch.manual_seed(8)
    model = timm.create_model("mobilenetv2_035", pretrained=False, in_chans=4, num_classes=0).eval()
    settings = {"name": "mobilenetv2_035", "channels": 4, "classes": 0}
    return Bundle(model, small_contract.model_copy(update={"architecture": "timm", "settings": settings}))


@pytest.mark.parametrize("which", ["bundle", "encoder"])
@pytest.mark.parametrize("shape", [(1, 4, 64, 64), (3, 4, 96, 160)])
def test_onnx_gives_the_answers_of_torch_at_any_size(
    which: str, shape: tuple[int, ...], request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    import onnxruntime

    source: Bundle = request.getfixturevalue(which)
    path = export(source, tmp_path / "model.onnx", "onnx")
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    images = torch.rand(shape)
    with torch.inference_mode():
        expected = source.model(images)
    (found,) = session.run(None, {"images": images.numpy()})
    assert torch.allclose(torch.from_numpy(found), expected, atol=1e-5)
    contract = session.get_modelmeta().custom_metadata_map["arpent"]
    assert Contract.model_validate_json(contract) == source.contract
    assert [file.name for file in tmp_path.iterdir()] == ["model.onnx"]


def test_openvino_gives_the_answers_of_torch_at_any_size(bundle: Bundle, tmp_path: Path) -> None:
    core = openvino().Core()
    path = export(bundle, tmp_path / "model.xml", "openvino")
    graph = core.read_model(path)
    compiled = core.compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    for shape in [(1, 4, 64, 64), (3, 4, 96, 160)]:
        images = torch.rand(shape)
        with torch.inference_mode():
            expected = bundle.model(images)
        assert torch.allclose(torch.from_numpy(compiled([images.numpy()])[0]), expected, atol=1e-5)
    assert json.loads(graph.get_rt_info(["arpent"]).astype(str))["task"] == "landcover"
    assert {file.name for file in tmp_path.iterdir()} == {"model.xml", "model.bin"}


def test_safetensors_is_a_bundle(bundle: Bundle, tmp_path: Path) -> None:
    assert load_bundle(export(bundle, tmp_path / "m.safetensors", "safetensors")).contract == bundle.contract


@pytest.mark.parametrize(("to", "name"), [("onnx", "m.onnx"), ("openvino", "m.xml"), ("safetensors", "m.safetensors")])
def test_what_is_written_is_as_open_to_others_as_any_new_file(
    to: str, name: str, bundle: Bundle, tmp_path: Path
) -> None:
    before = os.umask(0o027)
    try:
        export(bundle, tmp_path / name, to)
    finally:
        os.umask(before)
    assert {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()} == {0o640}


def test_a_misspelt_format_suggests_the_right_one(bundle: Bundle, tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="Did you mean 'onnx'"):
        export(bundle, tmp_path / "m.onnx", "onx")


def test_a_path_with_another_ending_is_refused(bundle: Bundle, tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting, match=r"Name it m\.xml"):
        export(bundle, tmp_path / "m.onnx", "openvino")


def test_a_network_of_two_images_is_refused(small_contract: Contract, tmp_path: Path) -> None:
    settings = CromaSettings(width=16, depth=2, heads=2)
    contract = small_contract.model_copy(update={"architecture": "croma", "settings": settings.model_dump()})
    with pytest.raises(InvalidSetting, match="more than one image"):
        export(Bundle(Croma(settings), contract), tmp_path / "m.onnx", "onnx")


@pytest.mark.parametrize(("to", "name"), [("onnx", "m.onnx"), ("openvino", "m.xml")])
def test_a_place_that_cannot_be_written_is_named_and_nothing_is_left(
    to: str, name: str, bundle: Bundle, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotWritable):
        export(bundle, tmp_path / "file" / name, to)
    assert [file.name for file in tmp_path.iterdir()] == ["file"]
