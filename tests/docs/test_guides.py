"""The guides as a script that follows them: each line typed in its order in a fresh folder, on small images.

What a walk leaves out it names, with the reason; a guide without a walk names the tests that type it.
"""

import csv
import re
import runpy
import shlex
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from arpent.cli.app import main
from arpent.core import Grid, Strip
from arpent.io import CogWriter, RasterSpec
from arpent.store import Place, open_run
from arpent.testing.toys import toy_bundle

WEIGHTS = "published weights, which are not here: models/test_published.py, models/test_importers.py"
NETWORK = "fetches from the network, which tests may not reach: models/test_download.py"
TINY = Path(__file__).parents[1] / "golden" / "planaura_tiny_official_layout.pth"
PLANAURAS_OWN = """
task_list: [infer]
csv_inference_file: pairs.csv
inference_save_folder_frame_0: out
inference_save_folder_frame_1: out
use_multi_gpu: false
autocast_float16: true
change_map: {save_dates_layer: true, date_regex: '_([0-9]{8})'}
feature_maps: {return: true, write_as_csv: true}
""" + TINY.with_name("planaura_tiny.yaml").read_text()
TOGETHER = "several processes: cli/test_together.py"


@dataclass(frozen=True)
class Walk:
    """How a guide is followed.

    Attributes:
        before: makes what its reader has.
        more: words added to the lines of a command, so that they take seconds; the last one of an option counts.
        left: beginnings of lines that are not typed, and why.
        python: whether the page's Python is run before its lines.
        after: holds what has come of it against what the page says.
    """

    before: Callable[[], None] = lambda: None
    more: dict[str, str] = field(default_factory=dict)
    left: dict[str, str] = field(default_factory=dict)
    python: bool = False
    after: Callable[[], None] = lambda: None


def _quietly(line: str) -> None:
    assert main([*shlex.split(line), "--quiet"]) == 0, line


def _villages() -> None:
    """Two sensors over invented places, an orthophoto and a folder of sheets."""
    for name, sensor, family in (("images", "bd-ortho", "bocage"), ("neo", "pleiades-neo", "coteaux")):
        _quietly(f"simulate -o {name} --sensor {sensor} --family {family} --size 64 --scenes 3")
        index = Path(name, "index.csv")
        heading, *rows = index.read_text().splitlines()
        sides = ("train", "val", "test")
        index.write_text(
            "\n".join([f"{heading},split", *(f"{row},{side}" for row, side in zip(rows, sides, strict=True))])
        )
    Path("sheets").mkdir()
    Path("ortho.tif").symlink_to(sorted(Path("images").rglob("image_*.tif"))[0])
    Path("sheets/north.tif").symlink_to(Path("ortho.tif").resolve())
    Path("budget.yaml").write_text(
        "name: budget\nstart: runs/village\n"
        "target: {index: neo/index.csv, task: {bands: [red, green, blue, nir, deepblue, rededge]}}\n"
    )


def _model() -> None:
    toy_bundle(Path("model.safetensors"))
    Path("runs").mkdir()


def _image() -> None:
    _quietly("simulate -o seen --sensor hls-s30 --family openfield --size 64 --dates 2021-06-20")
    Path("image.tif").symlink_to(next(Path("seen").rglob("image_*.tif")))


def _run() -> None:
    _villages()
    toy_bundle(Path("model.safetensors"))
    _quietly("landcover predict ortho.tif --model model.safetensors -o runs/map")


def _shards() -> None:
    """Each row of the list ends with a command for one machine, as the page shows one."""
    with Path("shards.csv").open(newline="") as rows:
        listed = list(csv.DictReader(rows))
    assert len(listed) == 12 and {"core_left", "core_top"} <= set(listed[0])
    commands = [
        next(one for one in row.values() if one.startswith("arpent landcover predict ortho.tif")) for row in listed
    ]
    (fourth,) = [shlex.split(one) for one in commands if "runs/map-004" in one]
    assert fourth[-2:] == ["--output", "runs/map-004"] and any(word.startswith("--box=") for word in fourth)
    assert open_run("runs/map-004").manifest.products, "made by the line of the page"


def _pairs() -> None:
    """Two dates, their list, and a configuration as Planaura's users have it, with weights in their layout."""
    Path("weights.pth").symlink_to(TINY)
    for day in ("20230825", "20240901"):
        _quietly(f"simulate -o seen{day} --sensor hls-s30 --size 64 --dates {day[:4]}-{day[4:6]}-{day[6:]}")
        Path(f"hls_{day}.tif").symlink_to(next(Path(f"seen{day}").rglob("image_*.tif")).resolve())
    Path("pairs.csv").write_text("input_file_0,input_file_1\nhls_20230825.tif,hls_20240901.tif\n")
    Path("config.yaml").write_text(PLANAURAS_OWN)


def _as_planaura_names_them() -> None:
    """The products lie in the configuration's folder, under the names that the page tells, and in the run."""
    cosine = Path("out/cosine_map!hls_20230825!hls_20240901.tif")
    assert cosine.samefile(Path("runs/hls") / cosine.name)


def _sheet() -> None:
    """An orthophoto around the box that the page names, and a model in a run."""
    toy_bundle(Path("model.safetensors"))
    pixels = np.random.default_rng(0).integers(1, 255, (4, 512, 512)).astype("uint8")
    grid = Grid.north_up(548_900, 6_701_500, 0.8, 512, 512, "EPSG:2154")
    with CogWriter(Path("ortho.tif"), RasterSpec(grid, ("red", "green", "blue", "nir"), "uint8", nodata=0)) as writer:
        writer.write(Strip(0, pixels))
    with Place(exact=Path("runs/village")).begin("landcover-train", "village", {}) as run:
        shutil.copyfile("model.safetensors", run.scratch / "model.safetensors")
        run.publish(run.scratch / "model.safetensors", kind="model", name="model")
        run.finish()


SMALL = "--set fit.epochs=1 --set patch=32 --set patches=4 --set batch_size=2 --set fit.device=cpu"
SMALL_STUDY = (
    " ".join(f"--set target.{one}" for one in SMALL.split() if "=" in one) + " --set strategies=[ft-freeze-encoder]"
)

WALKS = {
    "landcover.md": Walk(
        _villages,
        {
            "landcover train": SMALL,
            "landcover finetune": SMALL,
            "landcover transfer": SMALL_STUDY,
            "landcover budget": f"{SMALL_STUDY.replace(' --set strategies=[ft-freeze-encoder]', '')} --areas 0.0001",
            "landcover predict": "--runtime torch",
        },
        {
            "accelerate launch": TOGETHER,
            "arpent models fetch": NETWORK,
            "arpent models import flair-rgbi-15": WEIGHTS,
            "arpent landcover predict ortho.tif --model flair.safetensors": WEIGHTS,
        },
    ),
    "change.md": Walk(
        more={"simulate": "--size 128", "change pair": "--runtime torch"},
        left={
            "arpent change pair before.tif after.tif": WEIGHTS,
            "arpent change mosaic": "runs of the reader's own: cli/test_change_mosaic.py",
            "arpent change series": WEIGHTS,
            "arpent change photo": "a model that nobody publishes: cli/test_change_more.py",
            "arpent change train": "minutes of training: cli/test_change_more.py, examples/test_examples.py",
        },
    ),
    "embeddings.md": Walk(
        _image,
        {"change embed": "--model change-nano --runtime torch"},
        {"arpent embed probe": "labels of the reader's own: cli/test_change_more.py"},
    ),
    "simulate.md": Walk(
        more={"simulate": "--size 48 --scenes 1", "forecast simulate": "--size 48 --scenes 1 --dates 3"}
    ),
    "models.md": Walk(
        _model,
        left={
            "arpent models fetch": NETWORK,
            "arpent models import": WEIGHTS,
        },
    ),
    "catalogs.md": Walk(
        _run,
        left={
            "arpent landcover predict --stac https": "a catalog in the network: io/test_search.py",
            "arpent describe indices --stac": "a catalog of the reader's own: io/test_search.py",
            "arpent runs catalog s3": "a store: store/test_remote_runs.py",
            "arpent runs publish": "a database: cli/test_runs_publish.py",
        },
    ),
    "planaura.md": Walk(
        _pairs, {"change run": "--runtime torch"}, {"arpent models fetch": NETWORK}, after=_as_planaura_names_them
    ),
    "scaling.md": Walk(
        _sheet,
        {"simulate": "--size 256", "plan": "--seconds 1 --device cpu --tile 128", "landcover predict": "--device cpu"},
        python=True,
        after=_shards,
    ),
}

MINUTES = {"scaling.md"}
"""Of these the walk is left to `make faults`."""

ELSEWHERE = {
    "tutorial.md": ["docs/test_guides_served.py"],
    "classify.md": ["docs/test_guides_taught.py", "cli/test_classify_guide.py"],
    "cluster.md": ["docs/test_cluster_guide.py"],
    "describe.md": ["docs/test_guides_taught.py", "cli/test_describe_guide.py"],
    "forecast.md": ["docs/test_guides_taught.py", "cli/test_forecast.py"],
    "map.md": ["docs/test_guides_served.py"],
    "object-storage.md": ["docs/test_guides_served.py"],
    "python.md": ["docs/test_python_guide.py"],
}
"""Guides that other tests follow, most of them with checks of what comes out."""


def _guides(pages: list[Any]) -> Iterator[Any]:
    for page in pages:
        if (
            page.path.parent.name == "howto" or page.path.stem in {"tutorial", "scaling"}
        ) and ".fr" not in page.path.name:
            yield page


def _typed(page: Any, walk: Walk) -> list[list[str]]:
    """The words of the lines that are typed, with what makes them small; `left` must leave out something each."""
    lines, unused = [], set(walk.left)
    for line in page.commands():
        reason = next((beginning for beginning in walk.left if line.startswith(beginning)), None)
        if reason is not None:
            unused.discard(reason)
            continue
        words = shlex.split(line)[1:]
        lines.append([*words, *shlex.split(walk.more.get(" ".join(words[:2]), walk.more.get(words[0], "")))])
    assert unused == set(), f"{page.path.name} has no line that begins so"
    return lines


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.faults if name in MINUTES else ()) for name in WALKS]
)
def test_a_stranger_follows_the_guide(
    name: str, pages: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page, walk = next(page for page in _guides(pages) if page.path.name == name), WALKS[name]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ARPENT_MODELS", str(tmp_path / "models"))
    walk.before()
    for block in page.blocks("yaml"):
        file = re.match(r"# (\S+\.yaml)\n", block)
        assert file, f"{name}: a file of settings without its name: {block[:40]}"
        Path(file[1]).write_text(block, "utf-8")
    if walk.python:
        Path("typed.py").write_text("\n".join(page.blocks("python")), "utf-8")
        runpy.run_path("typed.py")
    for words in _typed(page, walk):
        typed = [found for word in words for found in (sorted(map(str, Path().glob(word))) if "*" in word else [word])]
        assert main(typed) == 0, f"arpent {shlex.join(words)}\n{capsys.readouterr().err}"
    walk.after()


def test_every_guide_is_followed_by_some_test(pages: list[Any], root: Path) -> None:
    guides = {page.path.name for page in _guides(pages)}
    assert guides == set(WALKS) | set(ELSEWHERE)
    reasons = [reason for walk in WALKS.values() for reason in walk.left.values()]
    named = [file for reason in reasons for file in re.findall(r"[\w/]+\.py", reason)]
    for file in {*named, *(file for files in ELSEWHERE.values() for file in files)}:
        assert (root / "tests" / file).exists(), file
