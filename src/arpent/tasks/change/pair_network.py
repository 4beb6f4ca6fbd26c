"""Planaura as a network of one input and the few outputs that are asked for, which every runtime can run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from arpent.engine import Network, start_network
from arpent.errors import BundleInvalid, ContractMismatch, InvalidSetting
from arpent.models import Bundle, Planaura
from arpent.tasks.change.placing import Placing
from arpent.tasks.change.settings import ChangeSettings

__all__ = [
    "Asked",
    "PairNetwork",
    "asked_of",
    "check_model",
    "dims_of",
    "outputs_named",
    "placing_of",
    "start_pair_network",
    "whole_table",
]

_PUBLISHED_WORK = 85_054_464 * 32**2
"""Weights of the published network's blocks, times the patches of its tile."""


@dataclass(frozen=True)
class Asked:
    """What is wanted of the network.

    Attributes:
        frames: dates that it is shown.
        outputs: names of its answers, in their order: "cosine", "which", "features", "painted", "odds".
        dims: dimensions of the features; None for all.
    """

    frames: int
    outputs: tuple[str, ...]
    dims: tuple[int, ...] | None = None


class PairNetwork(nn.Module):
    """The dates of a tile in, one after another in its channels; a tuple of maps out.

    Nothing is computed that is not asked for: the decoder runs for "painted" alone, and without "features" none are
    kept.

    Args:
        model: the network.
        asked: what is wanted of it.
        stride: pixels between answers.
        attention: whether patches attend to one another.
    """

    def __init__(self, model: Planaura, asked: Asked, stride: int, *, attention: bool = True) -> None:
        super().__init__()
        self.model = model
        self._asked = asked
        self._stride = stride
        self._attention = attention

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Answers for (B, dates · bands, H, W), in the order asked for, all float32.

        "cosine", "which" (B, h, w); "features" (B, T, h, w, dims); "painted" (B, C, T, H, W); "odds" (B, H, W).
        """
        asked = self._asked
        out = self.model(
            images.reshape(images.shape[0], asked.frames, -1, *images.shape[2:]).transpose(1, 2),
            stride=self._stride,
            attention=self._attention,
            dims=asked.dims if "features" in asked.outputs else (),
            reconstruct="painted" in asked.outputs,
        )
        made = {
            "cosine": out.cosine,
            "which": out.which_before,
            "features": out.features,
            "painted": out.reconstruction,
            "odds": out.change,
        }
        return tuple(made[name].float() for name in asked.outputs)


def check_model(bundle: Bundle, frames: int, settings: ChangeSettings) -> Planaura:
    """The network of a bundle, which must be able to do what is asked.

    Raises:
        BundleInvalid: the bundle is no model of change.
        ContractMismatch: more dates than it knows the positions of.
        InvalidSetting: dimensions, or a stride, that it does not have; OpenVINO for a stride below the patch.
    """
    model = bundle.model
    if bundle.contract.task != "change" or not isinstance(model, Planaura):
        raise BundleInvalid(
            "this is no model of change",
            found=f"'{bundle.contract.architecture}', made for '{bundle.contract.task}'",
            expected="a Planaura network",
            cure="Give another bundle.",
        )
    shape = model.settings
    if shape.positions == "stored" and frames > shape.frames:
        raise ContractMismatch(
            f"the model knows positions for {shape.frames} dates",
            found=f"{frames} images",
            cure="Give fewer, or a model of more dates (num_frames, with keep_pos_embedding: false).",
        )
    wrong = [dim for dim in settings.dims or () if dim >= shape.width]
    if wrong:
        raise InvalidSetting(
            f"embeddings have no dimension {', '.join(map(str, wrong))}",
            expected=f"0 to {shape.width - 1}",
            cure="Correct --dims.",
        )
    placing = placing_of(model, settings)
    if settings.runtime == "openvino" and placing.stride < placing.patch:
        raise InvalidSetting(
            f"OpenVINO compares patches side by side only, {placing.patch} px apart",
            found=f"stride {placing.stride}",
            cure="Use --runtime torch, or leave --stride out.",
        )
    return model


def asked_of(model: Planaura, frames: int, settings: ChangeSettings) -> Asked:
    """What the network must answer for so many dates, for the products that the settings want."""
    names = ["cosine", "which"] if frames > 1 else []
    if (settings.features and dims_of(model, settings)) or settings.table != "none":
        names.append("features")
    if settings.reconstruct:
        names.append("painted")
    if model.head is not None and frames > 1:
        names.append("odds")
    return Asked(frames, tuple(names), None if whole_table(settings) else settings.dims)


def dims_of(model: Planaura, settings: ChangeSettings) -> tuple[int, ...]:
    """The dimensions of embeddings that are kept."""
    return tuple(range(model.settings.width)) if settings.dims is None else settings.dims


def whole_table(settings: ChangeSettings) -> bool:
    """Whether a table needs dimensions that images may do without."""
    return settings.table != "none" and settings.table_dims == "all"


def placing_of(model: Planaura, settings: ChangeSettings) -> Placing:
    """How the answers of the network lie on products, as the settings ask."""
    patch = model.settings.patch
    side = -(-(settings.tile or model.settings.image_size) // patch) * patch
    return Placing(side, patch, settings.stride or patch, settings.profile, settings.upsample)


def start_pair_network(bundle: Bundle, asked: Asked, settings: ChangeSettings, *, tiles: int) -> Network:
    """The network on the runtime that the settings name; the fastest for so many tiles, where they leave it open.

    Raises:
        The errors of `check_model`.
    """
    model = check_model(bundle, asked.frames, settings)
    placing = placing_of(model, settings)
    # The parts of a finer grid are gathered in PyTorch only.
    runtime = settings.runtime if placing.stride == placing.patch else "torch"
    network = PairNetwork(model, asked, placing.stride, attention=settings.attention)
    saved = _saved(model, placing)
    return start_network(network, runtime, settings.device, settings.precision, tiles=tiles, saved=saved, fixed=True)


def _saved(model: Planaura, placing: Placing) -> float:
    """CPU seconds that OpenVINO saves on a tile, by the work in it: about 1 for the published network."""
    blocks = sum(parameter.numel() for parameter in model.encoder.blocks.parameters())
    return blocks * (placing.side // placing.patch) ** 2 / _PUBLISHED_WORK


def outputs_named(names: Sequence[str], answer: object) -> dict[str, Tensor]:
    """The answers of a network by name; runtimes give a single one without its tuple."""
    given = answer if isinstance(answer, tuple) else (answer,)
    return {name: tensor for name, tensor in zip(names, given, strict=True) if isinstance(tensor, Tensor)}
