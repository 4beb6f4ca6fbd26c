"""Nomenclatures and sensors: tables that must agree with those who made them, and with themselves."""

import re

import numpy as np
import pytest

from arpent.core import ClassMap, LandClass, nomenclature, nomenclature_names, sensor, sensor_names
from arpent.errors import InvalidSetting, UnknownName

# FLAIR-1 number, FLAIR-HUB number and CoSIA `numero` of the same class, in both languages (IGN's documentation).
SAME = [
    (1, 0, 1, "building", "bâtiment"),
    (3, 3, 3, "impervious surface", "zone imperméable"),
    (5, 6, 6, "water", "surface d'eau"),
    (6, 13, 8, "coniferous", "conifère"),
    (9, 11, 11, "vineyard", "vigne"),
    (13, 2, 4, "swimming pool", "piscine"),
]


@pytest.mark.parametrize(("flair", "hub", "cosia", "english", "french"), SAME)
def test_one_class_in_three_lists(flair: int, hub: int, cosia: int, english: str, french: str) -> None:
    found = nomenclature("flair-19").by_id(flair)
    assert found.codes == {"flair": flair, "hub": hub, "cosia": cosia}
    assert (found.label("en"), found.label("fr")) == (english, french)


@pytest.mark.parametrize("name", nomenclature_names())
def test_every_nomenclature_is_consistent(name: str) -> None:
    classes = nomenclature(name)
    assert classes.name == name
    assert len(set(classes.labels("en"))) == len(set(classes.labels("fr"))) == len(classes)
    assert list(classes.index_of_id[classes.ids]) == list(range(len(classes)))
    assert (classes.index_of_id >= 0).sum() == len(classes)
    assert classes.index_of_id[classes.nodata] == -1
    assert (classes.palette[classes.ids, 3] == 255).all()
    assert classes.palette[classes.nodata, 3] == 0
    for code in {code for entry in classes.classes for code in entry.codes}:
        numbers = [number for entry in classes.classes for number in entry.numbers(code)]
        assert len(set(numbers)) == len(numbers), f"{name}: {code} names two classes alike"


def test_the_palette_is_the_official_one() -> None:
    assert tuple(nomenclature("flair-19").palette[1]) == (0xDB, 0x0E, 0x9A, 255)


def test_keeping_some_classes_keeps_their_numbers() -> None:
    kept = nomenclature("flair-19").keep([5, 1], "two")
    assert list(kept.ids) == [5, 1]
    assert kept.labels("fr") == ("surface d'eau", "bâtiment")
    with pytest.raises(UnknownName, match="no class number is called '77'"):
        kept.by_id(77)


def test_a_number_means_one_thing() -> None:
    water = LandClass(id=1, en="water", fr="eau", colour="#0000ff")
    with pytest.raises(InvalidSetting, match="uses a number twice"):
        ClassMap(name="x", classes=(water, water))
    with pytest.raises(InvalidSetting, match="no data 1"):
        ClassMap(name="x", classes=(water,), nodata=1)


def test_unknown_names_suggest_the_nearest() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'flair-19'"):
        nomenclature("flair-9")
    with pytest.raises(UnknownName, match="Did you mean 'sentinel-2-l2a'"):
        sensor("sentinel2-l2a")
    with pytest.raises(UnknownName, match="no band of BD ORTHO"):
        sensor("bd-ortho").band("swir16")


@pytest.mark.parametrize("name", sensor_names())
def test_no_two_bands_of_a_sensor_answer_to_one_name(name: str) -> None:
    camera = sensor(name)
    for band in camera.bands:
        for word in (band.name, *([band.common] if band.common else []), *band.aliases):
            assert [other.name for other in camera.bands if other.answers_to(word.upper())] == [band.name], word
    assert camera.file_pattern is None or re.compile(camera.file_pattern)
    lengths = [band.wavelength for band in camera.bands if band.wavelength]
    assert all(300 < length < 3000 for length in lengths)


def test_bands_are_picked_by_any_of_their_names() -> None:
    bands = sensor("sentinel-2-l2a").select(["nir", "B4", "b02"])
    assert [band.name for band in bands] == ["B08", "B04", "B02"]
    assert np.isclose(sensor("landsat-8-9").offset, -0.2)


@pytest.mark.parametrize(
    ("file", "name", "band"),
    [
        ("T31TCJ_20210605T105031_B8A_20m.jp2", "sentinel-2-l2a", "B8A"),
        ("HLS.S30.T18TXR.2021156T155911.v2.0.Fmask.tif", "hls-s30", "Fmask"),
        ("HLS.L30.T18TXR.2021156T155911.v2.0.B05.tif", "hls-l30", "B05"),
        ("LC08_L2SP_014028_20210605_20210614_02_T1_SR_B5.TIF", "landsat-8-9", "SR_B5"),
    ],
)
def test_file_names_tell_sensor_and_band(file: str, name: str, band: str) -> None:
    matching = [one for one in sensor_names() if (p := sensor(one).file_pattern) and re.search(p, file)]
    assert matching == [name]
    found = re.search(sensor(name).file_pattern or "", file)
    assert found
    assert found["band"] == band
