"""Which networks there are: the one table from the name in a contract to a builder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from arpent.core.settings import Settings, parse
from arpent.errors import UnknownName
from arpent.models.croma import Croma, CromaSettings
from arpent.models.image_encoder import ImageEncoderSettings, build_image_encoder
from arpent.models.planaura import Planaura, PlanauraSettings
from arpent.models.smp import SmpUnetSettings, build_smp_unet
from arpent.models.unet import UNet, UNetSettings

__all__ = ["Architecture", "architecture", "architectures", "build"]


@dataclass(frozen=True)
class Architecture:
    """A kind of network.

    Attributes:
        name: how bundles and users' files call it.
        title: what it is, for people.
        settings: the closed model of its settings.
        build: makes it, with random weights, from such settings.
    """

    name: str
    title: str
    settings: type[Settings]
    build: Callable[[Any], nn.Module]


_TABLE: Mapping[str, Architecture] = {
    entry.name: entry
    for entry in (
        Architecture("croma", "CROMA: optical, radar and joint encoder", CromaSettings, Croma),
        Architecture("planaura", "Planaura: encoder of dates, with an optional decoder", PlanauraSettings, Planaura),
        Architecture("smp-unet", "U-Net with an encoder made for photographs", SmpUnetSettings, build_smp_unet),
        Architecture("timm", "image encoder of timm", ImageEncoderSettings, build_image_encoder),
        Architecture("unet", "small U-Net, quick on a CPU", UNetSettings, UNet),
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
    if isinstance(settings, Settings):
        settings = settings.model_dump(mode="json")
    return chosen.build(parse(chosen.settings, settings, f"architecture '{name}'"))
