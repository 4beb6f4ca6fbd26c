import re
from pathlib import Path

import pytest

from arpent.errors import BundleInvalid, UnknownName, WeightsMissing
from arpent.models import architectures, layout_names, models_folder, published_model, published_names, weights_file
from arpent.store import bundle_in


def test_the_catalog_names_the_models_of_the_specifications() -> None:
    assert set(published_names()) == {
        "planaura-hls", "planaura-s2", "planaura-s2-senegal", "croma-base", "croma-large", "flair-rgbi-15",
        "flair-rgbie-15", "qwen2-1.5b", "qwen2-1.5b-instruct", "mobilenet-v2", "resnet34",
    }  # fmt: skip


@pytest.mark.parametrize("name", published_names())
def test_an_entry_is_complete(name: str) -> None:
    entry = published_model(name)
    assert entry.title
    assert entry.licence
    assert entry.megabytes > 1
    assert re.fullmatch(r"[\w.-]+/[\w.-]+", entry.repo)
    assert all(file.sha256 is None or re.fullmatch("[0-9a-f]{64}", file.sha256) for file in entry.files)
    assert len({file.name for file in entry.files}) == len(entry.files)
    if entry.layout == "transformers":
        assert entry.images is None
        return
    assert entry.architecture in architectures()
    assert entry.layout in layout_names()
    normalisation = entry.images.normalisation()
    assert len(entry.images.described_bands()) == len(normalisation.mean) == len(normalisation.std)


def test_bands_carry_what_the_sensor_table_knows() -> None:
    height = published_model("flair-rgbie-15").images.described_bands()[-1]
    assert height.answers_to("elevation")
    assert published_model("planaura-hls").images.described_bands()[3].wavelength == 864.7


def test_croma_brings_two_deviations_about_the_mean_to_zero_and_one() -> None:
    normalisation = published_model("croma-large").images.normalisation()
    mean, std = 1116, 1956  # of band 1
    low, high = ((mean + k * std - normalisation.mean[0]) / normalisation.std[0] for k in (-2, 2))
    assert (low, high, normalisation.unit) == (0, 1, True)


def test_a_misspelt_name_suggests_the_right_one() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'planaura-s2'"):
        published_model("planaura_s2")


def test_the_models_folder_is_the_users_choice_or_his_data_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARPENT_MODELS", "/srv/models")
    assert models_folder() == Path("/srv/models")
    monkeypatch.delenv("ARPENT_MODELS")
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    assert models_folder() == Path("/data/arpent/models")
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setenv("HOME", "/home/eve")
    assert models_folder() == Path("/home/eve/.local/share/arpent/models")


def test_weights_are_found_under_their_name_or_under_the_publishers(models_home: Path) -> None:
    assert weights_file("croma-base") is None
    models_home.mkdir()
    plain = models_home / "CROMA_base.pt"
    plain.touch()
    assert weights_file("croma-base") == plain
    own = models_home / "croma-base" / "CROMA_base.pt"
    own.parent.mkdir()
    own.touch()
    assert weights_file("croma-base") == own


def test_a_file_name_that_several_models_share_says_nothing(models_home: Path) -> None:
    models_home.mkdir()
    (models_home / "model.safetensors").touch()
    assert weights_file("resnet34") is None


def test_the_name_of_a_published_model_leads_to_its_bundle(models_home: Path) -> None:
    with pytest.raises(WeightsMissing) as missing:
        bundle_in("flair-rgbi-15", "landcover")
    assert "'arpent models fetch flair-rgbi-15'" in missing.value.cure
    models_home.mkdir()
    (models_home / published_model("flair-rgbi-15").files[0].name).touch()
    with pytest.raises(BundleInvalid) as unmade:
        bundle_in("flair-rgbi-15", "landcover")
    made = "'arpent models import flair-rgbi-15 -o flair-rgbi-15.safetensors'"
    assert made in missing.value.cure
    assert made in unmade.value.cure


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("planaura-hls", "planaura-hls is a model for change, not for landcover"),
        ("resnet34", "arpent classify train --pretrained resnet34"),
        ("croma-base", "arpent describe embed --encoder croma-base"),
        ("qwen2-1.5b", "'base: qwen2-1.5b'"),
    ],
)
def test_a_published_model_for_something_else_is_told_so(name: str, line: str) -> None:
    with pytest.raises(BundleInvalid, match=re.escape(line)):
        bundle_in(name, "landcover")


def test_what_lies_under_the_name_of_a_published_model_goes_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "flair-rgbi-15").mkdir()
    assert bundle_in("flair-rgbi-15") == Path("flair-rgbi-15")
