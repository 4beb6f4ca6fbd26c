"""Fields of the commune, and what is said of them."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import shapely

from arpent.demo import FAST, Stage
from arpent.demo.fields import outline_fields
from arpent.demo.parcels import describe_fields, hits, judged_texts
from arpent.io.named_shapes import read_shapes

TINY = replace(FAST, fields=64, parcels=5)


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    stage = Stage(tmp_path_factory.mktemp("parcels") / "demo", TINY)
    stage.open()
    return stage


@pytest.fixture(scope="module")
def described(stage):
    return describe_fields(stage)


def test_fields_are_apart_named_and_near_the_middle(stage, described):
    fields = read_shapes(stage.images("fields") / "fields.parquet", "fields")
    assert list(fields.columns["name"]) == [f"F{number:02d}" for number in range(1, len(fields.geometry) + 1)]
    assert 1 < len(fields.geometry) <= 5
    assert shapely.area(fields.geometry).min() > 6000
    tree = shapely.STRtree(fields.geometry)
    assert tree.query(fields.geometry, predicate="intersects").shape[1] == len(fields.geometry)  # each itself
    assert fields.geometry[0].centroid.distance(fields.geometry[-1].centroid) < 640
    grid = stage.commune().grid("sentinel-2-l2a", size=64)
    assert len(read_shapes(outline_fields(stage, grid, 2), "fields").geometry) == 2


def test_texts_are_true_of_the_ground_and_no_others(described):
    figure = described.figure
    assert figure.value > 0.6 > 0.5 > figure.still
    lines = [json.loads(line) for line in described.product.read_text("utf-8").splitlines()]
    assert {one["language"] for one in lines} == {"en", "fr"}
    table = described.runs[0] / "indices.parquet"
    assert hits(judged_texts(lines, table), "model") == 1.0  # the grammar says what was measured
