"""``arpent describe caption`` as people use it."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from arpent.language import Measured
from arpent.pixels import index_names
from arpent.tasks.describe.table import Measurement, table_of


@pytest.fixture
def measurements(tmp_path: Path) -> Path:
    values = dict.fromkeys(index_names(), 0.4)
    rows = [Measured(f"p{number}", values, {"soil": 0.1, "vegetation": 0.9}) for number in range(3)]
    path = tmp_path / "table.parquet"
    pq.write_table(table_of([Measurement(row, "image", 50) for row in rows], index_names()), path)
    return path


def test_texts_their_variety_and_where_they_are(arpent, measurements: Path, tmp_path: Path) -> None:
    said = arpent("describe", "caption", measurements, "-o", tmp_path / "captions.jsonl", "--per-parcel", 2)
    assert said.code == 0, said.err
    assert "12 texts of 3 rows" in said.out
    assert "templates" in said.out
    assert "distinct-2" in said.out
    assert "captions.jsonl" in said.out
    assert len((tmp_path / "captions.jsonl").read_text("utf-8").splitlines()) == 12


def test_as_json_and_in_french(arpent, measurements: Path, tmp_path: Path) -> None:
    words = ("describe", "caption", measurements, "-o", tmp_path / "c.jsonl", "--lang", "fr")
    said = arpent(*words, "--json")
    assert said.code == 0, said.err
    assert (said.document["texts"], said.document["abstained"]) == (3, 0)
    assert said.document["variety"]["fr"]["duplicates"] == 0
    assert said.document["templates"]["fr"] >= 60
    assert "3 textes pour 3 lignes" in arpent(*words, "--language", "fr").out


def test_the_xvision_profile_names_its_file(arpent, measurements: Path, tmp_path: Path) -> None:
    said = arpent("describe", "caption", measurements, "-o", tmp_path / "xvision", "--profile", "xvision")
    assert said.code == 0, said.err
    first = json.loads((tmp_path / "xvision" / "sentinel_indices.jsonl").read_text("utf-8").splitlines()[0])
    assert set(first) == {"image", "NDVI", "NDWI", "SAVI", "EVI", "ARVI", "DVI", "caption"}


@pytest.mark.requires("data")
def test_from_chips_of_eurosat_to_texts(arpent, data_folder: Path, tmp_path: Path) -> None:
    """Golden index values, in the words and with the thresholds that were published."""
    images = sorted((data_folder / "s2" / "eurosat" / "AnnualCrop").glob("*.tif"))
    assert arpent("describe", "indices", *images, "-o", tmp_path / "t.parquet").code == 0
    said = arpent("describe", "caption", tmp_path / "t.parquet", "-o", tmp_path, "--profile", "xvision")
    assert said.code == 0, said.err
    lines = [json.loads(line) for line in (tmp_path / "sentinel_indices.jsonl").read_text("utf-8").splitlines()]
    texts = {Path(line["image"]).stem: line["caption"] for line in lines}
    for name, values in {"AnnualCrop_1": ("0,19", "−0,07"), "AnnualCrop_2": ("0,74", "0,71")}.items():
        assert all(value in texts[name] for value in values), texts[name]


def test_bad_input_ends_with_the_cure(arpent, measurements: Path, tmp_path: Path) -> None:
    for words, cure in (
        ((tmp_path / "none.parquet", "-o", tmp_path / "c.jsonl"), "describe indices"),
        ((measurements, "-o", tmp_path / "c.txt"), "c.jsonl"),
        ((measurements, "-o", tmp_path, "--profile", "xvision", "--lang", "en"), "French"),
        ((measurements, "-o", tmp_path / "c.jsonl", "--per-parcel", 0), "per_parcel"),
    ):
        said = arpent("describe", "caption", *words)
        assert said.code != 0
        assert cure in said.err
    assert not list(tmp_path.glob("*.jsonl"))
