"""``arpent models``, on a bundle, on the catalog, and on what is neither."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from arpent.core import BUNDLE_FORMAT, Contract, Normalisation, nomenclature, sensor
from arpent.models import UNet, UNetSettings, load_bundle, published_names, save_bundle
from arpent.store import RunFolder

Run = Callable[..., Any]
SETTINGS = UNetSettings(channels=4, classes=11, widths=(4, 6))


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that stands for the user's models."""
    folder = tmp_path / "models"
    monkeypatch.setenv("ARPENT_MODELS", str(folder))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.delenv("COLUMNS")  # as in a pipe, where long paths are not folded
    monkeypatch.chdir(tmp_path)
    return folder


@pytest.fixture
def bundle(home: Path) -> Path:
    contract = Contract(
        task="landcover",
        architecture="unet",
        settings=SETTINGS.model_dump(mode="json"),
        bands=sensor("bd-ortho").bands,
        gsd=0.2,
        dtype="uint8",
        nodata=0,
        normalisation=Normalisation(origin="commune ortho", mean=(1.0, 2.0, 3.0, 4.0), std=(5.0,) * 4),
        classes=nomenclature("commune"),
        metrics={"mIoU": 0.6123},
        arpent="0.1.0",
    )
    return save_bundle(home / "commune.safetensors", UNet(SETTINGS), contract)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    import timm

    file = tmp_path / "resnet18.pth"
    torch.save(timm.create_model("resnet18", pretrained=False, num_classes=5).state_dict(), file)
    return file


def test_list_shows_the_catalog_where_nothing_is_here_yet(arpent: Run, home: Path) -> None:
    said = arpent("models", "list")
    assert said.code == 0
    assert all(name in said.out for name in published_names())
    assert "change-nano (comes with Arpent)" in said.out
    assert f"None of your own in {home} yet." in said.err
    french = arpent("models", "list", "--language", "fr")
    assert f"Aucun modèle à vous dans {home} pour le moment." in french.err


def test_list_shows_bundles_and_which_weights_are_here(arpent: Run, home: Path, bundle: Path) -> None:
    (home / "croma-base").mkdir()
    (home / "croma-base" / "CROMA_base.pt").touch()
    said = arpent("models", "list")
    assert "commune.safetensors" in said.out
    assert "CROMA_base.pt" in said.out
    document = arpent("models", "list", "--json").document
    assert [found["path"] for found in document["bundles"]] == [str(bundle)]
    here = {entry["name"]: entry["weights"] for entry in document["published"]}
    assert here["croma-base"].endswith("CROMA_base.pt")
    assert here["croma-large"] is None


def test_list_names_what_is_wrong_with_a_bundle(arpent: Run, bundle: Path) -> None:
    bundle.write_bytes(bundle.read_bytes().replace(f'\\"format\\": {BUNDLE_FORMAT}'.encode(), b'\\"format\\": 7'))
    said = arpent("models", "list")
    assert said.code == 0
    assert "cannot be used" in said.out
    assert "later version" in said.out


def test_list_goes_on_past_what_cannot_be_read(arpent: Run, home: Path, bundle: Path) -> None:
    (home / "broken.safetensors").symlink_to(home / "gone")
    said = arpent("models", "list")
    assert (said.code, "a link to a file" in said.out, "commune.safetensors" in said.out) == (0, True, True)


def test_list_of_a_path_that_is_not_there_is_an_error(arpent: Run) -> None:
    said = arpent("models", "list", "nowhere")
    assert said.code == 3
    assert said.err.strip() == "arpent: error: there is nothing at nowhere. Check the path."


def test_show_reads_a_contract_to_people_and_to_machines(arpent: Run, bundle: Path) -> None:
    said = arpent("models", "show", bundle)
    for words in ("landcover", "unet", "0.2 m", "uint8", "commune ortho", "swimming pool", "0.6123", "nir", "830"):
        assert words in said.out, words
    document = arpent("models", "show", bundle, "--json").document
    assert document["path"] == str(bundle)
    assert document["classes"]["name"] == "commune"


def test_show_says_which_models_come_with_arpent(arpent: Run, bundle: Path) -> None:
    assert re.search(r"source +comes with Arpent", arpent("models", "show", "change-nano").out)
    assert re.search(r"source +fourni avec Arpent", arpent("models", "show", "change-nano", "--language", "fr").out)
    assert "comes with Arpent" not in arpent("models", "show", bundle).out


def test_show_has_a_line_for_each_setting_of_the_recipe(arpent: Run, bundle: Path) -> None:
    model = load_bundle(bundle)
    recipe = {"settings": {"fit": {"epochs": 5, "best": "miou"}, "task": {"bands": ["red", "nir"], "weights": {}}}}
    told = model.contract.model_copy(update={"recipe": recipe})
    said = arpent("models", "show", save_bundle(bundle.parent / "told.safetensors", model.model, told))
    lines = [line.split() for line in said.out.splitlines()]
    assert ["settings.fit.epochs", "5"] in lines
    assert ["settings.task.bands", "red,", "nir"] in lines
    assert ["widths", "4,", "6"] in lines
    assert "{" not in said.out


def test_show_speaks_stac(arpent: Run, bundle: Path) -> None:
    printed = json.loads(arpent("models", "show", bundle, "--mlm").out)
    assert printed["mlm:tasks"] == ["semantic-segmentation"]
    assert arpent("models", "show", bundle, "--mlm", "--json").document == printed


def test_show_tells_where_a_published_model_comes_from(arpent: Run) -> None:
    said = arpent("models", "show", "croma-large")
    assert "https://huggingface.co/antofuller/CROMA" in said.out
    assert "not here; arpent models fetch croma-large" in said.out
    assert arpent("models", "show", "croma-large", "--json").document["licence"] == "MIT"


@pytest.mark.parametrize("name", ["none.safetensors", "croma-larg"])
def test_show_of_nothing_is_an_error(name: str, arpent: Run) -> None:
    said = arpent("models", "show", name)
    assert said.code == 4 or said.code == 3
    assert said.err.count("\n") == 1


def test_import_writes_a_bundle_and_says_what_it_left_out(arpent: Run, weights: Path, tmp_path: Path) -> None:
    said = arpent("models", "import", weights, "--as", "timm", "-o", "r.safetensors")
    assert said.code == 0, said.err
    assert "a 'timm' for classify on red, green, blue" in said.out
    assert "Left out: fc.weight, fc.bias." in said.err
    assert load_bundle(tmp_path / "r.safetensors").contract.settings["name"] == "resnet18"


def test_import_takes_settings_as_options(arpent: Run, weights: Path, tmp_path: Path) -> None:
    options = ("--head", "keep", "--bands", "nir,red,green", "--normalise", "unit", "--gsd", "0.5", "--licence", "MIT")
    assert arpent("models", "import", weights, "--as", "timm", "-o", "r.safetensors", *options).code == 0
    contract = load_bundle(tmp_path / "r.safetensors").contract
    assert contract.band_names == ("nir", "red", "green")
    assert (contract.gsd, contract.licence, contract.settings["classes"]) == (0.5, "MIT", 5)


def test_import_of_a_published_name_takes_the_file_that_stands_for_it(arpent: Run, tmp_path: Path) -> None:
    import timm

    torch.save(timm.create_model("resnet34", pretrained=False).state_dict(), tmp_path / "mine.pth")
    said = arpent("models", "import", "resnet34", "--file", "mine.pth", "-o", "r.safetensors", "--json")
    assert said.code == 0, said.err
    assert said.document == {"bundle": "r.safetensors", "left_out": ["fc.weight", "fc.bias"]}
    assert load_bundle(tmp_path / "r.safetensors").contract.licence == "apache-2.0"


def test_import_says_which_published_models_fit_and_what_it_cannot_describe(arpent: Run, root: Path) -> None:
    golden = root / "tests" / "golden"
    words = (
        "models",
        "import",
        golden / "planaura_tiny_official_layout.pth",
        "--as",
        "planaura",
        "-o",
        "p.safetensors",
    )
    heads = ("--heads", 4, "--decoder-heads", 4)
    said = arpent(*words, *heads)
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert "planaura-hls, planaura-s2, planaura-s2-senegal" in said.err
    assert arpent(*words, *heads, "--like", "planaura-s2").code == 0
    said = arpent("models", "import", golden / "croma_tiny_official_layout.pt", "--as", "croma", "-o", "c.safetensors")
    assert "describes neither bands nor statistics of: radar (2 bands)." in said.err


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("weights.pth",), 2, "Add --as LAYOUT"),
        (("weights.pth", "--as", "smpp"), 2, "Did you mean 'smp'?"),
        (("weights.pth", "--as", "smp", "--hed", "keep"), 2, "--head"),
        (("none.pth", "--as", "smp"), 3, "there is no file none.pth"),
        (("resnet34",), 4, "arpent models fetch resnet34"),
    ],
)
def test_import_refuses_in_one_line(words: tuple[str, ...], code: int, says: str, arpent: Run, tmp_path: Path) -> None:
    torch.save({}, tmp_path / "weights.pth")
    said = arpent("models", "import", *words, "-o", "b.safetensors")
    assert said.code == code
    assert says in said.err
    assert not (tmp_path / "b.safetensors").exists()


def test_fetch_without_network_says_what_to_put_where(arpent: Run, home: Path) -> None:
    said = arpent("models", "fetch", "mobilenet-v2")
    assert said.code == 8
    assert said.err.count("\n") == 1
    assert str(home / "mobilenet-v2" / "model.safetensors") in said.err


def test_fetch_checks_a_file_that_is_here(arpent: Run, home: Path) -> None:
    (home / "resnet34").mkdir(parents=True)
    (home / "resnet34" / "model.safetensors").write_bytes(b"weights")
    said = arpent("models", "fetch", "resnet34")
    assert (said.code, "first seen" in said.out, "the publisher shows no checksum" in said.err) == (0, True, True)
    (row,) = arpent("models", "fetch", "resnet34", "--json").document
    assert (row["name"], row["checked"]) == ("resnet34", "recorded")


def test_fetch_of_a_misspelt_name_downloads_nothing(arpent: Run, home: Path) -> None:
    said = arpent("models", "fetch", "mobilenet-v2", "resnet-34", "--json")
    assert (said.code, said.document["error"]["class"]) == (2, "UnknownName")
    assert not home.exists()


def test_export_writes_beside_and_checks_the_format(arpent: Run, bundle: Path, tmp_path: Path) -> None:
    said = arpent("models", "export", bundle, "--to", "onnx")
    assert said.code == 0, said.err
    assert (tmp_path / "commune.onnx").is_file()
    assert arpent("models", "export", bundle, "--to", "onyx").code == 2
    assert arpent("models", "export", bundle, "--to", "safetensors", "-o", bundle).code == 2


def test_export_takes_the_run_that_trained_a_model(arpent: Run, bundle: Path, tmp_path: Path) -> None:
    with RunFolder.create(tmp_path / "runs" / "mine", "landcover-train", "mine", exact=True) as run:
        run.scratch.mkdir(exist_ok=True)
        run.publish(shutil.copy(bundle, run.scratch / "model.safetensors"), kind="model")
        run.finish()
    said = arpent("models", "export", tmp_path / "runs" / "mine", "--to", "onnx")
    assert said.code == 0, said.err
    assert (tmp_path / "mine.onnx").is_file()


def test_export_of_a_model_that_is_not_here_says_how_to_get_it(arpent: Run) -> None:
    said = arpent("models", "export", "flair-rgbi-15", "--to", "openvino")
    assert said.code == 4
    assert "arpent models fetch flair-rgbi-15" in said.err


def test_list_and_show_do_not_wait_for_torch(bundle: Path) -> None:
    code = (
        "import sys; from arpent.cli.app import main;"
        "assert main(['models', 'list']) == main(['models', 'show', sys.argv[1]]) == 0;"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(bundle)], check=True, capture_output=True)


def test_models_are_told_in_french(arpent: Run, home: Path, bundle: Path, weights: Path, tmp_path: Path) -> None:
    listed = arpent("models", "list", "--language", "fr")
    assert all(words in listed.out for words in ("modèle empaqueté", "modèle publié", "(livré avec Arpent)", "poids"))
    shown = arpent("models", "show", bundle, "--language", "fr")
    for words in ("tâche", "taille du pixel", "sans donnée", "piscine", "non précisée", "nom courant", "écart type"):
        assert words in shown.out, words
    assert "778 Mo" in arpent("models", "show", "croma-base", "--language", "fr").out.replace("\N{NO-BREAK SPACE}", " ")
    made = arpent("models", "import", weights, "--as", "timm", "-o", tmp_path / "a.safetensors", "--language", "fr")
    assert "contient un «" in made.out and "Laissés de côté" in made.err
    sent = arpent(
        "models", "export", bundle, "--to", "safetensors", "-o", tmp_path / "b.safetensors", "--language", "fr"
    )
    assert sent.out.strip().endswith("b.safetensors est écrit.")
    (home / "resnet34").mkdir(parents=True)
    (home / "resnet34" / "model.safetensors").write_bytes(b"weights")
    fetched = arpent("models", "fetch", "resnet34", "--language", "fr")
    assert "somme de contrôle" in fetched.out and "l’éditeur n’indique aucune somme de contrôle" in fetched.err
