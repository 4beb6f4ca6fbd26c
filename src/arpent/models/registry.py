"""Which networks there are: the one table from the name in a contract to a builder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from arpent.core.settings import Settings, parse
from arpent.errors import InvalidSetting, UnknownName
from arpent.models.croma import Croma, CromaSettings
from arpent.models.image_encoder import ImageEncoderSettings, build_image_encoder
from arpent.models.labelling import build_labeller
from arpent.models.labelling_settings import LabellerSettings
from arpent.models.parts import Parts
from arpent.models.planaura import Planaura, PlanauraSettings
from arpent.models.planaura_change import PlanauraChangeSettings, build_planaura_change
from arpent.models.recurrent import ForecasterSettings, build_forecaster, forecaster_tiles
from arpent.models.smp import SmpUnetSettings, build_smp_unet, smp_unet_parts
from arpent.models.tiles import TileNeeds
from arpent.models.unet import UNet, UNetSettings, unet_parts, unet_tiles

__all__ = ["Architecture", "architecture", "architectures", "build", "parts_of", "tile_needs"]


@dataclass(frozen=True)
class Architecture:
    """A kind of network.

    Attributes:
        name: how bundles and users' files call it.
        title: what it is, for people.
        settings: the closed model of its settings.
        build: makes it, with random weights, from such settings.
        needs: what it wants of its tiles, from such settings; nothing is built for it.
        parts: what it is made of, from such settings; None for networks that are no U-Net.
        hallmark: a tensor that every network of this make has, and none of an earlier one; None while there is but one.
    """

    name: str
    title: str
    settings: type[Settings]
    build: Callable[[Any], nn.Module]
    needs: Callable[[Any], TileNeeds]
    parts: Callable[[Any], Parts] | None = None
    hallmark: str | None = None


def _of_patches(settings: CromaSettings | PlanauraSettings) -> TileNeeds:
    """Transformers take whole patches, and each of them looks at all others."""
    return TileNeeds(settings.patch)


def _of_smp_unet(settings: SmpUnetSettings) -> TileNeeds:
    """Each level of the encoder halves its input."""
    return TileNeeds(2 ** len(settings.decoder_widths))


def _of_image_encoder(settings: ImageEncoderSettings) -> TileNeeds:
    """Those made for photographs halve their input five times."""
    return TileNeeds(32)


def _of_labeller(settings: LabellerSettings) -> TileNeeds:
    """It takes whole images, brought to one size."""
    return TileNeeds(settings.image.side if settings.image else 1)


_TABLE: Mapping[str, Architecture] = {
    entry.name: entry
    for entry in (
        Architecture("croma", "CROMA: optical, radar and joint encoder", CromaSettings, Croma, _of_patches),
        Architecture(
            "forecaster",
            "segmentation network and what carries a series on",
            ForecasterSettings,
            build_forecaster,
            forecaster_tiles,
            hallmark="head.sharpen.weight",
        ),
        Architecture("labeller", "labels of images and captions", LabellerSettings, build_labeller, _of_labeller),
        Architecture(
            "planaura", "Planaura: encoder of dates, with an optional decoder", PlanauraSettings, Planaura, _of_patches
        ),
        Architecture(
            "planaura-change",
            "Planaura with a change head",
            PlanauraChangeSettings,
            build_planaura_change,
            _of_patches,
        ),
        Architecture(
            "smp-unet",
            "U-Net with an encoder made for photographs",
            SmpUnetSettings,
            build_smp_unet,
            _of_smp_unet,
            smp_unet_parts,
        ),
        Architecture("timm", "image encoder of timm", ImageEncoderSettings, build_image_encoder, _of_image_encoder),
        Architecture("unet", "small U-Net, quick on a CPU", UNetSettings, UNet, unet_tiles, unet_parts),
    )
}


def architectures() -> tuple[str, ...]:
    """Every architecture's name."""
    return tuple(_TABLE)


def architecture(name: str) -> Architecture:
    """The architecture of that name."""
    if name not in _TABLE:
        raise UnknownName.among(name, _TABLE, "architecture")
    return _TABLE[name]


def build(name: str, settings: Mapping[str, Any] | Settings) -> nn.Module:
    """A network with random weights.

    Args:
        name: an architecture ("unet").
        settings: its settings, as its own settings model or as a mapping, which is checked against that model.

    Raises:
        UnknownName: no such architecture.
        UnknownSetting: a key that the architecture does not have.
        InvalidSetting: a value it cannot take.
    """
    chosen = architecture(name)
    return chosen.build(_checked(chosen, settings))


def tile_needs(name: str, settings: Mapping[str, Any] | Settings) -> TileNeeds:
    """What the network that `build` would make of the same `name` and `settings` needs of its tiles.

    Raises:
        UnknownName, UnknownSetting, InvalidSetting: as `build`.
    """
    chosen = architecture(name)
    return chosen.needs(_checked(chosen, settings))


def parts_of(name: str, settings: Mapping[str, Any] | Settings) -> Parts:
    """What the network that `build` would make is made of: encoder, decoder and head.

    Raises:
        UnknownName, UnknownSetting, InvalidSetting: as `build`, and for a network without these parts.
    """
    chosen = architecture(name)
    if chosen.parts is None:
        made_of_parts = [entry.name for entry in _TABLE.values() if entry.parts]
        raise InvalidSetting(
            f"the architecture '{name}' has no encoder, decoder and head to be tuned apart",
            expected=" or ".join(made_of_parts),
            cure="Choose a strategy that trains the whole network, or another architecture.",
        )
    return chosen.parts(_checked(chosen, settings))


def _checked(chosen: Architecture, settings: Mapping[str, Any] | Settings) -> Settings:
    if isinstance(settings, Settings):
        settings = settings.model_dump(mode="json")
    return parse(chosen.settings, settings, f"architecture '{chosen.name}'")
