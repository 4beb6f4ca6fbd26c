"""``describe evaluate`` and the products of texts, on images whose pixels are known."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import rasterio
import shapely

from arpent.cli.app import main
from arpent.core import Grid, sensor
from arpent.errors import DatasetError, FileMissing, InvalidSetting, UnreadableFile
from arpent.io.vectors import vector_column, vector_field
from arpent.language.claims import check, parse
from arpent.language.grammar import abstains, compose, text
from arpent.store import Place, open_run
from arpent.tasks.describe.evaluate_settings import EvaluateSettings
from arpent.tasks.describe.evaluating import evaluate
from arpent.tasks.describe.learnt_from import learnt_from
from arpent.tasks.describe.measuring import measure
from arpent.tasks.describe.parcels import read_parcels
from arpent.tasks.describe.products import Illustrations, descriptions_table, publish_products
from arpent.tasks.describe.scene_settings import SceneSettings
from arpent.tasks.describe.scenes import open_scene
from arpent.tasks.describe.table import measured_of
from arpent.tasks.describe.texts import TEXTS, Checked, Described, texts_table
from arpent.tasks.describe.thumbnails import thumbnails
from arpent.tasks.describe.truth import Truth, measured_again, read_vectors

L2A = sensor("sentinel-2-l2a").band_names
GRID = Grid.north_up(500_000, 4_690_000, 10, 48, 64, "EPSG:32631")
MEADOW = np.array([200, 300, 500, 400, 1000, 2500, 3200, 3400, 3600, 3600, 1800, 900.0])
PLOUGHED = np.array([800, 900, 1100, 1600, 1700, 1800, 2000, 2100, 2200, 2200, 3000, 2500.0])
SETTINGS = SceneSettings(chip=16)


def write_image(path, seed, empty=()):
    """Squares between meadow and ploughed land; of those in `empty` nothing was measured."""
    rng = np.random.default_rng(seed)
    mixed = rng.uniform(0, 1, (3, 4)).repeat(16, axis=0).repeat(16, axis=1)
    pixels = MEADOW[:, None, None] * mixed + PLOUGHED[:, None, None] * (1 - mixed)
    pixels = (pixels * rng.uniform(0.97, 1.03, pixels.shape)).astype(np.uint16)
    for row, col in empty:
        pixels[:, 16 * row : 16 * row + 16, 16 * col : 16 * col + 16] = 0
    profile = {"driver": "GTiff", "count": 12, "dtype": "uint16", "photometric": "MINISBLACK"}
    profile |= {"height": 48, "width": 64, "crs": "EPSG:32631", "transform": GRID.transform}
    with rasterio.open(path, "w", **profile) as file:
        file.write(pixels)
        file.descriptions = L2A
    return str(path)


def described(image, row, language, *, write, mode, place):
    """What a model might write, with the findings that a run keeps."""
    measured = measured_of(row)
    said = text(compose(measured, language)) if abstains(measured) else write(measured, language, place)
    sentences, findings = parse(said, language), list(check(parse(said, language), measured))
    kept = [Checked(one.text, one.start, one.end, tuple(findings.pop(0) for _ in one.claims)) for one in sentences]
    own = (measured.parcel, measured.place, image, measured.taken)
    return Described(*own, language, mode, said, said, tuple(kept), abstained=abstains(measured))


def make_run(folder, images, write, *, mode="blind", parcels=None, changed=None):
    """A run as ``describe generate`` leaves it."""
    name = Path(images[0]).stem
    with Place(exact=folder).begin("describe-generate", name, SETTINGS.model_dump(mode="json"), images) as run:
        tables, texts, pictures = [], [], {}
        for image in images:
            run.add_input(image)
            with open_scene(image, SETTINGS) as scene:
                here = read_parcels(parcels, scene.grid, SETTINGS, name=scene.name)
                tables.append(measure(scene, here))
                pictures |= thumbnails(scene, here.items)
                texts += [
                    described(scene.name, row, language, write=write, mode=mode, place=place)
                    for place, row in enumerate(tables[-1].to_pylist())
                    for language in ("fr", "en")
                ]
        texts = [changed(one) for one in texts] if changed else texts
        pq.write_table(texts_table(texts), run.scratch / TEXTS)
        run.publish(run.scratch / TEXTS, kind="table", name="texts")
        table = pa.concat_tables(tables)
        publish_products(run, texts, table, extras=Illustrations(pictures, "ab" * 32), language="fr")
        return run.finish(), texts, table


def faithful(measured, language, place):
    return text(compose(measured, language, seed=place))


def careless(measured, language, place):
    """Numbers a little off, a wrong class here and there, and an invention."""
    off = {name: value + (0.03 if place % 2 else -0.2) for name, value in measured.indices.items()}
    said = text(compose(replace(measured, indices=off), language, seed=place))
    return said + (" Wheat is grown here." if language == "en" else " On y cultive du blé.")


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    return [
        write_image(folder / f"Field_{day}.tif", seed, empty)
        for seed, (day, empty) in enumerate({"2021-06-26": (), "2021-07-21": (), "2022-06-01": [(0, 0)]}.items())
    ]


@pytest.fixture(scope="module")
def training(images, tmp_path_factory):
    """The table of the first date."""
    path = tmp_path_factory.mktemp("training") / "table.parquet"
    with open_scene(images[0], SETTINGS) as scene:
        pq.write_table(measure(scene, read_parcels(None, scene.grid, SETTINGS, name=scene.name)), path)
    return str(path)


@pytest.fixture(scope="module")
def good(images, tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("good") / "run", images[1:], faithful)


@pytest.fixture(scope="module")
def bad(images, tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("bad") / "run", images[1:], careless)


def judged(source, place, **settings):
    return evaluate(Path(source), Place(exact=place), EvaluateSettings(draws=100, **settings))


def test_a_faithful_run_is_told_from_a_careless_one(good, bad, training, tmp_path):
    one = judged(good[0].path, tmp_path / "one", training=training)
    two = judged(bad[0].path, tmp_path / "two", training=training, language="fr")
    ours, theirs = (done.judged.tallies["model"].scores("dates", draws=1) for done in (one, two))
    assert ours["hit05"] == ours["classes"] == ours["abstention"] == 1 and ours["refused"] == 0
    assert theirs["hit05"] < 0.7 and theirs["contradiction"] > 0.1 and theirs["unsupported"] > 0.05
    assert "constant" in one.judged.tallies
    document = json.loads(one.run.file("metrics").read_text("utf-8"))
    assert document["methods"]["oracle"]["all"]["hit05"][0] == 1
    assert document["image_dependence"]["depends"] is True
    assert document["words"] == list(one.words)
    page = two.run.file("report").read_text("utf-8")
    assert "Fidélité des textes" in page and "data:image/png" in page
    assert two.run.manifest.metrics["dates/hit05"] == theirs["hit05"]
    assert {"metrics", "report", "scatter"} <= {product.name for product in one.run.manifest.products}


def test_the_truth_comes_from_the_pixels_and_not_from_the_run(images, tmp_path):
    """A run whose own findings all say "supported" is judged by the images all the same."""

    def forged(one):
        fine = [
            replace(sentence, findings=tuple(replace(f, verdict="supported", off=0.0) for f in sentence.findings))
            for sentence in one.sentences
        ]
        return replace(one, sentences=tuple(fine))

    run, *_ = make_run(tmp_path / "run", images[1:2], careless, changed=forged)
    done = judged(run.path, tmp_path / "judged")
    assert done.judged.tallies["model"].scores(draws=1)["contradiction"] > 0.1


def test_a_parcel_that_is_gone_is_an_error_and_leaves_no_run(images, tmp_path):
    run, *_ = make_run(tmp_path / "run", images[1:2], faithful)
    rows = pq.read_table(run.path / TEXTS).to_pylist()
    pq.write_table(
        pa.Table.from_pylist([row | {"parcel": "gone"} for row in rows], pq.read_schema(run.path / TEXTS)),
        run.path / TEXTS,
    )
    with pytest.raises(DatasetError, match="no parcel gone"):
        judged(run.path, tmp_path / "judged")
    assert not (tmp_path / "judged").exists()


def test_what_can_be_judged_is_said(tmp_path, good):
    with pytest.raises(FileMissing, match="holds no texts"):
        judged(tmp_path, tmp_path / "judged")
    with pytest.raises(FileMissing):
        judged(good[0].path, tmp_path / "judged", training=str(tmp_path / "none.parquet"))
    with pytest.raises(FileMissing, match="no embeddings"):
        judged(good[0].path, tmp_path / "judged", embeddings=(str(tmp_path / "none"),))


def test_embeddings_give_neighbour_and_probe(good, training, images, tmp_path):
    """Embeddings that hold the facts in a straight line."""
    run, _, table = good
    rows = pq.read_table(training).to_pylist() + table.to_pylist()
    width = 12
    mixing = np.random.default_rng(1).normal(size=(6, width))
    names = ("ndvi_mean", "ndmi_mean", "evi2_mean", "bsi_mean", "ndre_mean", "soil")
    vectors = [
        None if row["valid"] == 0 else np.float32(np.array([row[name] for name in names]) @ mixing) for row in rows
    ]
    field = vector_field("embedding", pa.float32(), width)
    keys = {key: [row[key] for row in rows] for key in ("parcel", "place", "image", "taken")}
    table = pa.table(keys).append_column(field, vector_column(vectors, field))
    pq.write_table(table, tmp_path / "embeddings.parquet")
    done = judged(run.path, tmp_path / "judged", training=training, embeddings=(str(tmp_path),))
    assert done.judged.tallies["probe"].scores(draws=1)["hit05"] > 0.9
    assert (
        done.judged.tallies["nearest"].scores(draws=1)["hit05"]
        > done.judged.tallies["constant"].scores(draws=1)["hit05"]
    )
    assert len(read_vectors([tmp_path])) == len(rows) - 1


def test_odd_embeddings_are_refused(tmp_path, training):
    file = tmp_path / "embeddings.parquet"
    file.write_bytes(b"PAR1 and no more")
    with pytest.raises(UnreadableFile, match="no Parquet file"):
        read_vectors([file])
    known = {"image": ["b"], "taken": [None]}
    pq.write_table(pa.table({"parcel": ["a"], **known, "embedding": [1.0]}), file)
    with pytest.raises(UnreadableFile, match="of parcels"):
        read_vectors([tmp_path])
    for number, width in enumerate((2, 3)):
        column = pa.array([[0.5] * width], pa.list_(pa.float32(), width))
        pq.write_table(
            pa.table({"parcel": [f"{number}"], **known, "embedding": column}), tmp_path / f"{number}.parquet"
        )
    with pytest.raises(UnreadableFile, match="different encoders"):
        read_vectors([tmp_path / "0.parquet", tmp_path / "1.parquet"])
    with pytest.raises(UnreadableFile, match="different encoders"):
        read_vectors([tmp_path / "1.parquet"], read_vectors([tmp_path / "0.parquet"]))
    learnt = learnt_from(tmp_path / "no bundle", training, ())
    assert learnt.training is not None and learnt.training.vectors is None and len(learnt.problems) == 1


def test_a_row_for_each_parcel_and_date(good):
    run, texts, table = good
    rows = pq.read_table(run.file("descriptions"))
    assert rows.num_rows == table.num_rows == 24
    geo = json.loads(pq.ParquetFile(run.file("descriptions")).metadata.metadata[b"geo"])
    assert geo["primary_column"] == "geometry" and geo["version"].startswith("1.1")
    first = rows.to_pylist()[0]
    english, french = (next(one for one in texts if one.language == spoken) for spoken in ("en", "fr"))
    assert (first["text_en"], first["text_fr"]) == (english.text, french.text)
    assert json.loads(first["embedding"])[1:] == [first["image"], first["parcel"]]
    numbers = [one for one in first["claims"] if one["kind"] == "value" and one["index"] == "NDVI"]
    assert {one["language"] for one in numbers} == {"en", "fr"}
    for one in numbers:
        assert one["measured"] == pytest.approx(first["ndvi_mean"])
        assert abs(one["value"] - one["measured"]) <= 0.005 + 1e-9
        assert one["said"].replace(",", ".") == f"{one['value']:.2f}"
    assert first["repairs"] == 0 and first["abstained"] is False
    lines = [json.loads(line) for line in run.file("descriptions_lines").read_text("utf-8").splitlines()]
    assert len(lines) == 24 and lines[0]["geometry"]["type"] == "Polygon"
    assert lines[0]["text_fr"] == french.text


def test_the_page_shows_every_parcel_with_its_text(good):
    run, texts, _ = good
    page = run.file("report").read_text("utf-8")
    assert page.count("<article") == 24
    assert page.count("data:image/") == 2 * 24
    assert '<html lang="fr">' in page
    assert "<title>Parcelles de field-2021-07-21 et 1 de plus</title>" in page, "the run has the first image's name"
    assert page.index(' lang="fr">\n') < page.index('<p class="text other" lang="en">')
    claims = sum(len(sentence.findings) for one in texts for sentence in one.sentences)
    assert page.count('class="claim ') == claims + 3  # and three in the key


def test_a_text_about_nothing_measured_is_refused(good):
    _, texts, table = good
    with pytest.raises(InvalidSetting, match="nothing was measured of parcel elsewhere"):
        descriptions_table([replace(texts[0], parcel="elsewhere")], table)


def test_pictures_of_parcels(images):
    with open_scene(images[2], SETTINGS) as scene:
        parcels = read_parcels(None, scene.grid, SETTINGS, name=scene.name)
        drawn = thumbnails(scene, parcels.items)
        assert thumbnails(scene, []) == {}
    assert set(drawn) == {(parcel.name, scene.name) for parcel in parcels.items}
    corner = drawn["r000c000", scene.name]
    assert (corner.width, corner.height) == (20, 20)  # four pixels more where there is land
    assert corner.outline == "M0 0H16V16H0Z"
    middle = drawn["r001c001", scene.name]
    assert (middle.width, middle.height) == (24, 24) and middle.outline == "M4 4H20V20H4Z"


def test_pictures_of_polygons_have_their_outline(images, tmp_path):
    left, top = 500_000, 4_690_000
    ring = shapely.Polygon(
        [(left + 100, top - 100), (left + 300, top - 100), (left + 300, top - 250), (left + 100, top - 300)],
        [[(left + 150, top - 150), (left + 200, top - 150), (left + 200, top - 200)]],
    )
    feature = {"type": "Feature", "properties": {"name": "field"}, "geometry": shapely.geometry.mapping(ring)}
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32631"}}
    path = tmp_path / "fields.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "crs": crs, "features": [feature]}), "utf-8")
    with open_scene(images[1], SETTINGS) as scene:
        drawn = thumbnails(scene, read_parcels(path, scene.grid, SceneSettings()).items)
    outline = drawn["field", scene.name].outline
    assert outline.count("M") == 2 and outline.count("Z") == 2
    assert "M4.0 4.0" in outline or "L4.0 4.0" in outline
    truth = measured_again(Truth((images[1],), str(path), SceneSettings()))
    assert list(truth) == [("field", scene.name)]


def test_an_image_without_visible_bands_has_no_pictures(tmp_path):
    profile = {"driver": "GTiff", "count": 2, "dtype": "uint16", "photometric": "MINISBLACK"}
    profile |= {"height": 48, "width": 64, "crs": "EPSG:32631", "transform": GRID.transform}
    with rasterio.open(tmp_path / "Field_2021-07-21.tif", "w", **profile) as file:
        file.write(np.full((2, 48, 64), 2000, np.uint16))
        file.descriptions = ("B08", "B11")
    with open_scene(tmp_path / "Field_2021-07-21.tif", SETTINGS) as scene:
        assert thumbnails(scene, read_parcels(None, scene.grid, SETTINGS).items) == {}


def test_the_command_tells_the_verdict(bad, training, tmp_path, capsys):
    words = [
        "describe",
        "evaluate",
        str(bad[0].path),
        "--training",
        training,
        "--draws",
        "50",
        "-o",
        str(tmp_path / "e"),
    ]
    assert main(words) == 0
    out = capsys.readouterr().out
    assert "grammar told the truth" in out and "model, images swapped" in out
    assert "Not reached: smoke, held-out dates: hit@.05" in out
    assert main([*words, "--force", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["methods"]["model"]["dates/fr"]["texts"] == 24
    assert document["targets"] and document["failed"] is False
    assert open_run(tmp_path / "e").manifest.task == "describe-evaluate"
    assert main(["describe", "evaluate", str(tmp_path)]) != 0
    assert "holds no texts" in capsys.readouterr().err
