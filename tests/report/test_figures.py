"""Figures: what they say, how large they are, and that equal figures are equal bytes."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from affine import Affine
from odc.geo.crs import CRS

from arpent.core import ClassMap, Grid, Language, Raster, nomenclature
from arpent.errors import InvalidSetting, NotWritable
from arpent.report import Panel, confusion, curves, figures, panels, preview
from arpent.report.figures import compose
from arpent.report.pictures import rendered


def texts(shown: list[Panel], title: str = "", language: Language = "en") -> list[str]:
    return [text.get_text() for text in compose(shown, title, language).texts]


def test_a_class_map_names_its_classes_and_their_shares(land: Raster, classes: ClassMap) -> None:
    told = texts([Panel(land, "", classes)], "Land cover")
    assert told[0] == "Land cover"
    assert told[-6:] == ["Water", "66.6%", "Vineyard", "33.3%", "Swimming pool", "< 0.1%"]
    assert "50\xa0m" in told
    assert "N" in told


def test_the_shares_of_the_whole_map_stand_beside_its_thinned_copy(land: Raster, classes: ClassMap) -> None:
    told = texts([Panel(land, "", classes, shares={5: 0.7, 9: 0.29, 3: 0.01})])
    assert told[-6:] == ["Water", "70.0%", "Vineyard", "29.0%", "Impervious surface", "1.0%"]


def test_every_pixel_is_counted_though_not_every_one_is_shown(classes: ClassMap) -> None:
    grid = Grid(1, 4000)
    ids = np.full((1, 1, 4000), 5, np.uint8)
    ids[0, 0, 1::3] = 9
    told = texts([Panel(Raster(ids, np.ones((1, 4000), np.bool_), grid, ("class",)), "", classes)])
    assert told[-4:] == ["Water", "66.7%", "Vineyard", "33.3%"]


def test_in_french_too(land: Raster, classes: ClassMap) -> None:
    told = texts([Panel(land, "", classes)], "Occupation du sol", "fr")
    shown = [text.replace("\u202f", " ").replace("\xa0", " ") for text in told]
    assert shown[-6:] == ["Surface d'eau", "66,6 %", "Vigne", "33,3 %", "Piscine", "< 0,1 %"]


def test_class_maps_beside_each_other_share_a_legend(land: Raster, classes: ClassMap) -> None:
    other = Raster(np.full_like(land.pixels, 9), land.valid, land.grid, land.bands)
    told = texts([Panel(land, "truth", classes), Panel(other, "prediction", classes)])
    assert told[-9:] == ["Vineyard", "33.3%", "100.0%", "Water", "66.6%", "–", "Swimming pool", "< 0.1%", "–"]
    assert told.count("truth") == 2  # above the map and above its column
    with pytest.raises(InvalidSetting, match="different nomenclatures"):
        compose([Panel(land, "a", classes), Panel(land, "b", nomenclature("flair-19"))], "", "en")


def test_colours_are_those_of_the_nomenclature(land: Raster, classes: ClassMap) -> None:
    image = compose([Panel(land, "", classes)], "", "en").axes[0].images[0].get_array()
    assert image is not None
    assert tuple(image[30, 10]) == (0x15, 0x53, 0xAE, 255)
    assert image[30, 90, 3] == 0


def test_numbers_outside_the_nomenclature_count_as_no_data(land: Raster, classes: ClassMap) -> None:
    odd = Raster(np.full_like(land.pixels, 2), land.valid, land.grid, land.bands)
    assert "no data" in texts([Panel(odd, "", classes)])


def test_a_map_of_one_quantity_has_a_colour_bar(height: Raster) -> None:
    told = texts([Panel(height, "", None, "m")], "Height")
    assert told[-6:] == ["0.02", "0.26", "0.50", "0.74", "0.98", "m"]
    image = compose([Panel(height)], "", "en").axes[0].images[0].get_array()
    assert image is not None
    assert (image[25, 25, 3], image[5, 5, 3], image[10, 10, 3]) == (0, 0, 255)


def test_nothing_to_show_is_said(height: Raster) -> None:
    empty = Raster(height.pixels, np.zeros_like(height.valid), height.grid, height.bands)
    assert "no data" in texts([Panel(empty)])
    assert "aucune donnée" in texts([Panel(empty)], language="fr")


@pytest.mark.parametrize("bands", [("red", "green", "blue", "nir"), ("B04", "B03", "B02")])
def test_three_bands_make_a_picture(grid: Grid, bands: tuple[str, ...]) -> None:
    rng = np.random.default_rng(1)
    pixels = rng.integers(100, 3000, (len(bands), *grid.shape)).astype(np.uint16)
    raster = Raster(pixels, np.ones(grid.shape, np.bool_), grid, bands)
    image = compose([Panel(raster)], "", "en").axes[0].images[0].get_array()
    assert image is not None
    assert image[..., :3].min() == 0
    assert image[..., :3].max() == 255
    assert (np.corrcoef(image[..., 0].ravel(), pixels[0].ravel())[0, 1]) > 0.98


def test_clouds_do_not_leave_the_ground_in_the_dark(grid: Grid) -> None:
    """A fifth of the picture is twenty times as bright as the rest, whose own contrast is shown as without it."""
    ground = np.random.default_rng(0).normal(400, 60, (3, grid.height, grid.width)).clip(0).astype(np.int16)
    cloudy = ground.copy()
    cloudy[:, : grid.height // 5] = 8000
    known = np.ones(grid.shape, np.bool_)
    clear, veiled = (rendered(Raster(one, known, grid, ("a", "b", "c")), None).rgba for one in (ground, cloudy))
    below = slice(grid.height // 5, None)
    assert veiled[below, :, 0].std() > 0.5 * clear[below, :, 0].std()
    assert (veiled[: grid.height // 5, :, :3] == 255).all()


def test_bytes_keep_their_balance(grid: Grid) -> None:
    """Already toned pictures are stretched as a whole: a grey stays grey."""
    grey = np.repeat(np.random.default_rng(1).integers(0, 255, (1, *grid.shape)).astype(np.uint8), 3, axis=0)
    grey[2] //= 2
    raster = Raster(grey, np.ones(grid.shape, np.bool_), grid, ("red", "green", "blue"))
    image = compose([Panel(raster)], "", "en").axes[0].images[0].get_array()
    assert image is not None
    assert (image[..., 0] == image[..., 1]).all()
    assert image[..., 2].max() < 200


@pytest.mark.parametrize("shape", [(1, 1), (1, 400), (400, 1), (7, 5), (3100, 60)])
def test_any_shape_can_be_drawn(
    tmp_path: Path, read_png: Callable[[Path], Any], classes: ClassMap, shape: tuple[int, int]
) -> None:
    grid = Grid.north_up(549_000, 6_701_000, 0.2, *shape, "EPSG:2154")
    raster = Raster(np.full((1, *shape), 7, np.uint8), np.ones(shape, np.bool_), grid, ("class",))
    picture = read_png(preview(raster, tmp_path / "map.png", classes=classes, title="A map"))
    assert 300 < picture.width < 3500
    assert 200 < picture.height < 2000


def test_pictures_without_georeference_have_no_scale(classes: ClassMap, land: Raster) -> None:
    told = texts([Panel(Raster(land.pixels, land.valid, Grid(60, 100), land.bands), "", classes)])
    assert "N" not in told
    assert not any(text.endswith(" m") for text in told)


def test_north_is_where_the_grid_says(land: Raster) -> None:
    turned = Grid(
        60, 100, Affine.translation(549_000, 6_701_000) @ Affine.rotation(90) @ Affine.scale(2, -2), CRS(2154)
    )
    tips = []
    for grid in (land.grid, turned):
        figure = compose([Panel(Raster(land.pixels, land.valid, grid, land.bands))], "", "en")
        arrow = next(artist for artist in figure.artists if type(artist).__name__ == "Polygon")
        corners = arrow.get_xy() * figure.get_size_inches()  # type: ignore[attr-defined]
        tips.append(corners[0] - corners[2])
    assert tips[0][1] > 0.1
    assert abs(tips[0][0]) < 1e-6
    # Turned by a quarter to the left, the rows run to the north: north lies to the right of the picture.
    assert tips[1][0] > 0.1
    assert abs(tips[1][1]) < 1e-6


def test_scale_bars_are_round_and_true(classes: ClassMap) -> None:
    for resolution, expected in ((0.2, "5 m"), (10.0, "200 m"), (30.0, "1 km"), (1000.0, "20 km")):
        grid = Grid.north_up(549_000, 6_701_000, resolution, 100, 100, "EPSG:2154")
        raster = Raster(np.full((1, 100, 100), 7, np.uint8), np.ones((100, 100), np.bool_), grid, ("class",))
        figure = compose([Panel(raster, "", classes)], "", "en")
        told = [text.get_text().replace("\xa0", " ") for text in figure.texts]
        assert expected in told, told
        bar = next(artist for artist in figure.artists if type(artist).__name__ == "Line2D")
        ends = np.array(bar.get_xdata()) * figure.get_size_inches()[0]  # type: ignore[attr-defined]
        width = figure.axes[0].get_position().width * figure.get_size_inches()[0]
        number, unit = expected.split()
        metres = float(number) * (1000 if unit == "km" else 1)
        assert np.ptp(ends) / width * 100 * resolution == pytest.approx(metres, rel=0.01)


def test_equal_figures_are_equal_bytes_in_any_thread(
    tmp_path: Path, read_png: Callable[[Path], Any], land: Raster, classes: ClassMap
) -> None:
    def draw(number: int) -> bytes:
        return preview(land, tmp_path / f"{number}.png", classes=classes, title="€5 $ 100 _ %").read_bytes()

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(draw, range(8)))) == 1
    assert set(read_png(tmp_path / "0.png").chunks) <= {"IHDR", "IDAT", "IEND", "pHYs"}


def test_drawing_leaves_matplotlib_as_it_was(tmp_path: Path, land: Raster, classes: ClassMap) -> None:
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    preview(land, tmp_path / "map.png", classes=classes)
    assert dict(mpl.rcParams) == before


def test_a_panel_is_needed(tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting, match="no map to show"):
        panels([], tmp_path / "nothing.png")


def test_what_cannot_be_written_is_said(tmp_path: Path, land: Raster) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(NotWritable):
        preview(land, tmp_path / "file" / "map.png")


HISTORY = [
    {
        "number": n,
        "train_loss": 2.0 / n,
        "rate": 0.1,
        "validation": {"loss": 2.1 / n, "miou": 0.9 - 0.1 * abs(n - 6), "oa": None if n == 3 else 0.8},
    }
    for n in range(1, 13)
]


def test_curves_of_a_training(tmp_path: Path, read_png: Callable[[Path], Any]) -> None:
    for count in (1, 3, 12):
        picture = read_png(curves(HISTORY[:count], tmp_path / f"{count}.png"))
        assert picture.width == 1380
    bare = [{"number": 1, "train_loss": 0.5}, {"number": 2, "train_loss": 0.4}]
    assert read_png(curves(bare, tmp_path / "bare.png", language="fr")).width == 690
    with pytest.raises(InvalidSetting, match="without epochs"):
        curves([], tmp_path / "none.png")


def test_a_loss_that_is_not_finite_leaves_a_gap(tmp_path: Path) -> None:
    broken = [{"number": n, "train_loss": float("nan") if n == 2 else 1.0, "validation": {}} for n in (1, 2, 3)]
    assert curves(broken, tmp_path / "gap.png").stat().st_size > 1000
    lost = [{"number": 1, "train_loss": float("nan"), "validation": {"miou": float("nan")}}]
    assert curves(lost, tmp_path / "lost.png").stat().st_size > 1000


@pytest.mark.parametrize("language", ["en", "fr"])
def test_a_confusion_matrix(
    tmp_path: Path, read_png: Callable[[Path], Any], classes: ClassMap, language: Language
) -> None:
    matrix = np.eye(len(classes)) * 90 + 1
    matrix[3] = 0  # a class that the truth lacks
    picture = read_png(confusion(matrix, classes, tmp_path / "confusion.png", language=language))
    assert picture.width > 700
    with pytest.raises(InvalidSetting, match="does not fit its classes"):
        confusion(np.eye(3), classes, tmp_path / "wrong.png")
    assert not (tmp_path / "wrong.png").exists()


def test_steps_have_colours_of_their_own_and_say_where_they_end(land: Raster, tmp_path: Path) -> None:
    steps = figures.Steps(-1.0, (0.25, 0.75), ("#a50f15", "#ffcbb1"), above="#ffffff")
    values = np.array([[[-1.0, 0.25, 0.3, 0.75, 0.9, np.nan]]], np.float32)
    raster = Raster(values, np.ones((1, 6), np.bool_), Grid(1, 6), ("cosine",))
    shown = rendered(raster, None, steps).rgba[0]
    assert [bytes(pixel[:3]).hex() for pixel in shown[:5]] == ["a50f15", "a50f15", "ffcbb1", "ffcbb1", "ffffff"]
    assert shown[:, 3].tolist() == [255] * 5 + [0]
    assert texts([Panel(raster, "", unit="cosine", steps=steps)])[-4:] == ["\u22121", "0.25", "0.75", "cosine"]
