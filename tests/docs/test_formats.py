"""The pages on formats are those of the code: keys, columns, versions, and examples that open."""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from arpent.core import Contract
from arpent.core.contract import BUNDLE_FORMAT
from arpent.language.asserted import Claim, Finding
from arpent.store import MANIFEST_FORMAT
from arpent.store.manifest import Failure, InputRecord, Manifest, Product
from arpent.tasks.classify.dataset import DATASET_FORMAT, DatasetFacts
from arpent.tasks.describe.embedding_table import EncoderFacts, embedding_schema
from arpent.tasks.describe.products import descriptions_table
from arpent.tasks.describe.season_telling import SEASON_SCHEMA
from arpent.tasks.describe.table import schema_of
from arpent.tasks.describe.texts import TEXT_SCHEMA
from arpent.tasks.forecast.timeline import TIMELINE_FORMAT, TimelineDate
from arpent.testing.toys import toy_bundle

PARCEL = {"parcel", "place", "image", "taken"}
"""Columns that docs/formats/describe.md explains once, for all its tables."""


@pytest.fixture(scope="module")
def texts(root: Path) -> dict[str, str]:
    return {path.name: path.read_text("utf-8") for path in (root / "docs" / "formats").glob("*.md")}


def _part(text: str, section: str) -> str:
    if not section:
        return text
    part = re.split(rf"^#+ .*{re.escape(section)}.*$", text, maxsplit=1, flags=re.MULTILINE)[1]
    return re.split(r"^## ", part, maxsplit=1, flags=re.MULTILINE)[0]


def _keys(text: str, section: str = "") -> set[str]:
    """Words in the first cells of the tables below a heading, or of the whole page."""
    cells = re.findall(r"^\| ([^|]+) \|", _part(text, section), re.MULTILINE)
    return {word for cell in cells for word in re.findall(r"`([\w/:.-]+)`", cell)}


_WORDS = {"array": "list", "boolean": "truth", "date-time": "time", "string": "text"}
"""What the pages call types of JSON that have another name there."""


def _types(text: str, section: str = "") -> dict[str, str]:
    """The second cells of the same tables, by key, without what lists hold; several are parted by semicolons."""
    found = {}
    for keys, cell in re.findall(r"^\| (`[^|]+) \| ([^|]+) \|", _part(text, section), re.MULTILINE):
        names, types = re.findall(r"`([\w/:.-]+)`", keys), re.sub(r" of \w+,?", "", cell).split("; ")
        found |= zip(names, types * len(names) if len(types) == 1 else types, strict=True)
    return found


def _json_types(model: Any) -> dict[str, str]:
    """What the values of a model are in JSON, in the words of the pages."""
    document = TypeAdapter(model).json_schema(mode="serialization")

    def told(schema: dict[str, Any]) -> str:
        if "anyOf" in schema:
            return " or ".join(dict.fromkeys(map(told, schema["anyOf"])))
        if "$ref" in schema:
            return told(document["$defs"][schema["$ref"].rpartition("/")[2]])
        name = schema.get("format", schema["type"])
        return _WORDS.get(name, name)

    return {key: told(value) for key, value in document["properties"].items()}


def _fields(model: Any) -> set[str]:
    return set(model.model_fields)


def test_the_manifest(texts: dict[str, str]) -> None:
    text = texts["run-folder.md"]
    before, _, after = text.partition("A product has these keys:")
    assert _types(before, "`manifest.json`") == _json_types(Manifest)
    assert _types(after.partition("\n## ")[0]) == _json_types(Product)
    for record in (InputRecord, Failure):
        assert all(f"`{name}`" in before for name in _fields(record))
    assert f"version of this format: {MANIFEST_FORMAT}" in text


def test_the_manifest_shown_is_one(texts: dict[str, str]) -> None:
    (shown,) = re.findall(r"```json\n(.*?)```", texts["run-folder.md"], re.DOTALL)
    manifest = Manifest.model_validate_json(shown)
    assert manifest.format == MANIFEST_FORMAT
    assert set(json.loads(shown)) == _fields(Manifest)


def test_the_contract_of_a_bundle(texts: dict[str, str]) -> None:
    text = texts["bundle.md"]
    assert _types(text, "The contract") == _json_types(Contract)
    assert f"version of this format: {BUNDLE_FORMAT}" in text
    assert f"Arpent writes format {BUNDLE_FORMAT}" in text


def test_the_timeline(texts: dict[str, str]) -> None:
    text = texts["timeline.md"]
    (shown,) = re.findall(r"```json\n(.*?)```", text, re.DOTALL)
    document = json.loads(shown)
    dates = _json_types(TimelineDate)
    assert document["format"] == TIMELINE_FORMAT
    whole, _, each = text.partition("Each of `dates` has:")
    assert list(document["dates"][0]) == list(dates)
    assert _types(each) == dates | {"date": "date"}
    assert _keys(whole) == set(document)


def test_a_data_set_of_pictures(texts: dict[str, str]) -> None:
    text = texts["classify.md"]
    assert _types(text, "`dataset.json`") == _json_types(DatasetFacts)
    assert f"version of the format, {DATASET_FORMAT}" in text


@pytest.mark.parametrize(
    ("section", "columns"),
    [
        ("Measurements", schema_of(["ndvi"]).names),
        ("Texts", TEXT_SCHEMA.names),
        ("Seasons", SEASON_SCHEMA.names),
    ],
)
def test_tables_of_parcels(texts: dict[str, str], section: str, columns: Iterable[str]) -> None:
    """Each column of the code is on the page and the other way round; `crop_from` and the like stand in pairs."""
    shown = _keys(texts["describe.md"], section) | PARCEL | {"geometry"}
    assert set(columns) | PARCEL | {"geometry"} == shown


def test_claims_and_descriptions(texts: dict[str, str]) -> None:
    text = texts["describe.md"]
    finding = _json_types(Finding)
    assert _types(text, "Claims") == _json_types(Claim) | {key: finding[key] for key in finding if key != "claim"}
    table = descriptions_table([], schema_of(["ndvi"]).empty_table())
    own = set(table.column_names) - set(schema_of(["ndvi"]).names)
    assert own == _keys(text, "Descriptions")
    inner = {entry.name for entry in table.schema.field("claims").type.value_type}
    (said,) = re.findall(r"^\| `claims` \| list of structs \| (.*) \|$", text, re.MULTILINE)
    assert inner == set(re.findall(r"`(\w+)`", re.sub(r"\(.*?\)", "", said)))


def test_the_table_of_embeddings(texts: dict[str, str]) -> None:
    facts = EncoderFacts(identity="0" * 64, name="croma", statistics=None, pooling="mean")
    schema = embedding_schema(facts, 4, 5)
    shown = _keys(texts["embeddings.md"])
    assert set(schema.names) <= shown
    assert {key.decode() for key in schema.metadata} <= shown


def test_a_bundle_is_read_without_arpent(
    texts: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The program on the page, as it stands there."""
    toy_bundle(tmp_path / "model.safetensors")
    monkeypatch.chdir(tmp_path)
    told: list[Any] = []
    for program in re.findall(r"```python\n(.*?)```", texts["bundle.md"], re.DOTALL):
        exec(program, {"print": lambda *words: told.append(words)})
    assert told[0] == ("landcover", ["red", "green", "blue", "nir"])
    assert len(told) == 2


def test_a_run_is_made_as_the_page_says(texts: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (program,) = re.findall(r"```python\n(.*?)```", texts["run-folder.md"], re.DOTALL)
    (tmp_path / "scene.tif").write_bytes(b"...")
    monkeypatch.chdir(tmp_path)
    exec(program, {})
    (manifest,) = tmp_path.glob("runs/*/manifest.json")
    assert [product["file"] for product in json.loads(manifest.read_text())["products"]] == ["classes.tif"]
