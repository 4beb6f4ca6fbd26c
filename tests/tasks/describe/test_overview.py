"""The picture in front of a run."""

import datetime as dt

import shapely
from PIL import Image

from arpent.language import Measured
from arpent.tasks.describe import overview as made
from arpent.tasks.describe.overview import Sighting, overview


def sighting(parcel, day, ndvi, *, box=(2.8, 42.3, 2.81, 42.31), known=True):
    indices = {} if ndvi is None else {"NDVI": ndvi}
    measured = Measured(parcel, indices, taken=dt.date(2022, 6, day), place="here")
    return Sighting(measured, shapely.to_wkb(shapely.box(*box)) if known else None)


def test_each_parcel_shows_the_last_day_it_was_seen(tmp_path, monkeypatch):
    drawn = []
    true = made.parcel_map
    monkeypatch.setattr(
        made, "parcel_map", lambda parcels, path, **rest: drawn.append((parcels, rest)) or true(parcels, path, **rest)
    )
    seen = [
        sighting("a", 3, 0.7),
        sighting("a", 1, 0.2),
        sighting("a", 9, None),
        sighting("b", 3, None),
        sighting("c", 3, 0.5, known=False),
    ]
    path = overview(seen, tmp_path / "preview.png", "fr")
    with Image.open(path) as image:
        assert image.format == "PNG"
    [(parcels, rest)] = drawn
    assert [one.ndvi for one in parcels] == [0.7, None]
    assert rest["title"] == "NDVI, 3 juin 2022"
    overview([*seen, sighting("d", 5, 0.1)], tmp_path / "preview.png", "en")
    assert drawn[1][1]["title"] == "NDVI as last seen"


def test_parcels_that_lie_nowhere_have_no_picture(tmp_path):
    assert overview([sighting("a", 1, 0.3, known=False)], tmp_path / "preview.png", "en") is None
    assert overview([], tmp_path / "preview.png", "en") is None
    empty = Sighting(Measured("a", {"NDVI": 0.1}), shapely.to_wkb(shapely.Point(2.8, 42.3)))
    assert overview([empty], tmp_path / "preview.png", "en") is None


def test_parts_of_a_parcel_are_drawn_each(tmp_path):
    parts = shapely.MultiPolygon([shapely.box(2.8, 42.3, 2.81, 42.31), shapely.box(2.83, 42.3, 2.84, 42.31)])
    one = Sighting(Measured("a", {"NDVI": 0.4}), shapely.to_wkb(parts))
    assert overview([one], tmp_path / "preview.png", "en") is not None
