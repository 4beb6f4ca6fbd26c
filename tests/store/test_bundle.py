import json
import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from arpent.core import BUNDLE_FORMAT, Contract, nomenclature, sensor
from arpent.core.bundle import contract_document, encode_contract
from arpent.errors import ArpentError, BundleInvalid, FileMissing, UnreadableFile
from arpent.store import bundles_under, read_contract

CONTRACT = Contract(
    task="landcover",
    architecture="unet",
    bands=sensor("bd-ortho").bands,
    classes=nomenclature("commune"),
    metrics={"mIoU": 0.6},
    arpent="0.1.0",
)


def _safetensors(document: object, *, key: str = "arpent") -> bytes:
    """A safetensors file with one number in it, written by hand from the format's description."""
    text = document if isinstance(document, str) else json.dumps(document)
    header = {"__metadata__": {key: text}, "w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}
    encoded = json.dumps(header).encode()
    return struct.pack("<Q", len(encoded)) + encoded + bytes(4)


def _document(**changes: object) -> dict[str, object]:
    return {**contract_document(CONTRACT), **changes}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    path.write_bytes(_safetensors(_document()))
    return path


def test_a_contract_is_read_from_a_file_and_from_a_folder(file: Path, tmp_path: Path) -> None:
    assert read_contract(file) == CONTRACT
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "bundle.json").write_text(encode_contract(_document(), indent=2))
    assert read_contract(folder) == CONTRACT


def test_no_tensor_is_read_and_no_torch_is_loaded(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-4])  # the tensors are gone
    code = (
        "import sys; from arpent.store import read_contract; read_contract(sys.argv[1]); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(file)], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -9999.0, None])
def test_every_number_for_no_data_survives(number: float | None, file: Path) -> None:
    contract = CONTRACT.model_copy(update={"nodata": number})
    file.write_bytes(_safetensors(encode_contract(contract_document(contract))))
    assert repr(read_contract(file).nodata) == repr(number)


def test_the_text_of_a_contract_does_not_depend_on_the_order_of_its_keys() -> None:
    document = contract_document(CONTRACT)
    assert encode_contract(dict(reversed(document.items()))) == encode_contract(document)


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(length=st.integers(0, len(_safetensors(_document())) - 5))
def test_a_file_cut_off_anywhere_in_its_header_is_no_bundle(length: int, tmp_path: Path) -> None:
    path = tmp_path / "cut.safetensors"
    path.write_bytes(_safetensors(_document())[:length])
    with pytest.raises(BundleInvalid) as raised:
        read_contract(path)
    assert "\n" not in str(raised.value)


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=200))
def test_any_bytes_are_refused_in_one_line(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "any.safetensors"
    for candidate in (content, struct.pack("<Q", len(content)) + content):
        path.write_bytes(candidate)
        with pytest.raises(BundleInvalid) as raised:
            read_contract(path)
        assert "\n" not in str(raised.value)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(key=st.sampled_from(sorted(Contract.model_fields)), value=json_values)
def test_a_contract_with_any_wrong_value_is_read_or_refused(key: str, value: object, tmp_path: Path) -> None:
    path = tmp_path / "odd.safetensors"
    path.write_bytes(_safetensors(_document(**{key: value})))
    try:
        read_contract(path)
    except ArpentError as error:
        assert isinstance(error, BundleInvalid)
        assert "\n" not in str(error)


@pytest.mark.parametrize("length", [2**63, 2**64 - 1, 200_000_000])
def test_a_header_that_claims_to_be_huge_is_not_read(length: int, tmp_path: Path) -> None:
    path = tmp_path / "huge.safetensors"
    path.write_bytes(struct.pack("<Q", length) + b"{}")
    with pytest.raises(BundleInvalid, match="is not a safetensors file"):
        read_contract(path)


@pytest.mark.parametrize("text", ["[" * 100_000, "[]", "null", '{"format": 1', "", "\ud800"])
def test_a_contract_that_is_no_json_object_is_refused(text: str, file: Path) -> None:
    file.write_bytes(_safetensors(text))
    with pytest.raises(BundleInvalid):
        read_contract(file)


def test_weights_without_a_contract_say_how_they_become_a_bundle(file: Path) -> None:
    file.write_bytes(_safetensors("{}", key="format"))
    with pytest.raises(BundleInvalid, match="arpent models import"):
        read_contract(file)


def test_a_bundle_of_a_later_format_asks_for_an_upgrade(file: Path) -> None:
    file.write_bytes(_safetensors(_document(format=BUNDLE_FORMAT + 6, what="is this")))
    told = rf"later version of Arpent \(found bundle format {BUNDLE_FORMAT + 6}; expected {BUNDLE_FORMAT} or less\)"
    with pytest.raises(BundleInvalid, match=told):
        read_contract(file)


@pytest.mark.parametrize("version", [0, -1, True, "1", None, 1.5])
def test_a_format_that_is_no_version_is_damage(version: object, file: Path) -> None:
    file.write_bytes(_safetensors(_document(format=version)))
    with pytest.raises(BundleInvalid, match="damaged"):
        read_contract(file)


def test_a_wrong_field_is_named_with_its_place(file: Path) -> None:
    document = _document()
    document["bands"][2]["wavelength"] = "blue"
    file.write_bytes(_safetensors(document))
    with pytest.raises(BundleInvalid, match=r"bands\.2\.wavelength"):
        read_contract(file)


def test_a_nomenclature_that_contradicts_itself_is_damage(file: Path) -> None:
    document = _document()
    document["classes"]["classes"][1]["id"] = 1
    file.write_bytes(_safetensors(document))
    with pytest.raises(BundleInvalid, match="uses a number twice"):
        read_contract(file)


def test_nothing_there_and_a_folder_without_a_contract_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(FileMissing, match="arpent models list"):
        read_contract(tmp_path / "none.safetensors")
    with pytest.raises(BundleInvalid, match=r"a folder without bundle\.json"):
        read_contract(tmp_path)


def test_what_the_system_refuses_to_read_is_said(tmp_path: Path) -> None:
    (tmp_path / "bundle.json").mkdir()
    with pytest.raises(UnreadableFile, match="cannot be read"):
        read_contract(tmp_path)


def test_a_folder_is_searched_for_bundles_and_weights_are_passed_over(file: Path, tmp_path: Path) -> None:
    (tmp_path / "weights.safetensors").write_bytes(_safetensors("{}", key="format"))
    (tmp_path / "later.safetensors").write_bytes(_safetensors(_document(format=99)))
    folder = tmp_path / "deep" / "folder"
    folder.mkdir(parents=True)
    (folder / "bundle.json").write_text(encode_contract(_document()))
    (folder / "part.safetensors").write_bytes(_safetensors("{}", key="format"))
    found = {bundle.path.name: bundle for bundle in bundles_under(tmp_path)}
    assert set(found) == {"folder", "later.safetensors", "model.safetensors"}
    assert found["folder"].contract == found["model.safetensors"].contract == CONTRACT
    assert found["folder"].bytes == sum(part.stat().st_size for part in folder.iterdir())
    assert found["later.safetensors"].contract is None
    assert "later version" in found["later.safetensors"].problem
    assert [bundle.path for bundle in bundles_under(file)] == [file]
    assert list(bundles_under(tmp_path / "none")) == []


def test_what_cannot_be_read_is_listed_and_the_search_goes_on(file: Path, tmp_path: Path) -> None:
    (tmp_path / "a-link.safetensors").symlink_to(tmp_path / "gone")
    (tmp_path / "a-ring.safetensors").symlink_to(tmp_path / "a-ring.safetensors")
    strange = tmp_path / "a-strange"
    (strange / "bundle.json").mkdir(parents=True)
    found = {bundle.path.name: bundle for bundle in bundles_under(tmp_path)}
    assert list(found) == ["a-link.safetensors", "a-ring.safetensors", "a-strange", "model.safetensors"]
    assert found["a-link.safetensors"].problem == "a link to a file that is not there"
    assert "cannot be read" in found["a-ring.safetensors"].problem
    assert "cannot be read" in found["a-strange"].problem
    assert found["model.safetensors"].contract == CONTRACT


def test_a_folder_whose_part_is_a_broken_link_is_listed(tmp_path: Path) -> None:
    (tmp_path / "bundle.json").write_text(encode_contract(_document()))
    (tmp_path / "head.safetensors").symlink_to(tmp_path / "gone")
    (found,) = bundles_under(tmp_path)
    assert (found.contract, found.bytes) == (CONTRACT, (tmp_path / "bundle.json").stat().st_size)


def test_bundles_that_are_still_being_written_are_not_listed(file: Path, tmp_path: Path) -> None:
    (tmp_path / ".model.safetensors.7.partial").mkdir()
    (tmp_path / ".model.safetensors.7.partial" / "bundle.json").write_text(encode_contract(_document()))
    assert [bundle.path for bundle in bundles_under(tmp_path)] == [file]


def test_a_file_that_its_owner_has_closed_is_listed(file: Path, tmp_path: Path) -> None:
    closed = tmp_path / "closed.safetensors"
    closed.write_bytes(file.read_bytes())
    closed.chmod(0)
    if os.access(closed, os.R_OK):
        pytest.skip("this user reads every file")
    found = {bundle.path.name: bundle.problem for bundle in bundles_under(tmp_path)}
    assert found["model.safetensors"] is None
    assert "Check the permissions" in found["closed.safetensors"]
