"""Planaura: a masked-autoencoder vision transformer over several dates, whose features tell what changed.

The layout and the names of the tensors are those of the published checkpoints (Natural Resources Canada), less their
``backbone.`` prefix; `arpent.models.planaura_weights` brings checkpoints to it. A pixel of
`MISSING` in the input is no data; an answer of `INVALID` is none (`arpent.models.planaura_answer`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Literal, Self, cast

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional

from arpent.core.settings import Settings
from arpent.errors import ContractMismatch, InvalidSetting
from arpent.models.attention import Block
from arpent.models.planaura_answer import MISSING, Canvas, PlanauraOutput, missing_pixels
from arpent.models.planaura_tokens import (
    ComputedPositions,
    Positions,
    ResampledPositions,
    SubGrid,
    TokenGrid,
    sin_cos_table,
    sub_grids,
    unfold_table,
)

__all__ = ["Planaura", "PlanauraSettings"]

_WHOLE = SubGrid(0, 0, 1)

Count = Annotated[int, Field(ge=1)]
Width = Annotated[int, Field(ge=16, multiple_of=16)]


class PlanauraSettings(Settings):
    """The shape of a Planaura network; the defaults are those of the published ones."""

    channels: Count = 6
    """Bands of an image."""
    frames: Count = 2
    """Dates that the stored positions cover."""
    image_size: Count = 512
    """Side, in pixels, of the square image that the stored positions cover."""
    patch: Count = 16
    """Side of a patch, in pixels."""
    width: Width = 768
    """Of an encoder token; a multiple of 16."""
    depth: Count = 12
    """Encoder blocks."""
    heads: Count = 12
    """Of the encoder's attention."""
    decoder_width: Width = 512
    """Of a decoder token; a multiple of 16."""
    decoder_depth: Count = 8
    """Decoder blocks."""
    decoder_heads: Count = 16
    """Of the decoder's attention."""
    positions: Literal["stored", "computed"] = "stored"
    """``stored`` resamples the checkpoint's table to the image's grid; ``computed`` takes the sines and cosines of
    the image's own grid, which works for any number of dates."""

    @model_validator(mode="after")
    def _divisible(self) -> Self:
        if self.width % self.heads or self.decoder_width % self.decoder_heads:
            raise ValueError("heads must divide the width of a token")
        if self.image_size % self.patch:
            raise ValueError(f"image_size must be a multiple of the patch, {self.patch}")
        return self

    @property
    def grid(self) -> TokenGrid:
        """The tokens that the stored positions cover."""
        side = self.image_size // self.patch
        return TokenGrid(self.frames, side, side)


class _PatchEmbedding(nn.Module):
    def __init__(self, channels: int, width: int, patch: int) -> None:
        super().__init__()
        kernel = (1, patch, patch)
        self.proj = nn.Conv3d(channels, width, kernel, stride=kernel)

    def forward(self, pixels: Tensor) -> Tensor:
        """(B, C, T, H, W) to (B, T, h, w, width); pixels beyond the last whole patch are left out.

        As a product of matrices: where a processor has AMX, the convolution in bfloat16 that PyTorch and OpenVINO share
        gives wrong answers for kernels as wide as these.
        """
        side = self.proj.kernel_size[-1]
        rows, columns = pixels.shape[-2] // side, pixels.shape[-1] // side
        whole = pixels[..., : rows * side, : columns * side]
        patches = whole.reshape(*whole.shape[:3], rows, side, columns, side)
        vectors = patches.permute(0, 2, 3, 5, 1, 4, 6).flatten(-3)
        return functional.linear(vectors, self.proj.weight.flatten(1), self.proj.bias)


class _Encoder(nn.Module):
    cls_token: nn.Parameter
    pos_embed: Tensor

    def __init__(self, settings: PlanauraSettings) -> None:
        super().__init__()
        self.patch_embed = _PatchEmbedding(settings.channels, settings.width, settings.patch)
        self.cls_token = nn.Parameter(torch.empty(1, 1, settings.width))
        self.register_buffer("pos_embed", _position_table(settings.grid, settings.width))
        self.blocks = nn.ModuleList(Block(settings.width, settings.heads) for _ in range(settings.depth))
        self.norm = nn.LayerNorm(settings.width, eps=1e-6)

    def forward(self, tokens: Tensor) -> Tensor:
        """Let tokens (N, tokens, width) attend to one another."""
        for block in self.blocks:
            tokens = block(tokens)
        return cast(Tensor, self.norm(tokens))


class Planaura(nn.Module):
    """The network: one encoder that all dates share and attend in together, one decoder that paints them back.

    Args:
        settings: its shape.
        head: says how likely each pixel changed (`arpent.models.planaura_change`); the published networks have none.

    Attributes:
        tokens_at_once: at strides below the patch, how many tokens are attended in one go; more is faster on a GPU
            and takes more memory, about 30 kB each in float32 at the published width.
    """

    decoder_pos_embed: Tensor

    def __init__(self, settings: PlanauraSettings, head: nn.Module | None = None) -> None:
        super().__init__()
        self.settings = settings
        self.tokens_at_once = 8192
        self.encoder = _Encoder(settings)
        width = settings.decoder_width
        self.decoder_embed = nn.Linear(settings.width, width)
        self.mask_token = nn.Parameter(torch.empty(1, 1, width))
        self.register_buffer("decoder_pos_embed", _position_table(settings.grid, width))
        self.decoder_blocks = nn.ModuleList(Block(width, settings.decoder_heads) for _ in range(settings.decoder_depth))
        self.decoder_norm = nn.LayerNorm(width, eps=1e-6)
        self.decoder_pred = nn.Linear(width, settings.patch**2 * settings.channels)
        self.apply(_initialise)
        nn.init.normal_(self.encoder.cls_token, std=0.02)
        nn.init.normal_(self.mask_token, std=0.02)
        self.head = head

    def forward(
        self,
        x: Tensor,
        *,
        stride: int | None = None,
        attention: bool = True,
        dims: Sequence[int] | None = None,
        reconstruct: bool = False,
    ) -> PlanauraOutput:
        """Features of each date, and how alike the dates are.

        Below the patch's stride the dense grid is attended in shifted parts (`planaura_tokens`); parts shorter than
        the longest are filled up with zero tokens, as the published code does. Of that dense answer only the chosen
        features are kept: ``dims=()`` gives the cosines alone and needs next to no memory.

        Args:
            x: (B, C, T, H, W) float32, normalised, `MISSING` or not finite where there is no data; sides of at least
                one patch.
            stride: pixels between tokens: the patch's side (the default) or a whole fraction of it.
            attention: False takes the tokens as embedded, before any block.
            dims: indices of the feature dimensions to keep; None keeps all.
            reconstruct: also run the decoder; needs sides that are multiples of the patch.
        """
        patch = self.settings.patch
        stride = patch if stride is None else stride
        grid = self._grid(x, stride, reconstruct)
        missing = missing_pixels(x)
        pixels = self._filled(x)
        invalid = functional.max_pool2d(missing[:, None].float(), patch, stride)[:, 0] > 0
        canvas = Canvas(grid, invalid, None if dims is None else list(dims), self.settings.width)

        whole = stride == patch
        coarse = TokenGrid(grid.frames, x.shape[-2] // patch, x.shape[-1] // patch)
        judged = self.head is not None and grid.frames > 1
        deep = self._encode(pixels, coarse) if reconstruct or judged or (whole and attention) else None
        if not attention:
            canvas.fill(self._embedded_parts(pixels, grid, stride))
        elif deep is not None and whole:
            canvas.fill([(_WHOLE, deep[:, 1:].reshape(deep.shape[0], *grid, -1))])
        else:
            canvas.fill(self._attended_parts(pixels, grid, stride))

        painted = None
        if reconstruct and deep is not None:
            painted = self._decode(deep, coarse).float()
            painted = painted.masked_fill(missing[:, None, None], MISSING)
        change = None
        if self.head is not None and judged and deep is not None:
            change = self.head(pixels, deep[:, 1:].reshape(deep.shape[0], *coarse, -1), missing)
        return PlanauraOutput(canvas.features, canvas.cosine, canvas.which_before, painted, change)

    def complete(self, x: Tensor, visible: Tensor) -> Tensor:
        """Paint whole images from some of their tokens: the task the network is trained on.

        Args:
            x: (B, C, T, H, W) as in `forward`; sides that are multiples of the patch.
            visible: (B, K) int64, the tokens that the encoder sees, counted frame by frame, row by row.

        Returns:
            (B, C, T, H, W): every patch, the visible ones too.
        """
        grid = self._grid(x, self.settings.patch, whole_patches=True)
        pixels = self._filled(x)
        return self._decode(self._encode(pixels, grid, visible), grid, visible)

    def _grid(self, x: Tensor, stride: int, whole_patches: bool) -> TokenGrid:
        settings, patch = self.settings, self.settings.patch
        if stride < 1 or patch % stride:
            fractions = ", ".join(str(n) for n in range(patch, 0, -1) if patch % n == 0)
            raise InvalidSetting(f"tokens cannot lie {stride} px apart", cure=f"Choose a stride among {fractions}.")
        if x.ndim != 5 or x.shape[1] != settings.channels or min(x.shape[-2:]) < patch:
            raise ContractMismatch(
                "the images do not have the shape that Planaura takes",
                found=tuple(x.shape),
                expected=f"(batch, {settings.channels} bands, dates, height and width of at least {patch} px)",
                cure="Pick the bands of the model's contract and pad small images with no data.",
            )
        frames, height, width = x.shape[2:]
        if settings.positions == "stored" and frames > settings.frames:
            raise ContractMismatch(
                f"{frames} dates are more than the stored positions cover",
                expected=f"at most {settings.frames}",
                cure="Give fewer dates, or build the model with positions='computed'.",
            )
        if whole_patches and (height % patch or width % patch):
            raise ContractMismatch(
                "only whole patches can be painted back",
                found=f"{height} × {width} px",
                expected=f"multiples of {patch}",
                cure="Pad the images with no data.",
            )
        return TokenGrid(frames, (height - patch) // stride + 1, (width - patch) // stride + 1)

    def _filled(self, x: Tensor) -> Tensor:
        return torch.where(torch.isfinite(x), x, MISSING).to(self.encoder.cls_token.dtype)

    def _positions(self, table: Tensor, grid: TokenGrid) -> Positions:
        if self.settings.positions == "computed":
            return ComputedPositions(grid, table)
        return ResampledPositions(unfold_table(table, self.settings.frames), grid)

    def _encode(self, pixels: Tensor, grid: TokenGrid, visible: Tensor | None = None) -> Tensor:
        """Attended tokens (B, 1 + tokens, width), the class token first; all of `grid`, or the visible ones."""
        encoder = self.encoder
        table = encoder.pos_embed
        tokens = (encoder.patch_embed(pixels) + self._positions(table, grid).at(_WHOLE)).flatten(1, 3)
        if visible is not None:
            tokens = tokens.gather(1, visible[..., None].expand(-1, -1, tokens.shape[-1]))
        first = (encoder.cls_token + table[:, :1]).expand(tokens.shape[0], -1, -1)
        return cast(Tensor, encoder(torch.cat([first, tokens], dim=1)))

    def _embedded_parts(self, pixels: Tensor, grid: TokenGrid, stride: int) -> Iterator[tuple[SubGrid, Tensor]]:
        positions = self._positions(self.encoder.pos_embed, grid)
        for part in sub_grids(grid, self.settings.patch // stride):
            yield part, self.encoder.norm(self._embed(pixels, part, stride) + positions.at(part))

    def _attended_parts(self, pixels: Tensor, grid: TokenGrid, stride: int) -> Iterator[tuple[SubGrid, Tensor]]:
        positions = self._positions(self.encoder.pos_embed, grid)
        parts = sub_grids(grid, self.settings.patch // stride)
        longest, batch = parts[0].of(grid).tokens, pixels.shape[0]
        at_once = max(1, self.tokens_at_once // (longest * batch))
        for first in range(0, len(parts), at_once):
            chunk = parts[first : first + at_once]
            tokens = [(self._embed(pixels, part, stride) + positions.at(part)).flatten(1, 3) for part in chunk]
            filled = [functional.pad(sequence, (0, 0, 0, longest - sequence.shape[1])) for sequence in tokens]
            attended = self.encoder(torch.cat(filled)).split(batch)
            for part, sequence in zip(chunk, attended, strict=True):
                own = part.of(grid)
                yield part, sequence[:, : own.tokens].reshape(batch, *own, -1)

    def _embed(self, pixels: Tensor, part: SubGrid, stride: int) -> Tensor:
        # The part's tokens are the patches of the image shifted by its offset.
        return cast(Tensor, self.encoder.patch_embed(pixels[..., part.row * stride :, part.col * stride :]))

    def _decode(self, encoded: Tensor, grid: TokenGrid, visible: Tensor | None = None) -> Tensor:
        """Images (B, C, T, H, W) from encoded tokens, (B, 1 + tokens, width) of all of `grid` or the visible ones."""
        first, tokens = self.decoder_embed(encoded).split([1, encoded.shape[1] - 1], dim=1)
        if visible is not None:
            everywhere = self.mask_token.to(tokens.dtype).expand(tokens.shape[0], grid.tokens, -1)
            tokens = everywhere.scatter(1, visible[..., None].expand(-1, -1, tokens.shape[-1]), tokens)
        table = self.decoder_pos_embed
        tokens = tokens + self._positions(table, grid).at(_WHOLE).flatten(0, 2)
        tokens = torch.cat([first + table[:, :1], tokens], dim=1)
        for block in self.decoder_blocks:
            tokens = block(tokens)
        patches = self.decoder_pred(self.decoder_norm(tokens))[:, 1:]
        patch = self.settings.patch
        squares = patches.unflatten(-1, (patch, patch, -1)).unflatten(1, grid)  # (B, T, h, w, p, q, C)
        return cast(Tensor, squares.permute(0, 6, 1, 2, 4, 3, 5).flatten(5, 6).flatten(3, 4))


def _position_table(grid: TokenGrid, width: int) -> Tensor:
    """(1, 1 + tokens, width): zeros for the class token, then sines and cosines."""
    frames, rows, cols = (torch.arange(count, dtype=torch.float32) for count in grid)
    table = sin_cos_table(frames, rows, cols, width)
    return functional.pad(table.flatten(0, 2), (0, 0, 1, 0))[None]


def _initialise(module: nn.Module) -> None:
    if isinstance(module, (nn.Linear, nn.Conv3d)):
        for own in module.parameters(recurse=False):
            if own.ndim > 1:
                nn.init.xavier_uniform_(own.view(own.shape[0], -1))
            else:
                nn.init.zeros_(own)
