import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arpent.core import Grid, sensor, sensor_names
from arpent.errors import BandMismatch, InvalidSetting
from arpent.io.bands import Layer, default_layers, is_quality, name_layers, pick, recognise
from arpent.io.header import BandHeader, Header


def header(names=(), colours=(), *, count=None, tags=None):
    count = count or max(len(names), len(colours))
    names, colours = [*names, *[""] * (count - len(names))], [*colours, *["undefined"] * (count - len(colours))]
    bands = tuple(
        BandHeader(at, np.dtype("uint8"), None, 1.0, 0.0, name, colour, masked=False)
        for at, (name, colour) in enumerate(zip(names, colours, strict=True), start=1)
    )
    return Header("/a.tif", "a.tif", Grid(4, 4), bands, tags or {}, (1, 4))


def names_of(layers):
    return [layer.name for layer in layers]


# --- what a file name gives away ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file_name", "whose", "band"),
    [
        ("HLS.S30.T31TCJ.2021190T105031.v2.0.B8A.tif", "hls-s30", "B8A"),
        ("HLS.L30.T31TCJ.2021190T105031.v2.0.Fmask.tif", "hls-l30", "Fmask"),
        ("LC08_L2SP_199030_20210709_20210720_02_T1_SR_B5.TIF", "landsat-8-9", "SR_B5"),
        ("LC09_L2SP_199030_20220709_20220720_02_T1_QA_PIXEL.TIF", "landsat-8-9", "QA_PIXEL"),
        ("T31TCJ_20210709T105031_B08_10m.jp2", "sentinel-2-l2a", "B08"),
        ("T31TCJ_20210709T105031_SCL_20m.jp2", "sentinel-2-l2a", "SCL"),
        ("S2B_MSIL2A_20210709T105031_N0301_R051_T31TCJ_20210709T135111.tif", "sentinel-2-l2a", None),
        ("IMG_PNEO3_202203011034563_MS-FS_ORT.TIF", "pleiades-neo", None),
    ],
)
def test_products_are_told_by_their_names(file_name, whose, band):
    found = recognise(file_name)
    assert found is not None
    assert (found.sensor.name, found.band) == (whose, band)


@pytest.mark.parametrize("file_name", ["ortho_2021.tif", "B04.tif", "T31TCJ.tif", ""])
def test_other_names_tell_nothing(file_name):
    assert recognise(file_name) is None


def test_files_of_one_scene_share_it():
    stem = "HLS.S30.T31TCJ.2021190T105031.v2.0."
    assert {recognise(f"{stem}{band}.tif").scene for band in ("B02", "B8A", "Fmask")} == {stem.rstrip(".")}
    other = recognise("HLS.S30.T31TCJ.2021195T105031.v2.0.B02.tif")
    assert other.scene != stem.rstrip(".")


@given(st.text(max_size=60))
def test_no_file_name_breaks_the_patterns(name):
    recognise(name)


# --- naming ---------------------------------------------------------------------------------------------------------


def test_the_names_in_the_file_come_first():
    layers = name_layers(header(["VV", "VH"]), None, "a.tif")
    assert names_of(layers) == ["VV", "VH"]


def test_the_sensor_lends_its_other_names_to_those_of_the_file():
    layers = name_layers(header(["B8A", "B04"]), sensor("sentinel-2-l2a"), "a.tif")
    assert names_of(pick(layers, ["red", "nir08"], "a.tif")) == ["B04", "B8A"]


@pytest.mark.parametrize("described", [["bands", "bands"], ["Band 1", "Band 2"], ["layer_1", "layer_2"], ["", ""]])
def test_words_that_name_nothing_are_not_names(described):
    assert names_of(name_layers(header(described), None, "a.tif")) == ["band_1", "band_2"]
    assert names_of(name_layers(header(described), sensor("sentinel-1"), "a.tif")) == ["vv", "vh"]


def test_a_file_that_names_some_of_its_bands():
    assert names_of(name_layers(header(["red", "", "nir"]), None, "a.tif")) == ["red", "band_2", "nir"]


def test_the_declared_sensor_names_nameless_bands():
    layers = name_layers(header(count=12), sensor("sentinel-2-l2a"), "a.tif")
    assert names_of(layers) == list(sensor("sentinel-2-l2a").band_names)
    assert names_of(pick(layers, ["nir", "b8a", "B2"], "a.tif")) == ["B08", "B8A", "B02"]


def test_the_declared_sensor_must_have_as_many_bands():
    with pytest.raises(BandMismatch, match=r"not a Sentinel-2 L2A image \(found 13 bands; expected 12: B01"):
        name_layers(header(count=13), sensor("sentinel-2-l2a"), "a.tif")
    with pytest.raises(BandMismatch, match=r"\(found 1 band; expected 12: B01"):
        name_layers(header(count=1), sensor("sentinel-2-l2a"), "a.tif")


def test_a_sensor_told_by_tag_or_file_name():
    assert names_of(name_layers(header(count=6, tags={"SENSOR": "hls-s30"}), None, "a.tif"))[3] == "B8A"
    assert names_of(name_layers(header(count=6), None, "IMG_PNEO3_2022.tif"))[4] == "red_edge"
    assert names_of(name_layers(header(count=5), None, "IMG_PNEO3_2022.tif"))[4] == "band_5"  # not those bands
    single = name_layers(header(count=1), None, "HLS.S30.T31TCJ.2021190T105031.v2.0.B04.tif")
    assert single[0].answers_to("red")


def test_the_number_of_bands_alone_names_nothing():
    for count in (2, 4, 6, 12):
        assert names_of(name_layers(header(count=count), None, "a.tif"))[0] == "band_1"


def test_colours_name_bands_of_last_resort():
    layers = name_layers(header(colours=["red", "green", "blue", "undefined"]), None, "a.tif")
    assert names_of(layers) == ["red", "green", "blue", "band_4"]
    assert names_of(name_layers(header(colours=["gray", "undefined"]), None, "a.tif")) == ["band_1", "band_2"]


def test_alpha_is_left_out_unless_the_sensor_counts_it():
    shown = header(colours=["red", "green", "blue", "alpha"])
    assert names_of(name_layers(shown, None, "a.tif")) == ["red", "green", "blue"]
    counted = name_layers(shown, sensor("bd-ortho"), "a.tif")
    assert names_of(counted) == ["red", "green", "blue", "nir"]
    assert not any(layer.alpha for layer in counted)


@pytest.mark.parametrize("name", ["", "alpha", "Alpha band", "Band 4", "4", "dataMask"])
def test_an_alpha_band_under_a_name_that_is_none_stays_a_mask(name):
    shown = header(["red", "green", "blue", name], ["red", "green", "blue", "alpha"])
    assert shown.alpha == 4
    layers = name_layers(shown, None, "a.tif")
    assert names_of(layers) == ["red", "green", "blue"]
    with pytest.raises(BandMismatch, match=r"fourth band is not a mask, say whose image it is: --sensor bd-ortho\."):
        pick(layers, ["nir"], "a.tif")


@pytest.mark.parametrize("name", ["nir", "PIR", "B08", "infrared"])
def test_an_alpha_band_under_a_name_of_its_own_is_a_band(name):
    shown = header(["red", "green", "blue", name], ["red", "green", "blue", "alpha"])
    assert (shown.alpha, shown.called_alpha) == (None, 4)
    layers = name_layers(shown, None, "a.tif")
    assert names_of(layers) == ["red", "green", "blue", name]
    assert not any(layer.alpha for layer in layers)
    with pytest.raises(BandMismatch) as caught:
        pick(layers, ["swir"], "a.tif")
    assert "fourth" not in str(caught.value)


def test_the_same_words_for_every_band_do_not_rename_alpha():
    assert header(["ortho"] * 4, ["red", "green", "blue", "alpha"]).alpha == 4


def test_quality_layers_are_there_but_not_by_default():
    layers = name_layers(header(["B04", "Fmask"]), None, "a.tif")
    assert names_of(default_layers(layers)) == ["B04"]
    assert names_of(pick(layers, ["fmask"], "a.tif")) == ["Fmask"]
    assert layers[1].quality
    assert is_quality("SCL")
    assert names_of(default_layers(name_layers(header(["Fmask"]), None, "a.tif"))) == ["Fmask"]  # all there is


@pytest.mark.parametrize("name", sensor_names())
def test_every_band_of_every_sensor_is_found_by_each_of_its_names(name):
    known = sensor(name)
    layers = name_layers(header(count=len(known.bands)), known, "a.tif")
    for at, band in enumerate(known.bands):
        for word in (band.name, band.common or band.name, *band.aliases):
            assert pick(layers, [word.swapcase()], "a.tif") == (layers[at],)


# --- picking --------------------------------------------------------------------------------------------------------

LAYERS = (Layer("a", 1, "B05", ("rededge",)), Layer("a", 2, "B06", ("rededge",)), Layer("a", 3, "red", ("B04",)))


def test_an_own_name_goes_before_an_alias():
    layers = (*LAYERS, Layer("a", 4, "B04"))
    assert pick(layers, ["B04"], "a.tif")[0].index == 4


def test_a_name_that_several_bands_share_is_refused():
    with pytest.raises(BandMismatch, match=r"'rededge' means several bands of a\.tif \(found B05, B06\)"):
        pick(LAYERS, ["rededge"], "a.tif")


def test_a_missing_band_is_told_with_what_there_is():
    with pytest.raises(BandMismatch, match=r"no band 'blue' \(found bands B05, B06, red\)"):
        pick(LAYERS, ["blue"], "a.tif")
    with pytest.raises(BandMismatch, match="say which sensor made it"):
        pick((Layer("a", 1, "band_1"),), ["nir"], "a.tif")
    with pytest.raises(InvalidSetting):
        pick(LAYERS, [], "a.tif")


def test_layers_are_values():
    with pytest.raises(dataclasses.FrozenInstanceError):
        LAYERS[0].name = "other"
