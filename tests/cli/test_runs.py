from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from arpent.errors import UnreadableFile
from arpent.language import say, storage
from arpent.store import Run, RunFolder

Command = Callable[..., Any]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run with everything that a manifest can tell."""
    with RunFolder.create(tmp_path / "runs", "landcover", "cahors", settings={"tile": 512}) as writing:
        writing.add_input(__file__)
        writing.use_bundle("small.safetensors", "b" * 64)
        writing.add_metrics({"miou": 0.75, "iou/pool": float("nan"), "area_m2/meadow": 994_012.4})
        writing.add_failure("b.tif", UnreadableFile("b.tif is empty", cure="Download it again."))
        with writing.timed("predict"):
            (writing.scratch / "classes.tif").write_text("pixels")
        writing.publish(writing.scratch / "classes.tif", kind="raster")
        return writing.finish()


def test_list(arpent: Command, run: Run) -> None:
    root = run.path.parent
    RunFolder.create(root, "landcover", "half").__exit__(None, None, None)
    (root / "broken").mkdir()
    (root / "broken" / "manifest.json").write_text("{")
    said = arpent("runs", "list", root)
    assert said.code == 0
    assert run.path.name in said.out
    assert "half can be resumed" in said.err
    assert "broken: " in said.err
    document = arpent("runs", "list", root, "--json").document
    assert {entry["state"] for entry in document} == {"partial", "unfinished", "damaged"}
    assert [e["products"] for e in document if e["state"] == "partial"] == [["classes"]]


def test_list_of_nothing(arpent: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "runs").mkdir()
    monkeypatch.chdir(tmp_path)
    assert "No runs in runs yet" in arpent("runs", "list").err
    assert arpent("runs", "list", "--json").document == []
    assert arpent("runs", "list", "none").code == 3


def test_list_before_the_first_run(arpent: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    said = arpent("runs", "list", "--json")
    assert (said.code, said.document) == (0, [])
    assert "No runs in runs yet" in arpent("runs", "list").err
    assert arpent("runs", "list", "runs").code == 3  # whoever names a folder means one that is there


def test_list_of_a_run_itself(arpent: Command, run: Run) -> None:
    (entry,) = arpent("runs", "list", run.path, "--json").document
    assert (entry["path"], entry["products"]) == (str(run.path), ["classes"])


def test_show(arpent: Command, run: Run) -> None:
    said = arpent("runs", "show", run.path)
    assert said.code == 0
    for words in (
        "landcover",
        "partial",
        "small.safetensors",
        "0.75",
        "not finite",
        "994,012 m²",
        "b.tif is empty",
        "classes.tif",
    ):
        assert words in said.out
    document = arpent("runs", "show", run.path, "--json").document
    assert document["settings"] == {"tile": 512}
    assert document["path"] == str(run.path)
    assert arpent("runs", "show", run.path.parent).code == 3


@pytest.fixture
def doubtful(tmp_path: Path) -> Run:
    """A run with settings of all sorts, hashed and unhashed inputs, and two doubts."""
    image = tmp_path / "ortho.tif"
    image.write_text("an image")
    settings = {
        "threshold": 0.4,
        "vector": True,
        "blocks": None,
        "fit": {"device": "cpu", "widths": [8, 16]},
        "images": [f"/data/place-{number}/HLS_2021-09-10.tif" for number in range(60)],
        "list": "/data/" + "far/" * 60 + "pairs.csv",
    }
    with RunFolder.create(tmp_path / "runs", "change", "valley", settings=settings) as writing:
        writing.language = "en"
        writing.add_input(image)
        writing.add_input("https://example.org/after.tif")
        writing.warn("the dates are guessed")
        writing.warn(say("drift.far", "en", source="ortho.tif", origin="nano", bands="red"))
        (writing.scratch / "change.tif").write_bytes(bytes(1_167_916))
        writing.publish(writing.scratch / "change.tif", kind="raster")
        return writing.finish()


def test_show_tells_doubts_first_then_images_with_their_hashes_and_each_setting(arpent: Command, doubtful: Run) -> None:
    lines = arpent("runs", "show", doubtful.path).out.splitlines()
    assert lines[0] == "warning: the dates are guessed"
    assert lines[1].startswith("warning: ortho.tif is far from the images of training")
    image, remote = doubtful.manifest.inputs
    assert image.sha256 is not None
    told = [line.split(maxsplit=2) for line in lines]
    assert ["input", "image", f"{image.source} ({image.sha256[:12]}…)"] in told
    assert ["input", "image", remote.source] in told
    settings = {words[0]: " ".join(words[1:]) for words in told if words}
    assert (settings["threshold"], settings["vector"], settings["blocks"]) == ("0.4", "yes", "none")
    assert (settings["fit.device"], settings["fit.widths"]) == ("cpu", "8, 16")
    assert settings["images"] == "/data/place-0/HLS_2021-09-10.tif, /data/place-1/HLS_2021-09-10.tif and 58 more"
    assert settings["list"].startswith("/data/far/") and settings["list"].endswith("/far/pairs.csv")
    assert "…" in settings["list"] and len(settings["list"]) == 80
    (product,) = [line for line in lines if line.split()[-1:] == ["change.tif"]]
    assert storage(1_167_916, "en") in product
    assert "1167916" not in "".join(lines)


def test_show_in_a_pipe_has_no_line_wider_than_what_it_tells(arpent: Command, doubtful: Run) -> None:
    lines = arpent("runs", "show", doubtful.path).out.splitlines()
    assert not [line for line in lines if line != line.rstrip()]
    wide = [line for line in lines if len(line) > 160 and not line.startswith("warning")]
    assert not wide, wide


def test_show_tells_the_same_in_french(arpent: Command, doubtful: Run) -> None:
    said = arpent("runs", "show", doubtful.path, "--language", "fr").out
    assert said.startswith("warning: the dates"), "a warning stays in the language of its run"
    for words in ("réglages", "vector", "oui", "aucun", "et 58 autres", storage(1_167_916, "fr")):
        assert words in said, words


def test_show_names_the_first_of_many_inputs(arpent: Command, tmp_path: Path) -> None:
    with RunFolder.create(tmp_path / "many", "classify", "photos", exact=True) as writing:
        for number in range(1000):
            writing.add_input(f"https://example.org/{number}.jpg")
        run = writing.finish()
    said = arpent("runs", "show", run.path).out
    assert said.count("example.org") == 40
    assert "and 960 more; 'arpent runs show RUN --json' lists all" in said


def test_verify(arpent: Command, arpent_process: Command, run: Run) -> None:
    assert "is whole: 1 file, 6 bytes" in arpent("runs", "verify", run.path).out
    assert arpent("runs", "verify", run.path, "--json").document["whole"] is True
    with RunFolder.create(run.path.with_name("byte"), "landcover", "byte", exact=True) as folder:
        (folder.scratch / "one.tif").write_bytes(b"1")
        folder.publish(folder.scratch / "one.tif", kind="raster")
        byte = folder.finish()
    assert arpent("runs", "verify", byte.path).out.rstrip().endswith("is whole: 1 file, 1 byte.")
    assert arpent("runs", "verify", byte.path, "--language", "fr").out.rstrip().endswith("1 fichier, 1 octet.")
    (run.path / "classes.tif").write_text("pixelz")
    said = arpent_process("runs", "verify", run.path, "--json")
    assert said.code == 7
    assert said.document["error"]["class"] == "RunDamaged"
    assert said.document["error"]["found"] == "classes.tif has another content"


def test_runs_are_told_in_french(arpent: Command, run: Run) -> None:
    root = run.path.parent
    RunFolder.create(root, "landcover", "half").__exit__(None, None, None)
    listed = arpent("runs", "list", root, "--language", "fr")
    assert all(words in listed.out for words in ("exécution", "produits", "partielle", "inachevée"))
    assert "half peut être reprise\N{NO-BREAK SPACE}: relancez sa commande avec --resume." in listed.err
    shown = arpent("runs", "show", run.path, "--language", "fr")
    for words in (
        "tâche",
        "état",
        "créée",
        "modèle",
        "durée predict",
        "non fini",
        "994\N{NARROW NO-BREAK SPACE}012 m²",
        "échec de b.tif",
        "nature",
        "taille",
    ):
        assert words in shown.out, words
    assert (
        "intacte\N{NO-BREAK SPACE}: 1 fichier, 6 octets." in arpent("runs", "verify", run.path, "--language", "fr").out
    )
    assert "1 exécution, 0 élément" in arpent("runs", "catalog", root, "--language", "fr").out
    assert arpent("runs", "list", root, "--language", "de").code == 2
