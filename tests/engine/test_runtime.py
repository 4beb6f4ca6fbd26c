import copy

import numpy as np
import pytest
import torch

from arpent.engine import OpenVinoNetwork, Product, TorchNetwork, choose_device, start_network
from arpent.errors import DeviceMissing, InvalidSetting, UnknownName
from arpent.models import build
from arpent.models.openvino import openvino
from arpent.tiling import TileShape


def classifier():
    """A U-Net whose classes lie well apart, as in a trained one: its head is scaled up."""
    torch.manual_seed(0)
    model = build("unet", {"channels": 2, "classes": 5, "widths": (8, 16, 32)}).eval()
    with torch.no_grad():
        model.head.weight *= 20
    return model


@pytest.mark.requires("openvino")
def test_openvino_and_torch_give_the_same_classes_in_f32(toy_task, run_in_memory):
    pixels = np.random.default_rng(0).normal(size=(2, 200, 330)).astype(np.float32)
    product = Product("class", "map", channels=5, dtype="uint8", finish=lambda scores: scores.argmax(0)[None])
    shape = TileShape(size=128, ring=8, halo=16, align=4)
    model = classifier()

    def classes(network):
        return run_in_memory(toy_task((product,)), model, pixels, shape=shape, network=network)["class"]

    first, second = classes(TorchNetwork(model, torch.device("cpu"))), classes(OpenVinoNetwork(model))
    assert (first == second).mean() >= 0.999
    assert np.unique(first).size > 2


@pytest.mark.requires("gpu")
@pytest.mark.parametrize(("precision", "alike", "apart"), [("f32", 0.99, 0.01), ("bf16", 0.97, 0.05)])
def test_a_gpu_and_the_cpu_give_the_same_classes(toy_task, run_in_memory, precision, alike, apart):
    """Within what TensorFloat-32 allows, in which a GPU may multiply although the numbers are in float32."""
    pixels = np.random.default_rng(0).normal(size=(2, 200, 330)).astype(np.float32)
    scores = Product("scores", "map", channels=5, bands=tuple("abcde"))
    shape = TileShape(size=128, ring=8, halo=16, align=4)
    model = classifier()

    def answer(device, precision):
        network = TorchNetwork(copy.deepcopy(model), torch.device(device), precision)
        return run_in_memory(toy_task((scores,)), model, pixels, shape=shape, network=network)["scores"]

    exact, found = answer("cpu", "f32"), answer("cuda", precision)
    assert (exact.argmax(0) == found.argmax(0)).mean() >= alike
    assert np.abs(found - exact).mean() <= apart * exact.std()


@pytest.mark.requires("openvino")
def test_the_precision_that_openvino_uses_is_the_one_asked_for():
    image = torch.zeros(1, 2, 32, 32)
    exact = OpenVinoNetwork(classifier(), "f32").compiled_for(image)
    assert exact.get_property("INFERENCE_PRECISION_HINT") == openvino().Type.f32
    reduced = OpenVinoNetwork(classifier(), "bf16").compiled_for(image)
    assert reduced.get_property("INFERENCE_PRECISION_HINT") == openvino().Type.bf16


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(OpenVinoNetwork, marks=pytest.mark.requires("openvino")),
        lambda model, precision: TorchNetwork(model, torch.device("cpu"), precision),
    ],
)
def test_bfloat16_is_near_and_comes_back_as_float32(kind):
    model = classifier()
    image = torch.randn(2, 2, 64, 64)
    exact, reduced = model(image), kind(model, "bf16")(image)
    assert reduced.dtype == torch.float32
    assert (exact.argmax(1) == reduced.argmax(1)).float().mean() > 0.97


@pytest.mark.requires("openvino")
def test_any_size_runs_on_one_export():
    model = classifier()
    network = OpenVinoNetwork(model)
    for shape in [(1, 2, 64, 32), (3, 2, 96, 96), (2, 2, 4, 40)]:
        image = torch.randn(shape)
        with torch.inference_mode():
            torch.testing.assert_close(network(image), model(image), rtol=1e-3, atol=1e-3)


@pytest.mark.requires("openvino")
@pytest.mark.parametrize("fixed", [False, True])
def test_a_model_with_two_answers_gives_both(fixed):
    class Both(torch.nn.Module):
        def forward(self, image):
            return image * 2, image.mean((2, 3))

    image = torch.randn(2, 3, 8, 8)
    doubled, mean = OpenVinoNetwork(Both(), fixed=fixed)(image)
    torch.testing.assert_close(doubled, image * 2)
    torch.testing.assert_close(mean, image.mean((2, 3)))


@pytest.mark.requires("openvino")
@pytest.mark.parametrize("fixed", [False, True])
def test_tiles_of_one_size_share_one_compiled_model_and_do_not_know_of_each_other(fixed):
    network = OpenVinoNetwork(classifier(), fixed=fixed)
    images = torch.randn(3, 2, 64, 32)
    together = network(images)
    assert network.compiled_for(images[:1]) is network.compiled_for(images[2:])
    assert torch.equal(together, torch.cat([network(images[:2]), network(images[2:])]))
    with torch.inference_mode():
        torch.testing.assert_close(together, classifier()(images), rtol=1e-3, atol=1e-3)


@pytest.mark.requires("openvino")
def test_a_network_for_tiles_of_one_size_takes_another_where_it_must():
    model = classifier()
    network = OpenVinoNetwork(model, fixed=True)
    for shape in [(1, 2, 64, 32), (1, 2, 32, 64)]:
        image = torch.randn(shape)
        with torch.inference_mode():
            torch.testing.assert_close(network(image), model(image), rtol=1e-3, atol=1e-3)


def test_a_model_with_kernels_over_time_runs():
    model = torch.nn.Sequential(torch.nn.Conv3d(2, 3, 3, padding=1), torch.nn.ReLU())
    clip = torch.randn(1, 2, 3, 8, 8)
    with torch.inference_mode():
        torch.testing.assert_close(TorchNetwork(model, torch.device("cpu"))(clip), model(clip))


@pytest.mark.requires("openvino")
def test_auto_takes_openvino_on_a_cpu_where_there_is_work_enough():
    assert start_network(classifier(), device="cpu", tiles=1000).name == "openvino"
    assert start_network(classifier(), device="cpu", tiles=4).name == "torch"
    assert start_network(classifier(), device="cpu", tiles=1000, saved=0.001).name == "torch"
    assert start_network(classifier(), device="cpu", tiles=30, saved=1.0).name == "openvino"
    assert start_network(classifier(), "torch", "cpu").name == "torch"


def test_what_is_not_there_is_named():
    with pytest.raises(UnknownName, match="openvino"):
        start_network(classifier(), "openvin")
    with pytest.raises(InvalidSetting, match="is not a device"):
        choose_device("gpu-one")
    if not torch.cuda.is_available():
        with pytest.raises(DeviceMissing, match="--device cpu"):
            choose_device("cuda:0")
    assert choose_device("auto").type in ("cpu", "cuda", "mps")
