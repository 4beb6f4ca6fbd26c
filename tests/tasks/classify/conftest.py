"""A small DATASET of pictures that are red or not, striped or not, with captions that tell one of the two."""

import hashlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from arpent.tasks.classify.dataset import Dataset, DatasetFacts, Picture

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
