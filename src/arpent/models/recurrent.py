"""From the last dates of a series to the next ones: what is seen now, and how it moves on.

Every date goes through one segmentation network. Its deepest features, pooled to cells, are the series that a
recurrent core carries on (`models.cores`); the core answers with how the features *change*, and the decoder turns
these changes, and nothing else, into changes of the last date's scores. A core that answers zero gives persistence.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from arpent.core.settings import Settings, parse
from arpent.errors import InvalidSetting
from arpent.models.cores import CORES, CoreName, CoreSizes
from arpent.models.explained import Explained
from arpent.models.smp import SmpUnetSettings, build_smp_unet
from arpent.models.tiles import TileNeeds
from arpent.models.unet import UNet, UNetSettings, unet_tiles

__all__ = [
    "Forecast",
    "ForecastHead",
    "Forecaster",
    "ForecasterSettings",
    "Seen",
    "build_forecaster",
    "forecaster_tiles",
]

_SUREST = 6.0
"""Log-odds beyond which the last date's answer is not believed more: a change must be able to overturn it."""
_DROPPED = 0.2
"""Share of the encoder's maps that a training step does without."""
_SHUT = -2.0
"""Of a gate before training: it lets an eighth through."""


class ForecasterSettings(Settings):
    """Settings of a network that carries a series on."""

    channels: Annotated[int, Field(ge=1)] = 2
    """Bands of each date."""
    classes: Annotated[int, Field(ge=2)] = 4
    """Classes of the masks."""
    architecture: Literal["unet", "smp-unet"] = "unet"
    """Network that segments each date, by its name in the registry."""
    network: Mapping[str, Any] = Field(default_factory=dict)
    """Its settings besides its numbers of bands and classes."""
    past: Annotated[int, Field(ge=1)] = 3
    """Dates that it looks at."""
    future: Annotated[int, Field(ge=1)] = 3
    """Dates that it answers for."""
    head: CoreName = "lstm"
    """What carries the features on: lstm, convlstm or simvp."""
    hidden: Annotated[int, Field(ge=1)] = 512
    """Numbers of its state in each cell."""
    layers: Annotated[int, Field(ge=1)] = 2
    """Layers of it."""
    cell: Annotated[int, Field(ge=1)] = 16
    """Side in pixels of the cells that share a state; that of the encoder's, where these are larger."""
    width: Annotated[int, Field(ge=1)] = 16
    """Feature maps at full resolution."""
    step: Annotated[float, Field(gt=0)] = 6.0
    """Days between two dates that count as one step."""
    covariates: tuple[str, ...] = ()
    """Numbers of each date that it is told beside its pixels, by the name of their column."""
    ahead: tuple[str, ...] = ()
    """Those of them that are known for the coming dates too, as a forecast of rain is."""


class Forecast(NamedTuple):
    """What a network makes of the past dates.

    Attributes:
        masks: scores of the classes at each coming date, ``(B, future, classes, H, W)``.
        now: scores of the classes at the last date, ``(B, classes, H, W)``.
    """

    masks: Tensor
    now: Tensor


class Seen(NamedTuple):
    """What the segmentation network makes of the past dates.

    Attributes:
        scores: ``(B, past, classes, H, W)``.
        pixels: the dates themselves, ``(B, past, channels, H, W)``.
        features: ``(B, past, width, H / cell, W / cell)``.
    """

    scores: Tensor
    pixels: Tensor
    features: Tensor


class ForecastHead(nn.Module):
    """What is made of dates that have been segmented.

    The decoder works at full resolution: a small U-Net sees the scores and pixels of all past dates, since a shoreline
    that moves shows where it moves to. What it finds is multiplied, horizon by horizon, with the changes that the core
    foretells, spread over the pixels of their cells; from the products come a residual on the last date's scores and a
    gate for it. No step from change to residual has a bias, so that no change is no residual.

    Args:
        settings: of the whole network.
        features: maps of the encoder's deepest level.
    """

    def __init__(self, settings: ForecasterSettings, features: int) -> None:
        super().__init__()
        self.settings = settings
        width, seen = settings.width, settings.past * (settings.classes + settings.channels)
        state = min(features, 64)
        self.squeeze = nn.Sequential(
            nn.Conv2d(features + settings.classes, state, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(state, state, 1),
        )
        told = 1 + 2 * len(settings.covariates)
        self.core = CORES[settings.head](
            CoreSizes(state, told, settings.hidden, settings.layers, settings.past, settings.future)
        )
        self.lay = UNet(UNetSettings(channels=seen, classes=width, widths=(width, 2 * width, 3 * width, 3 * width)))
        self.spread = nn.Conv2d(state, width, 3, padding=1, bias=False)
        self.mix = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.residual = nn.Conv2d(width, settings.classes, 1, bias=False)
        self.gate = nn.Conv2d(2 * width, 1, 1)
        nn.init.constant_(_bias(self.gate), _SHUT)
        self.register_buffer("temperatures", torch.ones(settings.future))
        self.register_buffer("covariate_mean", torch.zeros(len(settings.covariates)))
        self.register_buffer("covariate_std", torch.ones(len(settings.covariates)))

    def forward(self, scores: Tensor, pixels: Tensor, features: Tensor, days: Tensor) -> Forecast:
        """The coming dates; for shapes see `Seen` and `Forecaster.forward`."""
        known = functional.log_softmax(scores.float(), dim=2).clamp(min=-_SUREST)
        now = known[:, -1]
        changes = self._changes(known, features, days)
        batch, future = changes.shape[:2]
        laid = self.lay(torch.cat((known.flatten(1, 2) / _SUREST, pixels.flatten(1, 2)), 1))
        spread = functional.interpolate(
            self.spread(changes.flatten(0, 1)), size=laid.shape[-2:], mode="bilinear", align_corners=False
        )
        repeated = laid.unsqueeze(1).expand(-1, future, -1, -1, -1).flatten(0, 1)
        mixed = functional.relu(self.mix(repeated * spread))
        gate = torch.sigmoid(self.gate(torch.cat((repeated, mixed), 1)))
        residual = (gate * self.residual(mixed)).view(batch, future, *now.shape[1:])
        masks = (now.unsqueeze(1) + residual) / self.get_buffer("temperatures").view(1, -1, 1, 1, 1)
        return Forecast(masks, scores[:, -1])

    def _changes(self, known: Tensor, features: Tensor, days: Tensor) -> Tensor:
        """How the features of each coming date differ from those of the last one, ``(B, future, state, h, w)``."""
        shares = functional.avg_pool2d(known.exp().flatten(0, 1), known.shape[-1] // features.shape[-1])
        # Whole maps are dropped in training: few places are learnt from, and each could be known by its features.
        kept = functional.dropout2d(features.flatten(0, 1), _DROPPED, self.training)
        seen = self.squeeze(torch.cat((kept, shares), 1))
        changes: Tensor = self.core(seen.view(*features.shape[:2], *seen.shape[1:]), self._told(days))
        return changes

    def _told(self, days: Tensor) -> Tensor:
        """What is known of each date beside its pixels ``(B, past + future, values)``: steps since the one before."""
        told = days if days.ndim == 3 else days.unsqueeze(2)
        if told.shape[2] != 1 + len(self.settings.covariates):
            raise InvalidSetting(
                "the network is told other things of each date than it learnt",
                found=f"{told.shape[2] - 1} numbers beside the day",
                expected=", ".join(self.settings.covariates) or "none",
                cure="Give the covariates that its settings name.",
            )
        gaps = torch.diff(told[..., :1], dim=1, prepend=told[:, :1, :1]) / self.settings.step
        values = (told[..., 1:] - self.get_buffer("covariate_mean")) / self.get_buffer("covariate_std")
        missing = torch.isnan(values)
        return torch.cat((gaps, values.masked_fill(missing, 0.0), (~missing).to(gaps.dtype)), 2)


class Forecaster(nn.Module):
    """A segmentation network, and the head that carries on what it sees.

    Args:
        settings: of both.
    """

    def __init__(self, settings: ForecasterSettings) -> None:
        super().__init__()
        self.settings = settings
        sizes = {**settings.network, "channels": settings.channels, "classes": settings.classes}
        self.segmenter: nn.Module
        if settings.architecture == "unet":
            own = parse(UNetSettings, sizes, "the segmentation network")
            self.segmenter, features = UNet(own), own.widths[-1]
        else:
            self.segmenter = build_smp_unet(parse(SmpUnetSettings, sizes, "the segmentation network"))
            features = int(self.segmenter.get_submodule("encoder").out_channels[-1])  # type: ignore[index]  # the library publishes no types
        self.head = ForecastHead(settings, features)
        self._side = forecaster_tiles(settings).stride

    def forward(self, frames: Tensor, days: Tensor) -> Forecast:
        """The coming dates.

        Args:
            frames: the past dates, normalised, ``(B, past, channels, H, W)``; or ``(B, past · channels, H, W)``. H and
                W are multiples of the stride.
            days: of the past dates and of the coming ones, from any day on, ``(B, past + future)``; with covariates,
                ``(B, past + future, 1 + covariates)``, NaN where one is not known.
        """
        seen = self.see(frames)
        forecast: Forecast = self.head(seen.scores, seen.pixels, seen.features, days)
        return forecast

    def see(self, frames: Tensor) -> Seen:
        """What the segmentation network makes of each date."""
        settings = self.settings
        if frames.ndim == 4:
            frames = frames.reshape(-1, settings.past, settings.channels, *frames.shape[2:])
        seen = self.explained(frames.flatten(0, 1))
        return Seen(_by_date(seen.scores, frames), frames, _by_date(seen.features, frames))

    def explained(self, images: Tensor) -> Explained:
        """Scores and features of single dates ``(N, channels, H, W)``, the features pooled to cells."""
        network = self.segmenter
        if isinstance(network, UNet):
            seen = network.explained(images)
        else:
            levels = network.get_submodule("encoder")(images)
            decoded = network.get_submodule("decoder")(levels)
            seen = Explained(levels[-1], network.get_submodule("segmentation_head")(decoded))
        times = seen.features.shape[-2] * self._side // images.shape[-2]
        return Explained(functional.avg_pool2d(seen.features, times) if times > 1 else seen.features, seen.scores)


def build_forecaster(settings: ForecasterSettings) -> Forecaster:
    """The network with random weights.

    Raises:
        InvalidSetting: a cell is no multiple of the pixels that one of the encoder's cells covers, or a covariate is
            to be known ahead and is none.
    """
    stride = _stride_of(settings)
    if settings.cell > stride and settings.cell % stride:
        raise InvalidSetting(
            "the cells of a forecast do not fit those of its encoder",
            found=f"{settings.cell} pixels",
            expected=f"a multiple of {stride}",
            cure="Correct 'cell'.",
        )
    strange = sorted(set(settings.ahead) - set(settings.covariates))
    if strange:
        raise InvalidSetting(
            f"{strange[0]} is said to be known ahead, and is no covariate",
            found=strange,
            expected=", ".join(settings.covariates) or "none",
            cure="Name it among the covariates too.",
        )
    return Forecaster(settings)


def forecaster_tiles(settings: ForecasterSettings) -> TileNeeds:
    """What such a network needs of its tiles: whole cells."""
    return TileNeeds(max(settings.cell, _stride_of(settings), 8))


def _stride_of(settings: ForecasterSettings) -> int:
    """Pixels that one cell of the encoder's deepest level covers."""
    network = {**settings.network, "channels": settings.channels, "classes": settings.classes}
    if settings.architecture == "unet":
        return unet_tiles(parse(UNetSettings, network, "the segmentation network")).stride
    return int(2 ** len(parse(SmpUnetSettings, network, "the segmentation network").decoder_widths))


def _by_date(maps: Tensor, frames: Tensor) -> Tensor:
    """Maps of single dates ``(B · past, …)`` as ``(B, past, …)``."""
    return maps.reshape(*frames.shape[:2], *maps.shape[1:])


def _bias(layer: nn.Conv2d) -> Tensor:
    assert layer.bias is not None  # made with one
    return layer.bias
