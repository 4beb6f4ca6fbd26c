"""How other programs name their tensors, and which of Arpent's networks those names belong to.

Each layout is a pure function from a checkpoint to a `Recognised`: the architecture, its settings as the shapes tell
them, and the tensors under Arpent's names. Whether they really fit is for `load.load_state` to say.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from arpent.errors import InvalidSetting, UnknownName, WeightsMismatch
from arpent.models.croma import CROMA_BIAS, croma_settings, croma_state
from arpent.models.import_settings import LayoutSettings
from arpent.models.planaura_weights import planaura_leftovers, planaura_settings, planaura_state

__all__ = ["Recognised", "layout_names", "recognise"]

Checkpoint = Mapping[str, Any]


@dataclass(frozen=True)
class Recognised:
    """A checkpoint in Arpent's words.

    Attributes:
        architecture: name in the registry.
        settings: of the architecture.
        channels: bands of the input.
        classes: maps or scores of the output; 0 for features.
        state: tensors under the names of Arpent's network.
        left_out: tensors of the checkpoint that the network does not take.
        undescribed: inputs of the network beside the one whose bands are counted, of which a contract says nothing.
    """

    architecture: str
    settings: Mapping[str, Any]
    channels: int
    classes: int
    state: Mapping[str, Tensor]
    left_out: tuple[str, ...] = ()
    undescribed: tuple[str, ...] = ()


def layout_names() -> tuple[str, ...]:
    """The layouts that can be imported."""
    return tuple(_LAYOUTS)


def recognise(checkpoint: Checkpoint, layout: str, settings: LayoutSettings) -> Recognised:
    """Read a checkpoint as one of the `layout_names`.

    Raises:
        UnknownName: no such layout.
        WeightsMismatch: the checkpoint is not of that layout.
        InvalidSetting: something must be told that the tensors cannot tell.
    """
    if layout not in _LAYOUTS:
        raise UnknownName.among(layout, _LAYOUTS, "layout")
    return _LAYOUTS[layout](checkpoint, settings)


def _smp(checkpoint: Checkpoint, settings: LayoutSettings) -> Recognised:
    return _smp_network(_tensors(checkpoint, "smp"), settings, "smp")


def _flair(checkpoint: Checkpoint, settings: LayoutSettings) -> Recognised:
    # Lightning's checkpoints put "model.seg_model." before smp's own names, exported weights "seg_model." or nothing;
    # beside the network lie the class weights of its loss and, in some, the branch for metadata.
    tensors = _tensors(checkpoint, "flair")
    names = {name: re.sub(r"^(model\.)?(seg_model\.)?", "", name) for name in tensors}
    branch = [name for name, own in names.items() if own.startswith(("enc.", "enc_mlp."))]
    if branch and settings.metadata == "refuse":
        raise InvalidSetting(
            "this FLAIR model was trained with metadata on place, camera and date, which the U-Net alone cannot take",
            found=f"{len(branch)} tensors such as {branch[0]}",
            cure="Accept a model without that branch: --metadata drop.",
        )
    loss = [name for name, own in names.items() if own.startswith("criterion.")]
    network = {own: tensors[name] for name, own in names.items() if name not in {*branch, *loss}}
    return _smp_network(network, settings, "flair", left_out=(*branch, *loss))


def _smp_network(
    state: dict[str, Tensor], settings: LayoutSettings, layout: str, left_out: tuple[str, ...] = ()
) -> Recognised:
    head = _shape(state, "segmentation_head.0.weight", layout)
    first = next((tensor for name, tensor in state.items() if name.startswith("encoder.") and tensor.ndim == 4), None)
    if first is None:
        raise _not_of(layout, "no convolution under 'encoder.'")
    blocks = sorted({int(name.split(".")[2]) for name in state if name.startswith("decoder.blocks.")})
    widths = [_shape(state, f"decoder.blocks.{block}.conv1.0.weight", layout)[0] for block in blocks]
    encoder = settings.encoder or _resnet(state, "encoder.") or _unnamed("smp")
    channels, classes = first.shape[1], head[0]
    own = {"encoder": encoder, "channels": channels, "classes": classes, "decoder_widths": widths}
    return Recognised("smp-unet", own, channels, classes, state, left_out)


def _timm(checkpoint: Checkpoint, settings: LayoutSettings) -> Recognised:
    return _encoder(_tensors(checkpoint, "timm"), settings, "timm")


def _torchvision(checkpoint: Checkpoint, settings: LayoutSettings) -> Recognised:
    # timm names the tensors of ResNets as torchvision does, those of MobileNetV2 it does not.
    tensors = _tensors(checkpoint, "torchvision")
    if "features.0.0.weight" in tensors:
        tensors = {_mobilenet_name(name): tensor for name, tensor in tensors.items()}
    return _encoder(tensors, settings, "torchvision")


def _encoder(state: dict[str, Tensor], settings: LayoutSettings, layout: str) -> Recognised:
    name = settings.encoder or _resnet(state, "") or _mobilenet(state) or _unnamed(layout)
    first = next((tensor for tensor in state.values() if tensor.ndim == 4), None)
    if first is None:
        raise _not_of(layout, "no convolution")
    channels, classes = first.shape[1], 0
    heads = tuple(key for key in state if re.fullmatch(r"(fc|classifier|head|head\.fc)\.(weight|bias)", key))
    left_out = () if settings.head == "keep" else heads
    if settings.head == "keep":
        if not heads:
            raise _not_of(layout, "no last layer to keep")
        classes = state[heads[0]].shape[0]
    kept = {key: tensor for key, tensor in state.items() if key not in left_out}
    own = {"name": name, "channels": channels, "classes": classes}
    return Recognised("timm", own, channels, classes, kept, left_out)


def _planaura(checkpoint: Checkpoint, settings: LayoutSettings) -> Recognised:
    state = planaura_state(checkpoint)
    told = planaura_settings(state, frames=settings.frames, heads=settings.heads, decoder_heads=settings.decoder_heads)
    return Recognised("planaura", told.model_dump(mode="json"), told.channels, 0, state, planaura_leftovers(checkpoint))


def _croma(checkpoint: Checkpoint, _: LayoutSettings) -> Recognised:
    state = croma_state(checkpoint)
    told = croma_settings(state)
    both = len(told.modalities) == 2
    return Recognised(
        "croma",
        told.model_dump(mode="json"),
        told.optical_channels if "optical" in told.modalities else told.radar_channels,
        classes=0,
        state=state,
        left_out=(CROMA_BIAS,) if CROMA_BIAS in checkpoint else (),
        undescribed=(f"radar ({told.radar_channels} bands)",) if both else (),
    )


_LAYOUTS: Mapping[str, Callable[[Checkpoint, LayoutSettings], Recognised]] = {
    "croma": _croma,
    "flair": _flair,
    "planaura": _planaura,
    "smp": _smp,
    "timm": _timm,
    "torchvision": _torchvision,
}


def _tensors(checkpoint: Checkpoint, layout: str) -> dict[str, Tensor]:
    """The named tensors of a checkpoint, which training programs keep under a key of their own."""
    for key in ("state_dict", "model_state_dict", "model"):
        if isinstance(checkpoint.get(key), Mapping):
            checkpoint = checkpoint[key]
            break
    strange = [name for name, value in checkpoint.items() if not isinstance(value, Tensor)]
    if strange or not checkpoint:
        raise _not_of(layout, f"values that are not tensors: {', '.join(strange[:4])}" if strange else "nothing")
    names = {name.removeprefix("module."): name for name in checkpoint}
    return {name: checkpoint[original] for name, original in names.items()}


def _resnet(state: Mapping[str, Tensor], prefix: str) -> str | None:
    """The name of the ResNet whose blocks these are."""
    levels: dict[str, set[str]] = {level: set() for level in "1234"}
    for name in state:
        if block := re.fullmatch(rf"{re.escape(prefix)}layer([1-4])\.(\d+)\.conv1\.weight", name):
            levels[block[1]].add(block[2])
    deep = f"{prefix}layer1.0.conv3.weight" in state
    known: dict[tuple[bool, tuple[int, ...]], str] = {
        (False, (2, 2, 2, 2)): "resnet18",
        (False, (3, 4, 6, 3)): "resnet34",
        (True, (3, 4, 6, 3)): "resnet50",
        (True, (3, 4, 23, 3)): "resnet101",
        (True, (3, 8, 36, 3)): "resnet152",
    }
    return known.get((deep, tuple(len(blocks) for blocks in levels.values())))


def _mobilenet(state: Mapping[str, Tensor]) -> str | None:
    """The name of MobileNetV2, if these are its tensors in timm's words."""
    last = state.get("blocks.6.0.conv_pwl.weight")
    return "mobilenetv2_100" if last is not None and last.shape[0] == 320 else None


# Where torchvision counts the blocks of MobileNetV2 through, timm counts stages and the blocks in each.
_STAGES = (1, 2, 3, 4, 3, 3, 1)
_BLOCKS = {
    number: f"blocks.{stage}.{block}"
    for number, (stage, block) in enumerate(
        ((stage, block) for stage, length in enumerate(_STAGES) for block in range(length)), start=1
    )
}
_FIRST_BLOCK = {"0.0": "conv_dw", "0.1": "bn1", "1": "conv_pw", "2": "bn2"}
_OTHER_BLOCKS = {
    "0.0": "conv_pw",
    "0.1": "bn1",
    "1.0": "conv_dw",
    "1.1": "bn2",
    "2": "conv_pwl",
    "3": "bn3",
}
_ENDS = {"0.0": "conv_stem", "0.1": "bn1", "18.0": "conv_head", "18.1": "bn2"}


def _mobilenet_name(name: str) -> str:
    """What timm calls a tensor of torchvision's MobileNetV2; names that are no such tensor stay as they are."""
    if name.startswith("classifier.1."):
        return name.replace("classifier.1.", "classifier.")
    if end := re.fullmatch(r"features\.(\d+\.\d)\.(\w+)", name):
        return f"{_ENDS[end[1]]}.{end[2]}" if end[1] in _ENDS else name
    inner = re.fullmatch(r"features\.(\d+)\.conv\.(\d(?:\.\d)?)\.(\w+)", name)
    if inner is None or int(inner[1]) not in _BLOCKS:
        return name
    parts = _FIRST_BLOCK if inner[1] == "1" else _OTHER_BLOCKS
    return f"{_BLOCKS[int(inner[1])]}.{parts[inner[2]]}.{inner[3]}" if inner[2] in parts else name


def _shape(state: Mapping[str, Tensor], name: str, layout: str) -> tuple[int, ...]:
    if name not in state or state[name].ndim != 4:
        raise _not_of(layout, f"no convolution '{name}'")
    return tuple(state[name].shape)


def _not_of(layout: str, found: str) -> WeightsMismatch:
    return WeightsMismatch(
        f"these are not weights in the layout '{layout}'",
        found=found,
        cure=f"Name their layout with --as: {', '.join(_LAYOUTS)}.",
    )


def _unnamed(layout: str) -> str:
    raise InvalidSetting(
        f"the tensors do not tell which encoder of {layout} they are",
        expected="a ResNet or MobileNetV2, or its name",
        cure="Name it: --encoder NAME.",
    )
