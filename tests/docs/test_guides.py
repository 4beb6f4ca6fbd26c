"""The guides as a script that follows them: each line typed in its order in a fresh folder, on small images.

What a walk leaves out it names, with the reason; a guide without a walk names the tests that type it.
"""

import csv
import datetime as dt
import json
import re
import runpy
import shlex
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pytest
import rasterio
import shapely
from rasterio.crs import CRS
from rasterio.warp import transform_bounds

from arpent.cli.app import main
from arpent.core import Band, Contract, Grid, Normalisation, Strip, sensor
from arpent.io import CogWriter, RasterSpec, RowWriter
from arpent.models import build, save_bundle
from arpent.store import Place, open_run
from arpent.testing.toys import toy_bundle

WEIGHTS = "published weights, which are not here; drawn ones in their layout: tasks/test_landcover_published.py"
NETWORK = "fetches from the network, which tests may not reach: cli/test_models.py, models/test_download.py"
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
TOGETHER = "several GPUs or machines; two processes of one machine, by the same launcher: cli/test_together.py"


@dataclass(frozen=True)
class Walk:
    """How a guide is followed.

    Attributes:
        before: makes what its reader has.
        more: words added to the lines that begin so, so that they take seconds; the longest beginning that fits says
            which, and the last one of an option counts.
        left: lines that are not typed, whole or by a beginning that no other line has, and why.
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
    for name, camera, family in (("images", "bd-ortho", "bocage"), ("neo", "pleiades-neo", "coteaux")):
        _quietly(f"simulate -o {name} --sensor {camera} --family {family} --size 64 --scenes 3")
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
    """An image, and points of what grows there."""
    _quietly("simulate -o seen --sensor hls-s30 --family openfield --size 64 --dates 2021-06-20")
    Path("image.tif").symlink_to(next(Path("seen").rglob("image_*.tif")))
    with rasterio.open("image.tif") as image:
        rows, cols = np.indices(image.shape)[:, 2::4, 2::4].reshape(2, -1)
        places, crs = shapely.points(*image.xy(rows, cols)), image.crs
    crops = np.where(rows < 32, "wheat", "vine").tolist()
    with RowWriter(Path("points.gpkg"), crs=crs) as writer:
        writer.write(pa.table({"class": crops, "geometry": pa.array(shapely.to_wkb(places), pa.binary())}))


SEASONS = {"summer": ("2021-06-10", "2022-06-12"), "autumn": ("2021-09-10", "2022-09-12")}


def _dates() -> None:
    """Images, pairs and photographs under the names that the page gives those of its readers, and places to learn."""
    days = sorted(day for season in SEASONS.values() for day in season)
    seen = f"simulate -o seen --sensor hls-s30 --family bocage --size 64 --clouds 0.1 --dates {','.join(days)}"
    _quietly(seen)
    (place,) = Path("seen").glob("bocage-*")
    images = {day: place / f"image_hls-s30_{day}.tif" for day in days}
    for name, day in zip(("before", "after"), SEASONS["autumn"], strict=True):
        Path(f"{name}.tif").symlink_to(images[day])
    for season, dates in SEASONS.items():
        quality = " ".join(f"--quality {place}/quality_hls-s30_{day}.tif" for day in dates)
        pair = " ".join(str(images[day]) for day in dates)
        _quietly(f"change pair {pair} {quality} --model change-nano --runtime torch -o runs/{season}")
    for day in days:
        _as_delivered(images[day], f"HLS.S30.T31TCJ.{dt.date.fromisoformat(day):%Y%j}T105629.v2.0")
    for name in ("before", "after"):
        pixels = np.random.default_rng(len(name)).integers(0, 255, (40, 60, 3), np.uint8)
        cv2.imwrite(f"{name}.jpg", pixels)
    shape = {"width": 16, "depth": 1, "heads": 1, "decoder_width": 16, "decoder_depth": 1, "decoder_heads": 1}
    shape |= {"frames": 2, "image_size": 32, "patch": 4, "channels": 3}
    facts = {"task": "change", "architecture": "planaura", "settings": shape, "arpent": "1"}
    rule = Normalisation(origin="test", mean=(100.0,) * 3, std=(50.0,) * 3)
    bands = tuple(Band(name=name) for name in ("red", "green", "blue"))
    contract = Contract(bands=bands, normalisation=rule, nodata=0, **facts)
    save_bundle(Path("rgb.safetensors"), build("planaura", shape).eval(), contract)
    _quietly("simulate -o places --sensor hls-s30 --size 64 --scenes 3 --dates 2021-09-10,2022-09-12")


def _as_delivered(image: Path, name: str) -> None:
    """A folder with a file for each band, as HLS has them."""
    Path(name).mkdir()
    with rasterio.open(image) as source:
        for number, band in enumerate(source.descriptions, 1):
            profile = source.profile | {"count": 1}
            with rasterio.open(Path(name, f"{name}.{band}.tif"), "w", **profile) as single:
                single.write(source.read(number), 1)


def _as_the_tables_say() -> None:
    """Each run holds the files that the page promises of it."""
    for run, files in {
        "runs/place": ("cosine_map.tif", "change_probability.tif", "preview.png"),
        "runs/fused": ("mosaic_cosine_map_c.tif", "mosaic_persistence_c.tif", "mosaic_agreement_c.tif"),
        "runs/years": ("series_strength.tif", "series_before.tif", "series_date.tif", "series_confidence.tif"),
        "runs/street": ("overlay.png",),
        "mine": ("model.safetensors",),
    }.items():
        assert {file for file in files if not Path(run, file).exists()} == set(), run


def _run() -> None:
    _villages()
    toy_bundle(Path("model.safetensors"))
    _quietly("landcover predict ortho.tif --model model.safetensors -o runs/map")


def _listed(folder: str, grid: Grid, bands: tuple[str, ...], kind: str, constellation: str) -> list[float]:
    """A catalog in a file, with one image of June 2024, whose box ``(west, south, east, north)`` it gives."""
    Path(folder).mkdir(exist_ok=True)
    pixels = (
        np.random.default_rng(0).integers(1, 255 if kind == "uint8" else 6000, (len(bands), *grid.shape)).astype(kind)
    )
    with CogWriter(Path(folder, "found.tif"), RasterSpec(grid, bands, kind, nodata=0)) as writer:
        writer.write(Strip(0, pixels))
    with rasterio.open(Path(folder, "found.tif")) as image:
        box = list(transform_bounds(image.crs, "EPSG:4326", *image.bounds))
    data = {"href": "./found.tif", "type": "image/tiff; application=geotiff", "roles": ["data"]}
    item = {
        "type": "Feature",
        "id": "found",
        "bbox": box,
        "properties": {"datetime": "2024-06-10T10:30:00Z", "constellation": constellation},
        "links": [{"rel": "parent", "href": "./catalog.json"}],
        "assets": {"data": data | {"bands": [{"name": name} for name in bands]}},
    }
    Path(folder, "found.json").write_text(json.dumps(item))
    links = [{"rel": "item", "href": "./found.json"}]
    Path(folder, "catalog.json").write_text(json.dumps({"type": "Catalog", "id": folder, "links": links}))
    return box


def _catalogs() -> None:
    """A run, two catalogs with an image each in the box and the month that the page asks for, and a parcel there."""
    _run()
    ortho = Grid.north_up(704_000, 6_250_000, 0.2, 128, 128, "EPSG:2154")
    _listed("ortho", ortho, ("red", "green", "blue", "nir"), "uint8", "bd-ortho")
    scene = Grid.north_up(504_000, 4_800_000, 10.0, 60, 60, "EPSG:32631")
    box = _listed("images", scene, sensor("sentinel-2-l2a").band_names, "uint16", "sentinel-2")
    parcel = pa.array(shapely.to_wkb([shapely.box(*box).buffer(-1e-3)]), pa.binary())
    with RowWriter(Path("fields.gpkg"), crs=CRS.from_epsg(4326)) as parcels:
        parcels.write(pa.table({"name": ["one"], "geometry": parcel}))


def _as_runs_of_a_catalog() -> None:
    """What the search found has become runs, and these a catalog."""
    listed = json.loads(Path("runs/catalog/catalog.json").read_text())
    named = {link["href"].split("/")[1] for link in listed["links"] if link["rel"] == "child"}
    assert {"map", "found", "fields"} <= named
    assert open_run("runs/found").manifest.products


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
            "accelerate launch --multi_gpu --num_processes 4": TOGETHER,
            "accelerate launch --multi_gpu --num_machines 2": TOGETHER,
            "arpent models fetch flair-rgbi-15": NETWORK,
            "arpent models import flair-rgbi-15": WEIGHTS,
            "arpent landcover predict ortho.tif --model flair.safetensors": WEIGHTS,
        },
    ),
    "change.md": Walk(
        _dates,
        {
            "simulate": "--size 128",
            "change pair": "--runtime torch",
            "change pair before.tif after.tif --model planaura-hls": "--model change-nano --runtime torch",
            "change pair before.tif after.tif --model mine": "--runtime torch --force",
            "change series": "--model change-nano --runtime torch",
            "change photo": "--model rgb.safetensors --runtime torch",
            "change train": "--set fit.epochs=1 --set fit.device=cpu",
        },
        after=_as_the_tables_say,
    ),
    "embeddings.md": Walk(_image, {"change embed": "--model change-nano --runtime torch"}),
    "simulate.md": Walk(
        more={"simulate": "--size 48 --scenes 1", "forecast simulate": "--size 48 --scenes 1 --dates 3"}
    ),
    "models.md": Walk(
        _model,
        left={
            "arpent models fetch flair-rgbi-15": NETWORK,
            "arpent models import flair-rgbi-15 -o": WEIGHTS,
            "arpent models import flair-rgbi-15 --file": "published weights; another name: cli/test_models.py",
            "arpent models import weights.pth --as flair": WEIGHTS,
        },
    ),
    "catalogs.md": Walk(
        _catalogs,
        {"landcover predict": "--stac ortho/catalog.json --runtime torch --device cpu"},
        {
            "arpent runs catalog s3": "a store: cli/test_runs_publish.py",
            "arpent runs publish": "a database: cli/test_runs_publish.py",
        },
        after=_as_runs_of_a_catalog,
    ),
    "planaura.md": Walk(
        _pairs,
        {"change run": "--runtime torch"},
        {"arpent models fetch planaura-hls": NETWORK},
        after=_as_planaura_names_them,
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
    """The words of the lines that are typed, with what makes them small; every exception must be about some line."""
    lines = list(page.commands())
    for left in walk.left:
        fitting = {line for line in lines if line.startswith(left)}
        assert left in fitting or len(fitting) == 1, f"{page.path.name} has {len(fitting)} lines that begin: {left}"
    typed, unused = [], set(walk.more)
    for line in lines:
        if any(line == left or (left not in lines and line.startswith(left)) for left in walk.left):
            continue
        said = line.partition(" ")[2]
        known = sorted((one for one in walk.more if said.startswith(one)), key=len)[-1:]
        unused.difference_update(known)
        typed.append([word for part in (said, *(walk.more[one] for one in known)) for word in shlex.split(part)])
    assert unused == set(), f"{page.path.name} has no line that begins so"
    return typed


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
