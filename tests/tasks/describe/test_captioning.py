"""Tables of measurements in words: one line per text, all of it measured, and the file whole or not there."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from arpent.errors import FileMissing, InvalidSetting, NoValidPixels
from arpent.language import Measured, check, compose, parse, text
from arpent.pixels import index_names
from arpent.tasks.describe.caption_settings import CaptionSettings
from arpent.tasks.describe.captioning import XVISION_INDICES, caption_table
from arpent.tasks.describe.table import Measurement, measured_of, read_measured, table_of

INDICES = {name: 0.1 + 0.02 * number for number, name in enumerate(index_names())} | {"NDVI": 0.55, "NBR": 0.33}
FIELD = Measured("north", INDICES, {"soil": 0.2, "vegetation": 0.7, "water": 0.0}, taken=date(2021, 6, 3), crop="blé")
Write = Callable[[Sequence[Measured]], Path]


@pytest.fixture
def written(tmp_path: Path) -> Write:
    def write(rows: Sequence[Measured]) -> Path:
        path = tmp_path / "table.parquet"
        table = table_of([Measurement(row, f"image {row.taken}", 100) for row in rows], index_names())
        pq.write_table(table, path)
        return path

    return write


def lines_of(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_every_row_is_told_in_both_languages(written: Write, tmp_path: Path) -> None:
    table = written([FIELD, replace(FIELD, parcel="south", cloud=0.9), replace(FIELD, parcel="east", taken=None)])
    made = caption_table(table, tmp_path / "new" / "captions.jsonl", CaptionSettings())
    lines = lines_of(made.file)
    assert (made.rows, made.texts, made.abstained) == (3, 6, 1)
    assert [(line["parcel"], line["language"]) for line in lines] == [
        (parcel, language) for parcel in ("north", "south", "east") for language in ("en", "fr")
    ]
    assert list(lines[0]) == ["parcel", "place", "image", "taken", "language", "text", "seed"]
    assert (lines[0]["taken"], lines[4]["taken"]) == ("2021-06-03", None)
    for line, measured in zip(lines, [one for one in read_measured(table) for _ in "xx"], strict=True):
        language = "fr" if line["language"] == "fr" else "en"
        assert isinstance(line["text"], str)
        assert isinstance(line["seed"], int)
        assert line["text"] == text(compose(measured, language, seed=line["seed"])), "the seed gives the text again"
        findings = check(parse(line["text"], language), measured)
        assert findings
        assert all(one.verdict == "supported" for one in findings)
    assert made.variety["fr"].texts == 2, "the abstention is not counted"


def test_several_texts_of_a_parcel_differ_and_the_seed_decides_them(written: Write, tmp_path: Path) -> None:
    table = written([FIELD])
    made = caption_table(table, tmp_path / "a.jsonl", CaptionSettings(lang="fr", per_parcel=40))
    again = caption_table(table, tmp_path / "b.jsonl", CaptionSettings(lang="fr", per_parcel=40))
    other = caption_table(table, tmp_path / "c.jsonl", CaptionSettings(lang="fr", per_parcel=40, seed=1))
    texts = {str(line["text"]) for line in lines_of(made.file)}
    assert len(texts) == 40
    assert made.file.read_bytes() == again.file.read_bytes()
    assert made.file.read_bytes() != other.file.read_bytes()
    assert not list(tmp_path.glob(".*"))


def test_few_wordings_with_the_number_first_suit_small_models(written: Write, tmp_path: Path) -> None:
    table = written([replace(FIELD, parcel=f"p{number}") for number in range(40)])
    settings = CaptionSettings(lang="en", wordings=2, number_first=True, days=False)
    lines = lines_of(caption_table(table, tmp_path / "a.jsonl", settings).file)
    assert {line["seed"] for line in lines} == {0, 1}
    expected = {text(compose(replace(FIELD, taken=None), "en", seed=seed, number_first=True)) for seed in range(2)}
    assert {line["text"] for line in lines} == expected


def test_changes_are_counted_from_the_date_before_of_the_same_parcel(written: Write, tmp_path: Path) -> None:
    march = replace(FIELD, taken=date(2021, 3, 1), indices={**INDICES, "NDVI": 0.25})
    neighbour = replace(march, parcel="south", taken=date(2021, 5, 1))
    table = written([FIELD, neighbour, march])
    made = caption_table(table, tmp_path / "a.jsonl", CaptionSettings(lang="en", changes=True))
    north, south, first = (str(line["text"]) for line in lines_of(made.file))
    assert "1 March 2021" in north
    assert "0.30" in north
    assert "March" not in south
    assert "since" not in first


def test_the_profile_of_xvision(written: Write, tmp_path: Path) -> None:
    table = written([FIELD])
    made = caption_table(table, tmp_path / "set", CaptionSettings(profile="xvision"))
    assert made.file == tmp_path / "set" / "sentinel_indices.jsonl"
    (line,) = lines_of(made.file)
    assert list(line) == ["image", *XVISION_INDICES, "caption"]
    assert line["NDWI"] == pytest.approx(0.33), "the burn ratio under its published name"
    findings = check(parse(str(line["caption"]), "fr", "xvision"), FIELD, profile="xvision")
    assert all(one.verdict == "supported" for one in findings)
    assert {one.claim.axis for one in findings if one.claim.kind == "class"} == {
        "vigour", "moisture", "soil", "biomass", "growth", "health",
    }  # fmt: skip
    assert "0,33" in str(line["caption"])


def test_golden_indices_of_eurosat_through_the_profile(tmp_path: Path) -> None:
    """Part B4: the values and the classes that the published thresholds give them."""
    row = {
        "parcel": "AnnualCrop_1", "valid": 1.0, "taken": None,
        "ndvi_mean": 0.18885, "nbr_mean": -0.06895, "savi_mean": 0.10720,
        "evi_mean": 0.13790, "arvi_mean": 0.17594, "dvi_mean": 0.05797,
    }  # fmt: skip
    measured = measured_of(row)
    claims = [
        c
        for s in compose(measured, "fr", profile="xvision", axes=("vigour", "moisture", "soil", "biomass", "growth"))
        for c in s.claims
    ]
    classes = {claim.axis: claim.named for claim in claims if claim.kind == "class"}
    assert classes == {"vigour": "low", "moisture": "moist", "soil": "bare", "biomass": "moderate", "growth": "early"}
    assert {claim.index: claim.value for claim in claims if claim.kind == "value"}["NDWI"] == -0.07


def test_bad_input_says_what_to_do(written: Write, tmp_path: Path) -> None:
    with pytest.raises(NoValidPixels, match="no rows"):
        caption_table(written([]), tmp_path / "a.jsonl", CaptionSettings())
    table = written([FIELD])
    with pytest.raises(FileMissing, match="describe indices"):
        caption_table(tmp_path / "none.parquet", tmp_path / "a.jsonl", CaptionSettings())
    with pytest.raises(InvalidSetting, match=r"captions\.jsonl"):
        caption_table(table, tmp_path, CaptionSettings())
    with pytest.raises(InvalidSetting, match=r"a\.jsonl"):
        caption_table(table, tmp_path / "a.txt", CaptionSettings())
    with pytest.raises(InvalidSetting, match="French"):
        caption_table(table, tmp_path, CaptionSettings(profile="xvision", lang="both"))
    assert not list(tmp_path.glob("*.jsonl"))
    assert not list(tmp_path.glob(".*"))
