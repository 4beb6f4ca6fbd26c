"""Spectra and their seasons."""

from __future__ import annotations

import numpy as np
import pytest

from arpent.core import nomenclature
from arpent.testing.materials import ANCHORS, CLASS_OF, MATERIALS, VARIANTS, number, reflectances
from arpent.testing.radar import backscatter, weather_of

WAVELENGTHS = tuple(float(w) for w in ANCHORS)


def test_every_class_has_a_material_and_every_material_a_class() -> None:
    assert set(CLASS_OF.tolist()) == set(nomenclature("commune").ids.tolist())
    assert len({material.name for material in MATERIALS}) == len(MATERIALS)


@pytest.mark.parametrize("day", [1, 100, 180, 270, 366])
def test_reflectances_are_reflectances(day: int) -> None:
    table = reflectances(WAVELENGTHS, day)
    assert table.shape == (len(MATERIALS), VARIANTS, len(ANCHORS))
    assert table.min() > 0
    assert table.max() < 0.7


def test_fields_of_a_crop_differ() -> None:
    table = reflectances(WAVELENGTHS, 170)
    for name in ("cereal", "maize", "plough", "tiles"):
        assert np.ptp(table[number(name), :, 3]) / table[number(name), :, 3].mean() > 0.1


def test_a_permutation_leaves_no_class_its_spectra() -> None:
    true = reflectances(WAVELENGTHS, 170)
    for permutation in (1, 2, 9):
        dealt = reflectances(WAVELENGTHS, 170, permutation)
        for index, land in enumerate(CLASS_OF):
            assert not any(np.array_equal(dealt[index], true[own]) for own in np.flatnonzero(land == CLASS_OF))
    assert not np.array_equal(reflectances(WAVELENGTHS, 170, 1), reflectances(WAVELENGTHS, 170, 2))


def test_crops_are_green_when_farmers_say_so() -> None:
    red, nir = ANCHORS.tolist().index(665), ANCHORS.tolist().index(833)

    def ndvi(name: str, day: int) -> float:
        mean = reflectances(WAVELENGTHS, day)[number(name)].mean(axis=0)
        return float((mean[nir] - mean[red]) / (mean[nir] + mean[red]))

    assert ndvi("cereal", 125) > 0.75 > 0.45 > ndvi("cereal", 215)
    assert ndvi("maize", 215) > 0.7 > 0.4 > ndvi("maize", 110)
    assert ndvi("broadleaf", 180) > 0.8 > 0.45 > ndvi("broadleaf", 20)
    assert ndvi("conifer", 20) == pytest.approx(ndvi("conifer", 180))


def test_wind_roughens_water_and_rain_brightens_soil() -> None:
    calm, windy = backscatter(0.0, 0.5), backscatter(1.0, 0.5)
    pond, earth, wood = number("pond"), number("earth"), number("broadleaf")
    assert (windy[pond] > 1.2 * calm[pond]).all()
    np.testing.assert_array_equal(windy[wood], calm[wood])
    assert (backscatter(0.0, 1.0)[earth] > 1.5 * backscatter(0.0, 0.0)[earth]).all()


def test_winters_are_wetter() -> None:
    from datetime import date, timedelta

    days = [date(2021, 1, 1) + timedelta(days=n) for n in range(365)]
    weather = {day: weather_of(3, day) for day in days}
    winter = np.mean([weather[day].moisture for day in days if day.month in (12, 1, 2)])
    summer = np.mean([weather[day].moisture for day in days if day.month in (6, 7, 8)])
    assert winter > summer + 0.3
    assert {weather[day].wind for day in days} <= {n / 10 for n in range(11)}
