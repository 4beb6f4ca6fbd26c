"""A small DATASET: pictures red or not, striped or not, with captions that tell one of both; and models of it."""

import hashlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from arpent.store import Place
from arpent.tasks.classify.dataset import Dataset, DatasetFacts, Picture
from arpent.tasks.classify.train_settings import ClassifyTrainSettings
from arpent.tasks.classify.training import train_labeller

WORDS = ("fire", "rows")


@pytest.fixture(scope="session")
def red_or_striped(tmp_path_factory) -> Path:
    """Sixty pictures of 40 × 50 pixels: 40 to learn from, 10 to judge by, 10 to test; two have no caption."""
    home = tmp_path_factory.mktemp("red-or-striped")
    (home / "pictures").mkdir()
    (home / "dataset").mkdir()
    rng = np.random.default_rng(4)
    pictures = []
    for number in range(60):
        borne = rng.random(2) < 0.5
        pixels = rng.integers(90, 120, (40, 50, 3)).astype(np.uint8)
        if borne[0]:
            pixels[..., 2] += 120
        if borne[1]:
            pixels[::4] = 20
        file = home / "pictures" / f"{number:02}.png"
        cv2.imwrite(str(file), pixels)
        told = [word for word, has in zip(WORDS, borne, strict=True) if has]
        captions = () if number in (3, 45) else (f"a place with {' and '.join(told) or 'nothing'}", "some place")
        side = "train" if number < 40 else "val" if number < 50 else "test"
        sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
        pictures.append(Picture(file.name, file, side, borne.astype(np.uint8), captions, sha256))
    facts = DatasetFacts(source="folder", root="../pictures", labels=("red", "striped"), labels_from="file")
    Dataset.write(home / "dataset", facts, pictures)
    return home / "dataset"


@pytest.fixture(scope="session")
def tiny():
    """Settings of a training that takes seconds."""
    reading = {"text_encoder": "lstm", "batch_size": 16, "workers": 1}
    return {"pretrained": "random", "side": 32, "device": "cpu", **reading}


@pytest.fixture(scope="session")
def train(red_or_striped, tiny, tmp_path_factory):
    """Trains on these pictures; features of them are made once."""
    kept = tmp_path_factory.mktemp("features")

    def run(place, start=(), **changes):
        given = {**tiny, "dataset": str(red_or_striped), "features": str(kept), **changes}
        return train_labeller(ClassifyTrainSettings(**given), Place(exact=place), start=start)

    return run


@pytest.fixture(scope="session")
def branches(train, tmp_path_factory):
    """A folder with two runs: ``image`` knows what is red, ``text`` what is striped."""
    home = tmp_path_factory.mktemp("branches")
    train(home / "image", branch="image", epochs=6)
    train(home / "text", branch="text", epochs=20, rate=1e-2)
    return home


@pytest.fixture(scope="session")
def fusion(train, branches, tmp_path_factory):
    """The run of a fusion that is built on them."""
    place = tmp_path_factory.mktemp("fusion") / "run"
    return train(place, start=(str(branches / "image"), str(branches / "text")), fusion="concat", epochs=4)
