"""A fusion that has learnt: kept features, other runtimes and a kill change nothing of what it says."""

import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch

from arpent.models import export, load_bundle
from arpent.models.openvino import openvino
from arpent.store import Place
from arpent.tasks.classify.asking import Asked
from arpent.tasks.classify.dataset import Dataset
from arpent.tasks.classify.features import Looks, features_of
from arpent.tasks.classify.predict_settings import LabelSettings
from arpent.tasks.classify.predicting import label_pictures

THERE = [[True, True], [True, False], [False, True], [False, False]]


@pytest.fixture(scope="module")
def asked(fusion, red_or_striped):
    """The fusion, test pictures as it sees them, and their captions as it reads them."""
    labeller = Asked.open(fusion.path, runtime="torch", device="cpu")
    pictures = [one for one in Dataset.read(red_or_striped).of_split("test") if one.captions][:8]
    images = np.stack([labeller.opened.read(one.path) for one in pictures])
    codes = np.stack([labeller.opened.codes(one.captions[0]).ids for one in pictures])
    return labeller, pictures, images, codes


def test_features_that_were_kept_are_those_of_the_pictures(asked, train, branches, red_or_striped, tmp_path) -> None:
    labeller, pictures, images, _ = asked
    looks = Looks(labeller.opened.labeller.encoder, labeller.opened.squares, parts=True)
    made, kept = (features_of(pictures, looks, tmp_path) for _ in range(2))
    assert all(np.array_equal(made.values[one.sha256], kept.values[one.sha256]) for one in pictures)
    seen = np.concatenate([labeller.features(image[None]) for image in images])
    assert np.abs(kept.of(pictures).numpy() - seen).max() < 1e-6 * np.abs(seen).max()
    anew = train(tmp_path / "anew", branch="image", epochs=6, features=str(tmp_path / "none yet"))
    weights = [load_bundle(run / "model.safetensors").model.state_dict() for run in (anew.path, branches / "image")]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_late_fusion_without_one_says_what_the_other_branch_says(asked, train, branches, tmp_path) -> None:
    _, _, images, codes = asked
    late = train(tmp_path / "late", start=(str(branches / "image"), str(branches / "text")), fusion="late", epochs=1)
    fused, image, text = (
        Asked.open(path, runtime="torch") for path in (late.path, branches / "image", branches / "text")
    )
    features = fused.features(images)
    assert np.abs(fused.chances(features, None) - image.chances(features, None)).max() < 1e-6
    assert np.abs(fused.chances(None, codes) - text.chances(None, codes)).max() < 1e-6
    assert np.abs(fused.chances(features, codes) - text.chances(None, codes)).max() > 0.05


def _onnx(path):
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return lambda *given: session.run(None, dict(zip(("images", "words", "present"), given, strict=True)))[0]


def _openvino(path):
    core = openvino().Core()
    model = core.compile_model(core.read_model(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return lambda *given: model(list(given))[0]


@pytest.mark.parametrize("to", ["onnx", pytest.param("openvino", marks=pytest.mark.requires("openvino"))])
def test_what_is_exported_says_the_same(asked, fusion, tmp_path, to) -> None:
    labeller, _, images, codes = asked
    path = export(load_bundle(fusion.file("model")), tmp_path / f"labeller.{'onnx' if to == 'onnx' else 'xml'}", to)
    answer = _onnx(path) if to == "onnx" else _openvino(path)
    told = []
    for there in THERE:
        present = np.tile(np.array(there), (len(images), 1))
        told.append(labeller.chances(labeller.features(images), codes, present))
        assert np.abs(answer(images, codes, present) - told[-1]).max() < 2e-5, there
    assert min(np.abs(told[0] - other).max() for other in told[1:]) > 0.05, "what is absent makes a difference"


KILLED = """
import os, signal, sys
from arpent.store import Place
from arpent.tasks.classify import predicting
from arpent.tasks.classify.asking import Asked
from arpent.tasks.classify.predict_settings import LabelSettings

chances, asked = Asked.chances, []

def killed(self, *given, **more):
    asked.append(1)
    if len(asked) == 4:
        os.kill(os.getpid(), signal.SIGKILL)
    return chances(self, *given, **more)

Asked.chances, predicting.KEPT_EVERY = killed, 0.0
settings = LabelSettings.model_validate_json(sys.argv[4])
predicting.label_pictures([sys.argv[1]], sys.argv[2], Place(exact=sys.argv[3]), settings)
"""


def test_a_run_that_was_killed_goes_on_to_the_same_tables(fusion, red_or_striped, tmp_path, monkeypatch) -> None:
    settings = LabelSettings(runtime="torch", device="cpu", figures=0, batch_size=10)
    pictures, model = str(red_or_striped.parent / "pictures"), str(fusion.path)
    given = [pictures, model, str(tmp_path / "run"), settings.model_dump_json()]
    killed = subprocess.run([sys.executable, "-c", KILLED, *given], env=dict(os.environ), capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    assert not (tmp_path / "run" / "labels.csv").exists(), "what is not finished does not look so"
    whole = label_pictures([pictures], model, Place(exact=tmp_path / "whole"), settings)
    asked, chances = [], Asked.chances
    monkeypatch.setattr(Asked, "chances", lambda *given, **more: (asked.append(1), chances(*given, **more))[1])
    again = label_pictures([pictures], model, Place(exact=tmp_path / "run", resume=True), settings)
    assert again.count == whole.count == 60
    assert 3 <= len(asked) <= 5, "of the three batches that were answered one at least had been kept"
    for name in ("labels.csv", "labels.jsonl"):
        assert (tmp_path / "run" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name
