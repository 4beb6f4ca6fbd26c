import errno
import json
import os
import resource
import signal
import stat
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
import safetensors.torch
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from arpent.core import Contract
from arpent.errors import (
    ArpentError,
    BundleInvalid,
    DiskFull,
    FileMissing,
    InvalidSetting,
    NotWritable,
    WeightsMismatch,
)
from arpent.models import UNet, load_bundle, load_state, save_bundle
from arpent.store import read_contract


@pytest.fixture(params=["model.safetensors", "folder"])
def bundle(request, tmp_path: Path, small_model: UNet, small_contract: Contract) -> Path:
    return save_bundle(tmp_path / request.param, small_model, small_contract)


def test_what_is_saved_is_what_is_loaded(bundle: Path, small_model: UNet, small_contract: Contract) -> None:
    loaded = load_bundle(bundle)
    assert loaded.contract.model_copy(update={"parts": {}}) == small_contract
    assert not loaded.model.training
    state = loaded.model.state_dict()
    assert all(torch.equal(tensor, state[name]) for name, tensor in small_model.state_dict().items())
    images = torch.randn(1, 4, 32, 32)
    with torch.inference_mode():
        assert torch.equal(loaded.model(images), small_model(images))


def test_the_same_model_gives_the_same_bytes_every_time(
    tmp_path: Path, small_model: UNet, small_contract: Contract
) -> None:
    first = save_bundle(tmp_path / "a.safetensors", small_model, small_contract)
    loaded = load_bundle(first)
    # The library keeps a header's entries in a table whose order is drawn anew for each file.
    again = [save_bundle(tmp_path / f"{n}.safetensors", loaded.model, loaded.contract) for n in range(8)]
    assert {file.read_bytes() for file in again} == {first.read_bytes()}


def test_the_memory_format_of_a_network_does_not_show_in_its_bundle(
    tmp_path: Path, small_model: UNet, small_contract: Contract
) -> None:
    rows = save_bundle(tmp_path / "a.safetensors", small_model, small_contract).read_bytes()
    last = small_model.to(memory_format=torch.channels_last)
    assert save_bundle(tmp_path / "b.safetensors", last, small_contract).read_bytes() == rows


def test_tensors_that_two_layers_share_are_saved_for_both(
    tmp_path: Path, small_model: UNet, small_contract: Contract
) -> None:
    small_model.encoder[0][3].weight = small_model.encoder[0][0].weight = torch.nn.Parameter(torch.randn(4, 4, 3, 3))
    small_model.encoder[0][0].in_channels = 4
    loaded = load_bundle(save_bundle(tmp_path / "shared.safetensors", small_model, small_contract))
    assert torch.equal(loaded.model.encoder[0][0].weight, loaded.model.encoder[0][3].weight)


def test_a_folder_has_one_part_per_submodule_and_pins_each(
    tmp_path: Path, small_model: UNet, small_contract: Contract
) -> None:
    folder = save_bundle(tmp_path / "folder", small_model, small_contract)
    names = {"encoder.safetensors", "decoder.safetensors", "narrow.safetensors", "head.safetensors"}
    assert set(read_contract(folder).parts) == names
    assert {file.name for file in folder.iterdir()} == {*names, "bundle.json"}


def test_tensors_of_no_submodule_have_a_part_of_their_own(tmp_path: Path, small_contract: Contract) -> None:
    model = UNet.__new__(UNet)
    torch.nn.Module.__init__(model)
    model.model, model.bare = torch.nn.Linear(2, 2), torch.nn.Parameter(torch.ones(3))
    folder = save_bundle(tmp_path / "folder", model, small_contract)
    assert set(read_contract(folder).parts) == {"model.safetensors"}
    kept = safetensors.torch.load_file(folder / "model.safetensors")
    assert set(kept) == {"model.weight", "model.bias", "bare"}


def test_a_bundle_can_be_written_over(bundle: Path, small_model: UNet, small_contract: Contract) -> None:
    renewed = small_contract.model_copy(update={"licence": "etalab-2.0"})
    save_bundle(bundle, small_model, renewed)
    assert load_bundle(bundle).contract.licence == "etalab-2.0"
    assert [file.name for file in bundle.parent.iterdir()] == [bundle.name]


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o027, 0o640)])
@pytest.mark.parametrize("name", ["model.safetensors", "folder"])
def test_a_bundle_is_as_open_to_others_as_any_new_file(
    name: str, umask: int, mode: int, tmp_path: Path, small_model: UNet, small_contract: Contract
) -> None:
    before = os.umask(umask)
    try:
        path = save_bundle(tmp_path / name, small_model, small_contract)
    finally:
        os.umask(before)
    files = list(path.iterdir()) if path.is_dir() else [path]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {mode}


def test_a_folder_that_cannot_take_its_name_leaves_the_earlier_bundle_in_place(
    tmp_path: Path, small_model: UNet, small_contract: Contract, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = save_bundle(tmp_path / "folder", small_model, small_contract)
    rename = Path.rename

    def refused(self: Path, target: Path) -> Path:
        if self.name.endswith(".partial"):
            raise OSError(errno.EACCES, "Permission denied")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refused)
    with pytest.raises(NotWritable):
        save_bundle(folder, small_model, small_contract.model_copy(update={"licence": "MIT"}))
    assert load_bundle(folder).contract.licence == small_contract.licence
    assert [file.name for file in tmp_path.iterdir()] == ["folder"]


def test_loading_does_not_disturb_random_numbers(bundle: Path) -> None:
    torch.manual_seed(11)
    expected = torch.rand(4)
    torch.manual_seed(11)
    load_bundle(bundle)
    assert torch.equal(torch.rand(4), expected)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(where=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_no_flipped_bit_of_a_file_goes_unnoticed(
    where: float, bit: int, tmp_path: Path, small_model: UNet, small_contract: Contract
) -> None:
    whole = save_bundle(tmp_path / "whole.safetensors", small_model, small_contract).read_bytes()
    damaged = bytearray(whole)
    damaged[int(where * len(whole))] ^= 1 << bit
    path = tmp_path / "damaged.safetensors"
    path.write_bytes(damaged)
    try:
        loaded = load_bundle(path)
    except ArpentError as error:
        assert "\n" not in str(error)
    else:
        # A blank that pads the header may differ; what is loaded may not.
        assert loaded.contract == small_contract
        state = loaded.model.state_dict()
        assert all(torch.equal(tensor, state[name]) for name, tensor in small_model.state_dict().items())


def test_a_changed_weight_is_noticed(bundle: Path) -> None:
    file = bundle / "head.safetensors" if bundle.is_dir() else bundle
    content = bytearray(file.read_bytes())
    content[-3] ^= 1
    file.write_bytes(content)
    with pytest.raises(BundleInvalid, match="is not as it was saved"):
        load_bundle(bundle)


def test_a_contract_changed_by_hand_is_noticed(tmp_path: Path, small_model: UNet, small_contract: Contract) -> None:
    path = save_bundle(tmp_path / "m.safetensors", small_model, small_contract)
    path.write_bytes(path.read_bytes().replace(b'\\"mIoU\\": 0.61', b'\\"mIoU\\": 0.91'))
    assert read_contract(path).metrics["mIoU"] == 0.91
    with pytest.raises(BundleInvalid, match="is not as it was saved"):
        load_bundle(path)


def test_a_part_that_is_missing_is_named(tmp_path: Path, small_model: UNet, small_contract: Contract) -> None:
    folder = save_bundle(tmp_path / "folder", small_model, small_contract)
    (folder / "decoder.safetensors").unlink()
    with pytest.raises(BundleInvalid, match=r"lacks its part decoder\.safetensors"):
        load_bundle(folder)


@pytest.mark.parametrize("part", ["../secret.safetensors", "/etc/secret.safetensors", "head.pth", "a/b.safetensors"])
def test_a_part_outside_the_folder_is_refused(
    part: str, tmp_path: Path, small_model: UNet, small_contract: Contract
) -> None:
    folder = save_bundle(tmp_path / "folder", small_model, small_contract)
    header = json.loads((folder / "bundle.json").read_text())
    header["parts"][part] = "0" * 64
    (folder / "bundle.json").write_text(json.dumps(header))
    with pytest.raises(BundleInvalid, match="cannot be one of its files"):
        load_bundle(folder)


def test_every_tensor_that_does_not_fit_is_listed(small_model: UNet) -> None:
    state = dict(small_model.state_dict())
    state["stem.weight"] = state.pop("head.weight")
    state["head.bias"] = torch.zeros(3)
    with pytest.raises(WeightsMismatch) as raised:
        load_state(small_model, state, "x.pth")
    text = str(raised.value)
    assert "missing head.weight" in text
    assert "unexpected stem.weight" in text
    assert "misshapen head.bias 3 for 11" in text


def test_a_long_list_of_tensors_is_cut(small_model: UNet) -> None:
    with pytest.raises(WeightsMismatch, match=r"and \d\d more"):
        load_state(small_model, {}, "x.pth")


def test_a_bundle_of_another_architecture_does_not_fit(
    tmp_path: Path, small_model: UNet, small_contract: Contract
) -> None:
    wider = small_contract.model_copy(update={"settings": {**small_contract.settings, "widths": [4, 8]}})
    path = save_bundle(tmp_path / "m.safetensors", small_model, wider)
    with pytest.raises(WeightsMismatch, match="misshapen"):
        load_bundle(path)


def test_nothing_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(FileMissing, match="there is no model at"):
        load_bundle(tmp_path / "none.safetensors")


def test_a_header_whose_tensors_are_cut_off_is_damaged(
    tmp_path: Path, small_model: UNet, small_contract: Contract
) -> None:
    path = save_bundle(tmp_path / "m.safetensors", small_model, small_contract)
    whole = path.read_bytes()
    (length,) = struct.unpack("<Q", whole[:8])
    path.write_bytes(whole[: 8 + length + 20])
    read_contract(path)
    with pytest.raises(BundleInvalid, match="is damaged"):
        load_bundle(path)


@pytest.mark.parametrize("name", ["file/m.safetensors", "file/folder"])
def test_a_file_in_the_place_of_a_folder_is_not_writable(
    name: str, tmp_path: Path, small_model: UNet, small_contract: Contract
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NotWritable, match="cannot be written"):
        save_bundle(tmp_path / name, small_model, small_contract)


@pytest.fixture
def small_files() -> Iterator[None]:
    """A limit on the size of files, which fails in the middle of a write as a full disk does."""
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize("name", ["m.safetensors", "folder"])
def test_a_full_disk_leaves_no_bundle(
    name: str, tmp_path: Path, small_model: UNet, small_contract: Contract, small_files: None
) -> None:
    with pytest.raises(DiskFull, match="no space is left to write"):
        save_bundle(tmp_path / name, small_model, small_contract)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", [".", "photos", "photos.safetensors"])
def test_a_folder_that_holds_something_else_is_left_alone(
    name: str, tmp_path: Path, small_model: UNet, small_contract: Contract
) -> None:
    folder = tmp_path / name
    folder.mkdir(exist_ok=True)
    (folder / "holiday.jpg").touch()
    with pytest.raises(NotWritable, match="something other than a bundle"):
        save_bundle(folder, small_model, small_contract)
    assert (folder / "holiday.jpg").exists()


def test_an_empty_folder_becomes_a_bundle(tmp_path: Path, small_model: UNet, small_contract: Contract) -> None:
    (tmp_path / "empty").mkdir()
    load_bundle(save_bundle(tmp_path / "empty", small_model, small_contract))


def test_the_name_of_another_format_is_refused(tmp_path: Path, small_model: UNet, small_contract: Contract) -> None:
    with pytest.raises(InvalidSetting, match=r"Name it .*m\.safetensors"):
        save_bundle(tmp_path / "m.pth", small_model, small_contract)
