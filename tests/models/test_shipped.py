"""Bundles that come with Arpent: small, whole, and made as they say."""

import pytest

from arpent.core.bundle import bundle_header, read_contract
from arpent.errors import FileMissing
from arpent.models import shipped
from arpent.models.shipped import shipped_bundle, shipped_folder, shipped_name, shipped_names
from arpent.store import bundle_in
from arpent.web.timelines import name_of_bundle


@pytest.mark.parametrize("name", shipped_names())
def test_a_shipped_bundle_is_small_and_says_how_it_was_made(name):
    path = shipped_bundle(name)
    assert path is not None
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files) <= 2_000_000
    contract = read_contract(path)
    assert contract.licence == "Apache-2.0"
    assert all(step.startswith("arpent ") for step in contract.recipe["made_by"])
    assert contract.metrics


@pytest.mark.parametrize("name", shipped_names())
def test_a_shipped_bundle_is_known_by_where_it_lies(name, tmp_path, monkeypatch):
    path = shipped_bundle(name)
    assert shipped_name(path) == shipped_name(str(bundle_header(path))) == name
    monkeypatch.chdir(path.parent)
    assert shipped_name(path.name) == name
    assert shipped_name(tmp_path / path.name) is None, "one of the user's own may be called so"
    assert shipped_name(shipped_folder()) is None


def test_there_is_one_for_change_and_none_of_any_name():
    assert "change-nano" in shipped_names()
    assert shipped_bundle("../shipped") is None


def test_a_bundle_may_be_a_folder(tmp_path, monkeypatch):
    (tmp_path / "several").mkdir()
    (tmp_path / "several" / "bundle.json").write_text("{}")
    (tmp_path / "nothing").mkdir()
    (tmp_path / "one.safetensors").touch()
    monkeypatch.setattr(shipped, "_FOLDER", tmp_path)
    assert shipped_names() == ("one", "several")
    assert shipped_bundle("several") == tmp_path / "several"


def test_its_name_stands_for_it_unless_something_of_that_name_is_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert bundle_in("change-nano") == shipped_bundle("change-nano")
    with pytest.raises(FileMissing, match="change-nan"):
        read_contract(bundle_in("change-nan"))
    (tmp_path / "change-nano").mkdir()
    assert bundle_in("change-nano") == (tmp_path / "change-nano").relative_to(tmp_path)


@pytest.mark.parametrize("file", ["describe-nano/bundle.json", "village/model.safetensors", "village.safetensors"])
def test_a_page_names_a_model_as_people_do(file, tmp_path):
    assert name_of_bundle(tmp_path / file) in ("describe-nano", "village")
