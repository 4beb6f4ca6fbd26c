import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arpent.core import Window
from arpent.errors import ArpentError, BandMismatch, FileMissing, UnreadableFile
from arpent.io import open_image
from arpent.io.sources import locate

HLS = "HLS.S30.T31TCJ.2021190T105031.v2.0"
ALL = Window(0, 0, 40, 40)


def constant(value, side=40, dtype="int16"):
    return np.full((1, side, side), value, dtype)


@pytest.fixture
def hls(write_tiff, utm):
    """A folder of HLS: two spectral bands, one that Arpent does not list, and the quality layer."""
    for band, value in (("B8A", 3000), ("B04", 800), ("B01", 100)):
        write_tiff(f"hls/{HLS}.{band}.tif", constant(value), utm(40, 40, 30.0), nodata=-9999)
    flags = constant(64, dtype="uint8")
    flags[0, :10] = 255
    write_tiff(f"hls/{HLS}.Fmask.tif", flags, utm(40, 40, 30.0), nodata=255)
    (path := write_tiff(f"hls/{HLS}.SAA.tif", constant(1), utm(40, 40, 30.0))).with_suffix(".json").write_text("{}")
    return path.parent


# --- folders --------------------------------------------------------------------------------------------------------


def test_a_folder_of_hls_is_one_image(hls):
    with open_image(hls) as image:
        assert image.bands == ("B04", "B8A")  # in the order of the sensor
        assert image.nodata == -9999
        assert image.dtype == np.int16
        assert (image.read(ALL).pixels[:, 5, 5] == [800, 3000]).all()


def test_quality_and_unlisted_bands_are_there_by_name(hls):
    with open_image(hls, bands=("nir08", "Fmask", "b01")) as image:
        found = image.read(ALL)
        assert image.bands == ("nir08", "Fmask", "b01")
        assert image.nodata == -9999
    assert (found.pixels[:, 20, 20] == [3000, 64, 100]).all()
    assert not found.valid[:10].any()
    assert found.valid[10:].all()


def test_quality_is_never_interpolated(write_tiff, utm):
    rng = np.random.default_rng(0)
    write_tiff(f"{HLS}.B04.tif", rng.integers(0, 5000, (1, 40, 40)).astype("int16"), utm(40, 40, 30.0))
    path = write_tiff(f"{HLS}.Fmask.tif", rng.choice([0, 64, 160], (1, 40, 40)).astype("uint8"), utm(40, 40, 30.0))
    grid = utm(30, 30, 17.0, left=500_107.0, top=4_999_900.0)
    with open_image(path.parent, bands=("red", "Fmask"), grid=grid) as image:
        found = image.read(grid.window)
    assert set(np.unique(found.band("Fmask"))) <= {0, 64, 160}
    assert len(np.unique(found.band("red"))) > 500  # nearest would give at most 18² of them


def test_a_folder_with_two_scenes_is_refused(hls, write_tiff, utm):
    write_tiff("hls/HLS.S30.T31TCJ.2021195T105031.v2.0.B04.tif", constant(1), utm(40, 40, 30.0))
    with pytest.raises(BandMismatch, match=r"several scenes .*2021190.*2021195.* Give each scene a folder"):
        open_image(hls)


def test_landsat_and_its_quality_band(write_tiff, utm):
    stem = "LC08_L2SP_199030_20210709_20210720_02_T1"
    for band, value in (("SR_B4", 9000), ("SR_B5", 20000)):
        path = write_tiff(f"{stem}_{band}.TIF", constant(value, dtype="uint16"), utm(40, 40, 30.0), nodata=0)
    write_tiff(f"{stem}_QA_PIXEL.TIF", constant(21824, dtype="uint16"), utm(40, 40, 30.0), nodata=1)
    with open_image(path.parent) as image:
        assert image.bands == ("SR_B4", "SR_B5")
    with open_image(path.parent, bands=("nir08", "qa_pixel")) as image:
        assert (image.read(ALL).pixels[:, 0, 0] == [20000, 21824]).all()


def test_sentinel_2_bands_of_three_sizes_come_to_the_finest(write_tiff, utm):
    tile = "T31TCJ_20210709T105031"
    inside = "S2.SAFE/GRANULE/IMG_DATA"
    for band, size, value in (("B02", 10, 500), ("B05", 20, 900), ("B09", 60, 40), ("SCL", 20, 4), ("B02", 20, 1)):
        pixels = constant(value, side=240 // size, dtype="uint16")
        path = write_tiff(f"{inside}/R{size}m/{tile}_{band}_{size}m.tif", pixels, utm(240 // size, 240 // size, size))
    with open_image(path.parents[3]) as image:
        found = image.read(image.grid.window)
        assert image.bands == ("B02", "B05", "B09")
        assert image.grid.shape == (24, 24)
    assert found.valid.all()
    assert (found.pixels == np.array([500, 900, 40])[:, None, None]).all()
    with open_image(path.parents[3], bands=("SCL", "B09")) as image:
        assert image.grid.shape == (12, 12)


def test_files_that_are_named_for_their_bands(write_tiff, utm):
    for name, value in (("red", 1), ("nir", 2)):
        path = write_tiff(f"parcel/parcel_12_{name}.tif", constant(value), utm(40, 40))
    with open_image(path.parent, bands=("nir", "red")) as image:
        assert (image.read(ALL).pixels[:, 0, 0] == [2, 1]).all()


def test_a_declared_sensor_reads_the_ends_of_names(write_tiff, utm):
    for name, value in (("red_edge", 5), ("PIR", 4)):
        path = write_tiff(f"pneo/site_{name}.tif", constant(value), utm(40, 40))
    with open_image(path.parent, sensor="pleiades-neo", bands=("rededge", "nir")) as image:
        assert (image.read(ALL).pixels[:, 0, 0] == [5, 4]).all()


def test_a_folder_that_cannot_be_one_image(write_tiff, utm, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UnreadableFile, match=r"holds no raster \(expected files ending in"):
        open_image(tmp_path / "empty")
    for name in ("a_red", "b_red"):
        write_tiff(f"twice/{name}.tif", constant(1), utm(40, 40))
    with pytest.raises(BandMismatch, match="do not tell their bands"):
        open_image(tmp_path / "twice")
    write_tiff("colour/nir.tif", np.zeros((1, 8, 8), "uint8"), utm(8, 8))
    write_tiff("colour/rgb.tif", np.zeros((3, 8, 8), "uint8"), utm(8, 8))
    with pytest.raises(BandMismatch, match=r"rgb\.tif is not a file of one band.*or sheets that have all bands"):
        open_image(tmp_path / "colour")


def test_a_vrt_and_an_address_of_gdal_s_own(write_tiff, utm, tmp_path):
    import zipfile

    import rasterio.shutil

    path = write_tiff("a.tif", constant(7), utm(40, 40), names=("nir",))
    rasterio.shutil.copy(path, tmp_path / "a.vrt", driver="VRT")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(path, "inside.tif")
    for source in (tmp_path / "a.vrt", f"/vsizip/{tmp_path}/a.zip/inside.tif", f"GTIFF_DIR:1:{path}"):
        with open_image(source) as image:
            assert image.bands == ("nir",)
            assert (image.read(ALL).pixels == 7).all()


def test_the_working_folder_may_change(write_tiff, utm, tmp_path, monkeypatch):
    write_tiff("sub/a.tif", constant(7), utm(40, 40))
    monkeypatch.chdir(tmp_path)
    with open_image("sub/a.tif") as image:
        monkeypatch.chdir("/")
        assert image.source == "sub/a.tif"
        assert (image.read(ALL).pixels == 7).all()


# --- STAC items -----------------------------------------------------------------------------------------------------


def item_at(folder, assets, **properties):
    path = folder / "item.json"
    path.write_text(json.dumps({"type": "Feature", "assets": assets, "properties": properties}))
    return path


COG = "image/tiff; application=geotiff; profile=cloud-optimized"


@pytest.fixture
def assets(write_tiff, utm):
    """Assets as the large catalogs write them, in both generations of STAC."""
    made = {}
    for key, name, common, size, value in (
        ("nir", "B08", "nir", 10, 3000),
        ("red", "B04", "red", 10, 700),
        ("swir16", "B11", "swir16", 20, 1500),
    ):
        write_tiff(f"{key}.tif", constant(value, 400 // size, "uint16"), utm(400 // size, 400 // size, size), nodata=0)
        words = {"name": name, "common_name": common} if size == 10 else {"name": name, "eo:common_name": common}
        made[key] = {
            "href": f"./{key}.tif", "type": COG, "roles": ["data"], ("eo:bands" if size == 10 else "bands"): [words],
        }  # fmt: skip
    write_tiff("scl.tif", constant(4, 20, "uint8"), utm(20, 20, 20.0))
    made["scl"] = {"href": "scl.tif", "type": COG, "roles": ["data"]}
    made["visual"] = {"href": "visual.tif", "type": COG, "roles": ["visual"], "eo:bands": [{"name": "red"}]}
    made["nir-jp2"] = {**made["nir"], "href": "nir.jp2", "type": "image/jp2"}
    made["thumbnail"] = {"href": "t.jpg", "type": "image/jpeg", "roles": ["thumbnail"]}
    made["metadata"] = {"href": "m.xml", "type": "application/xml"}
    return made


def test_a_stac_item_is_one_image(assets, tmp_path):
    path = item_at(tmp_path, assets, constellation="sentinel-2")
    with open_image(path) as image:
        assert image.bands == ("B04", "B08", "B11")  # in the order of the sensor
        assert image.grid.shape == (40, 40)
        assert (image.read(ALL).pixels[:, 20, 20] == [700, 3000, 1500]).all()


def test_bands_of_an_item_by_every_name(assets, tmp_path):
    path = item_at(tmp_path, assets, platform="Sentinel-2B", constellation="Sentinel-2")
    with open_image(path, bands=("nir", "B4", "SCL", "swir16")) as image:
        assert (image.read(ALL).pixels[:, 20, 20] == [3000, 700, 4, 1500]).all()
    with pytest.raises(BandMismatch, match=r"no band 'nirr' .* Did you mean 'nir'\?"):
        open_image(path, bands=("nirr",))


def test_an_item_of_an_unknown_instrument(assets, tmp_path):
    path = item_at(tmp_path, assets)
    with open_image(f"file://{path}") as image:
        assert image.bands == ("B08", "B04", "B11")  # as the item lists them


def test_an_asset_of_several_bands_and_assets_that_name_none(write_tiff, utm, tmp_path):
    write_tiff("pair.tif", np.concatenate([constant(1), constant(2)]), utm(40, 40))
    write_tiff("dem.tif", constant(3), utm(40, 40))
    pair = {"href": "pair.tif", "type": COG, "bands": [{"name": "vv"}, {"name": "vh"}]}
    dem = {"href": str(tmp_path / "dem.tif")}
    with open_image(item_at(tmp_path, {"pair": pair, "dem": dem})) as image:
        assert image.bands == ("vv", "vh", "dem")
        assert (image.read(ALL).pixels[:, 0, 0] == [1, 2, 3]).all()
    wrong = {**pair, "bands": [*pair["bands"], {"name": "hh"}]}
    with pytest.raises(BandMismatch, match="no band number 3, which should be 'hh'"):
        open_image(item_at(tmp_path, {"pair": wrong}))


def test_the_finest_of_the_same_band_is_taken(write_tiff, utm, tmp_path):
    made = {}
    for size in (60, 10, 20):
        write_tiff(f"B02_{size}.tif", constant(size, 240 // size), utm(240 // size, 240 // size, size))
        band = {"name": "B02", "common_name": "blue"}
        made[f"B02_{size}m"] = {"href": f"B02_{size}.tif", "type": COG, "gsd": size, "eo:bands": [band]}
    with open_image(item_at(tmp_path, made)) as image:
        assert image.gsd == pytest.approx(10, rel=1e-3)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("not json", "is not JSON"),
        ("[1]", "is not a STAC item .found list"),
        ('{"type": "Collection"}', "lists no item .found Collection"),
        ('{"type": "Feature", "assets": {}}', "has no image asset .found assets none"),
        ('{"type": "Feature", "assets": {"a": {"href": "a.xml", "type": "text/xml"}}}', "no image asset"),
    ],
)
def test_what_is_no_item(tmp_path, content, said):
    (tmp_path / "item.json").write_text(content)
    with pytest.raises((UnreadableFile, BandMismatch), match=said):
        open_image(tmp_path / "item.json")


def test_a_file_that_is_no_text_and_one_that_is_missing(tmp_path):
    (tmp_path / "item.json").write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(UnreadableFile, match="is not JSON"):
        open_image(tmp_path / "item.json")
    with pytest.raises(FileMissing, match=r"Did you mean 'item\.json'"):
        open_image(tmp_path / "itm.json")


def test_an_asset_that_is_gone(assets, tmp_path):
    (tmp_path / "nir.tif").unlink()
    with pytest.raises(FileMissing, match=r"nir\.tif"):
        open_image(item_at(tmp_path, assets), bands=("nir",))


def test_only_the_files_that_are_asked_for_are_opened(assets, tmp_path):
    (tmp_path / "nir.tif").unlink()
    with open_image(item_at(tmp_path, assets), bands=("red",)) as image:
        assert image.read(ALL).valid.all()


def test_a_scene_knows_its_layers(hls):
    names = [layer.name for layer in locate(hls).layers]
    assert names == ["B04", "B8A", "B01", "Fmask"]


@given(
    st.dictionaries(
        st.sampled_from(["href", "type", "roles", "bands", "eo:bands", "gsd"]),
        st.none() | st.integers() | st.text(max_size=5) | st.lists(st.none() | st.just({"name": 3}), max_size=2),
    )
    | st.integers(),
    st.none() | st.integers() | st.just({"constellation": 7}),
)
@settings(max_examples=50, deadline=None)
def test_an_item_that_holds_anything_is_refused_in_words(tmp_path_factory, asset, properties):
    path = tmp_path_factory.mktemp("item") / "item.json"
    item = {"type": "Feature", "assets": {"a": asset}, "properties": properties}
    path.write_text(json.dumps(item), "utf-8")
    with pytest.raises(ArpentError):
        open_image(path)
