"""CROMA: what a patch of optical and radar pixels looks like, as vectors that can be compared.

Three transformers: one per kind of image, and a joint one in which radar tokens look at optical ones. Tokens know
where they lie through attention alone: each score is lowered by the distance between the two patches, so that any
image size works. The names of the tensors are those of the published checkpoints, joined by dots.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, NamedTuple, Self, cast

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional

from arpent.core.settings import Settings
from arpent.errors import ContractMismatch, WeightsMismatch
from arpent.models.attention import attend

__all__ = ["CROMA_BIAS", "Croma", "CromaOutput", "CromaSettings", "croma_settings", "croma_state", "distance_bias"]

CROMA_BIAS = "attn_bias"
"""What torchgeo's checkpoints carry beside the weights: `distance_bias` for one size of image, computed anew here."""


Count = Annotated[int, Field(ge=1)]
Modality = Literal["optical", "radar"]

_ENCODERS: Mapping[Modality, str] = {"optical": "s2_encoder", "radar": "s1_encoder"}
_PARTS: Mapping[str, frozenset[Modality]] = {  # of a checkpoint, and the modalities each one needs
    "joint_encoder": frozenset({"optical", "radar"}),
    "s1_GAP_FFN": frozenset({"radar"}),
    "s1_encoder": frozenset({"radar"}),
    "s2_GAP_FFN": frozenset({"optical"}),
    "s2_encoder": frozenset({"optical"}),
}


class CromaSettings(Settings):
    """The shape of a CROMA network; the defaults are those of CROMA base (large: width 1024, depth 24)."""

    modalities: tuple[Modality, ...] = ("optical", "radar")
    """Kinds of image; with both there is a joint encoder too."""
    width: Count = 768
    """Of a token."""
    depth: Annotated[int, Field(ge=2, multiple_of=2)] = 12
    """Blocks of the optical encoder; the radar and the joint one have half as many."""
    heads: Count = 16
    """Of every attention."""
    patch: Count = 8
    """Side of a patch, in pixels."""
    optical_channels: Count = 12
    """Bands of an optical image."""
    radar_channels: Count = 2
    """Bands of a radar image: VV, VH."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.width % self.heads:
            raise ValueError("heads must divide the width of a token")
        if not self.modalities or len(set(self.modalities)) < len(self.modalities):
            raise ValueError("modalities are 'optical', 'radar' or both, each once")
        return self


class CromaOutput(NamedTuple):
    """Tokens (B, N, width), row by row, and one vector (B, width) for each image; None where nothing was given."""

    optical: Tensor | None
    optical_pooled: Tensor | None
    radar: Tensor | None
    radar_pooled: Tensor | None
    joint: Tensor | None
    joint_pooled: Tensor | None


class _SelfAttention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.input_norm = nn.LayerNorm(width)
        self.to_qkv = nn.Linear(width, 3 * width, bias=False)
        self.to_out = nn.Linear(width, width)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        q, k, v = self.to_qkv(self.input_norm(x)).chunk(3, dim=-1)
        return cast(Tensor, self.to_out(attend(q, k, v, self.heads, bias)))


class _CrossAttention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.input_norm = nn.LayerNorm(width)  # of the queries and of what they look at
        self.to_q = nn.Linear(width, width, bias=False)
        self.to_k = nn.Linear(width, width, bias=False)
        self.to_v = nn.Linear(width, width, bias=False)
        self.to_out = nn.Linear(width, width)

    def forward(self, x: Tensor, context: Tensor, bias: Tensor) -> Tensor:
        seen = self.input_norm(context)
        mixed = attend(self.to_q(self.input_norm(x)), self.to_k(seen), self.to_v(seen), self.heads, bias)
        return cast(Tensor, self.to_out(mixed))


class _FeedForward(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.input_norm = nn.LayerNorm(width)
        # The third place was a dropout's; the published names count it.
        self.net = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Identity(), nn.Linear(4 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.net(self.input_norm(x)))


class _Transformer(nn.Module):
    def __init__(self, width: int, depth: int, heads: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.ModuleList([_SelfAttention(width, heads), _FeedForward(width)]) for _ in range(depth)
        )
        self.norm_out = nn.LayerNorm(width)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        for attention, feed_forward in cast("list[list[nn.Module]]", self.layers):
            x = x + attention(x, bias)
            x = x + feed_forward(x)
        return cast(Tensor, self.norm_out(x))


class _Encoder(nn.Module):
    def __init__(self, settings: CromaSettings, channels: int, depth: int) -> None:
        super().__init__()
        self.patch = settings.patch
        self.linear_input = nn.Linear(channels * settings.patch**2, settings.width)
        self.transformer = _Transformer(settings.width, depth, settings.heads)

    def forward(self, images: Tensor, bias: Tensor) -> Tensor:
        # One column per patch: all pixels of its first channel row by row, then those of the next.
        patches = functional.unfold(images, self.patch, stride=self.patch).transpose(1, 2)
        return cast(Tensor, self.transformer(self.linear_input(patches), bias))


class _JointEncoder(nn.Module):
    def __init__(self, width: int, depth: int, heads: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.ModuleList([_SelfAttention(width, heads), _CrossAttention(width, heads), _FeedForward(width)])
            for _ in range(depth)
        )
        self.norm_out = nn.LayerNorm(width)

    def forward(self, radar: Tensor, optical: Tensor, bias: Tensor) -> Tensor:
        x = radar
        for attention, across, feed_forward in cast("list[list[nn.Module]]", self.layers):
            x = x + attention(x, bias)
            x = x + across(x, optical, bias)
            x = x + feed_forward(x)
        return cast(Tensor, self.norm_out(x))


class Croma(nn.Module):
    """The network, with the encoders of the modalities that its settings name.

    Args:
        settings: its shape.
    """

    def __init__(self, settings: CromaSettings) -> None:
        super().__init__()
        self.settings = settings
        if "radar" in settings.modalities:
            self.s1_encoder = _Encoder(settings, settings.radar_channels, settings.depth // 2)
            self.s1_GAP_FFN = _pooling(settings.width)
        if "optical" in settings.modalities:
            self.s2_encoder = _Encoder(settings, settings.optical_channels, settings.depth)
            self.s2_GAP_FFN = _pooling(settings.width)
        if set(settings.modalities) == {"optical", "radar"}:
            self.joint_encoder = _JointEncoder(settings.width, settings.depth // 2, settings.heads)

    def forward(self, optical: Tensor | None = None, radar: Tensor | None = None) -> CromaOutput:
        """Tokens and pooled vectors of what is given; the joint ones when both are.

        The distances between all pairs of patches are held, ``heads × N²`` numbers: 3 MB for 120 px, 1 GB for 512 px.

        Args:
            optical: (B, 12, H, W), normalised to [0, 1]; sides that are multiples of the patch.
            radar: (B, 2, H, W), likewise and of the same size.
        """
        bias = self._bias({"optical": optical, "radar": radar})
        seen = seen_pooled = echo = echo_pooled = joint = joint_pooled = None
        if optical is not None:
            seen = self.s2_encoder(optical, bias)
            seen_pooled = self.s2_GAP_FFN(seen.mean(dim=1))
        if radar is not None:
            echo = self.s1_encoder(radar, bias)
            echo_pooled = self.s1_GAP_FFN(echo.mean(dim=1))
        if seen is not None and echo is not None:
            joint = self.joint_encoder(echo, seen, bias)
            joint_pooled = joint.mean(dim=1)
        return CromaOutput(seen, seen_pooled, echo, echo_pooled, joint, joint_pooled)

    def part(self, modality: Modality) -> Croma:
        """The network of one modality alone, with the same weights in the same memory."""
        self._require(modality)
        with torch.device("meta"):
            alone = Croma(self.settings.model_copy(update={"modalities": (modality,)}))
        for name, parts in self.named_children():
            if name in dict(alone.named_children()):
                setattr(alone, name, parts)
        return alone.train(self.training)

    def _bias(self, images: Mapping[Modality, Tensor | None]) -> Tensor:
        """What the distances between patches take from the scores, once the images are known to fit."""
        given = {modality: pixels for modality, pixels in images.items() if pixels is not None}
        for modality, pixels in given.items():
            self._check(modality, pixels)
        sizes = [pixels.shape[-2:] for pixels in given.values()]
        if not sizes:
            raise ContractMismatch("CROMA was given no image", cure="Give an optical image, a radar image, or both.")
        if sizes[0] != sizes[-1]:
            raise ContractMismatch(
                "the optical and the radar images are not of one size",
                found=" and ".join(f"{height} × {width} px" for height, width in sizes),
                cure="Bring both to one grid.",
            )
        rows, cols = (side // self.settings.patch for side in sizes[0])
        return distance_bias(rows, cols, self.settings.heads, device=next(iter(given.values())).device)

    def _require(self, modality: Modality) -> None:
        if modality not in self.settings.modalities:
            raise ContractMismatch(
                f"this CROMA has no {modality} encoder",
                expected=" and ".join(self.settings.modalities),
                cure="Give the images it was made for, or import the whole checkpoint.",
            )

    def _check(self, modality: Modality, pixels: Tensor) -> None:
        self._require(modality)
        settings, patch = self.settings, self.settings.patch
        channels = settings.optical_channels if modality == "optical" else settings.radar_channels
        if (
            pixels.ndim != 4
            or pixels.shape[1] != channels
            or min(pixels.shape[-2:]) < patch
            or any(side % patch for side in pixels.shape[-2:])
        ):
            raise ContractMismatch(
                f"the {modality} images do not have the shape that CROMA takes",
                found=tuple(pixels.shape),
                expected=f"(batch, {channels} bands, height and width in multiples of {patch} px)",
                cure="Pick the bands of the model's contract, and pad or crop the images.",
            )


def distance_bias(rows: int, cols: int, heads: int, *, device: torch.device | str = "cpu") -> Tensor:
    """Minus the distance between two patches, in patches, times a slope that falls from head to head.

    Returns:
        (heads, N, N), patches row by row.
    """
    y, x = torch.meshgrid(
        torch.arange(rows, device=device, dtype=torch.float32),
        torch.arange(cols, device=device, dtype=torch.float32),
        indexing="ij",
    )
    y, x = y.flatten(), x.flatten()
    distance = ((y[:, None] - y) ** 2 + (x[:, None] - x) ** 2).sqrt()
    slopes = 2.0 ** (-8.0 / heads * torch.arange(1, heads + 1, device=device))
    return -slopes[:, None, None] * distance


def croma_state(checkpoint: Mapping[str, Any], modalities: tuple[Modality, ...] | None = None) -> dict[str, Tensor]:
    """The tensors of a checkpoint under the names that `Croma` gives them.

    Args:
        checkpoint: the official one, a dict of one state dict per part, or torchgeo's, which is flat and carries the
            distance bias as one tensor more.
        modalities: keep the tensors that these need; by default all.

    Raises:
        WeightsMismatch: when something in it is not a tensor, or not of CROMA.
    """
    nested = all(isinstance(part, Mapping) for part in checkpoint.values())
    tensors = (
        {f"{name}.{key}": value for name, part in checkpoint.items() for key, value in part.items()}
        if nested
        else dict(checkpoint)
    )
    tensors.pop(CROMA_BIAS, None)
    strange = [name for name, value in tensors.items() if not _ours(name) or not isinstance(value, Tensor)]
    if strange or not tensors:
        raise WeightsMismatch(
            "not a checkpoint of CROMA",
            found=strange[0] if strange else "nothing",
            expected=f"tensors of {', '.join(_PARTS)}",
            cure="Check the file, or the layout it is imported as.",
        )
    kept = set(modalities) if modalities else {"optical", "radar"}
    return {name: value for name, value in tensors.items() if _PARTS[name.partition(".")[0]] <= kept}


def croma_settings(state: Mapping[str, Tensor]) -> CromaSettings:
    """The shape of the network that a state dict belongs to.

    The heads are the published 16, which no tensor tells; the patch is the published 8 px.

    Args:
        state: as `croma_state` returns it.

    Raises:
        WeightsMismatch: neither an optical nor a radar encoder is in it.
    """
    first = {
        modality: state[f"{part}.linear_input.weight"]
        for modality, part in _ENCODERS.items()
        if f"{part}.linear_input.weight" in state
    }
    if not first or any(weight.ndim != 2 for weight in first.values()):
        raise WeightsMismatch(
            "not the weights of CROMA: no 'linear_input.weight' of an encoder",
            cure="Check the file, or the layout it is imported as.",
        )
    defaults = CromaSettings()
    channels = {f"{m}_channels": weight.shape[1] // defaults.patch**2 for m, weight in first.items()}
    width = next(iter(first.values())).shape[0]
    return CromaSettings(modalities=tuple(first), width=width, depth=_depth(state), **channels)


def _depth(state: Mapping[str, Tensor]) -> int:
    """Blocks of the optical encoder, counted there or, without it, in the radar encoder that has half as many."""
    counted = {
        part: len({name.split(".")[3] for name in state if name.startswith(f"{part}.transformer.layers.")})
        for part in _ENCODERS.values()
    }
    return counted["s2_encoder"] or 2 * counted["s1_encoder"]


def _ours(name: str) -> bool:
    return name.partition(".")[0] in _PARTS


def _pooling(width: int) -> nn.Sequential:
    return nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
