"""What images are called and which place they show, whatever their order."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from arpent.core import Grid
from arpent.errors import InvalidSetting
from arpent.store import Place
from arpent.store.search import Query, SearchIndex
from arpent.tasks.describe.embed_settings import EmbedSettings
from arpent.tasks.describe.embedding import embed_images
from arpent.tasks.describe.generate_settings import GenerateSettings
from arpent.tasks.describe.indexing import index_run
from arpent.tasks.describe.scene_names import SceneNames
from arpent.tasks.describe.scene_settings import IndexSettings, SceneSettings
from arpent.tasks.describe.scenes import open_scene
from arpent.tasks.describe.series import series_run
from arpent.tasks.describe.series_settings import SeriesSettings
from arpent.tasks.describe.showing import show_images
from arpent.tasks.describe.truth import Truth, measured_again

NAMES = [f"B{number:02}" for number in range(1, 9)] + ["B8A", "B09", "B11", "B12"]


def grid(east=0, north=0, crs="EPSG:32631"):
    """The country's pixels, so many metres away."""
    return Grid.north_up(500_000 + east, 4_690_000 + north, 10, 60, 90, crs)


@pytest.fixture
def write(write_scene, country):
    """Writes an image of one band, or of all: ``write("a/s_20220601.tif", grid(east=5000))``."""

    def written(name, where, names=("B08",)):
        return str(write_scene(name, country.stack(names), names=names, grid=where))

    return written


@pytest.fixture
def two(write):
    """Two places on two dates each, whose images have the same names."""
    return [
        write(f"{folder}/image_2022{day}.tif", grid(east), NAMES)
        for folder, east in (("north", 0), ("south", 9_000))
        for day in ("0401", "0520")
    ]


def called(images, **settings):
    """Names and places of images as scenes get them."""
    chosen = SceneSettings(**settings)
    names = SceneNames(images, chosen)
    found = []
    for number, image in enumerate(images):
        with open_scene(image, chosen) as scene:
            names.settle(scene, number)
            found.append((scene.name, scene.place))
    return found


def test_dates_of_one_place_keep_their_names(write):
    images = [write(name, grid()) for name in ("s_20220401.tif", "s_20220520.tif", "t_20220520.tif")]
    assert called(images) == [("s_20220401", "s"), ("s_20220520", "s"), ("t_20220520", "t")]


def test_places_of_one_name_are_told_apart_by_their_folders_in_any_order(two):
    expected = {image: f"{Path(image).parent.name}/image" for image in two}
    for images in (two, two[::-1], two[1:3], [two[2], two[0]]):
        assert [place for _, place in called(images)] == [expected[image] for image in images]
    assert called(two[:2]) == [("image_20220401", "image"), ("image_20220520", "image")]
    assert {place for _, place in called(two, place="here")} == {"here"}


def test_images_of_one_name_are_told_apart_by_the_fewest_folders(write):
    images = [write(f"{folder}/s_20220401.tif", grid()) for folder in ("x/a", "y/a", "y/b")]
    images.append(write("y/b/t_20220401.tif", grid()))
    expected = ["x/a/s_20220401", "y/a/s_20220401", "y/b/s_20220401", "t_20220401"]
    assert [name for name, _ in called(images)] == expected
    assert [name for name, _ in called(images[::-1])] == expected[::-1]
    assert {place for _, place in called(images)} == {"s", "t"}  # the same ground
    twin = write("x/a/s_20220401.tiff", grid())
    assert [name for name, _ in called([twin, images[0], images[0]])] == [
        "s_20220401 (3)", "s_20220401", "s_20220401 (2)",
    ]  # fmt: skip


def test_folders_that_are_dates_are_no_places(write):
    images = [
        write(f"{place}/{day}/s.tif", grid(east))
        for place, east in (("hill", 0), ("valley", 9_000))
        for day in ("2022-04-01", "20220520")
    ]
    assert [place for _, place in called(images)] == ["hill/s", "hill/s", "valley/s", "valley/s"]
    assert [place for _, place in called(images[:3])] == ["hill/s", "hill/s", "valley/s"]


def test_one_folder_with_several_grounds(write):
    """Numbers of eight digits read like days."""
    images = [write(f"chip_{number:08}.tif", grid(2_000 * number)) for number in (11, 12, 13)]
    assert [place for _, place in called(images)] == ["chip_00000011", "chip_00000012", "chip_00000013"]
    assert called(images[1:]) == [("chip_00000012", "chip_00000012"), ("chip_00000013", "chip_00000013")]


def test_ground_that_is_shared_is_one_place_and_an_edge_is_not(write):
    alike = [
        write("a/s_20220401.tif", grid()),
        write("b/s_20220402.tif", grid(300)),  # two thirds of it
    ]
    assert [place for _, place in called(alike)] == ["s", "s"]
    beside = write("d/s_20220404.tif", grid(900))
    overlapping = write("e/s_20220405.tif", grid(600))
    assert [place for _, place in called([alike[0], beside])] == ["a/s", "d/s"]
    assert [place for _, place in called([alike[0], overlapping])] == ["a/s", "e/s"]
    assert [place for _, place in called([overlapping, beside])] == ["s", "s"]


def test_another_reference_system_is_no_other_place(write):
    here = grid()
    lon, lat = 3.0, 42.361
    images = [
        write("a/s_20220401.tif", here),
        write("b/s_20220402.tif", Grid.north_up(lon, lat, 1e-4, 60, 90, "EPSG:4326")),
    ]
    assert [place for _, place in called(images)] == ["s", "s"]


def test_cuttings_of_one_tile_are_places_of_their_own(write):
    name = "T31TDG_20220401T105031.tif"
    images = [write(f"{folder}/{name}", grid(east)) for folder, east in (("hill", 0), ("valley", 9_000))]
    assert [place for _, place in called(images)] == ["hill/T31TDG", "valley/T31TDG"]
    assert [place for _, place in called(images[:1])] == ["T31TDG"]


def test_without_georeference_a_name_that_returns_in_another_folder_is_of_another_place(write):
    dates = [write(f"{folder}/s_2022{day}.tif", None) for folder, day in (("a", "0401"), ("b", "0520"))]
    assert [place for _, place in called(dates)] == ["s", "s"]
    again = [*dates, write("b/s_20220401.tif", None)]
    assert [place for _, place in called(again)] == ["a/s", "b/s", "b/s"]


def test_an_image_that_cannot_be_read_changes_no_other(write, tmp_path):
    good = write("a/s_20220401.tif", grid())
    bad = tmp_path / "b" / "s_20220520.tif"
    bad.parent.mkdir()
    bad.write_bytes(b"no image")
    names = SceneNames([str(bad), good, str(tmp_path / "c" / "s_20220601.tif")], SceneSettings())
    with open_scene(good) as scene:
        names.settle(scene, 1)
        assert (scene.name, scene.place) == ("s_20220401", "s")


def test_no_two_places_are_merged(two, tmp_path):
    """Two places of four squares each, on two dates: eight parcels and eight seasons, and none like another."""
    indexed = index_run(two[::-1], Place(exact=tmp_path / "runs" / "i"), IndexSettings(chip=45))
    assert (indexed.rows, indexed.parcels, indexed.images) == (16, 8, 4)
    for made in (
        series_run([str(indexed.run.path)], Place(exact=tmp_path / "s"), SeriesSettings()),
        series_run(two, Place(exact=tmp_path / "t"), SeriesSettings(chip=45)),
    ):
        assert sorted((one.season.place, one.season.parcel) for one in made.told) == [
            (f"{folder}/image", f"r00{row}c00{col}")
            for folder in ("north", "south")
            for row in (0, 1)
            for col in (0, 1)
        ]
        assert all(len(one.season.days) == 2 for one in made.told)
    settings = EmbedSettings(encoder="croma-tiny", random_init=True, device="cpu", chip=45)
    embedded = embed_images(two, Place(exact=tmp_path / "runs" / "e"), settings)
    keys = ["place", "parcel", "image", "taken"]
    tables = [pq.read_table(file, columns=keys).to_pylist() for file in (indexed.file, embedded.file)]
    assert len({tuple(row.values()) for row in tables[0]} & {tuple(row.values()) for row in tables[1]}) == 16
    shown = show_images(two, GenerateSettings(chip=45), None)
    assert len({(one.measured.place, one.measured.parcel, one.image) for one in shown.parcels}) == 16
    facts = measured_again(Truth(tuple(two), None, SceneSettings(chip=45)))
    assert {(one.measured.parcel, one.image): one.measured for one in shown.parcels} == facts
    _searched(tmp_path / "runs")


def _searched(runs):
    with SearchIndex.over([runs]) as index:
        found = index.find(Query(where="ndvi_mean > -1", count=50, each_date=True))
        assert len({(hit.parcel, hit.row["place"], hit.taken) for hit in found}) == len(found) == 16
        assert len(index.find(Query(where="ndvi_mean > -1", count=50))) == 8
        with pytest.raises(InvalidSetting, match=r"'r000c000' lies in several places.*--like 'north/image/r000c000'"):
            index.find(Query(like="r000c000"))
        likes = index.find(Query(like="south/image/r000c000", count=50))
        assert len(likes) == 7 and ("north/image", "r000c000") in {(hit.row["place"], hit.parcel) for hit in likes}
