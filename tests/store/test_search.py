"""Search among parcels: what is found, in which order, and why."""

import json
import os
from contextlib import closing
from datetime import date

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely

from arpent.errors import FileMissing, InvalidSetting, UnknownName, UnreadableFile
from arpent.io.vectors import vector_column, vector_field
from arpent.store.search import Query, SearchIndex
from arpent.store.search_vectors import Vectors, write_vectors

WIDTH = 8
LATE, EARLY = date(2022, 6, 1), date(2022, 4, 1)
#            name    ndvi  ndmi  soil share  cloud
FIELDS = [
    ("meadow", 0.75, 0.30, 0.0, 0.0),
    ("maize", 0.70, -0.10, 0.0, 0.1),
    ("lucerne", 0.65, -0.05, 0.1, 0.0),
    ("stubble", 0.20, -0.15, 0.9, 0.0),
    ("hidden", 0.80, -0.30, 0.0, 0.9),
]


def _rows(fields=FIELDS, taken=LATE, place="valley"):
    return [
        {
            "parcel": name,
            "place": place,
            "image": f"S2_{taken:%Y%m%d}",
            "taken": taken,
            "valid": 1 - cloud,
            "cloud": cloud,
            "area_m2": 1e4,
            "crop": "maïs" if name == "maize" else None,
            "soil": soil,
            "ndvi_mean": ndvi,
            "ndmi_mean": ndmi,
            "ndvi_std": 0.1,
            "geometry": shapely.to_wkb(shapely.box(0, 0, 1, 1)),
        }
        for name, ndvi, ndmi, soil, cloud in fields
    ]


def _table(rows):
    return pa.Table.from_pylist(rows, pa.schema([_field(name, rows) for name in rows[0]]))


def _field(name, rows):
    if name == "taken":
        return pa.field(name, pa.date32())
    if name == "crop":
        return pa.field(name, pa.string())
    return pa.field(name, pa.array([row[name] for row in rows]).type)


def _vectors(path, names, vectors, encoder="a" * 64, taken=LATE):
    field = vector_field("embedding", pa.float32(), vectors.shape[1])
    table = pa.table(
        {
            "parcel": pa.array(names),
            "place": pa.array(["valley"] * len(names)),
            "image": pa.array([f"S2_{taken:%Y%m%d}"] * len(names)),
            "taken": pa.array([taken] * len(names), pa.date32()),
        }
    ).append_column(field, vector_column(list(vectors.astype(np.float32)), field))
    pq.write_table(table.replace_schema_metadata({"arpent:encoder": encoder}), path)


@pytest.fixture
def folder(tmp_path):
    """A folder that a test may change."""
    return _filled(tmp_path)


def _filled(tmp_path):
    """Two dates of five parcels, their embeddings, and texts of three of them."""
    later, earlier = _rows(), _rows([(name, 0.2, 0.1, 0.3, 0.0) for name, *_ in FIELDS], EARLY)
    pq.write_table(_table(later), tmp_path / "late.parquet")
    pq.write_table(_table(earlier), tmp_path / "early.parquet")
    vectors = np.eye(5, WIDTH)
    vectors[1] = [0.9, 0.1, 0, 0, 0, 0, 0, 0]
    _vectors(tmp_path / "embeddings.parquet", [name for name, *_ in FIELDS], vectors)
    texts = [
        ("meadow", "fr", "Prairie bordée de haies."),
        ("meadow", "en", "A meadow between hedges."),
        ("maize", "fr", "Une haie au nord ; maïs."),
        ("stubble", "en", "Stubble."),
    ]
    lines = [
        {"parcel": p, "place": "valley", "image": "S2_20220601", "taken": "2022-06-01", "language": lang, "text": text}
        for p, lang, text in texts
    ]
    (tmp_path / "captions.jsonl").write_text("\n".join([*map(json.dumps, lines), "no json", "[1]", '{"a": 1}']))
    (tmp_path / "note.txt").write_text("nothing to do with it")
    return tmp_path


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    with SearchIndex.over([_filled(tmp_path_factory.mktemp("runs"))]) as found:
        yield found


def names(hits):
    return [hit.parcel for hit in hits]


def test_an_index_gathers_what_files_of_any_name_hold(index):
    known = index.index
    assert (known.rows, known.embedded, known.told, known.width) == (10, 5, 3, WIDTH)
    assert {"ndvi_mean", "ndvi_std", "vigour", "crop", "seen", "text_fr"} <= set(index.columns)
    assert "geometry" not in index.columns
    assert "embedding" not in index.columns


@pytest.mark.parametrize(
    "words", ["végétation dense, sèche", "Dense dry vegetation", "dense, SECHES", "vigoureuse et sec"]
)
def test_words_mean_classes_in_both_languages(index, words):
    hits = index.find(Query(words=words))
    assert names(hits)[:2] == ["maize", "lucerne"]
    assert hits[0].score == hits[1].score == 1
    assert hits[2].parcel == "meadow"
    assert hits[2].score == 0.5
    told = {(reason.axis, reason.named, reason.index, reason.value) for reason in hits[0].reasons}
    assert told == {("vigour", "high", "ndvi_mean", 0.70), ("moisture", "dry", "ndmi_mean", -0.10)}
    assert "hidden" not in names(hits)  # what lies under cloud has no class


def test_a_lake_has_no_class_of_soil(tmp_path):
    lake = {**_rows()[3], "parcel": "lake", "water": 0.9}
    rows = [{**row, "water": 0.0} for row in _rows()]
    pq.write_table(_table([*rows, lake]), tmp_path / "t.parquet")
    with SearchIndex.over([tmp_path]) as index:
        assert names(index.find(Query(words="bare soil"))) == ["stubble"]


def test_a_word_turned_excludes(index):
    hits = index.find(Query(words="dense, pas sec"))
    assert names(hits) == ["meadow"]
    assert "stubble" in names(index.find(Query(words="not dense", where="date = '2022-06-01'")))


def test_other_words_are_looked_for_in_the_texts_whatever_their_accents_and_number(index):
    hits = index.find(Query(words="haies"))
    assert set(names(hits)) == {"meadow", "maize"}
    assert hits[0].reasons[0].kind == "text"
    assert hits[0].row["text_fr"]
    assert names(index.find(Query(words="PRAIRIES"))) == ["meadow"]
    assert names(index.find(Query(words="maïs")))[0] == "maize"


def test_a_crop_is_found_by_its_name_in_either_language(index):
    assert names(index.find(Query(words="corn"))) == ["maize"]
    assert names(index.find(Query(words="MAIZE")))[0] == "maize"


@pytest.mark.parametrize("words", ['" OR parcel:*', "NEAR(a b)", "text_fr:haies", "haies AND NOT maïs", "* ^ -"])
def test_words_are_no_commands_of_the_full_text(index, words):
    try:
        index.find(Query(words=words))
    except InvalidSetting as problem:
        assert "no word" in str(problem)


def test_likeness_is_the_exact_cosine(index):
    hits = index.find(Query(like="meadow"))
    assert hits[0].parcel == "maize"
    assert hits[0].score == pytest.approx(0.9 / np.hypot(0.9, 0.1), abs=1e-6)
    assert hits[0].reasons[0].named == "meadow@2022-06-01"
    assert "meadow" not in names(hits)
    assert "hidden" not in names(hits)


def test_likeness_under_a_condition_and_of_a_day(index):
    found = index.find(Query(like="meadow@2022-06-01", where="ndvi < 0.5"))
    assert names(found) == ["stubble"]
    with pytest.raises(InvalidSetting, match="no embedding of 2022-04-01"):
        index.find(Query(like="meadow@2022-04-01"))
    with pytest.raises(UnknownName, match="Did you mean 'meadow'"):
        index.find(Query(like="medow"))


def test_words_and_likeness_are_averaged(index):
    hits = index.find(Query(words="dry", like="meadow", where="taken = '2022-06-01'"))
    best = hits[0]
    assert best.parcel == "maize"
    assert best.score == pytest.approx((1 + 0.9 / np.hypot(0.9, 0.1)) / 2, abs=1e-6)
    assert {reason.kind for reason in best.reasons} == {"class", "likeness"}


def test_a_parcel_is_found_once_with_its_other_dates(index):
    hits = index.find(Query(where="ndvi_mean > 0.1"))
    assert len(names(hits)) == len(set(names(hits))) == 5
    assert hits[0].taken == LATE
    assert hits[0].score is None
    assert hits[0].dates == (EARLY,)
    assert len(index.find(Query(where="ndvi_mean > 0.1", each_date=True))) == 10
    assert len(index.find(Query(where="ndvi_mean > 0.1", count=2))) == 2


def test_conditions_know_classes_and_dates(index):
    assert set(names(index.find(Query(where="vigour = 'high' and date > '2022-05-01'")))) == {
        "meadow",
        "maize",
        "lucerne",
    }
    with pytest.raises(UnknownName, match="ndvi_mean"):
        index.find(Query(where="nvdi_mean > 0"))


def test_a_condition_reaches_no_file(index, tmp_path):
    with pytest.raises((InvalidSetting, UnknownName)):
        index.find(Query(where="parcel in (select content from read_text('/etc/hostname'))"))
    # … and if one ever came through, the database would refuse.
    import duckdb

    for sql in ("SELECT * FROM read_text('/etc/hostname')", "DROP TABLE parcels", "SET enable_external_access = true"):
        with pytest.raises(duckdb.Error):
            index._con.execute(sql)


def test_nothing_asked(index):
    for query in (Query(), Query(words="   "), Query(words=" , ; ")):
        with pytest.raises(InvalidSetting):
            index.find(query)


def test_an_index_is_kept_while_nothing_changes_and_made_anew_when_something_does(folder):
    with SearchIndex.over([folder]) as first:
        made = first.index
    before = {file.name: file.stat().st_mtime_ns for file in (folder / ".search").iterdir()}
    with SearchIndex.over([folder]) as again:
        assert again.index == made
    assert before == {file.name: file.stat().st_mtime_ns for file in (folder / ".search").iterdir()}
    pq.write_table(_table(_rows([("new", 0.9, 0.3, 0.0, 0.0)])), folder / "more.parquet")
    with SearchIndex.over([folder]) as third:
        assert third.index.rows == 11
    assert len(list((folder / ".search").iterdir())) == 4


def test_the_latest_file_counts_fact_by_fact(folder):
    late = folder / "zz.parquet"
    pq.write_table(_table([{**_rows()[0], "ndvi_mean": 0.31}]).drop_columns(["crop", "ndmi_mean"]), late)
    newest = max(file.stat().st_mtime_ns for file in folder.iterdir()) + 10**9
    os.utime(late, ns=(newest, newest))
    with SearchIndex.over([folder]) as index:
        (hit,) = index.find(Query(where="parcel = 'meadow' and taken = '2022-06-01'"))
    assert hit.row["ndvi_mean"] == 0.31
    assert hit.row["ndmi_mean"] == 0.30
    assert hit.row["vigour"] == "moderate"


def test_ground_that_lies_apart_under_one_name_is_told(tmp_path):
    """Runs of two places whose images are called the same, each measured for itself."""
    for number, place in enumerate(("north", "south")):
        outline = shapely.to_wkb(shapely.box(3 * number, 0, 3 * number + 1, 1))
        pq.write_table(_table([row | {"geometry": outline} for row in _rows()]), tmp_path / f"{place}.parquet")
    with SearchIndex.over([tmp_path]) as index:
        assert index.index.apart == ("valley/hidden", "valley/lucerne", "valley/maize")
    moved = shapely.to_wkb(shapely.box(0.1, 0, 1.1, 1))  # another outline of the same field
    pq.write_table(_table([row | {"geometry": moved} for row in _rows()]), tmp_path / "south.parquet")
    pq.write_table(_table(_rows()), tmp_path / "north.parquet")
    with SearchIndex.over([tmp_path]) as index:
        assert index.index.apart == ()


def test_embeddings_of_another_model_are_left_out_and_told(folder):
    late = folder / "zz.parquet"
    _vectors(late, ["meadow", "maize"], np.eye(2, 4), encoder="b" * 64)
    newest = max(file.stat().st_mtime_ns for file in folder.iterdir()) + 10**9
    os.utime(late, ns=(newest, newest))
    with SearchIndex.over([folder]) as index:
        assert (index.index.width, index.index.embedded) == (4, 2)
        assert "embeddings.parquet" in index.index.warnings[0]


def test_embeddings_of_random_weights_are_told(tmp_path):
    _vectors(tmp_path / "e.parquet", ["a", "b"], np.eye(2, 4), encoder="random:croma-tiny:seed0:ab")
    with SearchIndex.over([tmp_path / "e.parquet"]) as index:
        assert "learnt nothing" in index.index.warnings[0]


def test_vectors_that_mean_nothing_are_passed_over(tmp_path):
    vectors = np.ones((3, 4))
    vectors[1] = np.nan
    vectors[2] = 0
    _vectors(tmp_path / "e.parquet", ["a", "b", "c"], vectors)
    with SearchIndex.over([tmp_path / "e.parquet"]) as index:
        assert index.index.embedded == 1
        assert index.find(Query(like="a")) == ()


def test_a_table_that_went_through_pandas_is_searched_as_before(tmp_path):
    _vectors(tmp_path / "e.parquet", ["a", "b"], np.eye(2, 4))
    pq.read_table(tmp_path / "e.parquet").to_pandas().to_parquet(tmp_path / "p.parquet")
    with SearchIndex.over([tmp_path / "p.parquet"]) as index:
        assert (index.index.width, index.index.embedded) == (4, 2)


def test_a_table_whose_vectors_are_not_as_wide_as_it_says_is_named(tmp_path):
    _vectors(tmp_path / "e.parquet", ["a", "b"], np.eye(2, 4))
    table = pq.read_table(tmp_path / "e.parquet")
    field = vector_field("embedding", pa.float32(), 3)
    pq.write_table(table.drop_columns("embedding").append_column(field, table["embedding"]), tmp_path / "e.parquet")
    with pytest.raises(UnreadableFile, match=r"e\.parquet is damaged"):
        SearchIndex.over([tmp_path / "e.parquet"])


def test_tables_without_embeddings_can_be_searched_but_not_for_likeness(tmp_path):
    pq.write_table(_table(_rows()), tmp_path / "t.parquet")
    with SearchIndex.over([tmp_path / "t.parquet"], tmp_path / "index") as index:
        assert names(index.find(Query(words="sol nu"))) == ["stubble"]
        with pytest.raises(InvalidSetting, match="describe embed"):
            index.find(Query(like="meadow"))


def test_what_cannot_be_searched_is_told(tmp_path):
    with pytest.raises(FileMissing, match="describe indices"):
        SearchIndex.over([tmp_path])
    with pytest.raises(FileMissing):
        SearchIndex.over([tmp_path / "nowhere"])
    (tmp_path / "note.csv").write_text("a,b\n")
    with pytest.raises(UnreadableFile, match="parcel"):
        SearchIndex.over([tmp_path / "note.csv"])
    (tmp_path / "torn.parquet").write_bytes(b"PAR1 torn")
    with pytest.raises(UnreadableFile):
        SearchIndex.over([tmp_path / "torn.parquet"])


def test_a_damaged_index_is_told_and_made_anew(folder):
    with SearchIndex.over([folder]):
        pass
    for pattern in ("*.duckdb", "*.sqlite"):
        (file,) = (folder / ".search").glob(pattern)
        file.write_bytes(b"not a database" * 1000)
        with pytest.raises(UnreadableFile, match="--rebuild"), SearchIndex.over([folder]) as index:
            index.find(Query(words="haies"))
        with SearchIndex.over([folder], rebuild=True) as index:
            assert index.find(Query(words="haies"))
    (folder / ".search" / "index.json").write_text("{}")
    with SearchIndex.over([folder]) as index:
        assert index.index.rows == 10


def test_places_of_the_same_parcel_name_are_kept_apart(tmp_path):
    pq.write_table(_table(_rows() + _rows(place="hill")), tmp_path / "t.parquet")
    with SearchIndex.over([tmp_path]) as index:
        assert sorted(hit.row["place"] for hit in index.find(Query(where="parcel = 'maize'"))) == ["hill", "valley"]


@pytest.mark.parametrize("wanted", [slice(None), slice(0, 9000, 7), slice(3, 4), [0, 8999], []])
def test_the_file_of_vectors_gives_the_cosine_however_far_apart_rows_lie(tmp_path, wanted):
    drawn = np.random.default_rng(4).normal(size=(9000, 6)).astype(np.float32)
    drawn[11] = 0
    with closing(duckdb.connect()) as con:
        rows = pa.table({"row": np.arange(9000), "embedding": pa.FixedSizeListArray.from_arrays(drawn.ravel(), 6)})
        con.register("given", rows)
        con.execute("CREATE TABLE vectors AS SELECT row::BIGINT AS row, embedding::FLOAT[6] AS embedding FROM given")
        con.execute("DELETE FROM vectors WHERE row = 21")
        write_vectors(con, tmp_path / "v.npy", 9000, 6)
    rows = np.arange(9000)[wanted].astype(np.int64)
    found = Vectors(tmp_path / "v.npy").likeness(7, rows)
    with np.errstate(invalid="ignore"):
        true = drawn @ drawn[7] / np.linalg.norm(drawn, axis=1) / np.linalg.norm(drawn[7])
    true[21] = np.nan
    np.testing.assert_allclose(found, true[rows], atol=1e-6)
    assert np.isnan(found[np.isin(rows, (11, 21))]).all()


def test_an_index_that_has_lost_its_vectors_is_made_anew(folder):
    with SearchIndex.over([folder]) as index:
        (folder / ".search" / index.index.vectors).unlink()
    with SearchIndex.over([folder]) as index:
        assert index.find(Query(like="meadow", count=1))[0].score is not None


def test_of_two_places_with_a_parcel_of_one_name_one_is_asked_for(tmp_path):
    for number, place in enumerate(("hill", "valley")):
        rows = [row | {"place": place} for row in _rows(FIELDS[:2])]
        pq.write_table(_table(rows), tmp_path / f"{place}.parquet")
        table = pa.table(
            {
                "parcel": ["meadow", "maize"],
                "place": [place] * 2,
                "image": [rows[0]["image"]] * 2,
                "taken": pa.array([LATE] * 2, pa.date32()),
                "embedding": pa.FixedSizeListArray.from_arrays(
                    np.eye(4, dtype=np.float32)[2 * number :][:2].ravel(), 4
                ),
            }
        )
        pq.write_table(table.replace_schema_metadata({"arpent:encoder": "a" * 64}), tmp_path / f"e-{place}.parquet")
    with SearchIndex.over([tmp_path]) as index:
        with pytest.raises(
            InvalidSetting, match=r"'meadow' lies in several places.*hill, valley.*--like 'hill/meadow'"
        ):
            index.find(Query(like="meadow"))
        (hit, *_) = index.find(Query(like="valley/meadow@2022-06-01"))
        assert hit.reasons[-1].named == "meadow@2022-06-01"
        assert ("valley", "meadow") not in {
            (one.row["place"], one.parcel) for one in index.find(Query(like="valley/meadow"))
        }
