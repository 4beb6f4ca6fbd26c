"""A model of orthophotos made to fit another camera, by every strategy."""

import json

import pytest
import torch

from arpent.core import nomenclature
from arpent.data import SampleIndex
from arpent.engine import Epoch, Fit, FitSettings, OptimiserSettings
from arpent.errors import BundleInvalid, ContractMismatch, Interrupted, InvalidSetting, WeightsMismatch
from arpent.models import Bundle, build, load_bundle, parts_of, save_bundle
from arpent.report.figures import curves
from arpent.store import Place, read_contract, verify
from arpent.tasks.landcover import FinetuneSettings, LandcoverSettings, LandcoverTask, TrainSettings, finetune, train
from arpent.tasks.landcover.beginning import adapted, new_network, resolved
from arpent.tasks.landcover.finetuning import joined
from arpent.tasks.landcover.learning import bands_of, bests
from arpent.tasks.landcover.strategies import STRATEGIES, legs_of
from arpent.testing.simulation import Simulation, simulate

SIX = ("deep_blue", "blue", "green", "red", "red_edge", "nir")
FIT = FitSettings(epochs=2, best="miou", device="cpu", optimiser=OptimiserSettings(rate=0.01))


@pytest.fixture(scope="module")
def neo(tmp_path_factory):
    """The same places as the commune, seen by another camera: six bands, 30 cm, 12 bits."""
    folder = tmp_path_factory.mktemp("neo")
    simulate(folder, Simulation(sensor=("pleiades-neo",), size=96, scenes=3, seed=3))
    return folder


@pytest.fixture(scope="module")
def settings(neo, trained):
    def make(**changes):
        task = {"bands": SIX} | changes.pop("task", {})
        common = {"index": str(neo / "index.csv"), "start": str(trained.path), "name": "neo", "task": task}
        return FinetuneSettings.model_validate(common | {"patch": 32, "batch_size": 8, "fit": FIT} | changes)

    return make


@pytest.fixture(scope="module")
def tuned(settings, tmp_path_factory):
    """Finished fine-tunings, by strategy; each is run once."""
    runs = {}

    def run(strategy):
        if strategy not in runs:
            # A moving average, which keeps its own copy of everything, must not move what is frozen either.
            fit = FIT.model_copy(update={"average": 0.5 if strategy == "ft-freeze-encoder" else 0.0})
            place = Place(exact=tmp_path_factory.mktemp(strategy) / "run")
            runs[strategy] = finetune(settings(strategy=strategy, fit=fit), place)
        return runs[strategy]

    return run


def started(settings, trained):
    """The network before training, through the function that finetune uses."""
    bundle = load_bundle(trained.file("model"))
    whole = resolved(settings, bundle)
    task = LandcoverTask(whole.task)
    index = SampleIndex.read(whole.index)
    return adapted(bundle, task, bands_of(whole.task.bands, index.samples), whole.stem, whole.fit.seed), task


@torch.inference_mode()
def test_zero_gives_exactly_the_answer_of_the_four_bands(settings, trained):
    network, _ = started(settings(stem="zero"), trained)
    image = torch.randn(2, 6, 32, 32)
    of_four = image[:, [SIX.index(name) for name in ("red", "green", "blue", "nir")]]
    known = load_bundle(trained.file("model")).model(of_four)
    # The six bands come in another order, and so do the sums over them.
    torch.testing.assert_close(network(image), known, atol=1e-5, rtol=1e-5)
    in_order, _ = started(settings(stem="zero", task={"bands": ("red", "green", "blue", "nir", *SIX[::4])}), trained)
    assert torch.equal(in_order(torch.cat((of_four, image[:, ::4]), 1)), known)


@pytest.mark.parametrize("strategy", [name for name in STRATEGIES if name not in ("bn-only", "staged")])
def test_what_is_frozen_is_bit_identical_and_nothing_else(settings, tuned, trained, strategy):
    """Every tensor of a frozen part, running statistics and counters included; every other part has moved."""
    before, task = started(settings(), trained)
    old, new = before.state_dict(), load_bundle(tuned(strategy).file("model")).model.state_dict()
    parts = parts_of("unet", task.network_settings)
    still = {name for name in new if torch.equal(old[name], new[name])}
    frozen = STRATEGIES[strategy].frozen
    assert {name for name in new if parts.part_of(name) in frozen} <= still
    for part in {"encoder", "decoder", "head"} - set(frozen):
        assert any(parts.part_of(name) == part and name not in still for name in new), part
    contract = read_contract(tuned(strategy).file("model"))
    shares = contract.recipe
    total = sum(parameter.numel() for parameter in before.parameters())
    assert shares["trained"] + shares["frozen"] == total
    assert shares["frozen"] == sum(p.numel() for n, p in before.named_parameters() if parts.part_of(n) in frozen)
    assert contract.band_names == SIX
    assert contract.bands[0].wavelength == 425.0
    assert contract.normalisation.origin == "neo"


def test_batch_norm_alone_is_made_at_home_without_labels(settings, tuned, trained):
    before, _ = started(settings(), trained)
    old, new = before.state_dict(), load_bundle(tuned("bn-only").file("model")).model.state_dict()
    moved = {name for name in new if not torch.equal(old[name], new[name])}
    assert moved == {name for name in new if "running" in name or "tracked" in name}
    metrics = tuned("bn-only").manifest.metrics
    assert metrics["parameters/trained"] == 0
    assert 0 < metrics["validation/miou"] < 1
    assert tuned("bn-only").file("history").read_text() == ""


def test_batch_norm_needs_no_masks(settings, tuned, neo, tmp_path):
    lines = (neo / "index.csv").read_text().splitlines()
    columns = lines[0].split(",")
    keep = [columns.index(name) for name in ("image", "domain", "sensor")]
    rows = [[line.split(",")[place] for place in keep] for line in lines]
    rows[1:] = [[str(neo / row[0]), *row[1:]] for row in rows[1:]]
    (tmp_path / "bare.csv").write_text("\n".join(map(",".join, rows)) + "\n")
    bare = settings(index=str(tmp_path / "bare.csv"), strategy="bn-only")
    run = finetune(bare, Place(exact=tmp_path / "run"))
    assert "validation/miou" not in run.manifest.metrics
    state = load_bundle(run.file("model")).model.state_dict()
    assert int(state["encoder.0.1.num_batches_tracked"]) > 0
    verify(run)


def test_stages_follow_each_other_and_are_told_as_one(tuned, settings):
    run = tuned("staged")
    history = [json.loads(line) for line in run.file("history").read_text().splitlines()]
    assert [epoch["number"] for epoch in history] == [1, 2, 3]
    contract = read_contract(run.file("model"))
    assert contract.recipe["stages"] == {"1-head": 1, "2-decoder": 1, "3-encoder": 1}
    miou = [epoch["validation"]["miou"] for epoch in history]
    assert contract.metrics["miou"] == max(miou) == run.manifest.metrics["best_by_miou/miou"]


def test_what_a_stage_freezes_is_bit_identical(settings, tmp_path, monkeypatch):
    from arpent.tasks.landcover import finetuning

    learn, moved = finetuning.learn, []

    def watched(*words, start, **more):
        before = {name: tensor.clone() for name, tensor in start.model.state_dict().items()}
        done = learn(*words, start=start, **more)
        after = done.model.state_dict()
        moved.append({name for name in before if not torch.equal(before[name], after[name])})
        return done

    monkeypatch.setattr(finetuning, "learn", watched)
    finetune(settings(strategy="staged"), Place(exact=tmp_path / "run"))
    head, decoder, whole = moved
    assert head == {"head.weight", "head.bias"}
    assert not any(name.startswith("encoder") for name in decoder)
    assert {"narrow.0.weight", "decoder.0.1.running_mean"} <= decoder
    assert {"encoder.0.0.weight", "encoder.1.1.num_batches_tracked", "head.weight"} <= whole


def test_stages_go_on_where_they_stopped(tuned, settings, tmp_path, monkeypatch):
    from arpent.engine import training

    keep = training._Trainer._end_epoch

    def stops(self, *args, **kwargs):
        keep(self, *args, **kwargs)
        if self._folder.name == "2-decoder":
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(Exception, match="--resume"):
        patch.setattr(training._Trainer, "_end_epoch", stops)
        finetune(settings(strategy="staged"), Place(exact=tmp_path / "run"))
    again = finetune(settings(strategy="staged"), Place(exact=tmp_path / "run", resume=True))
    assert again.file("model").read_bytes() == tuned("staged").file("model").read_bytes()


def test_from_scratch_is_the_training_that_train_does(tuned, settings, tmp_path):
    whole = settings(strategy="app-scratch")
    fields = {name: getattr(whole, name) for name in TrainSettings.model_fields}
    task = LandcoverSettings(bands=SIX, network={"widths": [8, 16]})
    own = train(TrainSettings(**fields | {"task": task}), Place(exact=tmp_path / "run"))
    first, second = (load_bundle(run.file("model")).model.state_dict() for run in (own, tuned("app-scratch")))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert read_contract(tuned("app-scratch").file("model")).recipe["pretrained"] == "none"


def test_rates_fall_from_the_head_to_the_image(settings):
    parts = parts_of("smp-unet", {"encoder": "resnet34"})
    (leg,) = legs_of(settings(strategy="discriminative", decay=0.5), parts)
    rates = [
        leg.tuning.factor(f"{name}.weight") for name in ("segmentation_head.0", "decoder.blocks.0", *parts.encoder)
    ]
    assert rates == [1, 0.5, 1 / 64, 1 / 64, 1 / 32, 1 / 16, 1 / 8, 1 / 4]
    with torch.device("meta"):
        names = [name for name, _ in build("smp-unet", {"encoder": "resnet34"}).named_parameters()]
    assert {leg.tuning.factor(name) for name in names} == set(rates)


def test_stages_can_be_told(settings):
    parts = parts_of("unet", {"widths": [8, 16]})
    stages = [{"train": "head", "epochs": 3, "rate": 0.1}, {"train": "encoder", "epochs": 7, "rate": 0.01}]
    legs = legs_of(settings(strategy="staged", stages=stages), parts)
    assert [(leg.name, leg.fit.epochs, leg.fit.optimiser.rate) for leg in legs] == [
        ("1-head", 3, 0.1),
        ("2-encoder", 7, 0.01),
    ]
    assert legs[0].tuning.factor("encoder.0.1.running_mean") == legs[0].tuning.factor("narrow.0.weight") == 0
    assert legs[1].tuning.factor("encoder.0.0.weight") == 1


def test_stages_joined_keep_the_best_of_all():
    def fit(model, *mious):
        epochs = [Epoch(n, 1.0, 0.1, {"loss": 1 - m, "miou": m}) for n, m in enumerate(mious, start=1)]
        return Fit(model, max(epochs, key=lambda epoch: epoch.validation["miou"]), epochs)

    whole = joined([fit("a", 0.1, 0.5), fit("b", 0.4), fit("c", 0.2, 0.3)], "miou")
    assert (whole.model, whole.best.number) == ("a", 2)
    assert [epoch.number for epoch in whole.history] == [1, 2, 3, 4, 5]
    assert joined([fit("a", 0.1), fit("b", 0.4)], "loss").best.number == 2


def test_the_best_epochs_by_loss_and_by_miou_are_both_told(tuned):
    told = {name: value for name, value in tuned("ft-initialisation").manifest.metrics.items() if "best_by" in name}
    assert {f"best_by_{name}/{key}" for name in ("loss", "miou") for key in ("epoch", "loss", "miou")} == set(told)
    history = [
        Epoch(1, 1.0, 0.1, {"loss": 0.4, "miou": 0.2}),
        Epoch(2, 1.0, 0.1, {"loss": 0.5, "miou": 0.3}),
        Epoch(3, 1.0, 0.1, {"loss": float("nan"), "miou": 0.1}),
    ]
    assert {name: epoch.number for name, epoch in bests(history).items()} == {"loss": 1, "miou": 2}


@pytest.mark.parametrize("normalise", ["norma-01", "norma-source"])
def test_every_normalisation_is_kept_with_the_model(settings, trained, tmp_path, normalise):
    fit = FIT.model_copy(update={"epochs": 1})
    run = finetune(settings(normalise=normalise, strategy="ft-finetune-head", fit=fit), Place(exact=tmp_path / "run"))
    rule = read_contract(run.file("model")).normalisation
    if normalise == "norma-01":
        assert rule.scale == pytest.approx(1 / 4095)
        return
    source = read_contract(trained.file("model")).normalisation
    assert (rule.mean[SIX.index("red")], rule.mean[SIX.index("nir")]) == (source.mean[0], source.mean[3])


def test_other_classes_get_a_new_head_and_that_is_said(settings, trained, tmp_path):
    said = []
    other = settings(task={"classes": "flair-19"})
    network, task = started(other, trained)
    assert network.head.out_channels == len(task.classes) == 19
    old = load_bundle(trained.file("model")).model
    assert torch.equal(network.encoder[1][0].weight, old.encoder[1][0].weight)
    brief = other.model_copy(update={"patches": 8, "fit": FIT.model_copy(update={"epochs": 1})})
    run = finetune(brief, Place(exact=tmp_path / "run", tell=said.append))
    assert "the head is new, since the masks are of another nomenclature, flair-19, than the model" in said
    contract = read_contract(run.file("model"))
    assert contract.recipe["new_head"]
    assert contract.classes.name == "flair-19"


@pytest.mark.parametrize("language", ["en", "fr"])
def test_what_a_frozen_stem_cannot_see_is_said(settings, tmp_path, language):
    said = []
    fit = FIT.model_copy(update={"epochs": 1})
    wanted = settings(strategy="ft-freeze-encoder", language=language, fit=fit, patches=8)
    finetune(wanted, Place(exact=tmp_path / "run", tell=said.append))
    (line,) = (line for line in said if "deep_blue, red_edge" in line)
    assert ("frozen" if language == "en" else "gelé") in line


def test_a_pretrained_encoder_is_taken_whole(settings, trained, tmp_path):
    torch.manual_seed(5)
    resnet = build("timm", {"name": "resnet18", "channels": 3, "classes": 10}).state_dict()
    torch.save(resnet, tmp_path / "resnet18.pth")
    task = {"architecture": "smp-unet", "network": {"encoder": "resnet18"}, "bands": ("blue", "red", "nir")}
    asked = TrainSettings(index="-", task=task, pretrained=str(tmp_path / "resnet18.pth"))
    bands = bands_of(asked.task.bands, ())
    made = new_network(asked, LandcoverTask(LandcoverSettings(**task)), bands).state_dict()
    assert torch.equal(made["encoder.layer4.1.conv2.weight"], resnet["layer4.1.conv2.weight"])
    assert torch.equal(made["encoder.conv1.weight"][:, 1], resnet["conv1.weight"][:, 0])
    assert not made["encoder.conv1.weight"][:, 2].any()
    deeper = asked.model_copy(update={"task": LandcoverSettings(**task | {"network": {"encoder": "resnet34"}})})
    with pytest.raises(WeightsMismatch, match="do not fit"):
        new_network(deeper, LandcoverTask(deeper.task), bands)
    slim = asked.model_copy(update={"task": LandcoverSettings()})
    with pytest.raises(InvalidSetting, match="no encoder made for photographs"):
        new_network(slim, LandcoverTask(slim.task), bands)


def test_what_cannot_be_started_from_is_refused(settings, trained, tmp_path):
    bundle = load_bundle(trained.file("model"))
    other = save_bundle(
        tmp_path / "other.safetensors", bundle.model, bundle.contract.model_copy(update={"task": "change"})
    )
    with pytest.raises(BundleInvalid, match="no land-cover model"):
        finetune(settings(start=str(other)), Place(exact=tmp_path / "run"))
    with pytest.raises(InvalidSetting, match="another network"):
        finetune(settings(task={"network": {"widths": [4]}}), Place(exact=tmp_path / "run"))
    with pytest.raises(ContractMismatch, match="none of these bands"):
        finetune(settings(task={"bands": ("deep_blue",)}), Place(exact=tmp_path / "run"))
    assert not (tmp_path / "run" / "manifest.json").exists()


def test_a_nomenclature_of_one_s_own_travels_with_the_model(neo, tmp_path):
    """The file that it was in may be gone, or lie elsewhere, when its model is made to fit other images."""
    entries = [one.model_dump(include={"id", "en", "fr", "colour"}) for one in nomenclature("commune").classes]
    own = tmp_path / "mine.yaml"
    own.write_text(json.dumps({"nodata": 0, "classes": entries}))
    common = {"index": str(neo / "index.csv"), "patch": 32, "fit": {"epochs": 1, "device": "cpu"}, "language": "fr"}
    task = {"classes": str(own), "network": {"widths": [4]}}
    first = train(TrainSettings.model_validate({**common, "task": task}), Place(exact=tmp_path / "first"))
    own.unlink()
    start = {"start": str(first.path), "strategy": "ft-finetune-head"}
    run = finetune(FinetuneSettings.model_validate({**common, **start}), Place(exact=tmp_path / "second"))
    kept = load_bundle(run.file("model")).contract
    assert kept.classes == load_bundle(first.file("model")).contract.classes
    assert kept.recipe["new_head"] is False
    lines = [json.loads(line) for line in run.file("history").read_text().splitlines()]
    drawn = curves(lines, tmp_path / "curves.png", language="fr")
    assert run.file("curves").read_bytes() == drawn.read_bytes()


def stopped(*args, **kwargs):
    raise Interrupted("stopped by a test", cure="Go on.")


def test_another_model_in_the_place_of_the_start_is_not_gone_on_with(settings, trained, tmp_path, monkeypatch):
    """The weights would be those of the first one, under the hash of the second."""
    start, bundle = tmp_path / "start.safetensors", load_bundle(trained.file("model"))
    save_bundle(start, bundle.model, bundle.contract)
    wanted = settings(start=str(start), strategy="ft-finetune-head")
    with monkeypatch.context() as patched:
        patched.setattr("arpent.tasks.landcover.finetuning.learn", stopped)
        with pytest.raises(Interrupted):
            finetune(wanted, Place(exact=tmp_path / "run"))
    with torch.no_grad():
        next(bundle.model.parameters()).add_(1)
    start.unlink()
    save_bundle(start, bundle.model, bundle.contract)
    with pytest.raises(InvalidSetting, match=r"the model that .* began with have changed"):
        finetune(wanted, Place(exact=tmp_path / "run", resume=True))


def test_a_network_that_is_named_must_be_that_of_the_model(settings, trained):
    """Also where the name is that of the usual network."""
    bundle = load_bundle(trained.file("model"))
    other = Bundle(bundle.model, bundle.contract.model_copy(update={"architecture": "smp-unet"}))
    assert resolved(settings(), other).task.architecture == "smp-unet"
    with pytest.raises(InvalidSetting, match="another network than 'task' names"):
        resolved(settings(task={"architecture": "unet"}), other)
