"""Measurements of invented parcels."""

from collections.abc import Callable
from datetime import date, timedelta

import pytest
from hypothesis import strategies as st

from arpent.language import Measured

INDICES = ("NDVI", "NDMI", "EVI2", "NDRE", "BSI")
DAYS = st.dates(date(2017, 1, 1), date(2030, 12, 31))
VALUES = st.floats(-0.6, 1.0)
CROPS = st.sampled_from([None, "blé", "Orge d'hiver", "maïs", "winter wheat", "sugar beet", "vigne", "Parcelle 12"])


@st.composite
def _shares(draw: st.DrawFn) -> dict[str, float]:
    soil = draw(st.floats(0, 1))
    vegetation = draw(st.floats(0, 1)) * (1 - soil)
    water = draw(st.just(0.0) | st.floats(0, 1)) * (1 - soil - vegetation)
    return draw(st.sampled_from([{}, {"soil": soil, "vegetation": vegetation, "water": water}]))


@st.composite
def _measured(draw: st.DrawFn) -> Measured:
    known = draw(st.sets(st.sampled_from(INDICES)) | st.just(set(INDICES)))
    return Measured(
        parcel=draw(st.sampled_from(["p1", "r003c012", "îlot 7"])),
        indices={name: draw(VALUES) for name in INDICES if name in known},
        shares=draw(_shares()),
        valid=draw(st.just(1.0) | st.floats(0, 1)),
        cloud=draw(st.none() | st.just(0.0) | st.floats(0, 1)),
        taken=draw(st.none() | DAYS),
        crop=draw(CROPS),
    )


@st.composite
def _series(draw: st.DrawFn) -> list[Measured]:
    day = draw(DAYS)
    series = []
    for _ in range(draw(st.integers(1, 9))):
        day += timedelta(draw(st.integers(1, 60)))
        one = draw(_measured())
        indices = {name: draw(VALUES) for name in INDICES}
        series.append(Measured(one.parcel, indices, one.shares, one.valid, one.cloud, day, crop=one.crop))
    return series


@pytest.fixture(scope="session")
def measurements() -> st.SearchStrategy[Measured]:
    """Any parcel on any day, whatever of it is known."""
    return _measured()


@pytest.fixture(scope="session")
def seasons() -> st.SearchStrategy[list[Measured]]:
    """Any parcel on up to nine days in order."""
    return _series()


@pytest.fixture(scope="session")
def field() -> Measured:
    """A field of wheat in June: vigorous, well hydrated, hardly any bare soil."""
    return Measured(
        parcel="p1",
        indices={"NDVI": 0.723, "NDMI": 0.312, "EVI2": 0.522, "NDRE": 0.351, "BSI": -0.214, "GNDVI": 0.655},
        shares={"soil": 0.042, "vegetation": 0.931, "water": 0.0},
        valid=0.97,
        cloud=0.03,
        taken=date(2021, 6, 3),
        area=25_300.0,
        crop="blé tendre d'hiver",
    )


@pytest.fixture(scope="session")
def dry_field() -> Measured:
    """A field in August: some yellow vegetation, dry, mostly bare; no crop is known."""
    return Measured(
        parcel="p2",
        indices={"NDVI": 0.182, "NDMI": -0.092, "EVI2": 0.117, "NDRE": 0.094, "BSI": 0.163},
        shares={"soil": 0.641, "vegetation": 0.088, "water": 0.0},
        taken=date(2021, 8, 17),
    )


@pytest.fixture(scope="session")
def earlier(field: Measured) -> Measured:
    """The field of wheat in March."""
    return Measured(field.parcel, {"NDVI": 0.304, "NDMI": 0.28}, taken=date(2021, 3, 15))


@pytest.fixture(scope="session")
def invent() -> Callable[[int], list[Measured]]:
    """So many different parcels as a table might hold them, the same ones each time."""

    def parcels(count: int) -> list[Measured]:
        from random import Random

        chance = Random(7)
        found = []
        for number in range(count):
            green = chance.uniform(0.05, 0.9)
            soil = min(1.0, max(0.0, 0.9 - green + chance.gauss(0, 0.1)))
            found.append(
                Measured(
                    f"p{number}",
                    {"NDVI": green, "NDMI": green - 0.4, "EVI2": green * 0.7, "NDRE": green * 0.6, "BSI": 0.3 - green},
                    {"soil": soil, "vegetation": (1 - soil) * 0.9, "water": 0.0},
                )
            )
        return found

    return parcels
