"""``arpent classify prepare`` as a stranger meets it."""

import json

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def farm(tmp_path):
    """Twelve pictures, each with a caption and labels."""
    folder = tmp_path / "farm"
    folder.mkdir()
    lines = ["image,caption"]
    rows = ["name,labels"]
    for number in range(12):
        patches = np.random.default_rng(number).integers(0, 256, (5, 5, 3), dtype=np.uint8)
        Image.fromarray(patches).resize((30, 40), Image.Resampling.BICUBIC).save(folder / f"p{number}.jpg")
        lines.append(f"p{number}.jpg,somewhere far out in field {number}")
        rows.append(f"p{number}.jpg,{'dog;grass' if number % 2 else 'sea'}")
    (tmp_path / "captions.csv").write_text("\n".join(lines))
    (tmp_path / "labels.csv").write_text("\n".join(rows))
    return folder


@pytest.fixture
def prepare(arpent, farm, tmp_path):
    def run(*words):
        files = ("--captions", tmp_path / "captions.csv", "--labels", tmp_path / "labels.csv")
        return arpent("classify", "prepare", farm, *files, "-o", tmp_path / "set", *words)

    return run


def test_it_shows_labels_by_side_and_says_what_it_knows(prepare, tmp_path):
    said = prepare()
    assert said.code == 0
    assert "validation" in said.out
    assert str(tmp_path / "set") in said.out.replace("\n", "")
    assert "sides drawn by picture: 10 for training, 1 for validation, 1 for the test" in said.err
    document = prepare("--force", "--json").document
    assert document["pictures"] == {"train": 10, "val": 1, "test": 1}
    assert sum(document["labels"]["dog"].values()) == 6
    assert document["leaks"] is False
    assert document["failures"] == {}
    assert document["vocabulary"] == 5 + 10
    assert json.loads((tmp_path / "set" / "dataset.json").read_text())["labels_from"] == "file"


def test_it_speaks_french(prepare):
    said = prepare("--language", "fr")
    assert "étiquette" in said.out
    assert "répartition tirée par image" in said.err


def test_broken_pictures_are_named_and_counted_as_a_failure(prepare, farm, tmp_path):
    (farm / "p3.jpg").write_bytes((farm / "p3.jpg").read_bytes()[:300])
    said = prepare()
    assert said.code == 9
    assert "1 picture cannot be opened and is left out" in said.err
    assert "p3.jpg" in said.err
    assert (tmp_path / "set" / "dataset.json").is_file()


def test_leaks_and_misspelt_labels_are_refused(prepare, arpent, farm, tmp_path):
    said = prepare("--only", "dog,gras")
    assert said.code == 2
    assert "Did you mean 'grass'" in said.err
    words = ("classify", "prepare", farm, "--captions", tmp_path / "captions.csv", "-o", tmp_path / "leaky")
    said = arpent(*words, "--labels-from", "same-captions")
    assert said.code == 5
    assert "--allow-leak" in said.err
    assert not (tmp_path / "leaky").exists()
    said = arpent(*words, "--labels-from", "same-captions", "--allow-leak")
    assert said.code == 0
    assert "THE LABELS LEAK" in said.err


def test_a_folder_without_pictures(arpent, tmp_path):
    (tmp_path / "none").mkdir()
    (tmp_path / "l.csv").write_text("name,labels\na,b\n")
    said = arpent("classify", "prepare", tmp_path / "none", "--labels", tmp_path / "l.csv", "-o", tmp_path / "set")
    assert said.code == 5
    assert "holds no pictures" in said.err
    assert len(said.err.strip().splitlines()) == 1


@pytest.mark.requires("data")
def test_flickr8k_by_name_with_words_of_labels_masked(arpent, data_folder, tmp_path, monkeypatch):
    monkeypatch.setenv("ARPENT_DATA", str(data_folder))
    monkeypatch.chdir(tmp_path)
    said = arpent("classify", "prepare", "flickr8k", "-o", "set", "--mask-labels", "--json")
    assert said.code == 0
    assert said.document["pictures"] == {"train": 753, "val": 113, "test": 125}
    assert said.document["labels_from"] == "captions"
    assert said.document["masked"] is True
    assert said.document["leaks"] is False
