"""A describer that is trained here writes for its own evaluation: swapped, scaled, and told what it is worth."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import rasterio

from arpent.cli.app import main
from arpent.core import sensor
from arpent.engine import FitSettings
from arpent.language.grammar import compose, text
from arpent.models.describer_settings import LoraSettings, SmallModelSettings
from arpent.store import Place
from arpent.tasks.describe.encoding import Encoder
from arpent.tasks.describe.evaluate_settings import EvaluateSettings
from arpent.tasks.describe.evaluating import evaluate
from arpent.tasks.describe.judged_bundle import Brightened
from arpent.tasks.describe.measuring import measure
from arpent.tasks.describe.parcels import read_parcels
from arpent.tasks.describe.scene_settings import SceneSettings
from arpent.tasks.describe.scenes import open_scene
from arpent.tasks.describe.table import measured_of
from arpent.tasks.describe.train_settings import DescribeTrainSettings, HeldOutSettings, SmallLessonSettings
from arpent.tasks.describe.training import train_describer

DAYS = ("2022-05-02", "2022-06-01", "2022-07-01")
SETTINGS = SceneSettings(chip=30, place="country")


@pytest.fixture(scope="module")
def images(tmp_path_factory, country):
    folder = tmp_path_factory.mktemp("images")
    profile = {"driver": "GTiff", "count": 12, "dtype": "uint16", "photometric": "MINISBLACK"}
    profile |= {"height": 60, "width": 90, "crs": "EPSG:32631"}
    profile["transform"] = rasterio.Affine(10, 0, 500_000, 0, -10, 4_690_000)
    for number, day in enumerate(DAYS):
        pixels = country.stack(sensor("sentinel-2-l2a").band_names) * (1 + 0.1 * number)
        with rasterio.open(folder / f"country_{day}.tif", "w", **profile) as file:
            file.write(pixels.round().astype(np.uint16))
    return sorted(str(path) for path in folder.glob("*.tif"))


@pytest.fixture(scope="module")
def describer(images, tmp_path_factory):
    """The run of a training that is far too short to learn anything."""
    folder = tmp_path_factory.mktemp("school")
    encoder = Encoder.open("croma-tiny", random_init=True, seed=3, device="cpu")
    tables, tokens, lines = [], [], []
    for image in images:
        with open_scene(image, SETTINGS) as scene:
            parcels = read_parcels(None, scene.grid, SETTINGS, name=scene.name)
            tables.append(measure(scene, parcels))
            tokens.append(encoder.encode(scene, parcels))
        for row in tables[-1].to_pylist():
            key = {name: row[name] for name in ("parcel", "place", "image")} | {"taken": row["taken"].isoformat()}
            lines += [
                key | {"language": language, "seed": 0, "text": text(compose(measured_of(row), language))}
                for language in ("fr", "en")
            ]
    pq.write_table(pa.concat_tables(tables), folder / "table.parquet")
    pq.write_table(pa.concat_tables(tokens), folder / "embeddings.parquet")
    (folder / "captions.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines), "utf-8")
    settings = DescribeTrainSettings(
        table=str(folder / "table.parquet"),
        captions=str(folder / "captions.jsonl"),
        embeddings=str(folder / "embeddings.parquet"),
        base="small",
        small=SmallLessonSettings(
            model=SmallModelSettings(width=32, layers=1, heads=4, hidden=48, vocabulary=400), texts=32, batch_size=16
        ),
        lora=LoraSettings(rank=4, alpha=8),
        samples=16,
        held_out=HeldOutSettings(dates=(DAYS[2],)),
        fit=FitSettings(epochs=1, device="cpu"),
    )
    return train_describer(settings, Place(exact=folder / "run")).path


def asked(**more):
    return EvaluateSettings(chip=30, place="country", draws=50, changed=2, device="cpu", **more)


def test_a_describer_that_learnt_nothing_is_told_so(describer, images, tmp_path):
    done = evaluate(describer, Place(exact=tmp_path / "judged"), asked(), images=images[2:])
    assert done.judged.mode == "blind" and done.judged.items == 12
    assert done.judged.tallies["model"].splits == ("dates",)  # what the bundle says was held out
    assert set(done.judged.tallies) >= {"model", "permuted", "oracle", "constant", "nearest", "probe"}
    assert done.followed is not None and len(done.followed.scales) == 7 and done.followed.texts == 4
    assert done.followed.true == pytest.approx(sorted(done.followed.true))
    words = " ".join(done.words)
    assert "does not depend on the image" in words and "Not reached" in words
    assert any("drawn at random" in line for line in done.run.manifest.warnings)
    assert "slope" in {product.name for product in done.run.manifest.products}
    assert "When the pixels change" in done.run.file("report").read_text("utf-8")
    assert done.run.manifest.metrics["counterfactual_slope"] == done.followed.slope.value


def test_grounded_texts_are_mended_and_the_mending_is_counted(describer, images, tmp_path):
    settings = asked(mode="grounded", lang="en", counterfactual=False)
    done = evaluate(describer, Place(exact=tmp_path / "judged"), settings, images=images[2:])
    scores = done.judged.tallies["model"].scores(draws=1)
    assert scores["refused"] == 0 and scores["unsupported"] == 0
    assert done.failed  # nearly all of it is the grammar's, which is no success
    assert done.words[0].startswith("FAILED")
    assert done.judged.tallies["draft"].scores(draws=1)["hit05"] < 0.5
    assert done.followed is None


def test_scaling_the_infrared_moves_ndvi_and_nothing_else(images):
    with open_scene(images[0], SETTINGS) as scene:
        bright = Brightened(scene, 1.3)
        parcels = read_parcels(None, scene.grid, SETTINGS, name=scene.name)
        before, after = (measure(one, parcels).to_pylist() for one in (scene, bright))
        plain, scaled = scene.read(scene.grid.window), bright.read(scene.grid.window)
    for one, other in zip(before, after, strict=True):
        assert other["ndvi_mean"] > one["ndvi_mean"]
        assert other["mndwi_mean"] == one["mndwi_mean"]
    place = plain.bands.index("B08")
    assert np.allclose(scaled.pixels[place], 1.3 * plain.pixels[place])
    assert (np.delete(scaled.pixels, place, 0) == np.delete(plain.pixels, place, 0)).all()


def test_the_command_wants_images_for_a_describer(describer, images, tmp_path, capsys):
    assert main(["describe", "evaluate", str(describer)]) != 0
    assert "name the images" in capsys.readouterr().err
    words = ["describe", "evaluate", str(describer), images[2], "--chip", "30", "--place", "country", "--lang", "en"]
    words += ["--no-counterfactual", "--draws", "20", "--language", "fr", "-o", str(tmp_path / "e")]
    assert main(words) == 0
    assert "grammaire qui sait la vérité" in capsys.readouterr().out


def test_a_describer_answers_a_search_and_is_held_to_its_citations(describer, tmp_path, capsys):
    table = describer.parent / "table.parquet"
    words = [
        "describe",
        "search",
        "dense vegetation",
        "--in",
        table,
        "--index",
        tmp_path,
        "--answer",
        "--model",
        describer,
    ]
    assert main([str(word) for word in [*words, "--json"]]) == 0
    answered = json.loads(capsys.readouterr().out)["answer"]
    # It has learnt nothing, so nothing that it writes is borne by what it cites, and the grammar answers.
    assert answered["by"] == "grammar"
    assert all(one["cited"] for one in answered["statements"] if one["text"][-2:] == "].")
