"""``arpent change pair`` and ``arpent.change``, from images to a run folder."""

import json
import shutil

import numpy as np
import pytest

import arpent as package
from arpent import __version__
from arpent.core import Band, Contract, Grid, Normalisation, Strip
from arpent.errors import InvalidSetting, UnknownSetting
from arpent.io import CogWriter, RasterSpec
from arpent.models import build, save_bundle
from arpent.store import open_run, verify
from arpent.tasks.change.asking import PairImages, pair_of

BANDS = ("red", "green", "blue")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with two dates and a small model."""
    folder = tmp_path_factory.mktemp("pair")
    shape = {"channels": 3, "image_size": 32, "patch": 8, "width": 16, "depth": 1, "heads": 2}
    shape |= {"decoder_width": 16, "decoder_depth": 1, "decoder_heads": 2}
    contract = Contract(
        task="change",
        architecture="planaura",
        settings=shape,
        bands=tuple(Band(name=name) for name in BANDS),
        nodata=0,
        normalisation=Normalisation(origin="test", mean=(128.0,) * 3, std=(60.0,) * 3),
        arpent=__version__,
    )
    save_bundle(folder / "nano.safetensors", build("planaura", shape), contract)
    for seed, name in ((1, "T_20200409_a.tif"), (2, "T_20210410_b.tif")):
        grid = Grid.north_up(650_000, 6_860_000, 1.0, 50, 40, 2154)
        with CogWriter(folder / name, RasterSpec(grid, BANDS, "uint8", nodata=0)) as writer:
            values = np.random.default_rng(seed).integers(1, 255, (3, 50, 40), dtype=np.uint8)
            writer.write(Strip(0, values))
    return folder


def words(place, *more):
    images = [str(place / name) for name in ("T_20200409_a.tif", "T_20210410_b.tif")]
    return ["change", "pair", *images, "-m", str(place / "nano.safetensors"), *more]


def test_a_pair_becomes_a_run(arpent, place, tmp_path):
    said = arpent("--json", *words(place, "-o", tmp_path / "run", "--runtime", "torch"))
    assert said.code == 0, said.err
    document = said.document
    assert set(document["products"]) == {"cosine_map", "before_date", "after_date"}
    assert 0 <= document["metrics"]["changed_share"] <= 1 and document["metrics"]["changed_m2"] > 0
    run = open_run(tmp_path / "run")
    assert verify(run).files == 7 and (run.path / "preview.png").stat().st_size > 10_000
    assert {record.role for record in run.manifest.inputs} == {"before", "after"}
    item = json.loads((run.path / "before_date.tif.stac.json").read_text())
    assert item["properties"]["start_datetime"].startswith("2020-04-09")
    assert item["properties"]["end_datetime"].startswith("2021-04-10")
    assert arpent(*words(place, "-o", tmp_path / "run")).code == 7


def test_people_read_what_has_changed(arpent, place, tmp_path):
    said = arpent(*words(place, "-o", tmp_path / "run", "--runtime", "torch", "--quality", "no", "--language", "fr"))
    assert said.code == 0 and "cosinus moyen" in said.out and "%" in said.out and "aperçu" in said.out


def test_a_plan_tells_the_cost_and_does_nothing(arpent, place, tmp_path):
    said = arpent("--json", *words(place, "-o", tmp_path / "run", "--dry-run", "--stride", "2", "--table", "csv"))
    assert said.code == 0, said.err
    plan = said.document
    assert plan["pixels"] == [50, 40] and plan["overlap_m2"] == pytest.approx(2000, rel=0.01)
    assert [plan["strides"][name]["passes"] for name in ("8", "4", "2", "1")] == [1, 4, 16, 64]
    assert plan["seconds"] == pytest.approx(16 * plan["strides"]["8"]["seconds"])
    assert plan["memory"] > 0 and plan["disk"] > 0 and "feature_maps_0.csv" in plan["products"]
    assert not (tmp_path / "run").exists()
    said = arpent(*words(place, "--dry-run"))
    assert "8 (chosen)" in said.out and "overlap" in said.out


@pytest.mark.parametrize(
    ("more", "code", "word"),
    [
        (["--quality", "yes"], 3, "--missing-quality clear"),
        (["--stride", "3"], 2, "8, 4, 2, 1"),
        (["--dims", "99"], 2, "--dims"),
        (["--date0", "2020"], 2, "not a date"),
        (["--date0", "yesterday"], 2, "not a date"),
        (["--date-regex", r"x(\d{7})"], 2, "carries no date"),
        (["--quality", "one.tif"], 2, "for each image"),
        (["--before-before", "nothing.tif"], 3, "nothing.tif"),
        (["--set", "strid=1"], 2, "stride"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(arpent, place, tmp_path, more, code, word):
    said = arpent(*words(place, "-o", tmp_path / "run", *more))
    assert said.code == code and word in said.err and said.err.count("\n") <= 2, said.err
    assert not (tmp_path / "run").exists()


def test_an_image_that_is_not_there_is_told_before_anything_about_dates(arpent, place, tmp_path):
    image, model = place / "T_20200409_a.tif", place / "nano.safetensors"
    said = arpent("change", "pair", image, tmp_path / "nowhere.tif", "-m", model, "-o", tmp_path / "run")
    assert said.code == 3
    assert said.err.startswith("arpent: error: there is no ") and "nowhere.tif" in said.err
    undated = tmp_path / "plain.tif"
    shutil.copy(image, undated)
    said = arpent("change", "pair", image, undated, "-m", model, "-o", tmp_path / "run", "--runtime", "torch")
    assert said.code == 0
    assert f"no date in the name of {undated};" in said.err


def test_the_python_api_does_the_same(place, tmp_path):
    images = [place / name for name in ("T_20200409_a.tif", "T_20210410_b.tif")]
    model, facts = place / "nano.safetensors", {"runtime": "torch", "device": "cpu"}
    done = package.change(*images, model=model, output=tmp_path / "run", **facts)
    assert done.made.compared.products["cosine_map"] == tmp_path / "run" / "cosine_map.tif"
    figures = {name: value for name, value in done.metrics.items() if not name.startswith("threshold/")}
    assert figures == pytest.approx(dict(done.made.compared.figures))
    three = package.change(
        [images[0], images[0]], images[1], model=model, output=tmp_path / "three", date0=2020001, **facts
    )
    assert three.made.compared.prediction.tiles > 0
    with pytest.raises(UnknownSetting, match="stride"):
        package.change(*images, model=model, strid=1)
    with pytest.raises(AttributeError, match="chang"):
        package.chang  # noqa: B018


def test_dates_are_read_from_names_or_given():
    hls = "HLS.S30.T18TYR.2020123T154911.v2.0.tif"
    sentinel = "S2A_MSIL2A_20200502T154911_N0214.SAFE"
    found = pair_of(PairImages((hls, sentinel, "plain.tif")))
    assert [frame.date for frame in found.frames] == [2020123, 2020123, None]
    simulated = pair_of(PairImages(("image_hls-s30_2021-06-25.tif", "tile_99999999.tif", "a_12345678_20200301.tif")))
    assert [frame.date for frame in simulated.frames] == [2021176, None, 2020061]
    given = pair_of(PairImages((hls, "plain.tif")), ("2019-12-31", 20200301))
    assert [frame.date for frame in given.frames] == [2019365, 2020061]
    assert found.name == "HLS.S30.T18TYR.2020123T154911.v2.0 → S2A_MSIL2A_20200502T154911_N0214 → plain"
    with pytest.raises(InvalidSetting, match="not a date"):
        pair_of(PairImages((hls,)), ("20201301",))


def test_dates_in_the_wrong_order_or_equal_are_told(arpent, place, tmp_path):
    facts = ("--runtime", "torch", "--quality", "no")
    turned = arpent(*words(place, "-o", tmp_path / "turned", *facts, "--date0", "2022001"))
    assert turned.code == 0
    assert "2022-01-01" in turned.err and "2021-04-10" in turned.err and "later one first" in turned.err
    equal = arpent(*words(place, "-o", tmp_path / "equal", *facts, "--date0", "2021100"))
    assert equal.code == 0 and "of one day" in equal.err
    right = arpent(*words(place, "-o", tmp_path / "right", *facts))
    assert "day" not in right.err and "later one" not in right.err
