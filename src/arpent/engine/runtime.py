"""Ways to run a trained network: PyTorch anywhere, OpenVINO on CPUs where it is faster."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from contextlib import nullcontext
from threading import Lock
from typing import Any, get_args

import torch
from torch import Tensor, nn

from arpent.engine.crew import hired
from arpent.engine.devices import as_channels_last, channels_last, choose_device
from arpent.engine.settings import Precision, RuntimeName
from arpent.engine.stems import WideConvolutions, bfloat16
from arpent.engine.task import Network
from arpent.errors import ExtraMissing, InvalidSetting, UnknownName
from arpent.models.openvino import openvino

__all__ = ["RUNTIMES", "DeferredNetwork", "OpenVinoNetwork", "TorchNetwork", "start_network"]

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
        with torch.inference_mode(), bfloat16(self.device.type, enabled=self._reduced):
            out = self._model(*(as_channels_last(tensor.to(self.device)) for tensor in inputs))
        return out.float() if isinstance(out, Tensor) and self._reduced else out


class DeferredNetwork:
    """A network that others run: here it is started only if it is asked all the same.

    Args:
        name: of the runtime.
        device: on which the others run it.
        start: makes it ready here.
    """

    def __init__(self, name: str, device: torch.device, start: Callable[[], Network]) -> None:
        self.name, self.device = name, device
        self._start, self._lock = start, Lock()
        self._started: Network | None = None

    def __call__(self, *inputs: Tensor) -> Any:  # noqa: ANN401 - models answer with tensors, tuples or mappings
        """One forward pass in this process."""
        with self._lock:
            self._started = self._started or self._start()
        return self._started(*inputs)


_MOST_COMPILED = 12
"""Sizes that stay compiled: the four shapes of tile of an image, for some images of other sizes."""


class OpenVinoNetwork:
    """A module converted to OpenVINO, and compiled once for each size that comes.

    Tiles go through one by one, which on a CPU is as fast as together, takes less memory, and leaves fewer sizes to be
    compiled. Exporting a module with free sizes takes long, half a minute for a transformer; with sizes given it takes
    a second. So where all tiles have one size, the module is exported for just that.

    Args:
        model: the network; the first axis of its inputs and answers counts tiles.
        precision: of the arithmetic.
        fixed: whether all tiles have one size.
    """

    name = "openvino"

    def __init__(self, model: nn.Module, precision: Precision = "f32", *, fixed: bool = False) -> None:
        self.device = torch.device("cpu")
        self.precision = precision
        self._module = model.to("cpu").eval()
        self._fixed = fixed
        self._graph: Any = None
        self._compiled: dict[tuple[torch.Size, ...], Any] = {}

    def __call__(self, *inputs: Tensor) -> Any:  # noqa: ANN401 - one tensor, or a tuple of them
        """One forward pass. A model with one output answers with a tensor, others with a tuple."""
        answers = [self._run(tuple(tensor[n : n + 1] for tensor in inputs)) for n in range(len(inputs[0]))]
        outputs = answers[0] if len(answers) == 1 else tuple(torch.cat(every) for every in zip(*answers, strict=True))
        return outputs[0] if len(outputs) == 1 else outputs

    def _run(self, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        arrays = [tensor.detach().to("cpu", torch.float32).contiguous().numpy() for tensor in inputs]
        answer = self.compiled_for(*inputs)(arrays)
        # The runtime reuses its output buffers for the next call.
        return tuple(torch.from_numpy(answer[index].copy()) for index in range(len(answer)))

    def compiled_for(self, *inputs: Tensor) -> Any:  # noqa: ANN401 - OpenVINO publishes no types
        """The compiled model for a tile of these sizes."""
        shapes = tuple(tensor.shape for tensor in inputs)
        if shapes not in self._compiled:
            graph = self._exported(inputs) if self._fixed else self._reshaped(inputs)
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

    def _reshaped(self, inputs: tuple[Tensor, ...]) -> Any:  # noqa: ANN401 - OpenVINO publishes no types
        """The one export with free sizes, for inputs of these."""
        if self._graph is None:
            free = tuple(dict.fromkeys(range(2, tensor.ndim), torch.export.Dim.AUTO) for tensor in inputs)
            self._graph = self._exported(inputs, free)
        graph = self._graph.clone()
        graph.reshape({index: list(tensor.shape) for index, tensor in enumerate(inputs)})
        return graph

    def _exported(self, inputs: tuple[Tensor, ...], free: tuple[dict[int, Any], ...] | None = None) -> Any:  # noqa: ANN401 - OpenVINO publishes no types
        """OpenVINO's graph of the module, for inputs like these; `free` are the axes whose length may change."""
        examples = tuple(tensor.detach().float().cpu() for tensor in inputs)
        wide = WideConvolutions() if self.precision == "bf16" else nullcontext()
        with torch.no_grad(), wide:
            program = torch.export.export(self._module, examples, dynamic_shapes=free)
        if isinstance(wide, WideConvolutions) and wide.overlapping:
            self.precision = "f32"  # of a whole graph: which of its steps are wide, the runtime does not ask
        return openvino().convert_model(program)


_WORTH_STARTING = 20.0
"""CPU seconds saved from which on OpenVINO is chosen: its start takes 7 to 8 of a single core, while all of them share
what is saved. The number of cores does not count, so that a run that goes on elsewhere chooses alike."""

_SAVED = 0.25
"""CPU seconds that OpenVINO saves on a tile of 512² of the small U-Net of land cover: two thirds of them."""


def start_network(
    model: nn.Module,
    runtime: RuntimeName = "auto",
    device: str = "auto",
    precision: Precision = "f32",
    *,
    tiles: int | None = None,
    saved: float = _SAVED,
    fixed: bool = False,
) -> Network:
    """The model made ready on a runtime.

    "auto" takes OpenVINO on a CPU where it is installed and there is work enough, since it is the fastest in the same
    precision, and PyTorch otherwise.

    Args:
        model: the network.
        runtime: "auto", "torch" or "openvino".
        device: see `choose_device`.
        precision: of the arithmetic.
        tiles: how many it will see; few are not worth exporting it for. None for any number.
        saved: CPU seconds that OpenVINO saves on each of them.
        fixed: whether all of them have one size; OpenVINO then starts much faster.
    """
    if runtime not in RUNTIMES:
        raise UnknownName.among(runtime, RUNTIMES, "runtime")
    others = hired()
    chosen = choose_device(device) if others is None else others.device_for(device)
    installed = importlib.util.find_spec("openvino") is not None
    if runtime == "openvino" and not installed:
        raise ExtraMissing.of("fast", "the OpenVINO runtime")
    if runtime == "openvino" and chosen.type != "cpu":
        if device != "auto" or others is not None:
            found = f"device {device}" if device != "auto" else "--gpus"
            raise InvalidSetting("OpenVINO runs on CPUs", found=found, cure="Use --device cpu, or --runtime torch.")
        chosen = torch.device("cpu")
    worth = installed and chosen.type == "cpu" and (tiles is None or tiles * saved >= _WORTH_STARTING)
    name: RuntimeName = "openvino" if runtime == "openvino" or (runtime == "auto" and worth) else "torch"

    def start() -> Network:
        if name == "openvino":
            return OpenVinoNetwork(model, precision, fixed=fixed)
        # Those who work have GPUs; whether this process has one is another matter.
        here = device if others is None else "cpu" if chosen.type == "cpu" else "auto"
        return TorchNetwork(model, choose_device(here), precision)

    return start() if others is None else DeferredNetwork(name, chosen, start)
