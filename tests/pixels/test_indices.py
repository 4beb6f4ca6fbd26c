from __future__ import annotations

import warnings

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from arpent.errors import BandMismatch, InvalidSetting, UnknownName
from arpent.pixels import index_names, spectral_index, spectral_indices

# EuroSAT's 13 bands, B8A last.
CHIP = (
    "coastal", "blue", "green", "red", "rededge071", "rededge075", "rededge078", "nir", "nir09", "cirrus", "swir16",
    "swir22", "nir08",
)  # fmt: skip
reflectance = hnp.arrays(np.float32, (6,), elements=st.floats(0, 1, width=32))


@pytest.mark.parametrize(
    ("chip", "expected"),
    [
        ("AnnualCrop_1", [0.18885, -0.06895, 0.10720, 0.13790, 0.17594, 0.05797]),
        ("AnnualCrop_2", [0.73730, 0.70528, 0.49478, 0.76179, 0.93647, 0.30106]),
        ("AnnualCrop_3", [0.26964, 0.12495, 0.20057, 0.28411, 0.21958, 0.13302]),
    ],
)
def test_scene_means_are_those_published_to_five_digits(data_folder, chip, expected):
    with rasterio.open(data_folder / "s2" / "eurosat" / "AnnualCrop" / f"{chip}.tif") as source:
        image = source.read().astype(np.float32) / np.float32(1e4)
    indices = spectral_indices(["NDVI", "NBR", "SAVI", "EVI", "ARVI", "DVI"], dict(zip(CHIP, image, strict=True)))
    assert indices.mean((1, 2), dtype=np.float64).round(5).tolist() == expected


def by_hand(blue, green, red, nir, swir16, swir22, edge1, edge3):
    """The formulas as their authors print them, in double precision."""
    return {
        "NDVI": (nir - red) / (nir + red),
        "GNDVI": (nir - green) / (nir + green),
        "NDRE": (nir - edge1) / (nir + edge1),
        "CIre": edge3 / edge1 - 1,
        "DVI": nir - red,
        "SAVI": 1.5 * (nir - red) / (nir + red + 0.5),
        "OSAVI": (nir - red) / (nir + red + 0.16),
        "MSAVI": (2 * nir + 1 - ((2 * nir + 1) ** 2 - 8 * (nir - red)) ** 0.5) / 2,
        "EVI": 2.5 * (nir - red) / (nir + 6 * red - 7.5 * blue + 1),
        "EVI2": 2.5 * (nir - red) / (nir + 2.4 * red + 1),
        "ARVI": (nir - (2 * red - blue)) / (nir + (2 * red - blue)),
        "LAI": 3.618 * 2.5 * (nir - red) / (nir + 6 * red - 7.5 * blue + 1) - 0.118,
        "NDWI": (green - nir) / (green + nir),
        "MNDWI": (green - swir16) / (green + swir16),
        "NDMI": (nir - swir16) / (nir + swir16),
        "NBR": (nir - swir22) / (nir + swir22),
        "NDBI": (swir16 - nir) / (swir16 + nir),
        "BSI": ((swir16 + red) - (nir + blue)) / ((swir16 + red) + (nir + blue)),
        "NDSI": (green - swir16) / (green + swir16),
        "NDTI": (swir16 - swir22) / (swir16 + swir22),
    }


@pytest.mark.parametrize("name", index_names())
def test_each_formula_is_that_of_its_authors(name):
    rng = np.random.default_rng(1)
    values = rng.uniform(0.02, 0.3, 8)
    expected = by_hand(*values)[name]
    order = ("blue", "green", "red", "nir", "swir16", "swir22", "rededge071", "rededge078")
    bands = {band: np.full((1, 1), value, np.float32) for band, value in zip(order, values, strict=True)}
    assert spectral_indices([name], bands).item() == pytest.approx(expected, rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("name", index_names())
def test_zero_reflectance_gives_a_number_or_nan_and_no_warning(name):
    entry = spectral_index(name)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = spectral_indices([name], {band: np.zeros((2, 2), np.float32) for band in entry.bands})
    assert result.shape == (1, 2, 2)
    assert result.dtype == np.float32
    assert not np.isinf(result).any()


@given(reflectance, reflectance)
@settings(deadline=None, max_examples=50)
def test_contrasts_stay_between_minus_one_and_one(red, nir):
    ndvi = spectral_indices(["NDVI"], {"red": red[None], "nir": nir[None]})[0, 0]
    dark = (red + nir) == 0
    assert np.array_equal(np.isnan(ndvi), dark)
    assert np.all(np.abs(ndvi[~dark]) <= 1)


def test_large_images_are_computed_in_blocks_without_seams():
    rng = np.random.default_rng(2)
    red, nir = rng.uniform(0.01, 0.5, (2, 300, 301)).astype(np.float32)
    indices = spectral_indices(["NDVI", "msavi"], {"red": red, "nir": nir})
    assert np.array_equal(indices[0], (nir - red) / (nir + red))
    assert indices.shape == (2, 300, 301)
    assert np.isfinite(indices).all()


def test_indices_are_written_to_an_array_that_is_there():
    red, nir = np.full((2, 3), 0.1, np.float32), np.full((2, 3), 0.3, np.float32)
    room = np.zeros((2, 4, 4), np.float32)
    made = spectral_indices(["NDVI", "DVI"], {"red": red, "nir": nir}, out=room[:, :2, :3])
    assert np.shares_memory(made, room)
    assert np.allclose(room[0, :2, :3], 0.5)
    assert not room[:, 2:].any()
    with pytest.raises(InvalidSetting, match=r"another shape or type \(found \(2, 4, 4\) of float32"):
        spectral_indices(["NDVI", "DVI"], {"red": red, "nir": nir}, out=room)


def test_a_sensor_with_only_the_narrow_infrared_uses_it():
    red, nir = np.full((1, 1), 0.1, np.float32), np.full((1, 1), 0.3, np.float32)
    assert spectral_indices(["NDVI"], {"red": red, "nir08": nir}).item() == pytest.approx(0.5)


def test_missing_bands_are_named_with_the_indices_that_need_them():
    with pytest.raises(BandMismatch, match=r"NDMI cannot be computed without swir16 .*found red, nir"):
        spectral_indices(["NDVI", "NDMI"], {"red": np.ones((1, 1)), "nir": np.ones((1, 1))})


def test_unknown_names_and_sizes_that_differ():
    with pytest.raises(UnknownName, match="Did you mean 'NDVI'"):
        spectral_index("NDVII")
    with pytest.raises(InvalidSetting, match="different size"):
        spectral_indices(["NDVI"], {"red": np.ones((1, 2)), "nir": np.ones((2, 2))})


def test_the_table_is_complete_and_documented():
    assert len(index_names()) == 20
    for name in index_names():
        entry = spectral_index(name.lower())
        assert entry.low < entry.high
        assert entry.reference[-4:].isdigit()
        assert entry.role
    assert {spectral_index(name).role for name in ("NDVI", "NDMI", "BSI")} == {"vigour", "moisture", "soil"}
    assert spectral_index("LAI").unit == "m²/m²"


# Ours → theirs, where the name differs; theirs have other indices under the names BSI and NDTI.
THEIRS = {"NDRE": "NDREI", "CIre": "CIRE", "BSI": "BI", "NDTI": "NBR2"}
CONSTANTS = {"L": 0.5, "g": 2.5, "C1": 6.0, "C2": 7.5, "gamma": -1.0}  # of ARVI with the sign that their formula has
LETTERS = {
    "blue": "B", "green": "G", "red": "R", "nir": "N", "swir16": "S1", "swir22": "S2", "rededge071": "RE1",
}  # fmt: skip


@pytest.mark.parametrize("name", [name for name in index_names() if name != "LAI"])
def test_every_index_agrees_with_an_independent_library(name):
    spyndex = pytest.importorskip("spyndex")
    rng = np.random.default_rng(3)
    # As land reflects: where the divisor of a ratio passes zero, what float32 rounds would be magnified.
    highest = {"blue": 0.12, "green": 0.15, "red": 0.2}
    bands = {band: rng.uniform(0.15, 0.6, (40, 50)) for band in (*LETTERS, "rededge078")}
    bands |= {band: rng.uniform(0.02, high, (40, 50)) for band, high in highest.items()}
    constants = CONSTANTS | ({"L": 1.0} if name in ("EVI", "EVI2") else {})
    given = {letter: bands[band] for band, letter in LETTERS.items()} | constants
    if name == "CIre":  # Gitelson's near infrared is the last red edge band of Sentinel-2
        given["N"] = bands["rededge078"]
    theirs = spyndex.indices[THEIRS.get(name, name)]
    expected = spyndex.computeIndex([theirs.short_name], {key: given[key] for key in theirs.bands})
    ours = spectral_indices([name], bands)[0]
    assert np.allclose(ours, expected, rtol=0, atol=1e-5)


def test_leaf_area_is_read_off_evi():
    bands = {band: np.full((1, 1), value, np.float32) for band, value in (("blue", 0.04), ("red", 0.05), ("nir", 0.4))}
    evi, lai = spectral_indices(["EVI", "LAI"], bands).ravel()
    assert lai == pytest.approx(3.618 * evi - 0.118)
