"""`arpent.classify` does what ``arpent classify predict`` does."""

from __future__ import annotations

import pytest

import arpent as ap
from arpent.cli.app import main
from arpent.errors import PartialFailure


def test_the_labels_are_those_of_the_command(red_or_striped, fusion, tmp_path):
    pictures = sorted((red_or_striped.parent / "pictures").glob("*.png"))[:3]
    told = {pictures[0].name: ["a place with fire"]}
    run = ap.classify(pictures, captions=told, model=fusion.path, output=tmp_path / "here", figures=1, device="cpu")
    captions = tmp_path / "captions.csv"
    captions.write_text(f"image,caption\n{pictures[0].name},a place with fire\n", "utf-8")
    command = ["classify", "predict", *map(str, pictures), "--captions", str(captions), "--model", str(fusion.path)]
    assert main([*command, "-o", str(tmp_path / "there"), "--figures", "1", "--device", "cpu"]) == 0
    there = ap.open_run(tmp_path / "there")
    assert run.products["table"].read_bytes() == there.products["table"].read_bytes()
    assert run.made.count == run.to_table().num_rows == 3
    assert run.made.first[0].caption == "a place with fire"
    assert run.plot().axes, "the first picture with its labels"


def test_a_caption_alone_gets_labels(fusion, tmp_path):
    run = ap.classify(caption="rows and rows", model=fusion.path, output=tmp_path / "run", device="cpu", language="fr")
    assert run.language == "fr", "that of its card"
    assert run.made.count == 1 and set(run.made.first[0].chances) == {"red", "striped"}


def test_a_picture_that_cannot_be_read_ends_as_the_command_does(red_or_striped, fusion, tmp_path):
    picture = next((red_or_striped.parent / "pictures").glob("*.png"))
    (tmp_path / "broken.png").write_bytes(b"nothing")
    with pytest.raises(PartialFailure, match=r"ap\.open_run"):
        ap.classify([picture, tmp_path / "broken.png"], model=fusion.path, output=tmp_path / "run", device="cpu")
    assert ap.open_run(tmp_path / "run").to_table().num_rows == 1
