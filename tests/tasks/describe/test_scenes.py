"""Scenes in all their layouts give the same reflectances, and what cannot be told is asked."""

from __future__ import annotations

import datetime as dt
import json

import numpy as np
import pytest

from arpent.core import Window, sensor
from arpent.errors import BandMismatch, FileMissing, InputError, InvalidSetting, UnknownName, UnreadableFile
from arpent.tasks.describe.layouts import BANDS, order_of_thirteen
from arpent.tasks.describe.scene_settings import SceneSettings
from arpent.tasks.describe.scenes import name_of, open_scene

L2A = sensor("sentinel-2-l2a").band_names
L1C = sensor("sentinel-2-l1c").band_names
EUROSAT = sensor("eurosat").band_names


def read(source, **settings):
    """Pixels by band, what is valid, and the scene, closed."""
    with open_scene(source, SceneSettings(**settings)) as scene:
        raster = scene.read(scene.grid.window)
    return dict(zip(raster.bands, raster.pixels, strict=True)), raster.valid, scene


def same(found, country, *, top=False):
    expected = dict(zip(BANDS, country.stack(BANDS, top=top), strict=True))
    for name, plane in found.items():
        assert np.allclose(plane, expected[name], atol=1e-2), name


@pytest.mark.parametrize("layout", ["named", "aliases", "nameless", "declared", "by hand", "with classes"])
def test_twelve_bands_of_l2a(write_scene, country, layout):
    pixels, options, settings = country.stack(L2A), {}, {}
    if layout == "named":  # in an order of its own
        pixels, options = country.stack(L2A[::-1]), {"names": L2A[::-1]}
    elif layout == "aliases":
        options = {"names": [(band.aliases or (band.common,))[0] for band in sensor("sentinel-2-l2a").bands]}
    elif layout == "declared":
        settings = {"layout": "l2a"}
    elif layout == "by hand":
        pixels, settings = country.stack(L2A[::-1]), {"bands": L2A[::-1]}
    elif layout == "with classes":
        pixels = np.concatenate([pixels, np.full((1, 60, 90), 4, np.uint16)])
    found, valid, scene = read(write_scene("Field_2022-06-01.tif", pixels, **options), **settings)
    same(found, country)
    assert valid.all()
    assert scene.bands == BANDS
    assert scene.missing == ()
    assert scene.taken == dt.date(2022, 6, 1)
    assert (scene.name, scene.place) == ("Field_2022-06-01", "Field")
    assert any("no names" in note for note in scene.notes) == (layout in ("nameless", "with classes"))


@pytest.mark.parametrize(("order", "layout"), [(L1C, "l1c"), (EUROSAT, "eurosat")])
@pytest.mark.parametrize("lifted", [0, 1000])
def test_the_two_orders_of_thirteen_bands_are_told_apart(write_scene, country, order, layout, lifted):
    path = write_scene("chip.tif", country.stack(order, top=True, lifted=lifted))
    found, _, scene = read(path)
    same(found, country, top=True)
    assert "B10" not in scene.bands
    assert any(sensor({"l1c": "sentinel-2-l1c"}.get(layout, layout)).title in note for note in scene.notes)
    assert any("-1000 is added" in note for note in scene.notes) == bool(lifted)
    declared, _, _ = read(path, layout=layout)
    assert all(np.array_equal(declared[name], found[name]) for name in BANDS)


def test_real_chips_are_of_eurosat(data_folder):
    for path in sorted((data_folder / "s2" / "eurosat").rglob("*.tif")):
        with open_scene(path) as scene:
            assert any("EuroSAT" in note for note in scene.notes)
            assert scene.bands == BANDS


def test_real_images_need_no_offset_on_either_side_of_2022(data_folder):
    for path in sorted((data_folder / "s2" / "boadella").glob("*.tif")):
        with open_scene(path) as scene:
            assert not any("-1000" in note or "cannot be told" in note for note in scene.notes), scene.notes
            assert scene.place == "Boadella"
            assert scene.taken is not None


def test_an_order_that_cannot_be_told_is_asked(write_scene, country):
    dark = np.full((13, 60, 90), 60, np.uint16)
    with pytest.raises(
        BandMismatch, match=r"order of the 13 bands .* cannot be told.*--layout l1c or --layout eurosat"
    ):
        open_scene(write_scene("dark.tif", dark))
    # The name says EuroSAT and the pixels L1C.
    with pytest.raises(BandMismatch, match="cannot be told"):
        open_scene(write_scene("EuroSAT/River_7.tif", country.stack(L1C, top=True)))
    # Cirrus at the tenth place, but the ninth is as bright as the eighth: neither order.
    values = country.stack(L1C).reshape(13, -1)[:, :].astype(np.float32)
    values[[9, 10]] = values[[10, 9]]
    assert order_of_thirteen(values) is None
    assert order_of_thirteen(np.zeros((13, 0), np.float32)) is None
    # Twelve bands whose ninth is dimmed by water vapour: L1C without cirrus, B8A last.
    with pytest.raises(BandMismatch, match="no band that is known"):
        open_scene(write_scene("twelve.tif", country.stack([b for b in EUROSAT if b != "B10"], top=True)[:, :, 30:]
                               .repeat(2, axis=2), grid=None))  # fmt: skip


def test_bands_that_are_missing_are_said(write_scene, country):
    path = write_scene("four.tif", country.stack(["B02", "B03", "B04", "B08"]), names=["blue", "green", "red", "nir"])
    found, _, scene = read(path)
    same(found, country)
    assert scene.bands == ("B02", "B03", "B04", "B08")
    assert scene.missing == ("B01", "B05", "B06", "B07", "B8A", "B09", "B11", "B12")
    assert "it has no B01, B05" in " ".join(scene.notes)
    with pytest.raises(BandMismatch, match=r"no band that is known as one of Sentinel-2.*4 bands.*--bands B02,B03,B04"):
        open_scene(write_scene("nameless.tif", country.stack(["B02", "B03", "B04", "B08"])))
    with pytest.raises(BandMismatch, match=r"one of Sentinel-2 \(found 1 band, band_1; expected B01"):
        open_scene(write_scene("single.tif", country.stack(["B08"])))
    found, _, _ = read(write_scene("told.tif", country.stack(["B04", "B08"])), bands=("red", "B8"))
    same(found, country)
    with pytest.raises(BandMismatch, match=r"does not have the bands that are declared \(found 2 bands; expected 13"):
        open_scene(path.with_name("told.tif"), SceneSettings(layout="eurosat"))
    with pytest.raises(UnknownName, match="band of Sentinel-2"):
        open_scene(path, SceneSettings(bands=("B02", "B03", "B04", "infrared")))


def test_a_folder_of_single_bands_of_several_sizes(write_scene, country):
    from arpent.core import Grid

    for band in ("B02", "B04", "B08", "B11"):
        step = 2 if band == "B11" else 1
        pixels = country.stack([band])[:, ::step, ::step]
        coarse = Grid.north_up(500_000, 4_690_000, 10 * step, *pixels.shape[1:], "EPSG:32631")
        path = write_scene(f"2022-06-01/Sentinel-2_{band}_{10 * step}m.tif", pixels, grid=coarse)
    found, valid, scene = read(path.parent)
    assert scene.bands == ("B02", "B04", "B08", "B11")
    assert scene.grid.shape == (60, 90)
    assert scene.taken == dt.date(2022, 6, 1)
    assert valid.all()
    same({name: found[name] for name in ("B02", "B04", "B08")}, country)
    assert found["B11"][:, :25].mean() == pytest.approx(40, rel=0.1)


@pytest.mark.parametrize("level", ["2A", "1C"])
@pytest.mark.parametrize(
    ("lifted", "baseline", "told"), [(0, "03.01", False), (1000, "04.00", False), (1000, "05.09", True)]
)
def test_safe_folders_of_both_levels_and_their_offset(write_safe, country, level, lifted, baseline, told):
    folder = write_safe(level, lifted=lifted, baseline=baseline, told=told)
    found, _, scene = read(folder)
    assert scene.bands == BANDS
    assert (scene.place, scene.taken) == ("T31TDG", dt.date(2022, 6, 1))
    assert scene.grid.shape == (60, 90)
    expected = dict(zip(BANDS, country.stack(BANDS, top=level == "1C"), strict=True))
    for name in ("B02", "B03", "B04", "B08"):
        assert np.allclose(found[name], expected[name], atol=1e-2)
    spoken = [note for note in scene.notes if "-1000" in note]
    assert len(spoken) == (1 if lifted else 0)
    if lifted:
        assert ("ADD_OFFSET" if told else "processing baseline 04.00") in spoken[0]
    # The folder of bands inside the product knows its metadata too, and the file of metadata is the product.
    for other in (next(path for path in folder.rglob("IMG_DATA")), folder / f"MTD_MSIL{level}.xml"):
        with open_scene(other) as again:
            assert [note for note in again.notes if "-1000" in note] == spoken
            assert again.bands == BANDS


def test_a_damaged_metadata_file_is_named(write_safe):
    folder = write_safe("2A")
    (folder / "MTD_MSIL2A.xml").write_text("<not closed", "utf-8")
    with pytest.raises(UnreadableFile, match=r"the metadata .*MTD_MSIL2A\.xml cannot be read.*give --offset"):
        open_scene(folder)


def test_scene_classification_hides_clouds_and_shadows(write_safe, country):
    classes = np.full((30, 45), 4)
    classes[:10, :20], classes[10:20, :20], classes[29] = 9, 3, 0
    folder = write_safe("2A", cloud=classes)
    with open_scene(folder) as scene:
        whole = scene.grid.window
        cloud = scene.clouds(whole)
        assert cloud is not None
        assert cloud[:20, :40].all()
        assert cloud.sum() == 800
        valid = scene.read(whole).valid
        assert not valid[:40, :40].any()
        assert not valid[58:].any()
        assert valid[40:58].all()
    _, valid, scene = read(folder, exclude=("cloud",))
    assert valid[20:40, :40].all()
    _, valid, scene = read(folder, quality="no")
    assert valid.all()
    with open_scene(folder, SceneSettings(quality="no")) as scene:
        assert scene.clouds(whole) is None


@pytest.mark.parametrize("name", ["fmask_a.tif", "a_SCL.tif", "a.scl.tif", "a_cloudmask.tif", "a_qa60.tif", "mine.tif"])
def test_cloud_layers_beside_the_image_and_given(write_scene, country, name):
    image = write_scene("a.tif", country.stack(L2A), names=L2A)
    kind = next((kind for kind in ("fmask", "scl", "cloudmask", "qa60") if kind in name.lower()), "cloudmask")
    mask = np.zeros((1, 60, 90), np.uint16)
    mask[0, :30] = {"fmask": 2, "scl": 8, "cloudmask": 1, "qa60": 1024}[kind]
    mask[0, 30:] = 4 if kind == "scl" else 0
    path = write_scene(name, mask)
    given = {"quality": str(path), "quality_layer": "cloudmask"} if name == "mine.tif" else {}
    _, valid, _ = read(image, **given)
    assert valid.mean() == 0.5
    assert valid[30:].all()


def test_what_is_as_bright_as_cloud_does_not_count_where_no_layer_tells_it(write_scene, country):
    pixels = country.stack(L2A)
    pixels[:, :30, :45] = 6000
    path = write_scene("a.tif", pixels, names=L2A)
    with open_scene(path) as scene:
        assert any("25% of it, as bright as cloud or snow, does not count" in note for note in scene.notes)
        valid = scene.read(scene.grid.window).valid
        assert scene.clouds(scene.grid.window) is None
    assert not valid[:30, :45].any()
    assert valid.mean() == 0.75
    with open_scene(path, SceneSettings(quality="no")) as scene:
        assert scene.read(scene.grid.window).valid.all()
        assert not any("bright" in note for note in scene.notes)


def test_numbers_too_bright_for_reflectance_are_told(write_scene, country):
    stretched = (country.stack(L2A) * 6.5535).astype(np.uint16)
    with open_scene(write_scene("a.tif", stretched, names=L2A), SceneSettings(quality="no")) as scene:
        assert any("twice what snow reflects" in note for note in scene.notes)
    with open_scene(write_scene("b.tif", country.stack(L2A), names=L2A)) as scene:
        assert not any("snow" in note for note in scene.notes)


def test_snow_of_a_layer_does_not_count(write_safe):
    classes = np.full((30, 45), 4)
    classes[:15] = 11
    _, valid, _ = read(write_safe("2A", cloud=classes))
    assert valid.mean() == 0.5


def test_cloud_layers_that_cannot_be_used(write_scene, country):
    image = write_scene("a.tif", country.stack(L2A), names=L2A)
    with pytest.raises(FileMissing, match=r"no cloud layer nothing\.tif.*--quality no"):
        open_scene(image, SceneSettings(quality="nothing.tif"))
    strange = write_scene("strange.tif", np.zeros((1, 60, 90), np.uint8))
    with pytest.raises(InvalidSetting, match=r"what kind of cloud layer .*--quality-layer"):
        open_scene(image, SceneSettings(quality=str(strange)))
    double = write_scene("double.tif", np.zeros((2, 60, 90), np.uint8))
    with pytest.raises(BandMismatch, match=r"the cloud layer .*double\.tif has several bands"):
        open_scene(image, SceneSettings(quality=str(double), quality_layer="scl"))
    small = write_scene("small.tif", np.zeros((1, 6, 9), np.uint8), grid=None)
    with pytest.raises(InputError, match=r"cannot be laid over its image"):
        open_scene(image, SceneSettings(quality=str(small), quality_layer="scl"))
    with pytest.raises(UnknownName, match="quality"):
        open_scene(image, SceneSettings(exclude=("clouds",)))


@pytest.mark.parametrize("way", ["offset tag", "baseline tag", "none needed", "floor", "declared", "header"])
def test_the_offset_of_later_baselines(write_scene, country, way):
    lifted = 0 if way == "none needed" else 1000
    options, settings = {"names": L2A}, {}
    if way == "offset tag":
        options["tags"] = {"BOA_ADD_OFFSET": "-1000"}
    elif way == "baseline tag":
        options["tags"] = {"PROCESSING_BASELINE": "04.00"}
    elif way == "declared":
        settings["offset"] = "-1000"
    elif way == "header":
        options |= {"scale": 1e-4, "offset": -0.1}
    found, _, scene = read(write_scene("a.tif", country.stack(L2A, lifted=lifted), **options), **settings)
    same(found, country)
    said = " ".join(scene.notes)
    assert ("-1000 is added" in said) == (way in ("offset tag", "baseline tag", "floor"))
    if way == "floor":
        assert "its darkest pixels are at 1" in said
        assert "give --offset 0" in said
        kept, _, _ = read(write_scene("b.tif", country.stack(L2A, lifted=1000), names=L2A), offset="0")
        assert np.allclose(kept["B04"], found["B04"] + 1000)


def test_metadata_that_pixels_contradict_are_obeyed_and_said(write_scene, country):
    path = write_scene("a.tif", country.stack(L2A), names=L2A, tags={"PROCESSING_BASELINE": "05.00"})
    _, _, scene = read(path)
    assert "if its numbers have been shifted before, give --offset 0" in " ".join(scene.notes)
    path = write_scene("b.tif", country.stack(L2A, lifted=1000), names=L2A, tags={"BOA_ADD_OFFSET": "0"})
    _, _, scene = read(path)
    assert "if they are too high, give --offset -1000" in " ".join(scene.notes)
    path = write_scene("c.tif", country.stack(L2A, lifted=5000), names=L2A)
    _, _, scene = read(path)
    assert "cannot be told, and none is taken" in " ".join(scene.notes)


def test_scales_are_told_or_refused(write_scene, country):
    numbers = country.stack(L2A)
    shares = write_scene("shares.tif", (numbers / 1e4).astype(np.float32), names=L2A)
    found, _, scene = read(shares)
    same(found, country)
    assert "reflectance from 0 to 1" in " ".join(scene.notes)
    same(read(write_scene("floats.tif", numbers.astype(np.float32), names=L2A))[0], country)
    same(read(write_scene("scaled.tif", numbers, names=L2A, scale=1e-4))[0], country)
    small = write_scene("bytes.tif", (numbers / 40).astype(np.uint8), names=L2A)
    with pytest.raises(InputError, match=r"does not say what its numbers mean \(found bytes.*--scale 0\.004"):
        open_scene(small)
    with pytest.raises(InputError, match="found fractions, nearly all below 9"):
        open_scene(write_scene("percent.tif", (numbers / 40).astype(np.float32), names=L2A))
    found, _, _ = read(small, scale=0.004)
    assert found["B08"][:, 30:60].mean() == pytest.approx(3400, rel=0.02)


def test_pixels_without_data(write_scene, country):
    pixels = country.stack(L2A)
    pixels[:, :6], pixels[7, 10] = 0, 0
    _, valid, _ = read(write_scene("a.tif", pixels, names=L2A))
    assert not valid[:6].any()
    assert valid[6:].all()  # a single band at 0 is a dark pixel
    _, valid, _ = read(write_scene("b.tif", np.zeros_like(pixels), names=L2A))
    assert not valid.any()


def test_stac_items_name_bands_offset_and_day(write_scene, country, tmp_path):
    assets = {}
    for key, band in (("red", "B04"), ("nir", "B08"), ("rededge1", "B05"), ("swir16", "B11")):
        write_scene(f"item/{key}.tif", country.stack([band], lifted=1000))
        common = "rededge" if key == "rededge1" else key
        assets[key] = {
            "href": f"{key}.tif", "type": "image/tiff; application=geotiff", "roles": ["data"],
            "eo:bands": [{"name": key, "common_name": common}], "raster:bands": [{"scale": 1e-4, "offset": -0.1}],
        }  # fmt: skip
    item = {
        "type": "Feature", "stac_version": "1.0.0", "id": "S2B_31TDG_20220601", "geometry": None, "links": [],
        "properties": {"datetime": "2022-06-01T10:56:21Z", "constellation": "sentinel-2"}, "assets": assets,
    }  # fmt: skip
    path = tmp_path / "item" / "S2B_31TDG.json"
    path.write_text(json.dumps(item), "utf-8")
    found, _, scene = read(path)
    assert scene.bands == ("B04", "B05", "B08", "B11")
    same(found, country)
    assert (scene.place, scene.taken) == ("T31TDG", dt.date(2022, 6, 1))
    item["properties"]["earthsearch:boa_offset_applied"] = True
    path.write_text(json.dumps(item), "utf-8")
    assert np.allclose(read(path)[0]["B04"], found["B04"] + 1000)
    for asset in assets.values():
        del asset["raster:bands"]
    item["properties"] = {"s2:processing_baseline": "05.09", "datetime": None, "constellation": "sentinel-2"}
    path.write_text(json.dumps(item), "utf-8")
    same(read(path)[0], country)


def test_landsat_and_hls_are_known_by_their_colours(write_scene, country):
    stem = "HLS.L30.T31TCJ.2021190T105031.v2.0"
    for own, band in (("B04", "B04"), ("B05", "B8A"), ("B06", "B11")):
        path = write_scene(f"hls/{stem}.{own}.tif", country.stack([band]).astype(np.int16), scale=1e-4)
    found, _, scene = read(path.parent)
    assert scene.bands == ("B04", "B8A", "B11")
    same(found, country)
    assert "by their colours: an image of hls-l30" in " ".join(scene.notes)


def test_days_and_places_of_names():
    assert name_of("/x/S2A_MSIL2A_20220601T105621_N0400_R094_T31TDG_20220601T151618.SAFE").place == "T31TDG"
    assert name_of("/x/Boadella_2020-01-13.tif").place == "Boadella"
    assert name_of("Boadella_20200113.tif").place == "Boadella"
    assert name_of("AnnualCrop_1.tif").place == "AnnualCrop_1"
    assert name_of("https://store/a%20b/Farm_20200113.tif?key=1/2.x").name == "Farm_20200113"
    assert name_of("2020-01-13/").place == "2020-01-13"


def test_a_pattern_tells_the_day(write_scene, country):
    path = write_scene("a-2021187.tif", country.stack(L2A), names=L2A)
    assert read(path)[2].taken is None
    assert read(path, date_regex=r"-(\d{7})", place="Here")[2].taken == dt.date(2021, 7, 6)
    assert read(path, place="Here")[2].place == "Here"
    assert "Here" not in repr(read(path)[2])


def test_windows_equal_the_whole(write_safe):
    with open_scene(write_safe("2A", lifted=1000, baseline="04.00")) as scene:
        whole = scene.read(scene.grid.window)
        part = scene.read(Window(13, 21, 30, 40))
        assert np.array_equal(part.pixels, whole.pixels[:, 13:43, 21:61])


def test_masks_of_l1c_hide_opaque_clouds_and_cirrus(write_safe, write_scene):
    from arpent.core import Grid

    folder = write_safe("1C", lifted=1000, baseline="04.00", told=True)
    masks = np.zeros((3, 10, 15), np.uint8)
    masks[0, :5], masks[1, 5, :], masks[2, 9] = 1, 1, 1  # opaque cloud, cirrus, snow
    coarse = Grid.north_up(500_000, 4_690_000, 60, 10, 15, "EPSG:32631")
    write_scene(f"{folder.name}/GRANULE/L1C_T31TDG/QI_DATA/MSK_CLASSI_B00.jp2", masks, grid=coarse)
    _, valid, _ = read(folder)
    assert not valid[:36].any()
    assert valid[36:].all()


def test_only_the_bands_that_are_wanted_are_read(write_scene, country):
    path = write_scene("a.tif", country.stack(L1C, top=True), names=L1C)
    with open_scene(path, only=("B12", "B04")) as scene:
        assert scene.bands == ("B04", "B12")
        assert scene.missing == ()
        assert scene.read(scene.grid.window).pixels.shape == (2, 60, 90)
    narrow = write_scene("b.tif", country.stack(["B04", "B8A"]), names=["B04", "B8A"])
    with open_scene(narrow, only=("B04", "B08", "B11")) as scene:  # B8A stands in for B08
        assert (scene.bands, scene.missing) == (("B04", "B8A"), ("B08", "B11"))
    with pytest.raises(BandMismatch, match=r"none of the bands that are needed \(found B04, B8A; expected B11\)"):
        open_scene(narrow, only=("B11",))


def test_orders_are_told_of_fractions_too(write_scene, country):
    for name, order in (("a.tif", L1C), ("b.tif", EUROSAT)):
        found, _, _ = read(write_scene(name, (country.stack(order, top=True) / 1e4).astype(np.float32)))
        same(found, country, top=True)


def test_a_cloud_layer_that_lies_elsewhere(write_scene, country):
    from arpent.core import Grid
    from arpent.errors import NoOverlap

    image = write_scene("a.tif", country.stack(L2A), names=L2A)
    far = Grid.north_up(700_000, 4_000_000, 10, 60, 90, "EPSG:32631")
    path = write_scene("scl_far.tif", np.zeros((1, 60, 90), np.uint8), grid=far)
    with pytest.raises(NoOverlap, match=r"does not reach its image.*--quality no"):
        open_scene(image, SceneSettings(quality=str(path)))


def test_dates_in_one_folder_are_not_laid_over_each_other(write_scene, country):
    for day in ("2022-05-01", "2022-06-01"):
        path = write_scene(f"dates/Field_{day}.tif", country.stack(L2A), names=L2A)
    with pytest.raises(
        BandMismatch, match=r"several images of the same ground .*Name the images one by one: .*\*\.tif"
    ):
        open_scene(path.parent)
    from arpent.core import Grid

    for at in (0, 1):
        grid = Grid.north_up(500_000 + 900 * at, 4_690_000, 10, 60, 90, "EPSG:32631")
        path = write_scene(f"sheets/part{at}.tif", country.stack(L2A), names=L2A, grid=grid)
    with open_scene(path.parent) as scene:
        assert scene.grid.shape == (60, 180)


def test_what_is_assumed_of_an_image_is_told_in_french_too(write_scene, country):
    path = write_scene("a.tif", country.stack(L2A, lifted=1000))
    with open_scene(path, SceneSettings(language="fr")) as scene:
        assert scene.notes[0] == "ses 12 bandes n’ont pas de nom : prises pour celles de L2A dans leur ordre"
        assert "-1000 s’ajoute à ses nombres, car ses pixels les plus sombres sont à" in scene.notes[1]
        assert scene.notes[-1] == "rien ne dit quand elle a été prise ; voir --date-regex"
