"""The layers that a mosaic is made of: what a pair's products are called, which of them chooses, how each is read."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from arpent.errors import InvalidSetting, NoValidPixels, UnknownName
from arpent.io.place import ResamplingName
from arpent.tasks.change.settings import Profile

__all__ = ["LAYERS", "Layer", "ProductName", "check_ignored", "mosaic_name", "product_name", "reference_layer"]

Kind = Literal["answer", "image", "code"]
"""Answers of a model, images as a sensor or a decoder gives them, and numbers that have no in-between."""


@dataclass(frozen=True)
class Layer:
    """One product of a pair.

    Attributes:
        name: of the product.
        kind: what its pixels are.
        mark: stands at the end of the names of a mosaic that this layer leads; empty for one that cannot lead.
        highest: whether the pair with the highest value in the first band leads, or the lowest.
    """

    name: str
    kind: Kind
    mark: str = ""
    highest: bool = True

    def resampling(self, profile: Profile) -> ResamplingName:
        """How values between pixels are found.

        Bilinear values lie among their neighbours, so that a cosine stays one; the reference's cubic ones overshoot.
        """
        if self.kind == "code":
            return "nearest"
        return "bilinear" if self.kind == "answer" and profile == "arpent" else "cubic"


# In the order in which they are asked to lead.
_ALL = (
    Layer("cosine_map", "answer", "c"),
    Layer("quality_fmask", "code", "f", highest=False),
    Layer("infer_0", "image", "i0"),
    Layer("feature_maps_0", "answer", "m0", highest=False),
    Layer("infer_1", "image", "i1"),
    Layer("feature_maps_1", "answer", "m1", highest=False),
    Layer("change_probability", "answer", "p", highest=False),
    Layer("before_date", "code"),
    Layer("after_date", "code"),
)

LAYERS: Mapping[str, Layer] = MappingProxyType({layer.name: layer for layer in _ALL})
"""The products of a pair by name; those that can lead come first, in the order in which they are asked to."""


@dataclass(frozen=True)
class ProductName:
    """What the name of a product says.

    Attributes:
        layer: which product.
        suffix: of which pair, its separator included ("!before!after"); empty for a single pair.
    """

    layer: str
    suffix: str


def product_name(stem: str) -> ProductName | None:
    """What a product's name without its ending says; None where it is no product of a pair.

    A suffix begins with its separator, so a letter or a digit never opens one: ``infer_10`` is no ``infer_1``.
    """
    for name in LAYERS:
        suffix = stem.removeprefix(name)
        if suffix != stem and not suffix[:1].isalnum():
            return ProductName(name, suffix)
    return None


def reference_layer(present: Collection[str], asked: str | None) -> Layer:
    """The layer that chooses: the one asked for, or the first that any pair has.

    Args:
        present: names of the layers that the pairs have.
        asked: by name, or None.
    """
    leading = [layer for layer in LAYERS.values() if layer.mark]
    if asked is not None:
        chosen = next((layer for layer in leading if layer.name == asked), None)
        if chosen is None:
            raise UnknownName.among(asked, [layer.name for layer in leading], "layer that can lead a mosaic")
        if asked not in present:
            raise NoValidPixels(
                f"no pair has the layer '{asked}', which should lead the mosaic",
                found=", ".join(sorted(present)),
                cure="Choose one that is there with --reference.",
            )
        return chosen
    for layer in leading:
        if layer.name in present:
            return layer
    raise NoValidPixels(
        "no pair has a layer that can lead a mosaic",
        found=", ".join(sorted(present)) or "nothing",
        expected=", ".join(layer.name for layer in leading),
        cure="Give the products of 'arpent change'.",
    )


def mosaic_name(layer: str, postfix: str, reference: Layer) -> str:
    """Name of a product of the mosaic: ``mosaic_cosine_map_example_c``."""
    return "_".join(part for part in ("mosaic", layer, postfix, reference.mark) if part)


def check_ignored(names: Iterable[str]) -> frozenset[str]:
    """The names of layers that are left out, all of them known."""
    known = (*LAYERS, "before_input", "after_input")
    ignored = frozenset(names)
    for name in sorted(ignored):
        if name not in known:
            raise UnknownName.among(name, known, "layer of a mosaic")
    if ignored >= LAYERS.keys():
        raise InvalidSetting("a mosaic leaves every layer out", cure="Name fewer layers to ignore.")
    return ignored
