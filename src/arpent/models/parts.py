"""What a segmentation network is made of: an encoder that looks, a decoder that draws, a head that names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

__all__ = ["PartName", "Parts", "numbered", "under"]

PartName = Literal["encoder", "decoder", "head"]


@dataclass(frozen=True)
class Parts:
    """Which tensors belong to which part, by the first words of their names.

    Attributes:
        levels: of the encoder, from the image inwards; each is a sequence of prefixes ("encoder.layer1").
        decoder: prefixes.
        head: prefixes.
    """

    levels: tuple[tuple[str, ...], ...]
    decoder: tuple[str, ...]
    head: tuple[str, ...]

    @property
    def encoder(self) -> tuple[str, ...]:
        """Prefixes of the whole encoder, in order of depth."""
        return tuple(prefix for level in self.levels for prefix in level)

    def prefixes(self, part: PartName) -> tuple[str, ...]:
        """Of one part."""
        return {"encoder": self.encoder, "decoder": self.decoder, "head": self.head}[part]

    def part_of(self, name: str) -> PartName:
        """The part that a tensor belongs to; what is neither encoder nor head draws with the decoder."""
        for part in get_args(PartName):
            if any(under(name, prefix) for prefix in self.prefixes(part)):
                found: PartName = part
                return found
        return "decoder"


def under(name: str, prefix: str) -> bool:
    """Whether a tensor or module is the one called `prefix`, or inside it; everything is inside the empty prefix."""
    return not prefix or name == prefix or name.startswith(f"{prefix}.")


def numbered(prefix: str, names: Sequence[object]) -> tuple[tuple[str, ...], ...]:
    """Levels of one prefix each, in order."""
    return tuple((f"{prefix}.{name}",) for name in names)
