"""From the last dates of a series to the next ones: what is seen now, and how it moves on.

Every date goes through one segmentation network. Its deepest features, pooled to cells, are the series that a
recurrent core carries on (`models.cores`); the core answers with how the features *change*, and the decoder turns
these changes, and nothing else, into changes of the last date's scores. A core that answers zero gives persistence.
These scores are not those of the last image alone: the decoder sharpens them by what all past dates show, since
speckle, which blurs each of them, is drawn anew at each.
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
_STEEP = 4.0
"""What changes from date to date are multiplied by: they are smaller than what changes, and tell more."""
_AJAR = 0.1
"""How far a gate is open at least: one that shuts early in training would let nothing be learnt behind it."""
_REACHES = (4, 12)
"""Pixels around each, of which the share of every class is told: by it a pixel knows how far a shore is."""


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

    @property
    def kept(self) -> Tensor:
        """Scores of a coming date to which nothing changes, before its temperature, ``(B, classes, H, W)``."""
        return _logs(self.now, 1)


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

    A small U-Net sees the scores and pixels of all past dates, since a shoreline that moves shows where it moves to,
    and how far each pixel is from the shores of each date. It works at half the resolution, where it is four times
    cheaper. What it finds says what the changes that the core foretells, spread over the pixels of their cells, do to
    each of them; and it helps two convolutions at full resolution to correct the last date's scores.

    How far these changes are believed, at each horizon, and how sure the answer is of itself, is found when all else
    has been learnt: ``beliefs`` and ``temperatures``.

    Args:
        settings: of the whole network.
        features: maps of the encoder's deepest level.
    """

    def __init__(self, settings: ForecasterSettings, features: int) -> None:
        super().__init__()
        self.settings = settings
        width, told = settings.width, 1 + 3 * len(settings.covariates)
        seen = settings.channels + settings.classes + (settings.classes - 1) * len(_REACHES)
        state = min(features, 64)
        self.squeeze = nn.Sequential(
            nn.Conv2d(features + 2 * settings.classes, state, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(state, state, 1),
        )
        self.core = CORES[settings.head](
            CoreSizes(state, told, settings.hidden, settings.layers, settings.past, settings.future)
        )
        widths = (width, 2 * width, 3 * width)
        self.lay = UNet(UNetSettings(channels=settings.past * seen, classes=width, widths=widths))
        plain = settings.past * (settings.channels + settings.classes)
        self.refine = nn.Conv2d(plain + width, width, 3, padding=1)
        self.sharpen = nn.Conv2d(width, settings.classes, 3, padding=1)
        nn.init.zeros_(self.sharpen.weight)
        nn.init.zeros_(_bias(self.sharpen))
        self.spread = nn.Conv2d(state, width, 3, padding=1, bias=False)
        self.response = _Response(width, settings.classes)
        self.register_buffer("beliefs", torch.ones(settings.future))
        self.register_buffer("temperatures", torch.ones(settings.future))
        self.register_buffer("covariate_mean", torch.zeros(len(settings.covariates)))
        self.register_buffer("covariate_std", torch.ones(len(settings.covariates)))

    def forward(self, scores: Tensor, pixels: Tensor, features: Tensor, days: Tensor) -> Forecast:
        """The coming dates; for shapes see `Seen` and `Forecaster.forward`."""
        known = _logs(scores, 2)
        changes = self._changes(known, features, self._told(days))
        seen = torch.cat((known.flatten(1, 2) / _SUREST, pixels.flatten(1, 2)), 1)
        likely = known[:, :, :-1].exp().flatten(1, 2)
        around = [2 * _around(likely, reach) - 1 for reach in _REACHES]
        laid = self.lay(functional.avg_pool2d(torch.cat((seen, *around), 1), 2))
        refined = functional.relu(self.refine(torch.cat((seen, _widened(laid, known)), 1)))
        now = scores[:, -1] + self.sharpen(refined)
        spread = _widened(self.spread(changes.flatten(0, 1)), laid)
        response = self.response(laid, spread.view(*changes.shape[:2], *spread.shape[1:]))
        moved = _widened(response.flatten(0, 1), known).view(*changes.shape[:2], *now.shape[1:])
        beliefs, temperatures = (self.get_buffer(name).view(1, -1, 1, 1, 1) for name in ("beliefs", "temperatures"))
        return Forecast((_logs(now, 1).unsqueeze(1) + beliefs * moved) / temperatures, now)

    def _changes(self, known: Tensor, features: Tensor, told: Tensor) -> Tensor:
        """How the features of each coming date differ from those of the last one, ``(B, future, state, h, w)``."""
        shares = functional.avg_pool2d(known.exp().flatten(0, 1), known.shape[-1] // features.shape[-1])
        shares = shares.view(*features.shape[:2], *shares.shape[1:])
        grown = _STEEP * torch.diff(shares, dim=1, prepend=shares[:, :1])
        # Whole maps are dropped in training: few places are learnt from, and each could be known by its features.
        # One row per sample, by which processes that share a batch draw for it as one.
        kept = functional.dropout2d(features.flatten(1, 2), _DROPPED, self.training).view_as(features).flatten(0, 1)
        seen = self.squeeze(torch.cat((kept, shares.flatten(0, 1), grown.flatten(0, 1)), 1))
        changes: Tensor = self.core(seen.view(*features.shape[:2], *seen.shape[1:]), told)
        return changes

    def _told(self, days: Tensor) -> Tensor:
        """What is known of each date beside its pixels ``(B, past + future, values)``.

        Steps since the date before, the covariates, how they changed since that date, and which of them are known.
        """
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
        changed = _STEEP * torch.diff(values, dim=1, prepend=values[:, :1]).nan_to_num(0.0)
        return torch.cat((gaps, values.masked_fill(missing, 0.0), changed, (~missing).to(gaps.dtype)), 2)


class _Response(nn.Module):
    """What changes do to the scores of each pixel: what is made of a pixel and a change, less what of it and none.

    No change is no response, then, whatever has been learnt. How far a response is believed is for a gate to say, which
    never shuts.
    """

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.place = nn.Conv2d(width, 2 * width, 1)
        self.change = nn.Conv2d(width, 2 * width, 1, bias=False)
        self.both = nn.Conv2d(width, 2 * width, 1, bias=False)
        self.residual = nn.Conv2d(2 * width, classes, 1, bias=False)
        self.gate = nn.Conv2d(3 * width, 1, 1)

    def forward(self, laid: Tensor, changes: Tensor) -> Tensor:
        """Maps ``(B, width, H, W)`` and changes of them ``(B, future, width, H, W)`` to ``(B, future, classes, …)``."""
        place, batch = self.place(laid), changes.shape[:2]
        repeated = laid.unsqueeze(1).expand_as(changes).flatten(0, 1)
        flat = changes.flatten(0, 1)
        moved = (self.change(flat) + self.both(repeated * flat)).unflatten(0, batch) + place.unsqueeze(1)
        differs = (functional.relu(moved) - functional.relu(place).unsqueeze(1)).flatten(0, 1)
        gate = _AJAR + (1 - _AJAR) * torch.sigmoid(self.gate(torch.cat((repeated, differs), 1)))
        found: Tensor = (_SUREST * gate * self.residual(differs)).unflatten(0, batch)
        return found


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


def _logs(scores: Tensor, axis: int) -> Tensor:
    """Logarithms of chances over the classes along `axis`, none of which is ruled out."""
    return functional.log_softmax(scores.float(), dim=axis).clamp(min=-_SUREST)


def _around(maps: Tensor, reach: int) -> Tensor:
    """Means over the squares around each pixel, as far as these lie in the image."""
    side = 2 * reach + 1
    rows = functional.avg_pool2d(maps, (side, 1), 1, (reach, 0), count_include_pad=False)
    return functional.avg_pool2d(rows, (1, side), 1, (0, reach), count_include_pad=False)


def _widened(maps: Tensor, like: Tensor) -> Tensor:
    """Maps at the resolution of others."""
    return functional.interpolate(maps, size=like.shape[-2:], mode="bilinear", align_corners=False)


def _bias(layer: nn.Conv2d) -> Tensor:
    assert layer.bias is not None  # made with one
    return layer.bias
