"""Merges, code lists and nomenclatures from people's own files."""

import tomllib

import numpy as np
import pytest

from arpent.core import ClassMap, LandClass, nomenclature
from arpent.errors import FileMissing, InvalidSetting, UnknownName, UnknownSetting, UnreadableFile

# FLAIR-1 id, FLAIR-HUB id, CoSIA numero of the same class, from IGN's documentation.
THREE_LISTS = [
    (1, 0, 1), (2, 4, 2), (3, 3, 3), (4, 5, 5), (5, 6, 6), (6, 13, 8), (7, 12, 9), (8, 14, 10), (9, 11, 11),
    (10, 8, 12),
    (11, 9, 13), (12, 10, 14), (13, 2, 4), (14, 7, 7), (15, 15, None), (16, 17, None), (17, 16, None), (18, 1, 15),
    (19, 18, None),
]  # fmt: skip
COSIA_COLOURS = """
ce7079 987752 a6aab7 62d0ff bbb096 3375a1 e9effe 126421 4c9129 b5c335 b08290 8cd76a decf55 d0a349 b9e2d4
"""


def test_three_code_spaces_agree_class_by_class():
    flair, hub, cosia = (nomenclature(name) for name in ("flair-19", "flair-hub", "cosia"))
    for number, of_hub, of_cosia in THREE_LISTS:
        index = flair.index_of_id[number]
        assert flair.index_of_code("hub")[of_hub] == index
        assert hub.by_id(of_hub).en == flair.by_id(number).en
        assert hub.index_of_code("flair")[number] == hub.index_of_id[of_hub]
        if of_cosia is None:
            assert cosia.index_of_code("flair")[number] == -1
        else:
            assert flair.index_of_code("cosia")[of_cosia] == index
            assert cosia.index_of_code("hub")[of_hub] == cosia.index_of_id[of_cosia]
            assert cosia.by_id(of_cosia).en == flair.by_id(number).en


def test_cosia_has_its_own_colours_and_numbers():
    cosia = nomenclature("cosia")
    assert list(cosia.ids) == list(range(1, 16))
    assert [entry.colour for entry in cosia.classes] == [f"#{colour}" for colour in COSIA_COLOURS.split()]
    assert cosia.by_id(cosia.ids[cosia.index_of("conifère")]).colour == "#126421"


def test_the_merges_are_those_of_ign():
    assert [int(nomenclature("flair-15").ids[i]) for i in nomenclature("flair-15").inactive] == [15, 16, 17, 19]
    assert len(nomenclature("flair-15")) == 19
    merged = nomenclature("flair-13")
    assert list(merged.ids) == list(range(1, 14))
    assert merged.inactive == (12,)
    assert list(merged.index_of_code("flair")[1:20]) == [*range(12), *[12] * 7]
    assert (np.sort(merged.index_of_code("hub")[:19]) == np.array([*range(12), *[12] * 7])).all()
    assert (merged.index_of_code("hub")[19:] == -1).all()
    assert list(nomenclature("flair-12").index_of_code("flair")[11:15]) == [10, 11, -1, -1]
    assert not nomenclature("flair-12").inactive
    assert nomenclature("flair-hub").nodata == 255


def test_numbers_from_nought_on_are_a_code_list_of_every_nomenclature():
    lookup = nomenclature("flair-12").index_of_code("index")
    assert list(lookup[:13]) == [*range(12), -1]
    with pytest.raises(UnknownName, match=r"no code list of nomenclature 'cosia' is called 'hubs'.*'hub'"):
        nomenclature("cosia").index_of_code("hubs")


@pytest.mark.parametrize("word", [5, "5", "water", "Surface d'eau"])
def test_classes_are_found_by_number_or_name(word):
    assert nomenclature("flair-19").index_of(word) == 4


def test_unknown_classes_suggest_the_nearest():
    with pytest.raises(UnknownName, match="'water'"):
        nomenclature("flair-19").index_of("watr")


YAML = """
name: village
nodata: 255
classes:
- {id: 0, en: roof, fr: toit, colour: '#DB0E9A', codes: {flair: 1}}
- {id: 1, name: rest, codes: {flair: [2, 3]}, active: false}
"""
TOML = """
nodata = 255
[[classes]]
id = 0
en = "roof"
fr = "toit"
colour = "#db0e9a"
codes = { flair = 1 }
[[classes]]
id = 1
fr = "rest"
codes = { flair = [2, 3] }
active = false
"""


@pytest.mark.parametrize(("file", "text"), [("village.yaml", YAML), ("village.toml", TOML), ("village.YML", YAML)])
def test_a_nomenclature_of_ones_own(tmp_path, file, text):
    (tmp_path / file).write_text(text, "utf-8")
    found = nomenclature(str(tmp_path / file))
    assert found == ClassMap(
        name="village",
        nodata=255,
        classes=(
            LandClass(id=0, en="roof", fr="toit", colour="#db0e9a", codes={"flair": 1}),
            LandClass(id=1, en="rest", fr="rest", colour="#d55e00", codes={"flair": (2, 3)}, active=False),
        ),
    )
    assert list(found.index_of_code("flair")[:4]) == [-1, 0, 1, 1]
    assert ClassMap.model_validate_json(found.model_dump_json()) == found


@pytest.mark.parametrize(
    ("file", "text", "error", "words"),
    [
        ("a.yaml", "classes: 3", InvalidSetting, "lists no classes"),
        ("a.yaml", "classes: []", InvalidSetting, "lists no classes"),
        ("a.toml", "classes = [", InvalidSetting, "not TOML"),
        ("a.toml", "\ufffe", InvalidSetting, "not TOML"),
        ("a.toml", "x = 1\n" * 60_000, InvalidSetting, "too large"),
        ("a.yaml", "classes: [{id: 1, name: a, color: '#000000'}]", UnknownSetting, "colour"),
        ("a.yaml", "classes: [{id: 300, name: a}]", InvalidSetting, "300"),
        ("a.yaml", "classes: [{id: 1}]", InvalidSetting, "en"),
        ("a.yaml", "classes: [{id: 1, name: a, codes: {x: 900}}]", InvalidSetting, "900"),
        ("a.yaml", "classes: [{id: 1, name: a}, {id: 1, name: b}]", InvalidSetting, "uses a number twice"),
        ("a.yaml", "classes: [{id: 1, name: a, codes: {x: 1}}, {id: 2, name: b, codes: {x: 1}}]", InvalidSetting, "x"),
    ],
)
def test_files_that_are_no_nomenclature_are_refused(tmp_path, file, text, error, words):
    (tmp_path / file).write_text(text, "utf-8")
    with pytest.raises(error, match=words):
        nomenclature(str(tmp_path / file))


def test_files_that_are_not_there():
    with pytest.raises(FileMissing):
        nomenclature("nowhere.toml")
    with pytest.raises(FileMissing):
        nomenclature("nowhere.yaml")


def test_folders_are_no_nomenclatures(tmp_path):
    (tmp_path / "a.toml").mkdir()
    with pytest.raises(UnreadableFile):
        nomenclature(str(tmp_path / "a.toml"))


def test_the_table_that_ships_is_toml_without_strange_keys(root):
    table = tomllib.loads((root / "src/arpent/core/tables/nomenclatures.toml").read_text("utf-8"))
    known = {"of", "ids", "inactive", "rest", "numbers", "nodata", "classes"}
    assert {key for entry in table.values() for key in entry} <= known
