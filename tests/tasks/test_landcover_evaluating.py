import numpy as np
import pytest
import torch

from arpent.core import nomenclature
from arpent.data import Normaliser, SampleIndex, target_of
from arpent.engine import start_network
from arpent.errors import BundleInvalid, DatasetError
from arpent.io import open_image
from arpent.metrics import ConfusionMatrix
from arpent.models import Bundle, load_bundle
from arpent.tasks.landcover import score


@pytest.fixture(scope="module")
def bundle(trained):
    return load_bundle(trained.path / "model.safetensors")


@pytest.fixture(scope="module")
def index(commune_folder):
    return SampleIndex.read(commune_folder / "index.csv")


def by_hand(bundle, index):
    """The matrices of whole images, by domain, counted without tiles."""
    found = {}
    for sample in index:
        with open_image(sample.image, bands=bundle.contract.band_names, sensor=sample.sensor) as reader:
            raster = reader.read(reader.grid.window)
            pixels = Normaliser(bundle.contract.normalisation)(raster.pixels, raster.valid)
        with open_image(sample.mask) as reader:
            truth = target_of(reader.read(reader.grid.window), bundle.contract.classes)
        with torch.inference_mode():
            guess = bundle.model(torch.from_numpy(pixels)[None])[0].argmax(0).numpy()
        found.setdefault(sample.domain, ConfusionMatrix(bundle.contract.classes)).update(truth, guess)
    return found


@pytest.mark.parametrize("runtime", ["torch", "openvino"])
def test_a_score_is_what_one_counts_by_hand(bundle, index, runtime):
    if runtime == "openvino":
        pytest.importorskip("openvino")
    network = start_network(bundle.model, runtime, "cpu", fixed=True)
    found = score(bundle, bundle.contract.normalisation, index, patch=256, network=network)
    expected = by_hand(bundle, index)
    assert list(found.by_domain) == sorted(expected)
    for domain, matrix in expected.items():
        apart = np.abs(found.domains.by_domain[domain].counts - matrix.counts).sum() / 2
        assert apart <= (0 if runtime == "torch" else 1e-3) * matrix.total
    assert found.matrix == found.blocks.total()
    assert found.scores.accuracy == pytest.approx(found.matrix.scores().accuracy)
    assert found.mapped.sum() == pytest.approx(len(index) * (256 * 0.2) ** 2, rel=2e-3)


def test_squares_that_reach_beyond_an_image_count_every_pixel_once(bundle, index):
    found = score(bundle, bundle.contract.normalisation, index[:1], patch=96, batch_size=5)
    assert found.matrix.total == 256 * 256
    assert found.mapped.sum() == pytest.approx((256 * 0.2) ** 2, rel=2e-3)


def test_models_without_classes_and_masks_without_truth_are_refused(bundle, index, trained):
    nameless = Bundle(bundle.model, bundle.contract.model_copy(update={"classes": None}))
    with pytest.raises(BundleInvalid, match="names no classes"):
        score(nameless, bundle.contract.normalisation, index)
    strange = bundle.contract.model_copy(update={"classes": nomenclature("flair-19").keep(list(range(14, 20)), "rare")})
    one = Bundle(torch.nn.Conv2d(4, 6, 1), strange)
    with pytest.raises(DatasetError, match=r"no pixel of .* has a truth"):
        score(one, bundle.contract.normalisation, index[:1], patch=256)
