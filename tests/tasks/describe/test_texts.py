"""The table of texts: what is written comes back, and what is none is told."""

import datetime as dt
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from arpent.errors import FileMissing, UnreadableFile
from arpent.language import Measured
from arpent.tasks.describe.repairing import checked_text
from arpent.tasks.describe.texts import TEXT_SCHEMA, TEXTS, Described, read_texts, texts_table

TEXT = "On 1 June 2022, vigour is moderate, with a mean NDVI of 0.52. The mean XYZ of 0.3 is odd."
MEASURED = Measured("a", {"NDVI": 0.52}, taken=dt.date(2022, 6, 1))


def described() -> Described:
    sentences = checked_text(TEXT, MEASURED, "en")
    assert any(one.claim.when for sentence in sentences for one in sentence.findings)
    return Described("a", "p", "i.tif", dt.date(2022, 6, 1), "en", "grounded", TEXT, TEXT, sentences, 1, 2, tokens=9)


def test_rows_come_back(tmp_path: Path) -> None:
    rows = [described(), Described("b", "", "i.tif", None, "fr", "blind", "Rien.", ended=False, abstained=True)]
    pq.write_table(texts_table(rows), tmp_path / TEXTS)
    assert read_texts(tmp_path) == rows
    assert read_texts(tmp_path / TEXTS)[0].sentences[0].findings[0].claim.when == dt.date(2022, 6, 1)


def test_claims_lie_beside_their_verdicts() -> None:
    document = described().sentences[0].to_document()
    assert {"text", "start", "end", "source", "axis", "first", "claims"} == set(document)
    value = next(one for one in document["claims"] if one["kind"] == "value")
    assert value["verdict"] == "supported"
    assert value["measured"] == pytest.approx(0.52)
    assert TEXT[value["start"] : value["end"]] == "0.52"


def test_what_is_no_table_of_texts_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileMissing, match="describe generate"):
        read_texts(tmp_path)
    (tmp_path / TEXTS).write_bytes(b"no parquet")
    with pytest.raises(UnreadableFile):
        read_texts(tmp_path)
    row = described().to_row() | {"sentences": "[{}]"}
    pq.write_table(pa.Table.from_pylist([row], TEXT_SCHEMA), tmp_path / TEXTS)
    with pytest.raises(UnreadableFile):
        read_texts(tmp_path)
