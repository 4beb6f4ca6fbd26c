import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from arpent.core import Grid, Strip, nomenclature
from arpent.data import SampleIndex
from arpent.errors import BundleInvalid, ContractMismatch, DatasetError, EmptySplit, UnknownName
from arpent.io import CogWriter, RasterSpec, open_image
from arpent.models import load_bundle, save_bundle
from arpent.store import Place, open_run, verify
from arpent.tasks.landcover.evaluate_settings import EvaluateSettings
from arpent.tasks.landcover.evaluation import evaluate

QUICK = {"runtime": "torch", "device": "cpu", "patch": 256, "draws": 200}


@pytest.fixture(scope="module")
def evaluated(trained, commune_folder, tmp_path_factory):
    place = Place(exact=tmp_path_factory.mktemp("evaluated") / "run")
    return evaluate(trained.path, str(commune_folder / "index.csv"), place, EvaluateSettings(**QUICK, language="fr"))


def test_a_run_holds_all_figures_in_three_forms(evaluated):
    verify(open_run(evaluated.run.path))
    assert {one.name for one in evaluated.run.manifest.products} == {"scores", "classes", "confusion", "report"}
    document = json.loads(evaluated.run.file("scores").read_text("utf-8"))
    judged = evaluated.judged
    assert document["pixels"] == 4 * 256 * 256
    assert document["absent_excluded"]["miou"] == pytest.approx(judged.excluded.miou, abs=1e-6)
    assert document["absent_zero"]["miou"] < document["absent_excluded"]["miou"]
    assert document["intervals"]["over"] == "domains"
    low, high = document["intervals"]["miou"]
    assert low < judged.excluded.miou < high
    with evaluated.run.file("classes").open(encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == len(judged.classes) * (1 + len(judged.domains))
    water = next(line for line in lines if line["class"] == "water" and not line["domain"])
    shown = next(one for one in document["classes"] if one["class"] == "water")
    assert float(water["iou"]) == shown["iou"]
    assert int(water["truth_pixels"]) == shown["truth_pixels"] > 0
    apart = sum(int(line["truth_pixels"]) for line in lines if line["class"] == "water" and line["domain"])
    assert apart == shown["truth_pixels"]
    assert evaluated.run.manifest.metrics["absent-zero/miou"] == judged.zero.miou


def test_areas_are_corrected_for_the_errors_that_were_seen(evaluated):
    """Every pixel has a truth, so the corrected areas are those of the truth, on the ground."""
    document = json.loads(evaluated.run.file("scores").read_text("utf-8"))
    truth = {one["class"]: one["truth_pixels"] for one in document["classes"]}
    for name, found in document["areas_m2"].items():
        assert found["adjusted"] == pytest.approx(truth[name] * 0.04, rel=5e-3, abs=0.1), name
    total = sum(found["mapped"] for found in document["areas_m2"].values())
    assert total == pytest.approx(4 * (256 * 0.2) ** 2, rel=2e-3)


def test_the_page_stands_alone_and_speaks_french(evaluated):
    page = evaluated.run.file("report").read_text("utf-8")
    assert 'lang="fr"' in page
    assert 'src="data:image/png' in page and "http" not in page.split("</style>")[1].replace("http-equiv", "")
    for words in ("Matrice de confusion", "classes absentes exclues", "classes absentes à zéro", "surface corrigée"):
        assert words in page


def test_one_domain_gives_intervals_over_blocks_and_says_so(trained, commune_folder, tmp_path):
    lines = (commune_folder / "index.csv").read_text().splitlines()
    one = commune_folder / "one.csv"
    one.write_text("\n".join(lines[:2]) + "\n")
    settings = EvaluateSettings(**{**QUICK, "patch": 64}, ignore=("water",))
    done = evaluate(trained.path, str(one), Place(exact=tmp_path / "run"), settings)
    assert done.judged.drawn == "blocks"
    assert len(done.judged.found.blocks.by_domain) == 16
    assert np.isfinite(done.judged.intervals["accuracy"].low)
    assert "16 blocks of neighbouring pixels" in done.run.file("report").read_text("utf-8")
    assert json.loads(done.run.file("scores").read_text())["not_judged"] == ["water"]
    again = evaluate(trained.path, str(one), Place(exact=tmp_path / "again"), settings)
    assert again.judged.intervals == done.judged.intervals


def test_masks_may_be_written_in_another_code_list(trained, commune_folder, tmp_path):
    """The same truth in CoSIA's numbers gives the same figures, if one says so."""
    classes = nomenclature("commune")
    row = (commune_folder / "index.csv").read_text().splitlines()
    columns = dict(zip(row[0].split(","), row[1].split(","), strict=True))
    with open_image(commune_folder / columns["mask"]) as reader:
        truth, grid = reader.read(reader.grid.window).pixels, reader.grid
    table = np.zeros(256, np.uint8)
    for entry in classes.classes:
        table[entry.id] = entry.numbers("cosia")[0]
    with CogWriter(tmp_path / "cosia.tif", RasterSpec(grid, ("class",), "uint8", 0)) as writer:
        writer.write(Strip(0, table[truth]))
    found = {}
    for name, mask in (("plain", commune_folder / columns["mask"]), ("cosia", tmp_path / "cosia.tif")):
        index = tmp_path / f"{name}.csv"
        index.write_text(f"image,mask\n{commune_folder / columns['image']},{mask}\n")
        codes = "" if name == "plain" else name
        settings = EvaluateSettings(**QUICK, truth_codes=codes)
        found[name] = evaluate(trained.path, str(index), Place(exact=tmp_path / name), settings).judged
    assert found["plain"].found.matrix == found["cosia"].found.matrix
    with pytest.raises(DatasetError, match=r"no class of commune \(found 14 .*--truth-codes"):
        evaluate(trained.path, str(tmp_path / "cosia.csv"), Place(exact=tmp_path / "wrong"), EvaluateSettings(**QUICK))
    assert not (tmp_path / "wrong").exists()


def test_what_cannot_be_judged_is_refused_and_leaves_nothing(trained, commune_folder, tmp_path):
    index, place = str(commune_folder / "index.csv"), Place(exact=tmp_path / "run")
    with pytest.raises(UnknownName, match="code list"):
        evaluate(trained.path, index, place, EvaluateSettings(**QUICK, truth_codes="hubs"))
    with pytest.raises(UnknownName, match="class"):
        evaluate(trained.path, index, place, EvaluateSettings(**QUICK, ignore=("watre",)))
    with pytest.raises(EmptySplit):
        evaluate(trained.path, index, place, EvaluateSettings(**QUICK, split="test"))
    bundle = load_bundle(trained.path / "model.safetensors")
    other = save_bundle(
        tmp_path / "other.safetensors", bundle.model, bundle.contract.model_copy(update={"task": "change"})
    )
    with pytest.raises(BundleInvalid, match="no land-cover model"):
        evaluate(other, index, place, EvaluateSettings(**QUICK))
    spec = RasterSpec(Grid(64, 64), ("red", "green", "blue", "nir"), "uint16")
    with CogWriter(tmp_path / "deep.tif", spec) as writer:
        writer.write(Strip(0, np.random.default_rng(0).integers(1, 2000, (4, 64, 64), np.uint16)))
    with CogWriter(tmp_path / "mask.tif", RasterSpec(Grid(64, 64), ("class",), "uint8")) as writer:
        writer.write(Strip(0, np.full((1, 64, 64), 0, np.uint8)))
    deep = tmp_path / "deep.csv"
    deep.write_text("image,mask\ndeep.tif,mask.tif\n")
    with pytest.raises(ContractMismatch, match=r"uint16.*norma-target"):
        evaluate(trained.path, str(deep), place, EvaluateSettings(**QUICK))
    with pytest.raises(DatasetError, match="has a truth"):
        evaluate(trained.path, str(deep), place, EvaluateSettings(**QUICK, normalise="norma-target"))
    assert not (tmp_path / "run").exists()


def test_images_of_no_place_are_judged_without_areas(trained, tmp_path):
    spec = RasterSpec(Grid(64, 64), ("red", "green", "blue", "nir"), "uint16")
    with CogWriter(tmp_path / "deep.tif", spec) as writer:
        writer.write(Strip(0, np.random.default_rng(0).integers(1, 2000, (4, 64, 64), np.uint16)))
    with CogWriter(tmp_path / "mask.tif", RasterSpec(Grid(64, 64), ("class",), "uint8")) as writer:
        writer.write(Strip(0, np.full((1, 64, 64), 5, np.uint8)))
    (tmp_path / "deep.csv").write_text("image,mask\ndeep.tif,mask.tif\n")
    settings = EvaluateSettings(**QUICK, normalise="norma-01", bits=11)
    done = evaluate(trained.path, str(tmp_path / "deep.csv"), Place(exact=tmp_path / "run"), settings)
    assert done.judged.adjusted is None
    assert done.judged.areas[0].square_metres is None
    assert "areas are not corrected" in done.run.file("report").read_text("utf-8")


def test_images_far_from_training_are_warned_of_with_the_numbers(trained, commune_folder, evaluated, tmp_path):
    assert not any("est loin" in line for line in evaluated.run.manifest.warnings)
    rows = []
    for number, sample in enumerate(SampleIndex.read(commune_folder / "index.csv")):
        with open_image(sample.image) as reader:
            block, grid = reader.read(reader.grid.window), reader.grid
        path = tmp_path / f"dark{number}.tif"
        with CogWriter(path, RasterSpec(grid, block.bands, "uint8")) as writer:
            writer.write(Strip(0, block.pixels // 8 + 1))
        rows.append(replace(sample, image=str(path)))
    dark = SampleIndex(rows, "dark").write(tmp_path / "dark.csv")
    settings = EvaluateSettings(**QUICK, language="fr")
    judged = evaluate(trained.path, str(dark), Place(exact=tmp_path / "run"), settings)
    (line,) = judged.run.manifest.warnings
    assert line.startswith("attention : ") and "est loin des images d’entraînement (test)" in line
    own = settings.model_copy(update={"normalise": "norma-target"})
    assert not evaluate(trained.path, str(dark), Place(exact=tmp_path / "own"), own).run.manifest.warnings


def test_a_model_is_said_to_be_flattered_by_what_it_has_learnt_from(trained, evaluated, commune_folder, tmp_path):
    """Under other names too; not by images that the index sets apart, which training has not learnt from."""
    assert any("4 des 4 images" in line for line in evaluated.run.manifest.warnings)
    sample = SampleIndex.read(commune_folder / "index.csv").samples[0]
    renamed = tmp_path / "renamed.tif"
    renamed.write_bytes(Path(sample.image).read_bytes())

    def warned(name, model=trained.path, **changes):
        index = SampleIndex([replace(sample, **changes)], name).write(tmp_path / f"{name}.csv")
        place = Place(exact=tmp_path / name)
        return evaluate(model, str(index), place, EvaluateSettings(**QUICK)).run.manifest.warnings

    assert "1 of the 1 images" in warned("copy", image=str(renamed))[0]
    assert not warned("apart", split="test")
    alone = tmp_path / "alone.safetensors"
    alone.write_bytes(trained.file("model").read_bytes())
    assert "no run beside the model" in warned("untold", model=alone)[0]
