"""IGN's published land-cover weights, by their layout with random values: imported as typed, and run."""

import json

import numpy as np
import pytest
import rasterio
import torch

from arpent.cli.app import main
from arpent.core import Grid, Strip, nomenclature, sensor
from arpent.io import CogWriter, RasterSpec
from arpent.models import load_bundle
from arpent.store import Place, read_contract
from arpent.tasks.landcover import MapSettings, map_image

PARAMETERS = 24_442_115
MEAN = np.array([105.08, 110.87, 101.82, 106.38], np.float32)
STD = np.array([52.17, 45.38, 44.00, 39.69], np.float32)
GRID = Grid.north_up(650_000, 6_860_000, 0.2, 96, 128, 2154)


@pytest.fixture(scope="module")
def theirs():
    """The network that the weights are for, as segmentation-models-pytorch builds it, in evaluation mode."""
    import segmentation_models_pytorch as smp

    torch.manual_seed(11)
    network = smp.Unet("resnet34", encoder_weights=None, in_channels=4, classes=19)
    for name, buffer in network.named_buffers():
        if buffer.is_floating_point():  # statistics as after training: one that is not imported would be noticed
            buffer.uniform_(0.5, 1.5) if "var" in name else buffer.uniform_(-0.5, 0.5)
    return network.eval()


@pytest.fixture(scope="module")
def published(theirs, tmp_path_factory):
    """A file as IGN publishes it."""
    path = tmp_path_factory.mktemp("ign") / "FLAIR-INC_rgbi_15cl_resnet34-unet_weights.pth"
    torch.save({f"model.seg_model.{name}": value for name, value in theirs.state_dict().items()}, path)
    return path


@pytest.fixture(scope="module")
def bundle(published):
    """The bundle that the command makes of it."""
    path = published.with_name("flair.safetensors")
    assert main(["models", "import", str(published), "--as", "flair", "-o", str(path), "--quiet"]) == 0
    return path


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    rng = np.random.default_rng(5)
    pixels = rng.integers(0, 255, (4, 12, 16)).astype(np.uint8).repeat(8, 1).repeat(8, 2)
    path = tmp_path_factory.mktemp("image") / "dalle.tif"
    with CogWriter(path, RasterSpec(GRID, ("red", "green", "blue", "nir"), "uint8")) as writer:
        writer.write(Strip(0, pixels))
    return path


def test_the_bundle_says_what_ign_says(bundle, theirs):
    contract = read_contract(bundle)
    assert contract.classes == nomenclature("flair-19")
    assert contract.bands == sensor("bd-ortho").select(("red", "green", "blue", "nir"))
    assert (contract.gsd, contract.dtype) == (0.2, "uint8")
    np.testing.assert_allclose(contract.normalisation.mean, MEAN)
    np.testing.assert_allclose(contract.normalisation.std, STD)
    model = load_bundle(bundle).model
    assert sum(parameter.numel() for parameter in model.parameters()) == PARAMETERS
    assert all(torch.equal(mine, theirs.state_dict()[name]) for name, mine in model.state_dict().items())


def test_a_map_is_what_the_original_network_says(bundle, theirs, image, tmp_path):
    words = MapSettings(runtime="torch", device="cpu", probabilities=True)
    made = map_image(str(image), bundle, Place(exact=tmp_path / "run"), words)
    with rasterio.open(image) as source:
        pixels = (source.read().astype(np.float32) - MEAN[:, None, None]) / STD[:, None, None]
    with torch.inference_mode():
        scores = theirs(torch.from_numpy(pixels)[None])[0].clone()
        classes = nomenclature("flair-19")
        scores[list(classes.inactive)] = -torch.inf
    expected = classes.ids[scores.argmax(0).numpy()]
    with rasterio.open(made.path) as product:
        found = product.read(1)
    assert len(np.unique(expected)) > 1
    assert (found == expected).mean() > 0.9999  # sums in another order may turn a tie
    with rasterio.open(made.run.path / "probabilities.tif") as product:
        shares = product.read().astype(np.float32)
    assert np.abs(shares - 100 * torch.softmax(scores, 0).numpy()).max() <= 0.51


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("model.seg_model.encoder.layer1.0.bn1.weight", None, "missing encoder.layer1.0.bn1.weight"),
        ("model.seg_model.decoder.attention.weight", torch.zeros(3), "unexpected decoder.attention.weight"),
    ],
)
def test_what_is_missing_or_unexpected_is_listed_in_one_line(published, tmp_path, capsys, name, value, words):
    state = torch.load(published, weights_only=True)
    state.pop(name) if value is None else state.update({name: value})
    torch.save(state, tmp_path / "other.pth")
    capsys.readouterr()
    code = main(
        ["models", "import", str(tmp_path / "other.pth"), "--as", "flair", "-o", str(tmp_path / "b.safetensors")]
    )
    told = capsys.readouterr().err.strip()
    assert code == 4
    assert words in told
    assert len(told.splitlines()) == 1
    assert not (tmp_path / "b.safetensors").exists()


def test_the_command_predicts_with_it_and_gives_cosia_s_numbers(bundle, image, tmp_path, capsys):
    capsys.readouterr()
    words = ("--runtime", "torch", "--device", "cpu", "--vector", "--form", "geoparquet", "--json")
    code = main(["landcover", "predict", str(image), "--model", str(bundle), "-o", str(tmp_path / "run"), *words])
    captured = capsys.readouterr()
    assert code == 0, captured.err
    document = json.loads(captured.out)
    import pyarrow.parquet as pq

    table = pq.read_table(document["files"]["polygons"])
    codes = {entry.fr: entry.numbers("cosia") for entry in nomenclature("flair-19").classes}
    assert table.num_rows > 0
    for number, name in zip(table["numero"].to_pylist(), table["classe"].to_pylist(), strict=True):
        assert (number,) == (codes[name] or (None,))
