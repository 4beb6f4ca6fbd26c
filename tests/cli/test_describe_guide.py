"""The commands of the guide, one after another from a fresh folder, as they are written there, on small images."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine

from arpent.cli.app import main
from arpent.cli.exits import exit_code
from arpent.core import load_yaml, parse
from arpent.errors import PartialFailure
from arpent.store import open_run, verify
from arpent.tasks.describe.texts import read_texts
from arpent.tasks.describe.train_settings import DescribeTrainSettings

GUIDE = "describe.md"
BANDS = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12")
BARE = (700, 800, 1000, 1400, 1600, 1800, 1900, 2000, 2200, 2200, 3000, 2500)
GREEN = (200, 300, 500, 300, 900, 2500, 3300, 3600, 3800, 3800, 1700, 800)
DAYS = {"2022-04-01": 0.2, "2022-05-20": 1.0, "2022-07-01": 0.5}


def expanded(words):
    """What a shell makes of words with stars."""
    return [name for word in words for name in (sorted(map(str, Path().glob(word))) if "*" in word else [word])]


@pytest.fixture(scope="module")
def done(written, tmp_path_factory):
    """The folder in which they have been typed."""
    folder = tmp_path_factory.mktemp("fresh")
    (folder / "images").mkdir()
    rng = np.random.default_rng(3)
    share = rng.uniform(0, 1, (48, 48))
    facts = {"count": 12, "dtype": "uint16", "height": 48, "width": 48, "crs": "EPSG:32631"}
    for day, grown in DAYS.items():
        planes = [bare + (green - bare) * grown * share for bare, green in zip(BARE, GREEN, strict=True)]
        path = folder / "images" / f"Valley_{day}.tif"
        with rasterio.open(path, "w", "GTiff", **facts, transform=Affine(10, 0, 5e5, 0, -10, 4.9e6)) as image:
            image.write(np.stack(planes).astype(np.uint16))
            image.descriptions = BANDS
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for words in written:
            assert main(expanded(words)) == 0, words
    return folder


def test_the_guide_types_what_needs_no_training(written):
    assert [words[1] for words in written] == ["indices", "caption", "series", "embed", "generate", "search"]


def test_each_leaves_what_the_guide_says(done):
    for run in ("indices", "seasons", "embed", "told"):
        verify(open_run(done / "runs" / run))
    assert (done / "runs" / "captions.jsonl").is_file()
    assert (done / "runs" / ".search" / "index.json").is_file()


def test_what_one_command_writes_the_search_finds(done, capsys, monkeypatch):
    monkeypatch.chdir(done)
    assert main(["describe", "search", "--like", "r000c000", "--where", "text_en is not null and ndvi > 0"]) == 0
    out, err = capsys.readouterr()
    assert "r001c001" in out and "like r000c000@2022-07-01" in out
    assert "learnt nothing" in err


def test_the_settings_of_the_guide_are_accepted_in_both_languages(root, tmp_path):
    shown = []
    for page in ("describe.md", "describe.fr.md"):
        text = (root / "docs" / "howto" / page).read_text("utf-8")
        file = tmp_path / f"{page}.yaml"
        file.write_text(re.search(r"```yaml\n(.*?)```", text, re.DOTALL)[1])
        shown.append(parse(DescribeTrainSettings, load_yaml(file), "the page"))
    assert shown[0] == shown[1]
    assert shown[0].base == "small"
    assert shown[0].held_out.dates == ("2021-07-21", "2022-06-01")


SMALL = (
    "small.model.width=32 small.model.layers=1 small.model.heads=4 small.model.hidden=48 small.model.vocabulary=400"
    " small.texts=64 small.sights=640 lora.rank=4 lora.alpha=8 samples=24 fit.epochs=1 fit.device=cpu"
)
"""Sizes at which the chain runs in seconds, and learns nothing."""


@pytest.fixture(scope="module")
def taught(guide, done):
    """What was typed under "Train a describer" after the rest, and how each command ended."""
    page = guide.split("## Train a describer")[1]
    written = re.search(r"```yaml\n(.*?)```", page, re.DOTALL)[1]
    (done / "describer.yaml").write_text(re.sub(r"dates: \[.*\]", "dates: [2022-07-01]", written), "utf-8")
    ended = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(done)
        for line in re.search(r"```console\n(.*?)```", page, re.DOTALL)[1].splitlines():
            words = shlex.split(line.removeprefix("$ arpent "))
            sizes = [part for pair in SMALL.split() for part in ("--set", pair)] if words[1] == "train" else []
            ended[words[1]] = main([*expanded(words), *sizes])
    return done, ended


def test_the_guides_describer_is_trained_writes_and_is_judged(taught, capsys):
    folder, ended = taught
    # A model that has learnt nothing fails, and both commands say so with their exit codes; their runs are whole.
    assert ended == {
        "caption": 0,
        "embed": 0,
        "train": 0,
        "generate": exit_code(PartialFailure),
        "evaluate": exit_code(PartialFailure),
    }
    for run in ("describer", "texts", "evaluation"):
        verify(open_run(folder / "runs" / run))
    texts = read_texts(folder / "runs" / "texts")
    assert {one.language for one in texts} == {"fr"}
    claims = [finding for one in texts for sentence in one.sentences for finding in sentence.findings]
    assert claims
    assert all(finding.verdict == "supported" for finding in claims)


def test_generate_tells_each_note_once(taught, capsys, monkeypatch):
    folder, _ = taught
    monkeypatch.chdir(folder)
    typed = ["describe", "generate", "images/Valley_2022-07-01.tif", "--chip", "24", "--model", "runs/describer"]
    assert main([*typed, "--longest", "20", "--lang", "fr", "--language", "fr", "-o", "runs/again"]) != 0
    told = capsys.readouterr()
    lines = [line for line in told.err.splitlines() if line.strip()]
    assert len(lines) == len(set(lines))
    assert "rapport" in told.out and "textes" in told.out


def test_what_is_not_there_is_not_judged(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["describe", "evaluate", "nowhere"]) != 0
    assert "there is no nowhere" in capsys.readouterr().err


def test_days_may_stand_in_yaml_with_or_without_quotes(tmp_path):
    plain = "table: t\ncaptions: c\nembeddings: e\nheld_out:\n  dates: [2021-07-21, '2022-06-01']\n"
    (tmp_path / "a.yaml").write_text(plain + "  validation_dates: [2020-01-13]\n")
    read = parse(DescribeTrainSettings, load_yaml(tmp_path / "a.yaml"), "a.yaml")
    assert read.held_out.dates == ("2021-07-21", "2022-06-01")
    assert read.held_out.validation_dates == ("2020-01-13",)
