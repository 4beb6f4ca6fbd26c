"""The page of failures: every class of the tree is on it, and each command shown prints the line that stands below."""

import errno
import importlib.util
import json
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from arpent import errors
from arpent.cli.app import main
from arpent.cli.exits import exit_code, in_our_words
from arpent.core import Grid, Strip
from arpent.io import CogWriter, RasterSpec
from arpent.store.lock import RunLock
from arpent.testing.toys import toy_bundle

BANDS = ("red", "green", "blue", "nir")
SCRIPTS = Path(__file__).resolve().parent.parent.parent / "scripts"


def _script() -> Any:
    spec = importlib.util.spec_from_file_location("troubleshooting", SCRIPTS / "troubleshooting.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


ENTRIES = [entry for section in _script().sections() for entry in section["entries"]]
TYPED = [entry for entry in ENTRIES if "type" in entry]


def _write(name: str, bands: tuple[str, ...] = BANDS, *, west: float = 650_000, **more: Any) -> None:
    """An image of 96 × 96 pixels: `fill` for one number everywhere, `crs` and `side` of a pixel, type and no-data."""
    crs, side, fill = more.get("crs", 2154), more.get("side", 0.2), more.get("fill")
    grid = Grid.north_up(west, 6_860_000, side, 96, 96, crs) if crs else Grid(96, 96)
    drawn = np.random.default_rng(1).integers(1, 255, (len(bands), 96, 96))
    values = (drawn if fill is None else np.full_like(drawn, fill)).astype("uint8")
    with CogWriter(
        Path(name), RasterSpec(grid, bands, "uint8", nodata=more.get("nodata"), compression="zstd")
    ) as writer:
        writer.write(Strip(0, values))


def _pictures() -> None:
    """Ten labelled pictures, one of which does not open."""
    from PIL import Image

    Path("pictures").mkdir()
    rows = {f"p{number}": ("red" if number % 2 else "blue") for number in range(10)}
    for name, colour in rows.items():
        Image.new("RGB", (32, 32), colour).putpixel((0, 0), (len(name), 1, 1))
        Image.effect_noise((32, 32), 40 + int(name[1])).convert("RGB").save(f"pictures/{name}.png")
    Path("pictures/p3.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    Path("captions.csv").write_text("\n".join(["image,caption", *(f"{name}.png,a view" for name in rows)]))
    Path("labels.csv").write_text("\n".join(["name,labels", *(f"{name},{colour}" for name, colour in rows.items())]))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What somebody has who meets all of these failures."""
    import torch

    place = tmp_path_factory.mktemp("trouble")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        images: dict[str, dict[str, Any]] = {
            "ortho": {},
            "coarse": {"side": 0.5},
            "picture": {"crs": None},
            "empty": {"fill": 0, "nodata": 0},
            "elsewhere": {"west": 800_000},
        }
        for name, more in images.items():
            _write(f"{name}.tif", **more)
        _write("rgb.tif", BANDS[:3])
        _write("mask.tif", ("class",), fill=1)
        _write("mask2.tif", ("class",), fill=3, west=800_000)
        whole = Path("ortho.tif").read_bytes()
        Path("cut.tif").write_bytes(whole[: len(whole) // 2])
        toy_bundle(Path("model.safetensors"), gsd=0.2)
        torch.save({"conv.weight": torch.zeros(3)}, "weights.pth")
        Path("notes.safetensors").write_text("to do: water the plants")
        Path("one.csv").write_text("image,mask,domain\northo.tif,mask.tif,north\n")
        rows = "image,mask,domain,split\northo.tif,mask.tif,north,train\n{},val\n"
        Path("train.csv").write_text("image,mask,domain,split\northo.tif,mask.tif,north,train\n")
        Path("leak.csv").write_text(rows.format("ortho.tif,mask.tif,north"))
        Path("two.csv").write_text(rows.format("elsewhere.tif,mask2.tif,south"))
        Path("village.yaml").write_text("index: one.csv\nname: village\npatch: 32\nbatch_size: 2\nfit: {epochs: 1}\n")
        _pictures()
        for run in ("done", "retouched"):
            assert main(f"landcover predict ortho.tif --model model.safetensors -o runs/{run} --quiet".split()) == 0
        with Path("runs/retouched/classes.tif").open("ab") as file:
            file.write(b"!")
    return place


@contextmanager
def _as_there(name: str, patch: pytest.MonkeyPatch) -> Iterator[None]:
    """What must be so around a command, where its words alone do not make it fail."""
    patch.setenv("ARPENT_MODELS", "models")
    patch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")
    if name == "ExtraMissing":
        patch.setitem(sys.modules, "openvino", None)
    if name != "RunLocked":
        yield
        return
    Path("runs/locked").mkdir()
    lock = RunLock(Path("runs/locked/.lock"))
    lock.acquire()
    try:
        yield
    finally:
        lock.release()


@pytest.mark.parametrize("entry", TYPED, ids=lambda entry: entry["error"])
def test_the_command_shown_prints_the_line_shown(
    folder: Path, entry: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    with _as_there(entry["error"], monkeypatch):
        code = main([*entry["type"].split(), "--json"])
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["class"] == entry["error"]
    assert code == error["exit_code"] == exit_code(getattr(errors, entry["error"]))
    line = str(getattr(errors, error["class"])(**{key: error[key] for key in ("what", "found", "expected", "cure")}))
    said = entry["says"]
    if entry["error"] in COUNTED:
        line, said = (re.sub(r"\d[\d,]*", "N", one) for one in (line, said))
    assert line == said


COUNTED = {"RunDamaged", "RunLocked", "UnreadableFile"}
"""Classes whose lines hold sizes of files or numbers of processes, which another machine counts otherwise."""


UNTYPED: dict[str, Callable[[], errors.ArpentError | None]] = {
    "DiskFull": lambda: in_our_words(OSError(errno.ENOSPC, "No space left on device", "runs/map/classes.tif")),
    "Interrupted": lambda: in_our_words(KeyboardInterrupt()),
    "Out of memory": lambda: in_our_words(MemoryError()),
}


@pytest.mark.parametrize("name", UNTYPED)
def test_lines_without_a_command_are_those_that_commands_end_with(name: str) -> None:
    entry = next(one for one in ENTRIES if name in (one.get("error"), one.get("title", {}).get("en")))
    error = UNTYPED[name]()
    assert str(error) == entry["says"]
    assert type(error).__name__ == entry.get("error", "EnvironmentLack")


def test_the_line_of_a_lost_process_is_that_of_the_engine() -> None:
    from arpent.engine.processes import peers

    entry = next(one for one in ENTRIES if one.get("error") == "ProcessLost")
    with pytest.raises(errors.ProcessLost) as caught, peers():
        raise RuntimeError("gloo: connection closed by peer")
    assert str(caught.value) == entry["says"]


def test_the_line_of_a_silent_process_is_that_of_the_engine() -> None:
    from arpent.engine import processes

    entry = next(one for one in ENTRIES if one.get("error") == "ProcessSilent")
    assert str(processes._silent(0)) == entry["says"]


def test_the_line_of_a_lost_cluster_is_that_of_the_engine(root: Path) -> None:
    """Not typed: Ray looks for a cluster for minutes, and may find one of somebody else."""
    entry = next(one for one in ENTRIES if one.get("error") == "ClusterLost")
    code = (root / "src" / "arpent" / "engine" / "joining.py").read_text("utf-8")
    assert f'"{entry["says"].partition("). ")[2]}"' in code
    assert 'f"no Ray cluster can be joined {where}"' in code


def test_every_line_is_shown_to_be_true() -> None:
    shown = {one.get("error") or one["title"]["en"] for one in ENTRIES if "says" in one}
    assert shown == {*(one["error"] for one in TYPED), *UNTYPED, "ClusterLost", "ProcessLost", "ProcessSilent"}


def test_every_class_of_the_tree_is_on_the_page_in_both_languages(root: Path) -> None:
    for name in ("troubleshooting.md", "troubleshooting.fr.md"):
        text = (root / "docs" / name).read_text("utf-8")
        missing = [
            kind for kind in errors.__all__ if isinstance(getattr(errors, kind), type) and f"`{kind}`" not in text
        ]
        assert missing == [], name
    assert all(set(one.get("more", {})) in (set(), {"en", "fr"}) for one in ENTRIES)


def test_what_is_added_to_a_line_is_whole_sentences() -> None:
    """A comma in a list of YAML that lacks its quotes would cut one in two."""
    added = [text for one in ENTRIES for texts in one.get("more", {}).values() for text in texts]
    assert added
    assert [text for text in added if not text.rstrip().endswith(".")] == []
