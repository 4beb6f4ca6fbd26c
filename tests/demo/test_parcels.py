"""Fields of the commune, and what is said of them."""

from __future__ import annotations

from dataclasses import replace

import pytest
import shapely

from arpent.demo import FAST, Stage
from arpent.demo.fields import outline_fields
from arpent.demo.parcels import describe_fields
from arpent.io.named_shapes import read_shapes
from arpent.models.shipped import shipped_bundle
from arpent.tasks.describe.texts import read_texts

TINY = replace(FAST, fields=64, parcels=5)


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    stage = Stage(tmp_path_factory.mktemp("parcels") / "demo", TINY)
    stage.open()
    return stage


@pytest.fixture(scope="module")
def described(stage):
    return describe_fields(stage, shipped_bundle("describe-nano"))


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


def test_the_model_writes_and_nothing_stands_that_the_pixels_contradict(described):
    texts = read_texts(described.runs[0])
    assert {one.language for one in texts} == {"en", "fr"}
    sentences = [sentence for one in texts for sentence in one.sentences]
    assert {finding.verdict for sentence in sentences for finding in sentence.findings} == {"supported"}
    assert sum(sentence.source == "model" for sentence in sentences) > 0.8 * len(sentences)
    assert described.facts["mended"] <= 0.1
    assert described.product.name == "report.html"


def test_texts_are_true_of_the_ground_and_no_others(described):
    figure = described.figure
    assert figure.value > 0.6 > 0.5 > figure.still
