"""A run whose ground lies on both sides of the antimeridian, on its way into the index."""

import json

import pytest
import shapely
from django.test import Client


@pytest.fixture(scope="module")
def layers(registered, far_run):
    from arpent.web.index.registering import register, remove

    number = register(far_run).number
    runs = Client().get("/api/layers").json()["runs"]
    yield {layer["name"]: layer for run in runs if run["id"] == number for layer in run["layers"]}
    remove(number)


def test_layers_of_pixels_and_of_shapes_have_narrow_bounds(layers):
    for name in ("classes", "polygons"):
        west, south, east, north = layers[name]["bounds"]
        assert 179.99 < west <= 180 and -180 <= east < -179.99, name
        assert -17.63 < south < north < -17.6


def test_a_shape_of_a_projected_table_is_cut_and_not_drawn_round_the_earth(layers):
    found = json.loads(Client().get(f"/api/layers/{layers['polygons']['id']}/features").content)["features"]
    shapes = [shapely.from_geojson(json.dumps(one["geometry"])) for one in found]
    (cut,) = (shape for shape in shapes if shape.geom_type == "MultiPolygon")
    sides = sorted(part.bounds[0] for part in cut.geoms)
    assert sides[0] == -180 and sides[1] > 179.9
    whole = max(shape.area for shape in shapes)
    assert all(shape.area == pytest.approx(whole, rel=0.01) for shape in shapes)


@pytest.mark.parametrize(
    ("west", "east", "count"), [(179.9, 180, 3), (-180, -179.9, 2), (179.9, -179.9, 4), (-10, 10, 0)]
)
def test_shapes_are_found_from_either_side_and_from_both(layers, west, east, count):
    address = f"/api/layers/{layers['polygons']['id']}/features?bbox={west},-18,{east},-17"
    assert len(json.loads(Client().get(address).content)["features"]) == count
