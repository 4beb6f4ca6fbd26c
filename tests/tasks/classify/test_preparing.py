"""From pictures, captions and labels to a data set."""

import csv
import json
import shutil
import struct
import zlib
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from arpent.core import parse
from arpent.errors import (
    DatasetError,
    EmptySplit,
    FileMissing,
    InvalidSetting,
    PartialFailure,
    RunExists,
    SplitLeak,
    UnknownName,
    UnreadableFile,
)
from arpent.io import read_picture
from arpent.language import labels_named, words_of
from arpent.tasks.classify.caption_files import read_captions
from arpent.tasks.classify.dataset import Dataset
from arpent.tasks.classify.made_labels import agreed
from arpent.tasks.classify.prepare_settings import PrepareSettings
from arpent.tasks.classify.preparing import prepare
from arpent.tasks.classify.survey import look_of


def painted(path, seed, side=40):
    """A picture of coarse random patches."""
    path.parent.mkdir(parents=True, exist_ok=True)
    patches = np.random.default_rng(seed).integers(0, 256, (5, 5, 3), dtype=np.uint8)
    Image.fromarray(patches).resize((side, side), Image.Resampling.BICUBIC).save(path)
    return path


@pytest.fixture
def farm(tmp_path):
    """Twenty pictures in two folders, with captions and a table of labels that people gave."""
    folder = tmp_path / "farm"
    lines, rows = ["image,caption"], ["name,dog,grass,sea"]
    for number in range(20):
        name = f"{'ab'[number % 2]}/p{number:02}.png"
        painted(folder / name, number)
        dog, grass = number % 2, number % 3 == 0
        said = ["an animal" if dog else "nobody", "grass" if number % 6 == 0 else "green ground"]
        lines += [f"p{number:02}.png,{said[0]} on {said[1]}", f"p{number:02}.png,there is {said[0]}"]
        rows.append(f"p{number:02},{dog},{int(grass)},0")
    (tmp_path / "captions.csv").write_text("\n".join(lines))
    (tmp_path / "labels.csv").write_text("\n".join(rows))
    return folder


@pytest.fixture
def made(farm, tmp_path):
    """Makes a data set of that farm; further words are settings."""

    def run(name="set", *, force=False, source=farm, **given):
        files = {"captions": tmp_path / "captions.csv", "labels": tmp_path / "labels.csv"}
        if "labels_from" in given:
            del files["labels"]
        settings = parse(PrepareSettings, {**files, **given}, "the test")
        return prepare(str(source), tmp_path / name, settings, force=force)

    return run


def test_a_data_set_of_human_labels(made, farm):
    found = made()
    dataset = found.dataset
    assert not found.failures
    assert dataset.labels == ("dog", "grass", "sea")
    assert [len(dataset.on_side(side)) for side in ("train", "val", "test")] == [16, 2, 2]
    one = next(one for one in dataset.pictures if one.name == "b/p03.png")
    assert one.path == farm / "b" / "p03.png"
    assert one.labels.tolist() == [1, 1, 0]
    assert one.captions == ("an animal on green ground", "there is an animal")
    assert dataset.truth(dataset.pictures).sum(axis=0).tolist() == [10, 7, 0]
    assert dataset.facts.labels_file == "labels.csv"
    assert not dataset.facts.leaks
    assert any("cannot be learnt: sea" in note for note in found.notes)
    told = "10% of the captions name a label of their own picture; the labels come from labels.csv"
    assert any(told in note for note in found.notes)
    trained = {word for one in dataset.of_split("train") for text in one.captions for word in words_of(text)}
    assert set(dataset.vocabulary.words) == trained, "the vocabulary is of the training split alone"
    assert dataset.is_known(dataset.of_split("train")[0].captions[0].upper() + " !")
    assert not dataset.is_known("a cow")
    with pytest.raises(UnknownName, match="Did you mean 'grass'"):
        dataset.label("gras")
    assert dataset.label("sea") == 2


def test_words_of_the_test_split_are_unknown(made, tmp_path):
    first = made().dataset
    held = first.of_split("test")[0].name
    text = (tmp_path / "captions.csv").read_text()
    (tmp_path / "captions.csv").write_text(f"{text}\n{held},zebra\n")
    assert "zebra" not in made("again").dataset.vocabulary.words


def test_the_same_seed_draws_the_same_sides_and_all_captions_go_along(made):
    def sides(dataset):
        return {one.name: one.split for one in dataset.pictures}

    one, other, third = (made(name, seed=seed).dataset for name, seed in (("a", 1), ("b", 1), ("c", 2)))
    assert sides(one) == sides(other) != sides(third)
    assert all(len(picture.captions) == 2 for picture in one.pictures)
    assert len(set(sides(one))) == len(one.pictures), "a picture is on one side"


def test_it_is_the_same_when_read_again_and_may_be_moved_along(made, farm, tmp_path):
    dataset = made().dataset
    again = Dataset.read(dataset.folder)
    assert again.pictures == dataset.pictures
    assert (again.truth(again.pictures) == dataset.truth(dataset.pictures)).all()
    assert again.vocabulary == dataset.vocabulary
    assert again.facts == dataset.facts
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.move(farm, elsewhere / "farm")
    with pytest.raises(FileMissing, match="no longer at"):
        Dataset.read(dataset.folder)
    shutil.move(dataset.folder, elsewhere / "set")
    assert Dataset.read(elsewhere / "set").pictures[0].path.is_file()


def test_words_of_labels_are_masked_in_every_view(made):
    opened = made().dataset
    hidden = made("hidden", mask_labels=True).dataset
    assert hidden.facts.masked
    assert hidden.facts.readable.named > 0, "as the captions were written"
    for view in (hidden, Dataset.read(opened.folder, hide=True), Dataset.read(hidden.folder)):
        assert view.vocabulary == hidden.vocabulary
        assert "grass" not in view.vocabulary.words
        texts = [text for one in view.pictures for text in one.captions]
        assert not any(labels_named(text, view.labels, "en") for text in texts)
        assert len(texts) == 40
    back = Dataset.read(hidden.folder, hide=False)
    assert back.pictures[0].captions == opened.pictures[0].captions
    assert back.vocabulary == opened.vocabulary
    assert hidden.hides("Dogs, on grass") == "on"
    assert opened.hides("Dogs, on grass") == "Dogs, on grass"
    assert any("are taken out" in line for line in hidden.cautions("en"))


def told_all(tmp_path):
    """Captions that say nothing but the labels."""
    rows = list(csv.DictReader((tmp_path / "labels.csv").read_text().splitlines()))
    names = {row["name"]: " and ".join(label for label in ("dog", "grass") if row[label] == "1") for row in rows}
    (tmp_path / "captions.csv").write_text(
        "image,caption\n" + "".join(f"{name},a {said} here\n" for name, said in names.items())
    )


def test_captions_that_tell_the_labels_are_refused(made, tmp_path):
    told_all(tmp_path)
    with pytest.raises(DatasetError, match=r"F1 of 1\.00.*--mask-labels"):
        made()
    assert not (tmp_path / "set").exists()
    leaky = made(allow_leak=True).dataset
    assert leaky.facts.leaks
    assert "THE LABELS LEAK" in Dataset.read(leaky.folder).cautions("en")[0]
    assert "FUIENT" in leaky.cautions("fr")[0]
    hidden = made("hidden", mask_labels=True).dataset
    assert not hidden.facts.leaks
    assert {text for one in hidden.pictures for text in one.captions} == {"a here", "a and here"}
    assert Dataset.read(hidden.folder, hide=False).facts.leaks


@pytest.mark.parametrize("told", ["first", "third", "agreed", "all"])
def test_labels_made_elsewhere_of_some_captions_are_found_out(made, tmp_path, told):
    words = ["dog", "grass", "lake", "boat", "tree", "rock"]
    rng = np.random.default_rng(7)
    lines, rows = [], ["name," + ",".join(words)]
    for number in range(20):
        said = [set(rng.choice(words, 2, replace=False)) for _ in range(5)]
        lines += [f"p{number:02}.png#{k}\tsome {' with '.join(sorted(one))}" for k, one in enumerate(said)]
        counts = {word: sum(word in one for one in said) for word in words}
        least = {"agreed": 2, "all": 1}.get(told)
        chosen = {word for word in words if counts[word] >= least} if least else said[0 if told == "first" else 2]
        rows.append(f"p{number:02}," + ",".join(str(int(word in chosen)) for word in words))
    (tmp_path / "captions.csv").write_text("\n".join(lines))
    (tmp_path / "labels.csv").write_text("\n".join(rows))
    with pytest.raises(DatasetError, match=r"F1 of 1\.00"):
        made()


def test_labels_that_captions_always_name_are_refused_though_they_name_more(made, tmp_path):
    rows = list(csv.DictReader((tmp_path / "labels.csv").read_text().splitlines()))
    (tmp_path / "captions.csv").write_text(
        "image,caption\n" + "".join(f"{row['name']},dog and grass and sea\n" for row in rows)
    )
    with pytest.raises(DatasetError, match=r"recall of 1\.00"):
        made()


def test_labels_of_the_captions_that_are_read_leak(made):
    with pytest.raises(DatasetError, match="made from the very captions"):
        made(labels_from="same-captions")
    found = made(labels_from="same-captions", allow_leak=True, most_labels=4, least=1)
    assert found.dataset.facts.leaks
    assert "THE LABELS LEAK" in found.notes[0]
    for one in found.dataset.pictures:
        said = {word for text in one.captions for word in words_of(text)}
        assert [label in said for label in found.dataset.labels] == one.labels.astype(bool).tolist()


def test_labels_of_other_captions_never_ask_the_one_that_is_read(made, tmp_path):
    texts = {
        "p00.png": ["a cow", "Two dogs run", "a dog", "grass"],
        "p01.png": ["a cow", "kids", "a child on grass", "grass"],
        "p02.png": ["cow and dog", "a dog", "sea", "sand"],
        "p03.png": ["cow", "puppy", "dogs", "dog"],
        "p04.png": ["too", "few"],
    }
    lines = [f"{name}#{n}\t{text}" for name, told in texts.items() for n, text in enumerate(told)]
    (tmp_path / "captions.csv").write_text("\n".join(lines))
    found = made(labels_from="captions", least=1)
    given = {
        one.name[2:]: {label for label, has in zip(found.dataset.labels, one.labels, strict=True) if has}
        for one in found.dataset.pictures
    }
    known = set(found.dataset.labels)
    assert given == {
        name: known & said
        for name, said in {
            "p00.png": {"dog"},
            "p01.png": {"child", "grass"},
            "p02.png": set(),
            "p03.png": {"dog"},
        }.items()
    }
    assert all(len(one.captions) == 1 for one in found.dataset.pictures)
    assert any("16 pictures of the folder have no labels" in note for note in found.notes)
    assert agreed(["dog dog", "dog dog", "cat"], "en") == frozenset(), "a word twice in one caption is said once"
    with pytest.raises(DatasetError, match="no word is said of enough pictures"):
        made("more", labels_from="captions", least=100)
    with pytest.raises(UnknownName, match="label is called 'cow'"):
        made("more", labels_from="captions", least=1, only=("cow",))


def test_captions_that_repeat_one_another_tell_what_is_made_of_them(made, tmp_path):
    lines = [f"p{n:02}.png#{k}\ta {'dog' if n % 2 else 'lake'} here" for n in range(20) for k in range(4)]
    (tmp_path / "captions.csv").write_text("\n".join(lines))
    with pytest.raises(DatasetError, match=r"F1 of 1\.00"):
        made(labels_from="captions", least=1)
    assert made(labels_from="captions", least=1, allow_leak=True).dataset.facts.leaks


def test_copies_stay_together_and_official_sides_that_part_them_are_refused(made, farm, tmp_path):
    shutil.copy(farm / "a" / "p00.png", farm / "a" / "p02.png")
    for seed in range(6):
        sides = {one.name: one.split for one in made(f"drawn{seed}", seed=seed).dataset.pictures}
        assert sides["a/p00.png"] == sides["a/p02.png"]
    given = "".join(f"p{n:02}.png,x,{['train', 'train', 'test', 'val'][n % 4]}\n" for n in range(20))
    (tmp_path / "captions.csv").write_text(f"image,caption,split\n{given}")
    with pytest.raises(SplitLeak, match=r"a/p00.png \(train\) = a/p02.png \(test\).*--drop-duplicates"):
        made()
    found = made(drop_duplicates=True)
    assert "a/p00.png" not in {one.name for one in found.dataset.pictures}
    assert any("1 picture is left out of the training" in note for note in found.notes)
    shutil.copy(farm / "b" / "p03.png", farm / "a" / "p02.png")
    with pytest.raises(SplitLeak, match=r"\(val\) = .*\(test\).*Remove one of each"):
        made("more", drop_duplicates=True)
    assert made("drawn", split="drawn").dataset.facts.split == "drawn"


def test_pictures_that_look_alike_are_told(made, farm, tmp_path):
    with Image.open(farm / "a" / "p00.png") as image:
        image.resize((64, 64)).save(tmp_path / "again.jpg", quality=70)
    (tmp_path / "again.jpg").rename(farm / "a" / "p02.png")
    given = "".join(f"p{n:02}.png,x,{['train', 'train', 'test', 'val'][n % 4]}\n" for n in range(20))
    (tmp_path / "captions.csv").write_text(f"image,caption,split\n{given}")
    told = [note for note in made().notes if "look alike" in note]
    assert told == ["warning: 1 pair of pictures on different sides look alike: a/p00.png ~ a/p02.png"]
    assert look_of(np.full((8, 8, 3), 120, np.uint8)) is None, "a flat picture looks like nothing"


def test_pictures_that_do_not_open_are_named_and_the_others_go_on(made, farm):
    (farm / "a" / "p00.png").write_bytes((farm / "a" / "p00.png").read_bytes()[:200])
    (farm / "b" / "p01.png").write_bytes(b"")
    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    parts = [(b"IHDR", head), (b"IDAT", zlib.compress(bytes(100))), (b"IEND", b"")]
    chunks = [struct.pack(">I", len(c)) + kind + c + struct.pack(">I", zlib.crc32(kind + c)) for kind, c in parts]
    (farm / "a" / "p02.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))
    found = made()
    assert [one.name for one in found.failures] == ["a/p00.png", "a/p02.png", "b/p01.png"]
    assert len(found.dataset.pictures) == 17
    for path in farm.rglob("*.png"):
        path.write_bytes(b"nothing")
    with pytest.raises(PartialFailure, match="none of 20 pictures can be opened"):
        made("none")


def test_captions_of_no_words_and_of_too_many(made, tmp_path):
    (tmp_path / "captions.csv").write_text(f"image,caption\np00.png,!!\np01.png,{'word ' * 40}\np77.png,gone\n")
    found = made()
    notes = " / ".join(found.notes)
    assert "1 caption has no words and counts as absent" in notes
    assert "1 caption has more than 30 words" in notes
    assert "19 pictures have no caption" in notes
    assert "1 picture of the file of captions is not in the folder" in notes
    assert found.dataset.pictures[0].captions == ()


def test_what_is_there_is_not_replaced_unasked(made, farm, tmp_path):
    made()
    with pytest.raises(RunExists, match="--force"):
        made()
    assert made(force=True, length=7).dataset.vocabulary.length == 7
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "dear.txt").touch()
    with pytest.raises(RunExists, match="no data set, and is not replaced"):
        made("photos", force=True)
    shutil.copytree(farm, tmp_path / "set" / "farm")
    with pytest.raises(RunExists, match=r"holds .*farm, and is not replaced"):
        made(force=True, source=tmp_path / "set" / "farm")
    assert not list(tmp_path.glob(".*partial"))


def test_what_lacks_is_said(made, farm, tmp_path, monkeypatch):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="holds no pictures"):
        made(source=tmp_path / "empty")
    with pytest.raises(InvalidSetting, match="--labels-from captions"):
        made(labels=None)
    with pytest.raises(InvalidSetting, match="not from both"):
        made(labels_from="captions", labels=tmp_path / "labels.csv")
    with pytest.raises(DatasetError, match="--split drawn"):
        made(split="given")
    with pytest.raises(DatasetError, match=r"captions enough to make labels of .found at most 2 of one picture"):
        made(labels_from="captions")
    with pytest.raises(FileMissing, match="Did you mean 'flickr8k'"):
        made(source="flicker8k")
    monkeypatch.delenv("ARPENT_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileMissing, match="pictures of ucm are not here"):
        made(source="ucm")
    (tmp_path / "labels.csv").write_text("name,dog,sea\nother.png,1,0\n")
    with pytest.raises(DatasetError, match=r"no picture in .* has labels"):
        made()
    (tmp_path / "labels.csv").write_text("name,dog,sea\np00.png,1,0\np01.png,1,0\n")
    with pytest.raises(EmptySplit, match="2 different pictures"):
        made()


def test_a_damaged_data_set_is_refused(made, tmp_path):
    place = made().dataset.folder
    facts = json.loads((place / "dataset.json").read_text())
    (place / "dataset.json").write_text(json.dumps(facts | {"format": 99}))
    with pytest.raises(DatasetError, match="written by a later version of Arpent"):
        Dataset.read(place)
    for damage in ("{", "[]", "{}", json.dumps(facts | {"labels": []})):
        (place / "dataset.json").write_text(damage)
        with pytest.raises(UnreadableFile, match=r"dataset\.json"):
            Dataset.read(place)
    (place / "dataset.json").write_text(json.dumps(facts))
    (place / "pictures.parquet").write_bytes(b"PAR1")
    with pytest.raises(UnreadableFile, match=r"pictures\.parquet"):
        Dataset.read(place)
    with pytest.raises(FileMissing, match="arpent classify prepare"):
        Dataset.read(tmp_path)


def test_a_side_without_pictures_is_said(made, tmp_path):
    given = "".join(f"p{n:02}.png,x,train\n" for n in range(20))
    (tmp_path / "captions.csv").write_text(f"image,caption,split\n{given}")
    dataset = made().dataset
    assert dataset.on_side("test") == ()
    with pytest.raises(EmptySplit, match=r"train 20, val 0, test 0"):
        dataset.of_split("test")


@pytest.fixture(scope="module")
def ucm(data_folder, tmp_path_factory):
    place = tmp_path_factory.mktemp("ucm") / "set"
    return prepare(str(data_folder / "classify" / "ucm"), place, PrepareSettings()).dataset


@pytest.mark.requires("data")
def test_uc_merced_joins_captions_and_labels_by_number(ucm, data_folder):
    folder = data_folder / "classify" / "ucm"
    lines = (folder / "LandUse_Multilabeled.txt").read_text().splitlines()
    names = [line.split("\t")[0] for line in lines[1:]]
    images = json.loads((folder / "dataset_ucm_modified.json").read_text())["images"]
    pictures = {Path(one.name).stem: one for one in ucm.pictures}
    assert len(pictures) == len(names) == 2100
    for image in images:
        number = int(image["filename"].removesuffix(".tif"))
        one = pictures[names[number - 1]]
        assert one.captions == tuple(sentence["raw"] for sentence in image["sentences"])
        assert one.labels.tolist() == [int(cell) for cell in lines[number].split("\t")[1:18]]
        assert one.split == image["split"]
    # The join makes sense: what the folders are called is what the captions speak of.
    for kind, word in {
        "airplane": "airplane",
        "tenniscourt": "tennis",
        "river": "river",
        "storagetanks": "storage",
    }.items():
        said = [one.captions for one in ucm.pictures if one.name.startswith(f"{kind}/")]
        assert np.mean([any(word in text.lower() for text in texts) for texts in said]) > 0.9


@pytest.mark.requires("data")
def test_uc_merced_is_as_it_is_known(ucm):
    assert {side: len(ucm.of_split(side)) for side in ("train", "val", "test")} == {
        "train": 1680,
        "val": 210,
        "test": 210,
    }
    assert len(ucm.labels) == 17
    assert ucm.facts.readable.named == pytest.approx(0.49, abs=0.015)
    assert ucm.facts.readable.f1 < 0.5
    assert ucm.facts.repeated == pytest.approx(0.546, abs=5e-4)
    assert not ucm.facts.leaks
    assert read_picture(ucm.pictures[0].path).shape == (256, 256, 3)
    hidden = Dataset.read(ucm.folder, hide=True)
    assert not {"airplane", "airplanes", "court", "courts", "buildings", "building"} & set(hidden.vocabulary.words)


@pytest.mark.requires("data")
def test_flickr8k_by_its_official_sides(data_folder, tmp_path):
    folder = data_folder / "classify" / "flickr8k"
    found = prepare(str(folder), tmp_path / "set", PrepareSettings())
    counts = {side: len(found.dataset.of_split(side)) for side in ("train", "val", "test")}
    assert counts == {"train": 753, "val": 113, "test": 125}
    assert found.dataset.facts.labels_from == "captions"
    assert len(found.dataset.labels) == 50
    assert not found.dataset.facts.leaks
    assert not {"a", "in", "the", "of"} & set(found.dataset.labels)
    tokens = (folder / "Flickr8k.token.txt").read_text("utf-8").splitlines()
    first = {line.split("#")[0]: line.split("\t")[1] for line in reversed(tokens)}
    assert all(one.captions == (first[one.name],) for one in found.dataset.pictures)
    official = set((folder / "Flickr_8k.testImages.txt").read_text().split())
    assert {one.name for one in found.dataset.of_split("test")} <= official


@pytest.mark.requires("data")
def test_captions_csv_of_flickr8k_says_what_the_list_says(data_folder, tmp_path):
    folder = data_folder / "classify" / "flickr8k"
    tokens = (folder / "Flickr8k.token.txt").read_text("utf-8").splitlines()
    with (tmp_path / "captions.txt").open("w", newline="") as file:
        rows = [(line.split("#")[0], line.split("\t")[1]) for line in tokens]
        csv.writer(file).writerows([("image", "caption"), *rows])
    one, other = read_captions(folder / "Flickr8k.token.txt"), read_captions(tmp_path / "captions.txt")
    assert one.captions == other.captions
    assert len(one.captions) == 8093


def test_every_picture_of_the_table_is_in_the_file(made):
    dataset = made().dataset
    table = pq.read_table(dataset.folder / "pictures.parquet")
    assert table.column_names == ["picture", "sha256", "split", "labels", "captions"]
    assert table.to_pylist()[1]["labels"] == []
    assert len(set(table["sha256"].to_pylist())) == 20


def test_pictures_that_only_judge_are_told_of_no_training(made, tmp_path):
    table = (tmp_path / "captions.csv").read_text().splitlines()
    (tmp_path / "captions.csv").write_text(
        "\n".join([f"{table[0]},split", *(f"{line},test" for line in table[1:])]) + "\n"
    )
    judging = made().dataset
    assert not judging.on_side("train")
    assert len(judging.of_split("test")) == len(judging.pictures) > 0
    assert not any("training" in line for line in judging.cautions("en"))
