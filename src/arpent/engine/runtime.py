"""Ways to run a trained network: PyTorch anywhere, OpenVINO on CPUs where it is faster."""

from __future__ import annotations

import importlib.util
from typing import Any, get_args

import torch
from torch import Tensor, nn

from arpent.engine.devices import as_channels_last, channels_last, choose_device
from arpent.engine.settings import Precision, RuntimeName
from arpent.engine.task import Network
from arpent.errors import ExtraMissing, InvalidSetting, UnknownName
from arpent.models.openvino import openvino

__all__ = ["RUNTIMES", "OpenVinoNetwork", "TorchNetwork", "start_network"]

RUNTIMES: tuple[RuntimeName, ...] = get_args(RuntimeName)


class TorchNetwork:
    """A module on a device, in evaluation mode and channels-last."""

    name = "torch"

    def __init__(self, model: nn.Module, device: torch.device, precision: Precision = "f32") -> None:
        self.device = device
        self._model = channels_last(model.to(device)).eval()
        self._reduced = precision == "bf16"

    def __call__(self, *inputs: Tensor) -> Any:  # noqa: ANN401 - models answer with tensors, tuples or mappings
        """One forward pass; outputs stay on the device, in float32."""
        with torch.inference_mode(), torch.autocast(self.device.type, torch.bfloat16, enabled=self._reduced):
            out = self._model(*(as_channels_last(tensor.to(self.device)) for tensor in inputs))
        return out.float() if isinstance(out, Tensor) and self._reduced else out


_MOST_COMPILED = 12
"""Sizes that stay compiled: four shapes of tile, with a few sizes of batch."""


class OpenVinoNetwork:
    """A module converted to OpenVINO: exported once with free sizes, compiled once for each size that comes."""

    name = "openvino"

    def __init__(self, model: nn.Module, precision: Precision = "f32") -> None:
        self.device = torch.device("cpu")
        self.precision = precision
        self._module = model.to("cpu").eval()
        self._graph: Any = None
        self._compiled: dict[tuple[torch.Size, ...], Any] = {}

    def __call__(self, *inputs: Tensor) -> Any:  # noqa: ANN401 - one tensor, or a tuple of them
        """One forward pass. A model with one output answers with a tensor, others with a tuple."""
        arrays = [tensor.detach().to("cpu", torch.float32).contiguous().numpy() for tensor in inputs]
        answer = self.compiled_for(*inputs)(arrays)
        # The runtime reuses its output buffers for the next call.
        outputs = tuple(torch.from_numpy(answer[index].copy()) for index in range(len(answer)))
        return outputs[0] if len(outputs) == 1 else outputs

    def compiled_for(self, *inputs: Tensor) -> Any:  # noqa: ANN401 - OpenVINO publishes no types
        """The compiled model for inputs of these sizes."""
        shapes = tuple(tensor.shape for tensor in inputs)
        if shapes not in self._compiled:
            graph = self._exported(inputs).clone()
            graph.reshape({index: list(shape) for index, shape in enumerate(shapes)})
            # OpenVINO's own default on recent CPUs is bfloat16: the precision is always said.
            wanted = {
                "INFERENCE_PRECISION_HINT": self.precision,
                "INFERENCE_NUM_THREADS": torch.get_num_threads(),
                "PERFORMANCE_HINT": "LATENCY",
            }
            if len(self._compiled) == _MOST_COMPILED:
                del self._compiled[next(iter(self._compiled))]
            self._compiled[shapes] = openvino().Core().compile_model(graph, "CPU", wanted)
        return self._compiled[shapes]

    def _exported(self, inputs: tuple[Tensor, ...]) -> Any:  # noqa: ANN401 - OpenVINO publishes no types
        if self._graph is None:
            # A batch of one would be taken for a constant.
            examples = tuple(torch.cat([tensor, tensor])[:2].float().cpu() for tensor in inputs)
            free = tuple({axis: torch.export.Dim.AUTO for axis in range(e.ndim) if axis != 1} for e in examples)
            with torch.no_grad():
                program = torch.export.export(self._module, examples, dynamic_shapes=free)
            self._graph = openvino().convert_model(program)
        return self._graph


_WORTH_EXPORTING = 48
"""Tiles from which on OpenVINO's head start of some seconds, for exporting the model, is caught up with."""


def start_network(
    model: nn.Module,
    runtime: RuntimeName = "auto",
    device: str = "auto",
    precision: Precision = "f32",
    *,
    tiles: int = _WORTH_EXPORTING,
) -> Network:
    """The model made ready on a runtime.

    "auto" takes OpenVINO on a CPU where it is installed and there is work enough, since it is the fastest in the same
    precision, and PyTorch otherwise.

    Args:
        model: the network.
        runtime: "auto", "torch" or "openvino".
        device: see `choose_device`.
        precision: of the arithmetic.
        tiles: how many it will see; few are not worth exporting it for.
    """
    if runtime not in RUNTIMES:
        raise UnknownName.among(runtime, RUNTIMES, "runtime")
    chosen = choose_device(device)
    installed = importlib.util.find_spec("openvino") is not None
    if runtime == "openvino" and not installed:
        raise ExtraMissing.of("fast", "the OpenVINO runtime")
    if runtime == "openvino" and chosen.type != "cpu":
        if device != "auto":
            raise InvalidSetting(
                "OpenVINO runs on CPUs", found=f"device {device}", cure="Use --device cpu, or --runtime torch."
            )
        chosen = torch.device("cpu")
    worth = installed and chosen.type == "cpu" and tiles >= _WORTH_EXPORTING
    if runtime == "openvino" or (runtime == "auto" and worth):
        return OpenVinoNetwork(model, precision)
    return TorchNetwork(model, chosen, precision)
