"""The commands of the guide, one after another from a fresh folder, as they are written there, on small images."""

import json
import re
import shlex

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from arpent.cli.app import main
from arpent.store import open_run, verify

GUIDE = "forecast.md"
SMALLER = {
    "simulate": "--size 64 --scenes 3",
    "prepare": "--patch 48",
    "train-segmentation": "--epochs 2 --batch-size 2 --widths 4,8 --patches 6",
    "features": "",
    "train": "--epochs 2 --batch-size 2 --hidden 8 --layers 1 --patches 6",
    "evaluate": "--examples 1",
    "predict": "--form gpkg",
}


@pytest.fixture(scope="module")
def lava(guide):
    """The commands that map the eruption of La Palma, wherever in the guide they stand, in their order."""
    lines = re.findall(r"^\$ arpent (.*\b(?:la_palma|rivers_vv|lava)\b.*)$", guide, re.MULTILINE)
    return [shlex.split(line) for line in lines]


@pytest.fixture(scope="module")
def rest(guide):
    """The text of the guide after "Try it", without what it says of La Palma."""
    after = guide[guide.index("## Remove speckle") :]
    return re.sub(r"^\$ arpent .*\b(?:la_palma|rivers_vv|lava)\b.*\n", "", after, flags=re.MULTILINE)


@pytest.fixture(scope="module")
def done(written, tmp_path_factory):
    """The folder in which they have been typed."""
    folder = tmp_path_factory.mktemp("fresh")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for words in written:
            assert main([*words, *shlex.split(SMALLER[words[1]])]) == 0, words
    return folder


def test_the_guide_types_every_command_of_the_series(written):
    assert [words[1] for words in written] == list(SMALLER)


def test_each_leaves_what_the_guide_says(done):
    for run in ("segmentation", "features", "forecast", "evaluation", "next"):
        verify(open_run(done / "runs" / run))
    names = {product.name for product in open_run(done / "runs" / "next").manifest.products}
    timelines = sorted(name for name in names if name.startswith("timeline"))
    assert len(timelines) == 3
    dates = json.loads(open_run(done / "runs" / "next").file(timelines[0]).read_text())["dates"]
    assert [one["horizon"] for one in dates] == [-2, -1, 0, 1, 2, 3]
    page = open_run(done / "runs" / "evaluation").file("report").read_text("utf-8")
    assert "persistence" in page


def test_event_files_hold_losses_figures_and_example_masks(done):
    by_horizon = {f"validation/iou/t+{horizon}/water" for horizon in (1, 2, 3)}
    for run, figures in (("segmentation", {"validation/iou/water"}), ("forecast", by_horizon)):
        events = EventAccumulator(str(done / "runs" / run / "logs"))
        events.Reload()
        scalars = events.Tags()["scalars"]
        assert {"train/loss", "validation/loss", "validation/miou"} | figures <= set(scalars)
        assert [one.step for one in events.Images("validation/masks")] == [1, 2]


def test_both_stages_are_trained_together_and_judged_by_the_same_command(done, monkeypatch, capsys):
    monkeypatch.chdir(done)
    words = "forecast train dataset --joint -o runs/joint --epochs 1 --batch-size 2 --hidden 8 --layers 1"
    assert main([*shlex.split(words), "--patches", "4"]) == 0
    capsys.readouterr()
    told = "forecast evaluate dataset --model runs/joint -o runs/joint-evaluation --examples 0 --json --language fr"
    assert main(shlex.split(told)) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["side"] == "test"
    assert len(document["methods"]) == 5
    assert "persistance" in document["words"][0]


def test_a_series_that_nobody_prepared_is_prepared_and_foretold(done, monkeypatch, capsys):
    monkeypatch.chdir(done)
    place = sorted(path for path in (done / "rivers").iterdir() if path.is_dir())[0]
    told = f"forecast predict {place} --model runs/forecast -o runs/raw --no-probabilities --no-vector --json"
    assert main(shlex.split(told)) == 0
    found = json.loads(capsys.readouterr().out)
    (dates,) = found["places"].values()
    assert [one["horizon"] for one in dates] == [-2, -1, 0, 1, 2, 3]
    run = open_run(done / "runs" / "raw")
    assert not any(".scratch" in one.source for one in run.manifest.inputs)


def test_the_rest_of_the_guide_can_be_typed_as_it_stands(done, rest, tmp_path, monkeypatch):
    """Other encoders and heads, other issue dates, a rain that is foretold, and an image without its speckle."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "series").symlink_to(done / "rivers")
    (tmp_path / "scene.tif").symlink_to(sorted((done / "rivers").glob("*/image_*.tif"))[0])
    (tmp_path / "coming.csv").write_text(re.search(r"^\$ cat coming.csv\n(.*?)^\$", rest, re.DOTALL | re.MULTILINE)[1])
    quick = {"train-segmentation": "--epochs 1 --batch-size 2 --patches 2", "evaluate": "--examples 0"}
    quick |= {"train": "--epochs 1 --batch-size 2 --hidden 8 --layers 1 --patches 2", "predict": "--no-vector"}
    typed = [shlex.split(line) for line in re.findall(r"^\$ arpent (.*)$", rest, re.MULTILINE)]
    assert {words[1] for words in typed} == {*quick, "despeckle", "prepare"}
    for words in typed:
        assert main([*words, *shlex.split({**quick, "prepare": "--patch 48"}.get(words[1], ""))]) == 0, words
    for run in (path for path in (tmp_path / "runs").iterdir() if not path.name.startswith(".")):
        verify(open_run(run))
    known = {one["horizon"]: one for one in _timeline(tmp_path / "runs" / "then")["dates"]}
    assert (known[0]["date"], sorted(known)) == ("2021-02-15", [-2, -1, 0, 1, 2])
    assert (tmp_path / "runs" / "foretold").is_dir()


def _timeline(run):
    """That of the first of its places."""
    found = open_run(run)
    first = min(product.name for product in found.manifest.products if product.name.startswith("timeline"))
    return json.loads(found.file(first).read_text())


@pytest.mark.requires("data")
def test_la_palma_becomes_a_timeline_by_a_model_of_one_polarisation(done, lava, data_folder, monkeypatch):
    """Pictures without georeference, dates in their names: prepared, segmented by what VV of the rivers has taught."""
    monkeypatch.chdir(done)
    (done / "la_palma").symlink_to(data_folder / "sar" / "la_palma" / "data-jpg")
    smaller = {**SMALLER, "predict": "--no-probabilities"}
    assert [words[1] for words in lava] == ["prepare", "prepare", "train-segmentation", "predict"]
    for words in lava:
        assert main([*words, *shlex.split(smaller[words[1]])]) == 0, words
    run = open_run(done / "runs" / "lava")
    timeline = json.loads(run.file("timeline").read_text())
    dates = [one["date"] for one in timeline["dates"]]
    assert (len(dates), dates[0], dates[-1]) == (18, "2021-09-10", "2021-12-27")
    assert dates == sorted(dates)
    assert timeline["bbox"] == pytest.approx((-17.96, 28.55, -17.80, 28.66), abs=1e-3)
    assert timeline["dates"][-1]["horizon"] == 0
    assert all(
        (run.path / one["classes"]).is_file() and (run.path / one["image"]).is_file() for one in timeline["dates"]
    )


def test_bad_input_is_one_line_and_leaves_nothing(done, monkeypatch, capsys):
    monkeypatch.chdir(done)
    for words, code, told in (
        ("forecast predict dataset --model runs/forecast --issue 2020-01-01 -o runs/no", 2, "the nearest is --issue"),
        ("forecast predict nowhere --model runs/forecast -o runs/no", 3, "nowhere"),
        ("forecast evaluate dataset --model runs/segmentation -o runs/no", 4, "no forecasting model"),
        ("forecast evaluate rivers --model runs/forecast -o runs/no", 3, "forecast prepare"),
    ):
        assert main(shlex.split(words)) == code, words
        said = capsys.readouterr().err.strip()
        assert told in said
        assert said.startswith("arpent: error: ")
        assert not (done / "runs" / "no").exists()
