"""What is known of an image beside its pixels, told to a network: place, altitude, camera, date and time of day.

Each group of values is either known or missing, and a missing one is replaced by values that the network has learnt.
What comes out is one number per feature map of the bottleneck, added everywhere: the size of the image does not matter.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, time
from functools import lru_cache
from typing import Annotated, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from pyproj import Transformer
from torch import Tensor, nn

from arpent.core.settings import Settings

__all__ = ["Acquisition", "MetadataBranch", "MetadataSettings", "Told", "encode", "settings_in"]


class MetadataSettings(Settings):
    """Settings of the branch that tells a network what is known beside the pixels."""

    encoding: Literal["earth", "flair-compat"] = "earth"
    """How values become numbers: Arpent's own, or the 45 of FLAIR with their known defects."""
    cameras: tuple[str, ...] = ()
    """Names of the cameras that are told apart; others count as not known. FLAIR's encoding has its own two."""
    width: Annotated[int, Field(ge=1)] = 64
    """Features of the first layer; the second has half of them."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.4
    """Share of these features left out at random in training."""
    forget: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Chance in training that a group of values is taken for missing, so that what stands for it is learnt."""


@dataclass(frozen=True)
class Acquisition:
    """What is known of an image; None for what is not.

    Attributes:
        longitude, latitude: of its middle, in degrees.
        altitude: of the ground, in metres.
        camera: its name.
        day: when it was taken.
        hour: time of that day.
    """

    longitude: float | None = None
    latitude: float | None = None
    altitude: float | None = None
    camera: str | None = None
    day: date | None = None
    hour: time | None = None


Values = list[float] | None


def encode(known: Acquisition, settings: MetadataSettings) -> NDArray[np.float32]:
    """The values of all groups, 0 for missing ones, then 1 or 0 for each group that is known or missing."""
    groups = _groups(settings)
    found = {name: of(known, settings) for name, (_, of) in groups.items()}
    values = [value for name, (size, _) in groups.items() for value in found[name] or [0.0] * size]
    return np.array([*values, *(float(found[name] is not None) for name in groups)], np.float32)


def _groups(settings: MetadataSettings) -> dict[str, tuple[int, Callable[[Acquisition, MetadataSettings], Values]]]:
    """Size and formula of each group of values."""
    if settings.encoding == "flair-compat":
        return {
            "place": (32, _flair_place),
            "altitude": (1, _flair_altitude),
            "camera": (2, _flair_camera),
            "date": (8, _flair_date),
            "time": (2, _flair_time),
        }
    cameras = {"camera": (len(settings.cameras), _camera)} if settings.cameras else {}
    return {"place": (32, _place), "altitude": (1, _altitude), **cameras, "date": (3, _date), "time": (2, _time)}


def _circle(share: float) -> list[float]:
    return [math.sin(2 * math.pi * share), math.cos(2 * math.pi * share)]


def _place(known: Acquisition, _: MetadataSettings) -> Values:
    """Longitude and latitude as waves from the whole earth down to 1.4°."""
    if known.longitude is None or known.latitude is None:
        return None
    turns = (known.longitude / 360, known.latitude / 360)
    return [value for turn in turns for power in range(8) for value in _circle(turn * 2**power)]


def _altitude(known: Acquisition, _: MetadataSettings) -> Values:
    return None if known.altitude is None else [known.altitude / 3000]


def _camera(known: Acquisition, settings: MetadataSettings) -> Values:
    if known.camera not in settings.cameras:
        return None
    return [float(name == known.camera) for name in settings.cameras]


def _date(known: Acquisition, _: MetadataSettings) -> Values:
    """The season, which has no beginning, and the year, which has."""
    if known.day is None:
        return None
    return [*_circle((known.day.timetuple().tm_yday - 1) / 365.25), (known.day.year - 2020) / 10]


def _time(known: Acquisition, _: MetadataSettings) -> Values:
    return None if known.hour is None else _circle(_seconds(known.hour) / 86400)


def _seconds(hour: time) -> int:
    return hour.hour * 3600 + hour.minute * 60


@lru_cache(maxsize=1)
def _lambert() -> Transformer:
    return Transformer.from_crs("OGC:CRS84", "EPSG:2154", always_xy=True)


def _flair_place(known: Acquisition, _: MetadataSettings) -> Values:
    """Lambert-93 over 10⁸ m, as waves of length 2π · 10⁸ᵏ ᐟ ⁸; nearly the same for all of France."""
    if known.longitude is None or known.latitude is None:
        return None
    values = []
    for metres in _lambert().transform(known.longitude, known.latitude):
        for power in range(8):
            angle = metres / 1e8 / 1e8 ** (power / 8)
            values += [math.sin(angle), math.cos(angle)]
    return values


def _flair_altitude(known: Acquisition, _: MetadataSettings) -> Values:
    return None if known.altitude is None else [known.altitude / 3164.9099121094]


def _flair_camera(known: Acquisition, _: MetadataSettings) -> Values:
    if known.camera is None:
        return None
    return [1.0, 0.0] if "UCE" in known.camera else [0.0, 1.0]


def _flair_date(known: Acquisition, _: MetadataSettings) -> Values:
    """Year, month, day. The month is 2π · (m − 1/12), the same for all twelve: kept as the reference has it."""
    if known.day is None:
        return None
    years = [float(known.day.year == year) for year in range(2018, 2022)]
    return [*years, *_between(_circle(known.day.month - 1 / 12)), *_between(_circle(known.day.day / 31))]


def _flair_time(known: Acquisition, _: MetadataSettings) -> Values:
    return None if known.hour is None else _between(_circle(_seconds(known.hour) / 86400))


def _between(waves: list[float]) -> list[float]:
    """From −1 … 1 to 0 … 1."""
    return [(wave + 1) / 2 for wave in waves]


class MetadataBranch(nn.Module):
    """From what `encode` gives to one number per feature map.

    It begins by giving 0, so that a trained network to which it is added answers as before.

    Args:
        settings: of the branch.
        channels: feature maps that are added to.
    """

    def __init__(self, settings: MetadataSettings, channels: int) -> None:
        super().__init__()
        sizes = [size for size, _ in _groups(settings).values()]
        self._values, self._forget = sum(sizes), settings.forget
        group = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
        self.register_buffer("group", group, persistent=False)  # of each value
        self.missing = nn.Parameter(torch.zeros(self._values))
        half = max(settings.width // 2, 1)
        self.layers = nn.Sequential(
            nn.Linear(self._values, settings.width),
            nn.ReLU(),
            nn.Dropout(settings.dropout),
            nn.Linear(settings.width, half),
            nn.ReLU(),
            nn.Linear(half, channels),
        )
        last = self.layers[-1]
        assert isinstance(last, nn.Linear)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self._size = self._values + len(sizes)

    def forward(self, features: Tensor, told: Tensor | None) -> Tensor:
        """Features ``(N, channels, h, w)`` with what is `told` ``(N, values + groups)`` added; None: nothing is."""
        if told is None:
            told = features.new_zeros(1, self._size)
        values, known = told[:, : self._values], told[:, self._values :]
        if self.training and self._forget:
            known = known * (torch.rand_like(known) >= self._forget)
        group = self.get_buffer("group")
        known = known[:, group]
        embedded: Tensor = self.layers(known * values + (1 - known) * self.missing)
        return features + embedded[:, :, None, None]


class Told(nn.Module):
    """A network with what is known of one image folded in: it takes pixels alone, on every runtime.

    Args:
        network: takes images, and what is known of them.
        known: what `encode` gives for the image.
    """

    def __init__(self, network: nn.Module, known: NDArray[np.float32]) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("known", torch.from_numpy(known)[None])

    def forward(self, images: Tensor) -> Tensor:
        """``(N, channels, H, W)`` to what the network answers."""
        answer: Tensor = self.network(images, self.get_buffer("known"))
        return answer


def settings_in(network: Mapping[str, object]) -> MetadataSettings | None:
    """The settings of the branch among those of an architecture; None where it has none."""
    given = network.get("metadata")
    if given is None:
        return None
    return given if isinstance(given, MetadataSettings) else MetadataSettings.model_validate(given)
