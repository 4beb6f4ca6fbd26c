"""Sheets that lie side by side, read as one image."""

import json
from threading import Barrier

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from arpent.core import Grid, Window
from arpent.errors import BandMismatch, DatasetError, GeoreferenceMissing, UnreadableFile
from arpent.io import open_image
from arpent.io.gdal import open_dataset

NAMES = ("red", "green", "blue", "nir")
WHOLE = Grid.north_up(650_000, 6_860_000, 0.2, 200, 300, 2154)
PIXELS = np.random.default_rng(4).integers(1, 255, (4, 200, 300)).astype(np.uint8)
CUTS = [Window(row, col, 100, 100) for row in (0, 100) for col in (0, 100, 200)]


@pytest.fixture
def sheets(write_tiff):
    """Writes the windows of the whole as sheets, and gives their folder."""

    def write(windows=CUTS, folder="sheets", pixels=PIXELS, **options):
        for number, window in enumerate(windows):
            part = pixels[:, *window.slices].copy()
            path = write_tiff(
                f"{folder}/D046_{number:02}.tif", part, WHOLE.crop(window), **({"names": NAMES} | options)
            )
        return path.parent

    return write


def test_sheets_read_as_the_image_that_they_were_cut_from(sheets):
    with open_image(sheets()) as image:
        assert image.grid == WHOLE
        assert image.bands == NAMES
        found = image.read(Window(37, 41, 120, 222))
        assert [sheet.name for sheet in image.sheets] == [f"D046_{number:02}" for number in range(6)]
        assert image.sheets[4].grid == WHOLE.crop(CUTS[4])
    assert found.valid.all()
    assert np.array_equal(found.pixels, PIXELS[:, 37:157, 41:263])


def test_blocks_are_those_of_the_files_and_not_those_that_gdal_tells_of_a_vrt(sheets):
    """What a part of a survey costs to fetch is counted in them."""
    tiled = sheets(CUTS[:2], "tiled", blockxsize=64, blockysize=32)
    strips = sheets(CUTS[:2], "strips", tiled=False, blockxsize=None, blockysize=5)
    with open_image(tiled) as image, open_image(tiled / "D046_00.tif") as alone, open_image(strips) as striped:
        assert image.blocks == alone.blocks == (32, 64)
        assert striped.blocks == (5, 100), "as wide as a sheet, not as all of them"
        assert np.array_equal(image.read(Window(3, 70, 90, 60)).pixels, PIXELS[:, 3:93, 70:130])


def test_the_headers_of_sheets_are_read_side_by_side(sheets, monkeypatch):
    """Of a hundred items of a catalog, one after the other, each costs two round trips of the network."""
    together = Barrier(len(CUTS), timeout=30)

    def meeting(address, source):
        if not address.startswith("<"):
            together.wait()
        return open_dataset(address, source)

    folder = sheets()
    monkeypatch.setattr("arpent.io.mosaic.open_dataset", meeting)
    with open_image(folder) as image:
        assert [sheet.name for sheet in image.sheets] == [f"D046_{number:02}" for number in range(6)]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.tuples(st.integers(0, 150), st.integers(0, 250), st.integers(1, 50), st.integers(1, 50)))
def test_any_window_of_sheets_is_the_crop_of_the_whole(sheets, tmp_path, where):
    folder = tmp_path / "sheets"
    if not folder.exists():
        sheets()
    window = Window(*where)
    with open_image(folder, bands=("nir", "red")) as image:
        assert np.array_equal(image.read(window).pixels, PIXELS[[3, 0]][:, *window.slices])


@pytest.mark.parametrize("nodata", [None, 0])
def test_where_no_sheet_lies_there_is_no_data(sheets, nodata):
    with open_image(sheets([CUTS[0], CUTS[5]], nodata=nodata)) as image:
        assert image.grid == WHOLE
        valid = image.read(image.grid.window).valid
    expected = np.zeros((200, 300), bool)
    expected[:100, :100] = expected[100:, 200:] = True
    assert np.array_equal(valid, expected)


def test_masks_and_no_data_of_sheets_count_and_hide_nothing_below(sheets, write_tiff):
    """Sheets overlap by 20 columns; the later one has no data there."""
    left, right = Window(0, 0, 200, 160), Window(0, 140, 200, 160)
    for options in ({"nodata": 0}, {}):
        hidden = PIXELS.copy()
        folder = sheets([left], folder=f"over{len(options)}", **options)
        part = hidden[:, *right.slices].copy()
        mask = np.full(part.shape[1:], 255, np.uint8)
        mask[:, :20] = mask[50, 100] = 0
        part[:, mask == 0] = 0
        own = {} if options else {"mask": mask}
        write_tiff(f"{folder.name}/E.tif", part, WHOLE.crop(right), names=NAMES, **options, **own)
        with open_image(folder) as image:
            found = image.read(image.grid.window)
        wrong = ~found.valid
        assert wrong.sum() == 1
        assert wrong[50, 240]
        assert np.array_equal(found.pixels[:, found.valid], PIXELS[:, found.valid])


@pytest.mark.parametrize("named", [True, False])
def test_a_fourth_band_that_is_called_alpha_is_no_mask_where_it_has_a_name(sheets, named):
    options = {"photometric": "RGB", "ALPHA": "YES", "names": NAMES if named else ()}
    with open_image(sheets([CUTS[0], CUTS[5]], **options), sensor=None if named else "bd-ortho") as image:
        found = image.read(image.grid.window)
        assert image.bands == NAMES
    assert found.valid.sum() == 20_000
    assert np.array_equal(found.pixels[:, found.valid], PIXELS[:, found.valid])


def test_an_alpha_band_says_which_pixels_count(sheets):
    pixels = PIXELS.copy()
    pixels[3] = 255
    pixels[3, 5, 5] = 0
    options = {"photometric": "RGB", "ALPHA": "YES", "names": ()}
    with open_image(sheets([CUTS[0], CUTS[5]], pixels=pixels, **options)) as image:
        assert image.bands == ("red", "green", "blue")
        valid = image.read(image.grid.window).valid
    assert valid.sum() == 19_999
    assert not valid[5, 5]


def test_sheets_on_another_grid_have_no_seams(sheets, write_tiff):
    """Warped, sheets are what the whole image is."""
    grid = Grid.north_up(650_003.1, 6_859_993.3, 0.33, 80, 120, 2154)
    whole = write_tiff("whole.tif", PIXELS, WHOLE, names=NAMES)
    with open_image(whole, bands=NAMES[:2], grid=grid) as one, open_image(sheets(), bands=NAMES[:2], grid=grid) as many:
        expected, found = one.read(grid.window), many.read(grid.window)
    assert np.array_equal(found.pixels, expected.pixels)
    assert np.array_equal(found.valid, expected.valid)


def test_a_vrt_beside_its_sheets_is_left_out(sheets, tmp_path):
    folder = sheets()
    (folder / "all.vrt").write_text("<VRTDataset rasterXSize='1' rasterYSize='1'/>")
    with open_image(folder) as image:
        assert len(image.sheets) == 6


def test_sheets_of_several_systems_are_refused_with_the_list(sheets, write_tiff):
    folder = sheets()
    for name in ("far", "farther"):
        write_tiff(f"sheets/{name}.tif", PIXELS[:, :50, :50], Grid.north_up(3e5, 5e6, 0.2, 50, 50, 32631), names=NAMES)
    words = r"several reference systems \(found EPSG:2154: D046_00, D046_01, D046_02 … \(6\); EPSG:32631: far, farther"
    with pytest.raises(DatasetError, match=words):
        open_image(folder)


@pytest.mark.parametrize(
    ("left", "size", "words"), [(650_000.1, 0.2, "0.50 and 0.00 of a pixel"), (650_000, 0.4, "0.4 × 0.4")]
)
def test_sheets_off_the_grid_are_refused(sheets, write_tiff, left, size, words):
    folder = sheets()
    grid = Grid.north_up(left, 6_860_000, size, 50, 50, 2154)
    write_tiff("sheets/odd.tif", PIXELS[:, :50, :50], grid, names=NAMES)
    with pytest.raises(DatasetError, match=rf"odd\.tif do not fall.*{words}"):
        open_image(folder)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"pixels": PIXELS[:3], "names": NAMES[:3]}, "number of bands differ"),
        ({"names": NAMES[::-1]}, "names of bands differ"),
        ({"nodata": 7}, r"no-data values differ \(found 7; expected none"),
        ({"pixels": PIXELS.astype("uint16")}, r"types of pixels differ \(found uint16; expected uint8"),
    ],
)
def test_a_sheet_of_another_kind_is_named(sheets, change, words):
    folder = sheets()
    sheets([CUTS[0]], folder="other", **change)
    (folder.parent / "other" / "D046_00.tif").rename(folder / "Z.tif")
    with pytest.raises(BandMismatch, match=rf"Z\.tif is no sheet.*{words}"):
        open_image(folder)


def test_a_sheet_without_a_place_or_cut_short_is_named(sheets, write_tiff):
    folder = sheets()
    whole = (folder / "D046_03.tif").read_bytes()
    (folder / "D046_03.tif").write_bytes(whole[:300])
    with pytest.raises(UnreadableFile, match="D046_03"):
        open_image(folder)
    (folder / "D046_03.tif").write_bytes(whole[: len(whole) * 2 // 3])
    with pytest.raises(UnreadableFile, match=r"D046_03\.tif cannot be read"), open_image(folder) as image:
        image.read(image.grid.window)
    (folder / "D046_03.tif").write_bytes(whole)
    write_tiff("sheets/Z.tif", PIXELS[:, :50, :50], Grid(50, 50), names=NAMES)
    with pytest.raises(GeoreferenceMissing, match="Z"):
        open_image(folder)


def item(name, href):
    bands = [{"name": band, "eo:common_name": band} for band in NAMES]
    asset = {"href": href, "type": "image/tiff; application=geotiff", "bands": bands}
    return {"type": "Feature", "stac_version": "1.1.0", "id": name, "properties": {}, "assets": {"data": asset}}


@pytest.mark.parametrize("kind", ["collection", "item collection"])
def test_the_items_of_a_collection_read_as_one_image(sheets, tmp_path, kind):
    folder = sheets()
    items = {path.stem: item(path.stem, f"./sheets/{path.name}") for path in sorted(folder.iterdir())}
    if kind == "collection":
        for name, one in items.items():
            (tmp_path / f"{name}.json").write_text(json.dumps(one))
        links = [{"rel": "self", "href": "x"}, *({"rel": "item", "href": f"./{name}.json"} for name in items)]
        document = {"type": "Collection", "id": "survey", "links": links}
    else:
        document = {"type": "FeatureCollection", "features": list(items.values())}
    (tmp_path / "survey.json").write_text(json.dumps(document))
    with open_image(tmp_path / "survey.json", bands=("nir", "blue")) as image:
        assert len(image.sheets) == 6
        assert np.array_equal(image.read(Window(60, 60, 90, 200)).pixels, PIXELS[[3, 2], 60:150, 60:260])


def test_a_collection_without_items_or_with_unlike_ones_is_refused(sheets, tmp_path):
    (tmp_path / "none.json").write_text(json.dumps({"type": "FeatureCollection", "features": []}))
    with pytest.raises(UnreadableFile, match="lists no item"):
        open_image(tmp_path / "none.json")
    sheets()
    one, other = item("a", "./sheets/D046_00.tif"), item("b", "./sheets/D046_01.tif")
    other["assets"]["data"]["bands"] = other["assets"]["data"]["bands"][:3]
    (tmp_path / "two.json").write_text(json.dumps({"type": "FeatureCollection", "features": [one, other]}))
    with pytest.raises(BandMismatch, match="do not offer the same bands"):
        open_image(tmp_path / "two.json")
