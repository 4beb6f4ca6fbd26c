"""Image encoders with their weights, and what these want of pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
from torch import Tensor, nn

from arpent.core import Band, Normalisation, sensor
from arpent.core.bundle import read_contract
from arpent.errors import BundleInvalid, FileMissing, InvalidSetting
from arpent.models import build, extend_stem, load_state, open_model, pixel_rule, pretrained_encoder, published_names
from arpent.models.image_encoder import ImageEncoderSettings
from arpent.tasks.classify.train_settings import RGB, ClassifyTrainSettings

__all__ = ["Eye", "open_eye"]

_NAMES: Final = {"mobilenet_v2": "mobilenetv2_100"}
_PUBLISHED: Final = {"mobilenetv2_100": "mobilenet-v2", "resnet34": "resnet34"}
_HEADS: Final = ("classifier.", "fc.", "head.fc.")
_RANDOM: Final = "random"


@dataclass(frozen=True)
class Eye:
    """An image encoder, and how pictures are shown to it.

    Attributes:
        encoder: images ``(B, bands, side, side)`` to pooled features ``(B, width)``; in evaluation mode.
        name: that timm gives it.
        bands: of its input, as far as they are described.
        rule: how numbers become its input; None where that is to be measured.
        origin: where its weights come from; None for random ones.
        licence: of the weights, where it is known.
    """

    encoder: nn.Module
    name: str
    bands: tuple[Band, ...]
    rule: Normalisation | None
    origin: str | None
    licence: str | None = None


@dataclass(frozen=True)
class _Weights:
    """Tensors of an encoder for red, green and blue, and what is known of them."""

    state: Mapping[str, Tensor]
    rule: Normalisation | None
    origin: str
    licence: str | None = None


def open_eye(settings: ClassifyTrainSettings) -> Eye:
    """The encoder that some settings ask for.

    Raises:
        UnknownName: timm has no encoder of that name, or there is no such band.
        WeightsMissing, WeightsMismatch, UnreadableFile, FileMissing: its weights.
        InvalidSetting: bands that are read as they are, and a rule for bytes.
    """
    name = _NAMES.get(settings.image_encoder, settings.image_encoder)
    colours = settings.bands == RGB
    if settings.pixels is not None and not colours:
        raise InvalidSetting(
            "'pixels' is about bytes of red, green and blue",
            found=", ".join(settings.bands),
            cure="Leave it out: other bands are brought to mean 0 and deviation 1.",
        )
    rgb = sensor("bd-ortho").select(RGB)
    bands = rgb if colours else _described(settings)
    weights = _weights(settings, name)
    channels = len(RGB) if weights else len(bands)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        shape = ImageEncoderSettings(name=name, channels=channels, padding=settings.padding)
        encoder = build("timm", shape)
    if weights is not None:
        own = encoder.state_dict()
        counters = {key: tensor for key, tensor in own.items() if key.endswith("num_batches_tracked")}
        load_state(encoder, {**counters, **weights.state}, weights.origin)
        if not colours:
            encoder = extend_stem(encoder, rgb, bands, settings.stem)
    told = weights.rule if weights else None
    rule = told if told and not settings.pixels else pixel_rule(settings.pixels or "imagenet", len(RGB))
    origin, licence = (weights.origin, weights.licence) if weights else (None, None)
    return Eye(encoder.eval(), name, tuple(bands), rule if colours else None, origin, licence)


def _described(settings: ClassifyTrainSettings) -> tuple[Band, ...]:
    if settings.sensor:
        return sensor(settings.sensor).select(settings.bands)
    known = {band.name: band for band in sensor("bd-ortho").bands}
    return tuple(known.get(name, Band(name=name)) for name in settings.bands)


def _weights(settings: ClassifyTrainSettings, name: str) -> _Weights | None:
    """The weights that are asked for; None for random ones."""
    source = settings.pretrained or _PUBLISHED.get(name)
    if source is None:
        raise InvalidSetting(
            f"there are no weights of the encoder '{name}' in the catalog",
            cure="Name a file of them with --pretrained FILE, or begin with random ones: --pretrained random.",
        )
    if source == _RANDOM:
        return None
    path = Path(source)
    if source not in published_names() and not _is_bundle(path):
        return _Weights(pretrained_encoder(path), None, path.name)
    bundle = open_model(source)
    if bundle.contract.architecture != "timm":
        raise InvalidSetting(
            f"{source} is no image encoder",
            found=f"architecture '{bundle.contract.architecture}'",
            expected="architecture 'timm'",
            cure="Import one with 'arpent models import FILE --as torchvision'.",
        )
    state = {key: tensor for key, tensor in bundle.model.state_dict().items() if not key.startswith(_HEADS)}
    contract = bundle.contract
    return _Weights(state, contract.normalisation, contract.source or source, contract.licence)


def _is_bundle(path: Path) -> bool:
    try:
        read_contract(path)
    except (BundleInvalid, FileMissing):
        return False
    return True
