"""The transfer study and label budgets, on a tiny pair of cameras."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import rasterio

from arpent.core import ClassMap, Strip, nomenclature
from arpent.data import SampleIndex
from arpent.engine import FitSettings, OptimiserSettings
from arpent.errors import BundleInvalid, DatasetError, EmptySplit, Interrupted, InvalidSetting, SplitLeak
from arpent.io import CogWriter, RasterSpec, open_image
from arpent.models import Bundle, load_bundle, save_bundle
from arpent.store import Place, RunFolder, bundle_in, open_run, verify
from arpent.tasks.landcover import LandcoverSettings, TrainSettings, transfer_report
from arpent.tasks.landcover.budget import budget, subsets_of
from arpent.tasks.landcover.examples import choose, example_tiles
from arpent.tasks.landcover.outcomes import Outcome, Study
from arpent.tasks.landcover.survey import survey
from arpent.tasks.landcover.transfer import transfer
from arpent.tasks.landcover.transfer_report import write_report
from arpent.tasks.landcover.transfer_settings import BudgetSettings, TransferSettings
from arpent.tasks.landcover.trials import Ground, Mapper, Trials
from arpent.testing.simulation import Simulation, simulate

BANDS = ("red", "green", "blue", "nir", "red_edge", "deep_blue")


@pytest.fixture(scope="module")
def neo(tmp_path_factory):
    """Five places of Pléiades Neo with their sides."""
    folder = tmp_path_factory.mktemp("neo")
    simulate(folder, Simulation(sensor=("pleiades-neo",), size=64, scenes=5, seed=4))
    index = SampleIndex.read(folder / "index.csv").with_splits(["train", "train", "train", "val", "test"])
    return index.write(folder / "sides.csv")


@pytest.fixture(scope="module")
def target(neo):
    return TrainSettings(
        index=str(neo),
        name="neo",
        task=LandcoverSettings(bands=BANDS, network={"widths": [8, 16]}),
        patch=32,
        batch_size=4,
        workers=0,
        fit=FitSettings(epochs=2, best="miou", device="cpu", optimiser=OptimiserSettings(rate=0.01)),
    )


@pytest.fixture(scope="module")
def settings(target, tmp_path_factory):
    """A study that trains its own source model."""
    folder = tmp_path_factory.mktemp("ortho")
    simulate(folder, Simulation(sensor=("bd-ortho",), size=64, scenes=2, seed=5))
    index = SampleIndex.read(folder / "index.csv").with_splits(["train", "val"]).write(folder / "sides.csv")
    source = target.model_copy(
        update={"index": str(index), "name": "ortho", "task": LandcoverSettings(network={"widths": [8, 16]})}
    )
    return TransferSettings(
        target=target,
        source=source,
        normalisations=("norma-source", "norma-target"),
        strategies=("app-scratch", "ft-initialisation"),
        tuned=("norma-target",),
        examples=1,
        judged_patch=64,
    )


@pytest.fixture(scope="module")
def studied(settings, tmp_path_factory):
    return transfer(settings, Place(exact=tmp_path_factory.mktemp("study") / "run"))


@pytest.fixture(scope="module")
def start(studied):
    """The source model that the study has trained."""
    return str(studied.run.path / "source")


NAMES = [
    "source",
    "direct-norma-source",
    "direct-norma-target",
    "app-scratch-norma-target",
    "ft-initialisation-norma-target",
]


def test_the_study_has_a_row_for_everything_that_was_tried(studied):
    assert [one.name for one in studied.study.outcomes] == NAMES
    document = json.loads(studied.run.file("study").read_text())
    assert [row["name"] for row in document["outcomes"]] == NAMES
    pixels = {sum(map(sum, row["counts"])) for row in document["outcomes"][1:]}
    assert pixels == {64 * 64}
    tuned = document["outcomes"][-1]
    base = next(row for row in document["outcomes"] if row["name"] == document["baseline"])
    assert tuned["gain"] == pytest.approx(tuned["miou"] - base["miou"])
    assert tuned["miou_zero"] <= tuned["miou"]
    assert 1 <= tuned["epochs"] <= tuned["trained"] == 2
    assert [epoch["number"] for epoch in tuned["history"]] == [1, 2]
    assert document["outcomes"][0]["gain"] is None


def test_the_source_is_judged_on_nothing_that_it_has_learnt_from(settings, start, tmp_path):
    simulate(tmp_path / "ortho", Simulation(sensor=("bd-ortho",), size=64, scenes=5, seed=5))
    index = SampleIndex.read(tmp_path / "ortho" / "index.csv")
    assert not any(sample.split for sample in index)
    own = settings.source.model_copy(update={"index": str(tmp_path / "ortho" / "index.csv")})
    (held,) = survey(own).val
    changes = {"start": start, "strategies": (), "examples": 0, "language": "fr"}
    done = transfer(settings.model_copy(update={**changes, "source": own}), Place(exact=tmp_path / "run"))
    assert list(done.study.outcome("source").domains) == [held.domain]
    assert "sur son propre capteur (validation)" in done.run.file("report").read_text("utf-8")
    learnt = index.with_splits(["train"] * 5).write(tmp_path / "learnt.csv")
    nothing = settings.model_copy(update={**changes, "source": own.model_copy(update={"index": str(learnt)})})
    with pytest.raises(EmptySplit, match="'val'"):
        transfer(nothing, Place(exact=tmp_path / "none"))
    assert not (tmp_path / "none").exists()


def test_direct_inference_on_images_far_from_training_is_warned_of(studied):
    """Twelve bits, normalised by the statistics of bytes; by their own statistics they are near."""
    far = [line for line in studied.run.manifest.warnings if " is far from " in line]
    assert [line.split(": ")[0] for line in far] == ["norma-source"]
    assert not any("pixels of the target" in line for line in studied.run.manifest.warnings)  # 30 cm are 1.5 times 20


def test_every_training_is_a_run_of_its_own_and_all_belong_to_the_study(studied):
    verify(open_run(studied.run.path / "source"))
    for name in NAMES[3:]:
        own = open_run(studied.run.path / name)
        verify(own)
        assert load_bundle(own.file("model")).contract.band_names == BANDS
    verify(studied.run)
    listed = {record.file for record in studied.run.manifest.files()}
    assert "ft-initialisation-norma-target/manifest.json" in listed


class Addresses(HTMLParser):
    def __init__(self, html):
        super().__init__()
        self.found = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.found += [value for name, value in attrs if name in ("src", "href", "srcset")]


def test_the_page_stands_alone_and_speaks_both_languages(studied, tmp_path):
    html = studied.run.file("report").read_text("utf-8")
    assert all(address.startswith(("data:", "#")) for address in Addresses(html).found)
    assert "<h2>Examples</h2>" in html
    write_report(studied.study, tmp_path, language="fr")
    french = (tmp_path / "report.html").read_text("utf-8")
    assert "Étude de transfert" in french
    assert "modèle source, sur son propre capteur" in french
    assert "Learning curves" not in french


def test_a_french_study_is_french_throughout(settings, start, tmp_path, monkeypatch):
    """Pictures included, and what its trainings say of the classes that they never see."""
    spoken = []
    for name in ("class_bars", "confusion", "courses", "tiles"):
        drawing = getattr(transfer_report, name)

        def told(*args, drawing=drawing, **kwargs):
            spoken.append(kwargs.get("language"))
            return drawing(*args, **kwargs)

        monkeypatch.setattr(transfer_report, name, told)
    changes = {"start": start, "source": None, "language": "fr", "strategies": ("ft-finetune-head",)}
    done = transfer(settings.model_copy(update=changes), Place(exact=tmp_path / "run"))
    assert set(spoken) == {"fr"} and len(spoken) >= 4
    own = open_run(tmp_path / "run" / "ft-finetune-head-norma-target").manifest
    warnings = (*done.run.manifest.warnings, *own.warnings)
    assert warnings and all("attention" in line for line in warnings)
    html = done.run.file("report").read_text("utf-8")
    assert "{" not in html[html.index("Comment cela a été fait") :].split("</table>")[0]
    assert "à zéro" in html and "poids" in html


def test_examples_are_read_as_they_are_judged(start, neo, tmp_path):
    """Masks in another code list, on a grid of their own: the same truth; and no class that is never predicted."""
    plain = SampleIndex.read(neo).of_split("test")
    bundle = load_bundle(Path(start) / "model.safetensors")
    mapper = Mapper(bundle, bundle.contract.normalisations)
    classes = nomenclature("commune")
    with open_image(plain[0].mask) as mask:
        truth = mask.read(mask.grid.window)
    folder = tmp_path / "finer"
    fine = truth.grid.rescaled(0.5)
    table = np.zeros(256, np.uint8)
    for one in classes.classes:
        table[one.id] = one.numbers("hub")[0]
    with CogWriter(folder.with_suffix(".tif"), RasterSpec(fine, ("class",), "uint8", nodata=255)) as writer:
        writer.write(Strip(0, table[truth.pixels].repeat(2, axis=1).repeat(2, axis=2)))
    finer = SampleIndex([replace(plain[0], mask=str(folder.with_suffix(".tif")))], "finer")
    (ref,) = choose(finer, mapper, 1, "hub")
    (tile,) = example_tiles([ref], "truth", {"direct": mapper}, "hub")
    assert np.array_equal(tile.maps["truth"].pixels, truth.pixels[:, :160, :160])
    gone = int(np.bincount(tile.maps["direct"].pixels.ravel()).argmax())
    kept = tuple(one.model_copy(update={"active": one.id != gone}) for one in classes.classes)
    told = {"classes": ClassMap(name="fewer", classes=kept, nodata=classes.nodata)}
    quiet = Bundle(bundle.model, bundle.contract.model_copy(update=told))
    (again,) = example_tiles([ref], "truth", {"direct": Mapper(quiet, mapper.rule)}, "hub")
    assert gone not in again.maps["direct"].pixels


def test_both_policies_for_absent_classes_are_told_apart():
    classes = nomenclature("commune")
    counts = [[0] * len(classes) for _ in classes.classes]
    counts[0][0], counts[1][1], counts[1][0] = 90, 50, 50
    one = Outcome.model_validate({"name": "d", "kind": "direct", "normalise": "norma-01", "counts": counts})
    assert one.figures.miou == pytest.approx(50 * (90 / 140 + 50 / 100))
    assert one.figures.miou_zero == pytest.approx(one.figures.miou * 2 / len(classes))
    assert one.figures.accuracy == pytest.approx(100 * 140 / 190)
    assert Study("s", classes, [one], "d").gain(one) is None


KILLED = """
import os, signal, sys
from pathlib import Path
from arpent.engine import training
from arpent.store import Place
from arpent.tasks.landcover.transfer import transfer
from arpent.tasks.landcover.transfer_settings import TransferSettings

keep = training._Trainer._end_epoch
done = []

def end(self, *args, **kwargs):
    keep(self, *args, **kwargs)
    done.append(1)
    if len(done) == 3:
        os.kill(os.getpid(), signal.SIGKILL)

training._Trainer._end_epoch = end
wish, folder = map(Path, sys.argv[1:])
transfer(TransferSettings.model_validate_json(wish.read_text()), Place(exact=folder))
"""


def test_killed_in_its_second_training_the_study_goes_on_and_ends_the_same(settings, studied, start, tmp_path):
    settings = settings.model_copy(update={"start": start, "source": None, "examples": 0})
    wish, folder = tmp_path / "settings.json", tmp_path / "run"
    wish.write_text(settings.model_dump_json(exclude_unset=True))
    done = subprocess.run([sys.executable, "-c", KILLED, wish, folder], env=dict(os.environ), capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    first = folder / NAMES[3] / "model.safetensors"
    assert not (folder / "manifest.json").exists()
    before = first.stat().st_mtime_ns
    again = transfer(settings, Place(exact=folder, resume=True))
    assert first.stat().st_mtime_ns == before
    for one in again.study.outcomes:
        assert one.counts == studied.study.outcome(one.name).counts
    verify(again.run)


def test_force_makes_the_study_anew(settings, start, tmp_path):
    changes = {"start": start, "source": None, "strategies": ("ft-finetune-head",), "examples": 0}
    small = settings.model_copy(update=changes)
    folder = tmp_path / "run"
    first = transfer(small, Place(exact=folder))
    made = (folder / "ft-finetune-head-norma-target" / "manifest.json").stat().st_mtime_ns
    again = transfer(small, Place(exact=folder, force=True))
    assert (folder / "ft-finetune-head-norma-target" / "manifest.json").stat().st_mtime_ns > made
    assert again.study.outcomes[-1].counts == first.study.outcomes[-1].counts
    verify(again.run)


def test_what_cannot_be_studied_is_refused_before_anything_is_made(settings, neo, tmp_path):
    place = Place(exact=tmp_path / "run")
    with pytest.raises(InvalidSetting, match="no source model"):
        transfer(settings.model_copy(update={"start": "", "source": None}), place)
    with pytest.raises(InvalidSetting, match="not tried"):
        transfer(settings.model_copy(update={"normalisations": ("norma-source",)}), place)
    index = SampleIndex.read(neo)
    sides = index.with_splits(["train", "train", "train", "val", None]).write(neo.parent / "none.csv")
    with pytest.raises(EmptySplit, match="test"):
        transfer(_with_index(settings, sides), place)
    twice = SampleIndex((*index, index[0]), "twice").with_splits(["train", "train", "train", "val", "test", "test"])
    with pytest.raises(SplitLeak):
        transfer(_with_index(settings, twice.write(neo.parent / "leak.csv")), place)
    assert not (tmp_path / "run").exists()


def _with_index(settings, index):
    return settings.model_copy(update={"target": settings.target.model_copy(update={"index": str(index)})})


def test_the_published_protocol_deep_pixels_become_bytes_and_then_every_normalisation(settings, start, tmp_path):
    target = settings.target.model_copy(update={"to_bytes": "percentile"})
    ways = {"normalisations": ("norma-01", "norma-source", "norma-target"), "strategies": (), "examples": 0}
    wish = settings.model_copy(update={"target": target, "source": None, "start": start, **ways})
    source = load_bundle(Path(start) / "model.safetensors")
    coarse = source.contract.model_copy(update={"gsd": 10.0})
    model = save_bundle(tmp_path / "coarse.safetensors", source.model, coarse)
    done = transfer(wish.model_copy(update={"start": str(model)}), Place(exact=tmp_path / "run"))
    told = done.run.manifest.warnings
    assert any("pixels of the target are 30" in line and "10" in line for line in told)
    assert [one.normalise for one in done.study.outcomes] == list(ways["normalisations"])
    deep = settings.source.model_copy(update={"index": target.index})
    with pytest.raises(InvalidSetting, match="not of bytes"):
        transfer(wish.model_copy(update={"start": "", "source": deep}), Place(exact=tmp_path / "none"))
    assert not (tmp_path / "none").exists()


def test_a_setting_of_the_target_that_the_study_overrules_is_refused(target):
    for one, name in (("spectral", "stem"), ("norma-01", "normalise")):
        given = target.model_copy(update={name: one})
        with pytest.raises(InvalidSetting, match=f"'target.{name}' would be overruled"):
            TransferSettings(target=given, start="x")
        with pytest.raises(InvalidSetting, match=f"'target.{name}' would be overruled"):
            BudgetSettings(target=given, start="x")
    assert TransferSettings(target=target.model_copy(update={"stem": "copy"}), start="x", stem="copy").stem == "copy"


def test_a_model_of_other_classes_is_refused(settings, start, tmp_path):
    task = settings.target.task.model_copy(update={"classes": "flair-19"})
    changes = {"start": start, "target": settings.target.model_copy(update={"task": task})}
    other = settings.model_copy(update=changes)
    with pytest.raises(BundleInvalid, match="different classes"):
        transfer(other, Place(exact=tmp_path / "run"))


def test_budgets_are_nested_and_told_in_km2_and_domains(target, start):
    wish = BudgetSettings(target=target, start=start, areas=(0.0009, 0.0003), domains=(2, 3, 1), block=10.0)
    subsets = subsets_of(wish, SampleIndex.read(target.index).of_split("train"))
    assert [one.name for one in subsets] == ["area-0.0009", "area-0.0003", "domains-3", "domains-2", "domains-1"]
    for larger, smaller in ((0, 1), (2, 3), (3, 4)):
        names = [{(one.name, one.window) for one in subsets[k].samples} for k in (larger, smaller)]
        assert names[1] < names[0]
    assert subsets[0].area == pytest.approx(0.0009, abs=60e-6)
    assert subsets[2].area == pytest.approx(3 * (64 * 0.3) ** 2 / 1e6, rel=0.01)
    again = subsets_of(wish.model_copy(update={"seed": 5}), SampleIndex.read(target.index).of_split("train"))
    assert {one.name for one in again[1].samples} != {one.name for one in subsets[1].samples}
    for wrong, words in (
        ({"areas": (1.0,)}, "km²"),
        ({"domains": (4,)}, "domains"),
        ({"areas": (), "domains": ()}, "no budget"),
    ):
        with pytest.raises(InvalidSetting, match=words):
            subsets_of(wish.model_copy(update={"areas": (), **wrong}), SampleIndex.read(target.index).of_split("train"))


def test_a_budget_gives_a_table_and_charts_with_scratch_beside(target, start, tmp_path):
    wish = BudgetSettings(target=target, start=start, areas=(0.0005,), domains=(2,), block=10.0)
    wish = wish.model_copy(update={"judged_patch": 64})
    done = budget(wish, Place(exact=tmp_path / "run"))
    with done.run.file("budget").open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    assert [(row["kind"], row["strategy"]) for row in rows] == [
        ("area", "ft-initialisation"),
        ("area", "app-scratch"),
        ("domains", "ft-initialisation"),
        ("domains", "app-scratch"),
    ]
    assert [row["domains"] for row in rows[2:]] == ["2", "2"]
    assert all(0 <= float(row["miou"]) <= float(row["accuracy"]) + 100 for row in rows)
    assert {"area", "domains", "samples-area-0.0005"} <= {product.name for product in done.run.manifest.products}
    verify(done.run)
    assert Path(done.run.path / "ft-initialisation-domains-2" / "manifest.json").exists()


def stopped(*args, **kwargs):
    raise Interrupted("stopped by a test", cure="Go on.")


def test_a_study_does_not_go_on_with_another_source_model(settings, start, tmp_path, monkeypatch):
    """Its rows would be of two models."""
    bundle = load_bundle(Path(start) / "model.safetensors")
    model = save_bundle(tmp_path / "start.safetensors", bundle.model, bundle.contract)
    given = settings.model_copy(update={"start": str(model), "source": None})
    with monkeypatch.context() as patched:
        patched.setattr("arpent.tasks.landcover.trials.Trials.direct", stopped)
        with pytest.raises(Interrupted):
            transfer(given, Place(exact=tmp_path / "run"))
    model.unlink()
    save_bundle(model, bundle.model, bundle.contract.model_copy(update={"metrics": {"miou": 1.0}}))
    with pytest.raises(InvalidSetting, match=r"the model that .* began with have changed"):
        transfer(given, Place(exact=tmp_path / "run", resume=True))


def _renumbered(neo, folder, change):
    """The index of another folder, in which the numbers of the masks are others."""
    rows = []
    for number, sample in enumerate(SampleIndex.read(neo)):
        with rasterio.open(sample.mask) as mask:
            profile, numbers = mask.profile | {"driver": "GTiff", "nodata": None}, mask.read()
        made = folder / f"mask_{number}.tif"
        with rasterio.open(made, "w", **profile) as target:
            target.write(change(numbers, sample.split))
        rows.append(replace(sample, mask=str(made)))
    return str(SampleIndex(rows, "renumbered").write(folder / "index.csv"))


def test_test_images_are_judged_by_the_code_list_of_their_masks_without_what_is_ignored(target, start, neo, tmp_path):
    classes = nomenclature("commune")
    table = np.full(256, 255, np.uint8)
    for one in classes.classes:
        table[one.id] = one.numbers("hub")[0]
    task = target.task.model_copy(update={"codes": "hub", "ignore": ("coniferous",)})
    masks = _renumbered(neo, tmp_path, lambda numbers, side: table[numbers])
    found = {}
    for name, own in (("plain", target), ("hub", target.model_copy(update={"index": masks, "task": task}))):
        with RunFolder.create(tmp_path / name, "study", name, exact=True) as run:
            trials = Trials(run, Ground.of(own), bundle_in(Path(start)), patch=64)
            found[name] = trials.direct(own, "norma-target")
            run.abandon()
    assert found["hub"].counts == found["plain"].counts
    conifers = classes.index_of("coniferous")
    assert (found["plain"].left_out, found["hub"].left_out) == ((), (conifers,))
    assert np.isnan(found["hub"].iou[conifers])


def test_classes_that_are_never_predicted_are_not_counted_as_errors():
    """All that a perfect model can answer is right, though a fifth of the truth is of a class that it never gives."""
    counts = ((40, 0, 0), (0, 40, 0), (10, 10, 0))
    one = Outcome.model_validate(
        {"name": "d", "kind": "direct", "normalise": "norma-01", "counts": counts, "left_out": (2,)}
    )
    assert (one.figures.accuracy, one.figures.miou, one.figures.miou_zero) == (100, 100, 100)
    study = Study("s", nomenclature("commune").keep((1, 3, 4), "three"), [one], "d")
    assert study.shares.tolist() == [0.5, 0.5, 0]


def test_test_masks_with_numbers_of_no_class_are_refused_before_anything_is_trained(settings, neo, tmp_path):
    strange = _renumbered(neo, tmp_path, lambda numbers, side: np.full_like(numbers, 99) if side == "test" else numbers)
    with pytest.raises(DatasetError, match=r"no class of commune \(found 99 \(4096 pixels\)"):
        transfer(_with_index(settings, strange), Place(exact=tmp_path / "run"))
    blank = _renumbered(neo, tmp_path, lambda numbers, side: numbers * (side != "test"))
    with pytest.raises(DatasetError, match="no test pixel has a truth to be judged by"):
        transfer(_with_index(settings, blank), Place(exact=tmp_path / "run"))
    assert not (tmp_path / "run").exists()
