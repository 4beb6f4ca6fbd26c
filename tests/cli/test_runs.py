from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from arpent.errors import UnreadableFile
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
        "octets",
    ):
        assert words in shown.out, words
    assert (
        "intacte\N{NO-BREAK SPACE}: 1 fichier, 6 octets." in arpent("runs", "verify", run.path, "--language", "fr").out
    )
    assert "1 exécution, 0 élément" in arpent("runs", "catalog", root, "--language", "fr").out
    assert arpent("runs", "list", root, "--language", "de").code == 2
