"""A run to look at: products by name, figures, arrays, tables, and what a notebook and a terminal show of it."""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

import arpent as ap
from arpent.core import nomenclature
from arpent.errors import ExtraMissing, FileMissing, InvalidSetting, RunDamaged, UnknownName
from arpent.io import open_image

PNG = b"\x89PNG\r\n\x1a\n"


def words_of(figure):
    """Every text on a figure."""
    return [text.get_text() for text in figure.texts]


def test_importing_the_package_imports_nothing_of_it():
    """Names are listed, and looked up when they are used."""
    program = (
        "import sys, arpent as ap; assert 'change' in dir(ap); "
        "print(sorted(name for name in sys.modules if name.startswith('arpent.')))"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert answer.stdout.strip() == "['arpent.version']", answer.stderr


def test_opening_a_run_needs_no_torch(land_cover):
    program = (
        f"import sys, arpent as ap; run = ap.open_run({str(land_cover.path)!r}); run.plot(); run._repr_html_(); "
        "run.to_xarray(); print('torch' in sys.modules)"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert answer.stdout.strip() == "False", answer.stderr


def test_a_wrong_name_of_the_package_is_pythons_own_error():
    with pytest.raises(AttributeError, match="landcovr"):
        _ = ap.landcovr


def test_products_are_files_by_name(land_cover):
    assert list(land_cover.products) == ["classes", "probabilities", "preview"]
    assert land_cover.products["classes"] == land_cover.path / "classes.tif"
    assert "classes" in land_cover.products and "class" not in land_cover.products
    with pytest.raises(UnknownName, match="classes"):
        land_cover.products["clases"]


def test_no_run_is_told_with_what_to_do(tmp_path):
    with pytest.raises(FileMissing, match="manifest"):
        ap.open_run(tmp_path)


def test_a_class_map_is_drawn_with_names_and_shares(land_cover):
    french, english = words_of(land_cover.plot()), words_of(land_cover.plot(language="en"))
    assert french[0] == "Occupation du sol" and english[0] == "Land cover"
    assert any(re.fullmatch(r"50,0\s%", word) for word in french), french
    assert "50.0%" in english


def test_a_figure_is_a_picture_in_a_notebook(land_cover):
    data, facts = land_cover.plot()._repr_png_()
    assert data.startswith(PNG)
    width = int.from_bytes(data[16:20])
    assert facts["width"] < width < 2 * facts["width"], "finer than the screen, and as large as it was meant"


def test_the_layer_that_decides_is_the_one_that_is_drawn(comparison):
    words = words_of(comparison.plot())
    assert words[:2] == ["Probability of change", "changed from 0.40 on"]
    assert words_of(comparison.plot("cosine_map", language="fr"))[1] == "changé en dessous de 0,60"


def test_change_is_red_from_the_threshold_on(comparison):
    axes = comparison.plot().axes[0]
    colours = np.asarray(axes.images[0].get_array())[-1]
    assert (colours[:15, :3] == 255).all(), "white below"
    assert (colours[17:, 0] > colours[17:, 2]).all(), "red above"
    assert np.asarray(axes.images[0].get_array())[0, 0, 3] == 0, "nothing where nothing is known"


def test_of_a_mosaic_too_the_probability_decides_where_there_is_one(tmp_path):
    from arpent.store import Place

    from .conftest import odds_of, write

    with Place(exact=tmp_path / "run").begin("change-mosaic", "years", {}) as run:
        write(run, "mosaic_cosine_map_c", odds_of(), bands=("cosine",), nodata=-100.0)
        write(run, "mosaic_change_probability_c", odds_of(), bands=("probability",), nodata=-100.0)
        run.add_metrics({"mosaic/probability": 0.25})
        run.finish()
    assert words_of(ap.open_run(tmp_path / "run").plot())[1] == "changed from 0.25 on"


@pytest.mark.parametrize(("name", "word"), [("quality_fmask", "Cloud"), ("after_date", "10 April 2022")])
def test_codes_and_dates_have_a_legend_in_words(comparison, name, word):
    assert word in words_of(comparison.plot(name))


def test_probabilities_stand_side_by_side_with_their_unit(land_cover):
    words = words_of(land_cover.plot("probabilities"))
    assert {"a", "b", "c", "d"} <= set(words) and words.count("%") == 4


def test_a_forecast_is_drawn_date_by_date(foretold):
    words = words_of(foretold.plot())
    assert words[0] == "Land cover, observed and foretold: river"
    assert [word for word in words if "March" in word] == ["1 March 2023", "7 March 2023", "13 March 2023 (t+1)"]
    assert {"01.03.", "07.03.", "t+1"} <= set(words), "heads of the legend's columns"


def test_a_picture_of_a_run_is_shown_as_it_is(land_cover):
    figure = land_cover.plot("preview")
    assert figure.get_size_inches() == pytest.approx((9.0, 3.0))


def test_a_map_that_lies_nowhere_is_drawn_too(tmp_path):
    from arpent.core import Grid
    from arpent.store import Place

    from .conftest import COMMUNE, classes_of, write

    with Place(exact=tmp_path / "run").begin("landcover", "photo", {}) as run:
        numbers = classes_of(COMMUNE)
        write(run, "classes", numbers, bands=("class",), classes=COMMUNE, nodata=0, grid=Grid(30, 40))
        run.finish()
    made = ap.open_run(tmp_path / "run")
    assert words_of(made.plot())[0] == "Land cover"
    assert made.to_xarray().coords["x"].attrs == {"units": "pixels"}


def test_what_cannot_be_drawn_names_what_can(table_run):
    with pytest.raises(InvalidSetting, match="to_table"):
        table_run(".parquet").plot()


def test_an_array_has_the_pixels_of_the_file_and_their_place(land_cover):
    array = land_cover.to_xarray(language="en")
    with open_image(land_cover.products["classes"]) as image:
        raster = image.read(image.grid.window)
    assert array.dims == ("y", "x") and array.name == "classes"
    assert (array.to_numpy() == raster.pixels[0]).all()
    assert float(array.x[0]) == 500_005 and float(array.y[0]) == 4_689_995
    assert float(array.y[1] - array.y[0]) == -10
    assert array.spatial_ref.attrs["GeoTransform"] == "500000 10 0 4690000 0 -10"
    assert "WGS 84 / UTM zone 31N" in array.spatial_ref.attrs["crs_wkt"]


def test_an_array_says_what_its_numbers_mean(land_cover, comparison):
    meant = land_cover.to_xarray().attrs
    names = nomenclature("commune").labels("fr")
    assert tuple(meant["categories"].split("; ")) == names and meant["_FillValue"] == 0
    assert meant["flag_values"].tolist() == nomenclature("commune").ids.tolist()
    assert len(meant["flag_meanings"].split(" ")) == len(meant["colours"].split(" ")) == len(names)
    assert comparison.to_xarray("quality_fmask", language="en").attrs["categories"].startswith("clear; cloud; ")


def test_what_is_not_known_is_nan(comparison):
    array = comparison.to_xarray()
    assert array.name == "change_probability" and array.attrs == {"long_name": "Chance of change"}
    assert np.isnan(array.to_numpy()[:5, :5]).all() and not np.isnan(array.to_numpy()[5:]).any()


def test_bands_and_dates_are_dimensions(land_cover, foretold):
    assert list(land_cover.to_xarray("probabilities").band.to_numpy()) == list("abcde")
    series = foretold.to_xarray()
    assert series.dims == ("time", "y", "x") and series.shape == (3, 30, 40)
    assert series.foretold.to_numpy().tolist() == [False, False, True]
    assert series.sel(time="2023-03-13").foretold.item() is True


def test_a_look_at_a_large_map_reads_less(comparison, land_cover):
    small = comparison.to_xarray("cosine_map", largest=20)
    assert small.shape == (15, 20) and float(small.x[1] - small.x[0]) == 20
    codes = set(np.unique(land_cover.to_xarray(largest=10)))
    assert codes <= set(np.unique(land_cover.to_xarray())), "classes are never mixed"


def test_arrays_go_to_netcdf_and_back(land_cover, tmp_path):
    import xarray

    land_cover.to_xarray().to_netcdf(tmp_path / "map.nc", engine="scipy")
    back = xarray.load_dataarray(tmp_path / "map.nc", engine="scipy", mask_and_scale=False)
    assert (back.to_numpy() == land_cover.to_xarray().to_numpy()).all()


def test_without_xarray_the_part_to_install_is_named(land_cover, monkeypatch):
    monkeypatch.setattr("arpent.api.arrays.find_spec", lambda name: None)
    with pytest.raises(ExtraMissing, match=re.escape("pip install 'arpent[xarray]'")):
        land_cover.to_xarray()


def test_what_is_no_map_names_what_is(land_cover, table_run):
    with pytest.raises(InvalidSetting, match="classes, probabilities"):
        land_cover.to_xarray("preview")
    with pytest.raises(InvalidSetting, match="holds no map"):
        table_run(".parquet").to_xarray()


@pytest.mark.parametrize("ending", [".parquet", ".csv", ".gpkg"])
def test_tables_of_every_form_are_read(table_run, ending):
    table = table_run(ending).to_table()
    assert table["parcel"].to_pylist() == ["north", "south"] and table["ndvi"].to_pylist() == [0.5, 0.25]
    assert ("geometry" in table.column_names) == (ending != ".csv")


def test_a_damaged_table_is_one_line(table_run, tmp_path):
    from shutil import copytree

    from arpent.errors import UnreadableFile

    for ending in (".parquet", ".gpkg"):
        copy = copytree(table_run(ending).path, tmp_path / ending)
        (copy / f"parcels{ending}").write_bytes(b"nothing")
        with pytest.raises(UnreadableFile, match="make the run again"):
            ap.open_run(copy).to_table()


def test_what_is_no_table_names_what_is(land_cover, table_run):
    with pytest.raises(InvalidSetting, match="holds no table"):
        land_cover.to_table()
    with pytest.raises(InvalidSetting, match="'classes' is no table"):
        land_cover.to_table("classes")


def test_only_runs_that_describe_have_texts(land_cover):
    with pytest.raises(InvalidSetting, match=re.escape("ap.describe()")):
        land_cover.texts()


def test_a_terminal_shows_what_the_run_holds(land_cover):
    lines = repr(land_cover).splitlines()
    assert lines[0] == f"Run of landcover 'ortho' in {land_cover.path} (complete)"
    assert re.fullmatch(r"  classes +[\d.]+\skB  raster   classes\.tif", lines[1])
    assert lines[-1].startswith("  attention\N{NO-BREAK SPACE}: ")


class Balanced(HTMLParser):
    """Sees to it that every tag that is opened is closed."""

    def __init__(self):
        super().__init__()
        self.open, self.words = [], []

    def handle_starttag(self, tag, attrs):
        if tag not in {"img"}:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data.strip())


def test_a_notebook_shows_a_card(land_cover):
    card = Balanced()
    card.feed(land_cover._repr_html_())
    assert card.open == []
    words = set(card.words)
    assert {"Occupation du sol : ortho", "3 produits", "classes", "carte", "miou"} <= words
    line = "attention\N{NO-BREAK SPACE}: <b>une image</b> loin de celles de l’apprentissage"
    assert line in words, "markup is shown, not obeyed"
    assert "data:image/png;base64," in land_cover._repr_html_() and 'class="wide"' in land_cover._repr_html_()


def test_a_card_reaches_nothing_else_on_the_page(land_cover):
    html = land_cover._repr_html_()
    style = html.partition("<style>")[2].partition("</style>")[0]
    rules = [rule.partition("{")[0].strip() for rule in style.split("}") if "{" in rule]
    assert rules and all(rule.startswith(".arpent-run") for rule in rules)
    assert "http" not in html.replace("data:image/png;base64", "")


def test_a_card_of_a_run_whose_picture_is_gone_does_without(land_cover, tmp_path):
    from shutil import copytree

    copy = copytree(land_cover.path, tmp_path / "copy")
    (copy / "preview.png").unlink()
    opened = ap.open_run(copy)
    assert "<img" not in opened._repr_html_()
    with pytest.raises(RunDamaged, match=r"preview\.png is missing"):
        opened.plot("preview")


def test_a_large_preview_is_made_small_for_a_card(tmp_path):
    import cv2

    from arpent.report.summary import thumbnail

    file = Path(tmp_path / "large.png")
    cv2.imwrite(str(file), np.zeros((300, 4000, 3), np.uint8))
    small = thumbnail(file.read_bytes())
    assert int.from_bytes(small[16:20]) == 1600 and int.from_bytes(small[20:24]) == 120
    assert thumbnail(small) == small
