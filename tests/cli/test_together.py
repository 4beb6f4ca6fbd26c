"""One training in several processes, as typed: two of them on this machine's processor, and how they end."""

import json
import os
import socket
import subprocess
import sys

import pytest
import torch
import yaml

from arpent.models import load_bundle
from arpent.store import open_run, verify

# Batches of 5, 5 and 1: never even, in the last one of two processes idle.
SETTINGS = {
    "name": "together",
    "task": {"network": {"widths": [4], "norm": "none"}, "loss": "cross-entropy"},
    "patch": 32,
    "patches": 11,
    "batch_size": 5,
    "fit": {"epochs": 12, "best": "miou", "device": "cpu", "average": 0.5, "optimiser": {"rate": 0.01}},
}

TUNED = 5
"""Epochs of the fine-tuning: one for the head, one for the decoder, three for all."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    from arpent.cli.app import main

    folder = tmp_path_factory.mktemp("together")
    assert main(["simulate", "-o", str(folder / "data"), "--size", "128", "--scenes", "3", "--quiet"]) == 0
    settings = {**SETTINGS, "index": str(folder / "data" / "index.csv")}
    (folder / "train.yaml").write_text(yaml.safe_dump(settings))
    fit = {**SETTINGS["fit"], "epochs": TUNED}
    own = {"task": {"loss": SETTINGS["task"]["loss"]}, "start": str(folder / "alone"), "strategy": "staged", "fit": fit}
    (folder / "tune.yaml").write_text(yaml.safe_dump(settings | own))
    return folder


@pytest.fixture(scope="module")
def ended(folder, launch):
    """All cases, by name: one process alone, and pairs of them."""

    def case(name, *words, command="train", output=None, world=2, **more):
        start = ["landcover", command, str(folder / "train.yaml"), "-o", str(folder / (output or name))]
        if command == "finetune":
            start[2] = str(folder / "tune.yaml")
        return {"name": name, "words": [*start, *words], "world": world, **more}

    cases = [
        case("alone", world=1),
        case("stopped", output="pair", stop_at=str(folder / "pair")),
        case("refused", output="pair"),
        case("resumed", "--resume", "--json", output="pair"),
        # Ten squares: in the last batch, too, the processes see different ones.
        case("normed", *("--set", "task.network.norm=batch"), *("--set", "fit.average=0"), *("--set", "patches=10")),
        case("tuned_alone", command="finetune", world=1),
        case("tuned", "--json", command="finetune"),
        case("nan", broken="loss"),
        case("torn", broken="image"),
        case("unknown", "--set", "fit.best=f1"),
        case("misspelt", "--set", "fit.epoch=1"),
        case("usage", "--folder"),
        case("narrow", "--set", "batch_size=1"),
    ]
    return launch(folder, cases)


def history(folder):
    return [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]


def require_the_same_training(one, other, epochs=SETTINGS["fit"]["epochs"]):
    """The same losses in every epoch, and the same weights."""
    curves = [
        [(epoch["train_loss"], epoch["validation"]["loss"], epoch["rate"]) for epoch in history(folder)]
        for folder in (one, other)
    ]
    assert len(curves[0]) == epochs
    for first, second in zip(*curves, strict=True):
        assert first == pytest.approx(second, rel=1e-5)
    first, second = (load_bundle(folder / "model.safetensors").model.state_dict() for folder in (one, other))
    for name, tensor in first.items():
        assert tensor.numpy() == pytest.approx(second[name].numpy(), rel=1e-4, abs=1e-6)


def test_two_processes_stopped_and_resumed_learn_what_one_learns(ended, folder):
    assert ended["alone"].codes == [0], ended["alone"].err
    assert ended["resumed"].codes == [0, 0], ended["resumed"].err
    require_the_same_training(folder / "alone", folder / "pair")
    losses = [epoch["train_loss"] for epoch in history(folder / "alone")]
    assert losses[-1] < 0.9 * losses[0]


def test_two_processes_fine_tune_in_stages_as_one_does(ended, folder):
    """What a stage freezes stands still in both, and each goes on from the best epoch of the one before."""
    assert ended["tuned_alone"].codes == [0], ended["tuned_alone"].err
    assert ended["tuned"].codes == [0, 0], ended["tuned"].err
    assert ended["tuned"].lines == []
    first, second = ended["tuned"].out
    assert json.loads(first)["run"] == str(folder / "tuned")
    assert second == ""
    require_the_same_training(folder / "tuned_alone", folder / "tuned", epochs=TUNED)
    before, after = (load_bundle(folder / name / "model.safetensors") for name in ("alone", "tuned"))
    assert list(after.contract.recipe["stages"]) == ["1-head", "2-decoder", "3-encoder"]
    assert any(not torch.equal(t, after.model.state_dict()[n]) for n, t in before.model.state_dict().items())
    verify(open_run(folder / "tuned"))


def test_what_libraries_write_past_python_goes_to_standard_error():
    """Gloo of PyTorch 2.9 does, in front of the JSON."""
    begun = "import os\nfrom arpent.cli.together import keep_output_ours\nkeep_output_ours()\n"
    code = begun + "os.write(1, b'gloo')\nprint('é')"
    for world, (out, err) in {"2": ("é\n", "gloo"), "1": ("gloo\u00e9\n", "")}.items():
        around = os.environ | {"WORLD_SIZE": world, "LOCAL_RANK": "0", "PYTHONIOENCODING": "utf-8"}
        done = subprocess.run([sys.executable, "-c", code], env=around, capture_output=True, check=True)
        assert (done.stdout.decode(), done.stderr.decode()) == (out, err)


def test_ctrl_c_ends_both_with_one_line(ended):
    assert ended["stopped"].codes == [130, 0]
    (line,) = ended["stopped"].lines
    assert "--resume" in line
    assert "finished epochs are kept" in line


def test_one_run_folder_one_manifest_one_voice(ended, folder):
    assert ended["resumed"].lines == []
    first, second = ended["resumed"].out
    assert json.loads(first)["run"] == str(folder / "pair")
    assert second == ""
    run = open_run(folder / "pair")
    assert run.manifest.attempts == 2
    assert {"statistics", "fit"} <= set(run.manifest.timings)
    assert [product.name for product in run.manifest.products] == ["model", "curves", "history"]
    verify(run)


def test_what_the_validation_found_is_what_the_kept_model_reaches(ended, folder):
    """Also with batch norm, whose running statistics drift apart between processes until they are aligned."""
    from arpent.cli.options import assemble
    from arpent.data import Batches, GridPatches, Normaliser, PatchLoader
    from arpent.tasks.landcover import LandcoverTask, TrainSettings
    from arpent.tasks.landcover.survey import survey

    assert ended["normed"].codes == [0, 0], ended["normed"].err
    settings = assemble(TrainSettings, folder / "train.yaml", (), {})
    bundle, task = load_bundle(folder / "normed" / "model.safetensors"), LandcoverTask(settings.task)
    assert any("running_mean" in name for name in bundle.model.state_dict())
    rule, bands = Normaliser(bundle.contract.normalisation), bundle.contract.band_names
    meter, losses = task.metrics(), []
    with PatchLoader(rule, bands=bands, classes=task.classes) as load, torch.inference_mode():
        for batch in Batches(GridPatches(survey(settings).val, 32), load, batch_size=5).epoch(0):
            out = bundle.model(batch["image"])
            losses.append(float(task.loss(out, batch)))
            meter.update(out, batch)
    found = {"loss": sum(losses) / len(losses), **meter.compute()}
    assert found == pytest.approx(bundle.contract.metrics, rel=1e-5)


def test_what_is_drawn_at_random_is_drawn_anew_in_each_epoch_and_alike_in_all_processes(ended, folder):
    seeds = {name: (folder / name).read_text().splitlines() for name in ("alone.seeds.0", "nan.seeds.0", "nan.seeds.1")}
    assert seeds["nan.seeds.0"][0] == seeds["alone.seeds.0"][0] == seeds["nan.seeds.1"][0]
    assert len(set(seeds["alone.seeds.0"])) == SETTINGS["fit"]["epochs"]


def test_a_loss_that_is_no_number_in_one_process_ends_both_and_names_its_samples(ended, folder):
    assert ended["nan"].codes == [6, 0]
    (line,) = ended["nan"].lines
    assert "no longer a number in epoch 1 (found nan)" in line
    assert line.count("@") == 2  # the two squares of the second process's share, and not those of the first
    assert ended["nan"].seconds < 20
    assert not (folder / "nan" / "manifest.json").exists()


def test_a_file_that_only_one_process_meets_is_told_by_it(ended):
    assert ended["torn"].codes == [6, 3]
    first, second = ended["torn"].err
    assert "another process of this training has ended" in first
    assert "far.tif is truncated" in second
    assert len(ended["torn"].lines) == 2
    assert ended["torn"].seconds < 20


@pytest.mark.parametrize(
    ("case", "code", "words"),
    [
        ("refused", 7, "begun and not finished"),
        ("unknown", 2, "'f1'"),
        ("misspelt", 2, "Did you mean 'epochs'"),
        ("usage", 2, "--folder"),
        ("narrow", 2, "a batch of 1 cannot be shared out among 2 processes"),
    ],
)
def test_what_fails_in_all_is_told_once(ended, case, code, words):
    assert ended[case].codes == [code, 0]
    (line,) = ended[case].lines
    assert words in line


@pytest.mark.slow
def test_torchrun_as_the_guide_says(ended, folder):
    """By ``accelerate launch``, which hands over to torchrun."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    start = ["--cpu", "--num_processes", "2", "--num_machines", "1", "--main_process_port", port]
    words = ["-m", "arpent", "landcover", "train", "train.yaml", "-o", "run"]
    done = subprocess.run(
        [sys.executable, "-m", "accelerate.commands.launch", *start, *words],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("best by mIoU") == 1
    require_the_same_training(folder / "alone", folder / "run")
    verify(open_run(folder / "run"))
