"""Which parameters moved between two models: layer by layer and part by part, from their files alone."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from arpent.core import Contract, Language
from arpent.errors import BundleInvalid, ContractMismatch
from arpent.language import percent, say
from arpent.models import PartName, Parts, parts_of
from arpent.report import Bar, bars
from arpent.store import bundle_in, read_contract

__all__ = ["LayerMove", "Moved", "draw_moved", "moved"]

_STATISTICS = ("running_mean", "running_var")
_PARTS: tuple[PartName, ...] = ("encoder", "decoder", "head")
_COUNTERS = ("num_batches_tracked",)


@dataclass(frozen=True)
class LayerMove:
    """How far the numbers of a layer have moved.

    Attributes:
        name: of the layer, in the network.
        part: encoder, decoder or head.
        numbers: that both models have.
        relative: length of the change over the length before; None where that was nought.
        cosine: between before and after; None where either is nought.
        squared: length of the change, squared.
        statistics: relative change of the running statistics of batch norm; None for layers without.
        bands: names of the bands that were compared, where the layer looks at bands and the models have others.
    """

    name: str
    part: PartName
    numbers: int
    relative: float | None
    cosine: float | None
    squared: float
    statistics: float | None
    bands: tuple[str, ...] = ()


@dataclass(frozen=True)
class Moved:
    """What moved between two models.

    Attributes:
        layers: by part, then in the order of their names.
        left_out: layers whose shapes differ and that could not be compared.
    """

    layers: tuple[LayerMove, ...]
    left_out: tuple[str, ...]

    @property
    def shares(self) -> Mapping[PartName, float]:
        """Of the whole movement (the sum of squared changes of weights), by part; nothing where none moved."""
        total = sum(layer.squared for layer in self.layers)
        found: dict[PartName, float] = {}
        for layer in self.layers:
            found[layer.part] = found.get(layer.part, 0.0) + layer.squared
        return {part: value / total for part, value in found.items()} if total else {}

    @property
    def still(self) -> int:
        """Layers of which no number moved, statistics included."""
        return sum(not layer.squared and not layer.statistics for layer in self.layers)


def moved(before: Path, after: Path) -> Moved:
    """Compares the tensors of two bundles; no network is built.

    Layers over bands are compared on the bands that both models know, the maps of the head on the classes of both.

    Raises:
        ContractMismatch: the models are of different networks.
        BundleInvalid: a file is no bundle, or lacks tensors.
    """
    one, two = bundle_in(before, "landcover"), bundle_in(after, "landcover")
    old, new = read_contract(one), read_contract(two)
    _require_alike(old, new, one, two)
    parts = parts_of(old.architecture, old.settings)
    shared = _Shared.of(old, new)
    layers, left_out = [], []
    with ExitStack() as held:
        first, second = _Tensors.of(one, held), _Tensors.of(two, held)
        if set(first.names) != set(second.names):
            raise BundleInvalid(
                f"{one} and {two} do not hold the same tensors", cure="Take fresh copies, or export them again."
            )
        for name, names in first.layers():
            pairs = [_Pair.of(tensor, first.read(tensor), second.read(tensor), shared, parts) for tensor in names]
            comparable = [pair for pair in pairs if pair is not None]
            if len(comparable) < len(pairs):
                left_out.append(name)
            if comparable:
                layers.append(_measured(name, comparable, parts))
    layers.sort(key=lambda layer: _PARTS.index(layer.part))
    return Moved(tuple(layers), tuple(left_out))


def _require_alike(old: Contract, new: Contract, one: Path, two: Path) -> None:
    def network(contract: Contract) -> dict[str, object]:
        return {key: value for key, value in contract.settings.items() if key not in ("channels", "classes")}

    if (old.architecture, network(old)) != (new.architecture, network(new)):
        raise ContractMismatch(
            f"{two} is another network than {one}",
            found=f"{new.architecture} {network(new)}",
            expected=f"{old.architecture} {network(old)}",
            cure="Compare a model with what was fine-tuned from it.",
        )


@dataclass(frozen=True)
class _Shared:
    """Places of bands and classes that both models have, in each."""

    bands: tuple[NDArray[np.intp], NDArray[np.intp]]
    classes: tuple[NDArray[np.intp], NDArray[np.intp]] | None
    names: tuple[str, ...]
    sizes: tuple[int, int]

    @classmethod
    def of(cls, old: Contract, new: Contract) -> _Shared:
        pairs = [
            (here, there)
            for here, band in enumerate(old.bands)
            for there, other in enumerate(new.bands)
            if band.answers_to(other.name) or other.answers_to(band.name)
        ]
        classes = None
        if old.classes is not None and new.classes is not None:
            places = {entry.en: place for place, entry in enumerate(new.classes.classes)}
            both = [(n, places[entry.en]) for n, entry in enumerate(old.classes.classes) if entry.en in places]
            classes = _columns(both)
        names = tuple(old.bands[here].name for here, _ in pairs)
        return cls(_columns(pairs), classes, names, (len(old.bands), len(new.bands)))


def _columns(pairs: Sequence[tuple[int, int]]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    table = np.array(pairs, np.intp).reshape(-1, 2)
    return table[:, 0], table[:, 1]


@dataclass(frozen=True)
class _Pair:
    """A tensor before and after, cut to what both models have."""

    name: str
    before: NDArray[np.float64]
    after: NDArray[np.float64]
    bands: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, name: str, before: NDArray[np.generic], after: NDArray[np.generic], shared: _Shared, parts: Parts
    ) -> _Pair | None:
        """None where they cannot be compared."""
        bands: tuple[str, ...] = ()
        over_bands = before.ndim == 4 and (before.shape[1], after.shape[1]) == shared.sizes
        first_level = parts.levels and any(name.startswith(f"{prefix}.") for prefix in parts.levels[0])
        in_order = all(here == there for here, there in zip(*shared.bands, strict=True))
        if over_bands and first_level and (before.shape != after.shape or not in_order):
            before, after, bands = before[:, shared.bands[0]], after[:, shared.bands[1]], shared.names
        elif before.shape[:1] != after.shape[:1] and parts.part_of(name) == "head" and shared.classes is not None:
            before, after = before[shared.classes[0]], after[shared.classes[1]]
        if before.shape != after.shape:
            return None
        return cls(name, before.astype(np.float64).ravel(), after.astype(np.float64).ravel(), bands)


def _measured(name: str, pairs: Sequence[_Pair], parts: Parts) -> LayerMove:
    """The movement of a layer: weights together, statistics of batch norm apart."""
    weights = [pair for pair in pairs if not pair.name.endswith(_STATISTICS)]
    statistics = [pair for pair in pairs if pair.name.endswith(_STATISTICS)]
    before, after = (_together([getattr(pair, side) for pair in weights]) for side in ("before", "after"))
    change = float(((after - before) ** 2).sum())
    size, other = float((before**2).sum()), float((after**2).sum())
    return LayerMove(
        name,
        parts.part_of(pairs[0].name),
        before.size,
        math.sqrt(change / size) if size else None,
        # Where nothing moved it is 1 to the last bit, which roots of sums need not be.
        (1.0 if not change else float(before @ after) / math.sqrt(size * other)) if size and other else None,
        change,
        _relative(statistics) if statistics else None,
        next((pair.bands for pair in pairs if pair.bands), ()),
    )


def _relative(pairs: Sequence[_Pair]) -> float:
    before, after = (_together([getattr(pair, side) for pair in pairs]) for side in ("before", "after"))
    size = float((before**2).sum())
    return math.sqrt(float(((after - before) ** 2).sum()) / size) if size else float((after != before).any())


def _together(arrays: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    return np.concatenate(arrays) if arrays else np.zeros(0)


class _Tensors:
    """The tensors of a bundle, read one by one."""

    def __init__(self, files: Mapping[str, tuple[object, str]]) -> None:
        self._files = files
        self.names = list(files)

    @classmethod
    def of(cls, bundle: Path, held: ExitStack) -> _Tensors:
        """Those of a file, or of the parts of a folder."""
        files: dict[str, tuple[object, str]] = {}
        for part in [bundle] if bundle.is_file() else sorted(bundle.glob("*.safetensors")):
            prefix = "" if part == bundle or part.stem == "model" else f"{part.stem}."
            try:
                opened = held.enter_context(safe_open(part, framework="numpy"))
                files |= {f"{prefix}{key}": (opened, key) for key in opened.keys()}  # noqa: SIM118 - no mapping
            except (SafetensorError, OSError) as error:
                raise BundleInvalid(f"{part} is damaged", found=str(error), cure="Take a fresh copy.") from error
        return cls(files)

    def read(self, name: str) -> NDArray[np.generic]:
        """One tensor."""
        file, key = self._files[name]
        tensor: NDArray[np.generic] = file.get_tensor(key)  # type: ignore[attr-defined]  # it has no types of its own
        return tensor

    def layers(self) -> Iterator[tuple[str, list[str]]]:
        """Layers with the names of their tensors, counters left out; in the order of their names, numbers as such."""
        found: dict[str, list[str]] = {}
        for name in self.names:
            if not name.endswith(_COUNTERS):
                found.setdefault(name.rpartition(".")[0], []).append(name)
        for layer in sorted(found, key=_natural):
            yield layer, sorted(found[layer])


def _natural(name: str) -> list[tuple[int, str]]:
    return [(int(word), "") if word.isdecimal() else (-1, word) for word in name.split(".")]


def draw_moved(found: Moved, path: Path, language: Language = "en") -> Path:
    """How far each layer moved, as bars coloured by part, as PNG."""
    shares = found.shares
    rows = [
        Bar(layer.name, layer.relative, say(f"moved.{layer.part}", language))
        for layer in found.layers
        if layer.relative is not None
    ]
    notes = {say(f"moved.{part}", language): percent(share, language) for part, share in shares.items()}
    title, x = say("moved.title", language), say("moved.relative", language)
    return bars(rows, path, title=title, x=x, notes=notes, language=language)
