"""Maps of change against the truth, on runs made by hand whose figures can be computed over every pixel."""

import json

import numpy as np
import pytest

from arpent.core import Grid, Strip
from arpent.errors import BandMismatch, DatasetError, FileMissing, InvalidSetting, UnknownName
from arpent.io import CogWriter, RasterSpec, open_image
from arpent.pixels import Quality
from arpent.store import Place, RunFolder
from arpent.tasks.change.evaluating import EvaluateSettings, evaluate
from arpent.testing.simulation import CHANGES

HEIGHT, WIDTH = 70, 60
GRID = Grid.north_up(500_000, 5_000_000, 30, HEIGHT, WIDTH, 32631)
BANDS = ("blue", "red")


def write(path, pixels, grid=GRID, bands=("value",), nodata=None, classes=None):
    with CogWriter(path, RasterSpec(grid, bands, str(pixels.dtype), nodata, classes)) as writer:
        writer.write(Strip(0, pixels))
    return path


def scene(seed=0):
    """Truth, probabilities that know it a little, quality with clouds, and two images."""
    rng = np.random.default_rng(seed)
    truth = np.zeros((HEIGHT, WIDTH), np.uint8)
    truth[10:25, 8:20], truth[40:60, 30:50] = 1, 3
    chance = np.clip(rng.normal(0.25 + 0.35 * (truth > 0), 0.15), 0, 1).astype(np.float32)
    quality = np.zeros((HEIGHT, WIDTH), np.uint8)
    quality[20:30] = Quality.CLOUD
    before = rng.integers(1000, 1400, (2, HEIGHT, WIDTH)).astype(np.int16)
    after = before + rng.integers(-300, 300, before.shape).astype(np.int16) + 200 * (truth > 0).astype(np.int16)
    return truth, chance, quality, before, after


@pytest.fixture
def run(tmp_path):
    truth, chance, quality, before, after = scene()
    write(tmp_path / "truth.tif", truth[None], classes=CHANGES, nodata=255, bands=("event",))
    images = [write(tmp_path / f"{name}.tif", image, bands=BANDS) for name, image in (("a", before), ("b", after))]
    with RunFolder.create(tmp_path / "run", "change", "pair", exact=True) as made:
        for role, image in zip(("before", "after"), images, strict=True):
            made.add_input(image, role=role)
        gap = chance.copy()
        gap[0, :7] = -100
        for name, pixels, nodata in (
            ("change_probability", gap, -100),
            ("cosine_map", 1 - 1.5 * chance, -100),
            ("quality_fmask", quality, 255),
        ):
            made.publish(write(made.scratch / f"{name}.tif", pixels[None], nodata=nodata), kind="raster")
        made.finish()
    return tmp_path / "run"


def judged(run, out="out", truth="truth.tif", **settings):
    return evaluate(run, run.parent / truth, Place(exact=run.parent / out), EvaluateSettings(draws=50, **settings))


def plain(score, truth, keep):
    """F1 at every threshold, over every pixel."""
    score, changed = score[keep], truth[keep] > 0
    found = {}
    for threshold in np.unique(score):
        said = score >= threshold
        found[threshold] = 2 * (said & changed).sum() / (said.sum() + changed.sum())
    return max(found.values())


def test_figures_equal_those_over_every_pixel(run):
    truth, chance, quality, before, after = scene()
    keep = quality == 0
    keep[0, :7] = False
    done = judged(run)
    assert done.layer == "change_probability" and done.own is None
    assert done.best.f1 == pytest.approx(plain(chance, truth, keep), abs=3e-3)
    changed = truth > 0
    above = chance[keep & changed][:, None] > chance[keep & ~changed][None]
    assert done.roc_auc == pytest.approx(above.mean(), abs=2e-3)
    vector = np.sqrt(((after.astype(float) - before) ** 2).sum(axis=0))
    assert done.baselines["change vector"].f1 == pytest.approx(plain(vector, truth, keep), abs=3e-3)
    red = np.abs(after[1].astype(float) - before[1])
    assert done.baselines["band red"].f1 == pytest.approx(plain(red, truth, keep), abs=3e-3)
    at = done.best.threshold
    expected = {name: (chance[keep & (truth == kind)] >= at).mean() for kind, name in ((1, "fire"), (3, "flood"))}
    assert dict(done.recall_by_kind) == pytest.approx(expected)
    tally = done.tally
    assert (tally.pixels, tally.unscored, tally.unknown) == (HEIGHT * WIDTH, 7, 0)
    assert tally.excluded == 10 * WIDTH and tally.counted == keep.sum()


def test_everything_is_kept_in_a_run(run):
    done = judged(run)
    names = {product.name for product in done.run.manifest.products}
    assert names == {"errors", "curves", "preview"}
    metrics = done.run.manifest.metrics
    assert metrics["f1"] == done.best.f1 and metrics["f1/low"] <= metrics["f1"] <= metrics["f1/high"]
    assert metrics["recall/fire"] == done.recall_by_kind["fire"] and 0 < metrics["ece"] < 1
    assert metrics["baseline/change vector/f1"] == done.baselines["change vector"].f1
    assert metrics["excluded"] == pytest.approx(10 * WIDTH / (HEIGHT * WIDTH))
    assert {one.role for one in done.run.manifest.inputs} == {"truth", "map"}
    with open_image(done.run.file("errors")) as image:
        outcome = image.read(image.grid.window)
    counts = np.bincount(outcome.pixels[0][outcome.valid], minlength=4)
    best = done.best
    assert counts[:4].tolist() == [best.quiet, best.hits, best.misses, best.alarms]


def test_intervals_hold_the_figure(run):
    done = judged(run, block=10)
    assert set(done.intervals) == {"f1", "iou", "precision", "recall", "roc_auc", "average_precision"}
    for name in ("f1", "iou", "precision", "recall"):
        one = done.intervals[name]
        assert one.value == pytest.approx(getattr(done.best, name)) and one.low < one.value < one.high
    assert done.intervals["roc_auc"].value == pytest.approx(done.roc_auc, abs=5e-3)


def test_without_a_probability_the_cosine_is_judged(run, tmp_path):
    truth, chance, *_ = scene()
    with RunFolder.create(tmp_path / "plain", "change", "pair", exact=True) as made:
        made.publish(write(made.scratch / "cosine_map.tif", (1 - 1.5 * chance)[None], nodata=-100), kind="raster")
        made.finish()
    done = judged(tmp_path / "plain", exclude=(), baselines=False)
    assert done.layer == "cosine_map" and done.reliability is None and not done.baselines
    assert done.best.f1 == pytest.approx(plain(chance, truth, np.ones_like(chance, bool)), abs=3e-3)


def test_either_layer_can_be_judged(run):
    probability, cosine = judged(run, "one"), judged(run, "two", score="cosine_map")
    assert cosine.layer == "cosine_map" and cosine.reliability is None
    assert cosine.best.f1 == pytest.approx(probability.best.f1, abs=5e-3)


def test_the_models_own_threshold_is_used_where_it_is_known(run, monkeypatch, tmp_path):
    from arpent import __version__
    from arpent.core import Band, Contract
    from arpent.models import build, save_bundle

    shape = {"channels": 2, "image_size": 8, "patch": 4, "width": 16, "depth": 1, "heads": 1}
    shape |= {"decoder_width": 16, "decoder_depth": 1, "decoder_heads": 1, "head_width": 4}
    contract = Contract(
        task="change",
        architecture="planaura-change",
        settings=shape,
        bands=tuple(Band(name=name) for name in BANDS),
        metrics={"threshold": 0.5},
        arpent=__version__,
    )
    model = save_bundle(tmp_path / "model.safetensors", build("planaura-change", shape), contract)
    manifest = json.loads((run / "manifest.json").read_text())
    manifest["bundle"] = {"source": str(model), "sha256": "0" * 64}
    (run / "manifest.json").write_text(json.dumps(manifest))
    truth, chance, quality, *_ = scene()
    keep = quality == 0
    keep[0, :7] = False
    done = judged(run)
    said = (chance >= 0.5) & keep
    assert done.own.hits == (said & (truth > 0)).sum() and done.own.alarms == (said & (truth == 0)).sum()


def test_a_truth_on_a_finer_grid(run):
    truth, *_ = scene()
    fine = Grid.north_up(500_000, 5_000_000, 15, 2 * HEIGHT, 2 * WIDTH, 32631)
    write(run.parent / "fine.tif", truth.repeat(2, 0).repeat(2, 1)[None], fine)
    assert judged(run, "one", "fine.tif").best == judged(run, "two").best


def test_unknown_truth_does_not_count(run):
    truth, *_ = scene()
    truth[60:] = 255
    write(run.parent / "partly.tif", truth[None], nodata=255)
    tally = judged(run, truth="partly.tif").tally
    assert tally.unknown == 10 * WIDTH and tally.excluded == 10 * WIDTH


def test_one_comparison_of_several(run, tmp_path):
    _, chance, *_ = scene()
    with RunFolder.create(tmp_path / "many", "change", "list", exact=True) as made:
        for name in ("a", "b"):
            made.add_input(run.parent / f"{name}.tif", role="before" if name == "a" else "after")
        made.add_input(write(tmp_path / "c.tif", np.zeros((2, HEIGHT, WIDTH), np.int16), bands=BANDS), role="before")
        for label, values in (("!a!b", chance), ("!c!b", 1 - chance)):
            path = write(made.scratch / f"change_probability{label}.tif", values[None], nodata=-100)
            made.publish(path, kind="raster", name=f"change_probability{label}")
        made.finish()
    good = judged(tmp_path / "many", "one", exclude=(), comparison="!a!b")
    bad = judged(tmp_path / "many", "two", exclude=(), comparison="!c!b")
    assert good.roc_auc == pytest.approx(1 - bad.roc_auc, abs=1e-4) and good.roc_auc > 0.9
    assert good.baselines["change vector"].f1 != bad.baselines["change vector"].f1
    with pytest.raises(UnknownName, match="comparison"):
        judged(tmp_path / "many", "three", exclude=(), comparison="!a!c")


def test_without_a_quality_layer_everything_counts_and_a_mosaic_has_its_own_images(run, tmp_path):
    truth, chance, _, before, after = scene()
    with RunFolder.create(tmp_path / "mosaic", "change-mosaic", "m", exact=True) as made:
        layers = (("change_probability", chance[None], ("p",)), ("before_input", before, BANDS))
        for name, pixels, bands in (*layers, ("after_input", after, BANDS)):
            made.publish(write(made.scratch / f"mosaic_{name}_c.tif", pixels, bands=bands), kind="raster")
        made.finish()
    done = judged(tmp_path / "mosaic")
    assert done.tally.counted == HEIGHT * WIDTH
    assert any("no quality layer" in warning for warning in done.run.manifest.warnings)
    vector = np.sqrt(((after.astype(float) - before) ** 2).sum(axis=0))
    everything = np.ones_like(truth, bool)
    assert done.baselines["change vector"].f1 == pytest.approx(plain(vector, truth, everything), abs=3e-3)
    assert judged(run, "pair").run.manifest.warnings == ()


def test_what_cannot_be_evaluated_is_one_line(run, tmp_path):
    write(tmp_path / "calm.tif", np.zeros((1, HEIGHT, WIDTH), np.uint8))
    with pytest.raises(DatasetError, match="shows no change"):
        judged(run, "one", "calm.tif")
    with pytest.raises(DatasetError, match="shows no change"):
        judged(run, "one", "calm.tif")  # nothing is left that would have to be resumed
    write(tmp_path / "float.tif", np.zeros((1, HEIGHT, WIDTH), np.float32))
    with pytest.raises(BandMismatch, match="no mask of change"):
        judged(run, "two", "float.tif")
    (tmp_path / "a.tif").unlink()
    with pytest.raises(FileMissing):
        judged(run, "three")
    assert judged(run, "four", baselines=False).best.f1 > 0.5
    with RunFolder.create(tmp_path / "bare", "change", "bare", exact=True) as made:
        made.publish(write(made.scratch / "cosine_map.tif", np.zeros((1, HEIGHT, WIDTH), np.float32)), kind="raster")
        made.finish()
    with pytest.raises(InvalidSetting, match="no quality layer"):
        judged(tmp_path / "bare", "five", exclude=("cloud",))
    with pytest.raises(FileMissing, match="does not name one image before and one after"):
        judged(tmp_path / "bare", "six", exclude=())
    with RunFolder.create(tmp_path / "none", "change", "none", exact=True) as made:
        made.finish()
    with pytest.raises(UnknownName):
        judged(tmp_path / "none", "seven")


def test_memory_does_not_grow_with_the_map(run, monkeypatch):
    """Strips, not the whole: with strips of one row the answer is the same."""
    import arpent.tasks.change.evidence as evidence

    whole = judged(run, "one")
    monkeypatch.setattr(evidence, "_STRIP_PIXELS", 1)
    rows = judged(run, "two")
    assert rows.best == whole.best and rows.intervals == whole.intervals


def test_from_the_command_line(run, capsys):
    import typer

    from arpent.cli.change_evaluate import app

    words = [str(run), "--truth", str(run.parent / "truth.tif"), "-o", str(run.parent / "out"), "--draws", "20"]
    command = typer.main.get_command(app)
    command.main(words, standalone_mode=False)
    said = capsys.readouterr().out
    assert "change-vector analysis" in said and "recall of fire" in said and "ECE" in said
    assert (run.parent / "out" / "curves.png").exists()
