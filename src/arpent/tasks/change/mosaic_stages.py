"""The passes over a mosaic: first who wins where, then each layer copied from its winners."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from arpent.core import Grid, Progress, ground_sampling_distance
from arpent.engine import Opener
from arpent.errors import ArpentError, InputError
from arpent.io import RasterSpec
from arpent.io.place import ResamplingName, place
from arpent.language import say
from arpent.tasks.change.frames import MOST_FRAMES, Frame
from arpent.tasks.change.mosaic_choice import NOBODY
from arpent.tasks.change.mosaic_fill import Form, Survey, form_of, survey
from arpent.tasks.change.mosaic_layers import LAYERS, Layer, mosaic_name
from arpent.tasks.change.mosaic_pairs import PairProducts
from arpent.tasks.change.mosaic_passes import Choosing, Copying, Excluding, Laid
from arpent.tasks.change.mosaic_readers import Placed
from arpent.tasks.change.mosaic_settings import MosaicSettings
from arpent.tasks.change.mosaic_sweep import Sweep, swept

__all__ = ["Made", "Stages"]

_WINNER = "winner"
_NODATA = -100.0


@dataclass(frozen=True)
class Made:
    """A product of the mosaic, in its place or in the scratch folder.

    Attributes:
        layer: what it is ("cosine_map", "persistence", "before_input").
        path: of the file.
        spec: what was written.
    """

    layer: str
    path: Path
    spec: RasterSpec


@dataclass
class Stages:
    """What all passes share.

    Attributes:
        pairs: that can win; a pair's number is its place here.
        lead: the rasters of the leading layer, one per pair.
        layer: the leading layer.
        grid: of the mosaic.
        settings: how to do it.
        scratch: folder for unfinished files.
        published: where finished products may lie already.
        fingerprint: of all that decides the pixels.
        progress: who is told.
        notes: what people should know; passes add to it.
        failures: items that could not be used; passes add to it.
    """

    pairs: Sequence[PairProducts]
    lead: Survey
    layer: Layer
    grid: Grid
    settings: MosaicSettings
    scratch: Path
    published: Path
    fingerprint: str
    progress: Progress
    notes: list[str] = field(default_factory=list)
    failures: dict[str, ArpentError] = field(default_factory=dict)

    def choose(self) -> list[Made]:
        """Who wins, how many pairs have data and, where the leading layer is a cosine, what it is and who agrees."""
        cosine = self.layer.name == "cosine_map"
        arpent = self.settings.profile == "arpent"
        specs = {
            _WINNER: RasterSpec(self.grid, ("pair",), "int32", NOBODY, overviews="nearest", compression="zstd"),
            "persistence": self._spec("persistence", Form(("pairs",), "uint16", 0), code=True),
        }
        if arpent and cosine:
            specs["agreement"] = self._spec("agreement", Form(("pairs",), "uint16", 0), code=True)
            specs["cosine_map"] = self._spec("cosine_map", Form(("cosine_map",), "float32", _NODATA))
        method = self.layer.resampling(self.settings.profile) if arpent else "nearest"
        choosing = Choosing(
            self._laid(self.lead.placed(self.grid), method),
            self.layer,
            self.settings.profile,
            self.settings.threshold if cosine else None,
            self._excluding() if self.settings.exclude else None,
            self._names(specs),
        )
        return [one for one in self._swept("choice", specs, choosing.opened) if one.layer != _WINNER]

    def fill(self, layer: Layer) -> list[Made]:
        """One layer, from the winners; nothing when no pair has it."""
        found = self._surveyed(
            {n: str(pair.files[layer.name]) for n, pair in enumerate(self.pairs) if layer.name in pair.files}
        )
        if not found.grids:
            return []
        form = form_of(found.forms.values(), layer.name)
        spec = self._spec(layer.name, form, code=layer.kind == "code")
        laid = self._laid(found.placed(self.grid), layer.resampling(self.settings.profile))
        specs = {layer.name: spec}
        copying = Copying(self._names(specs)[layer.name], laid, form, self._winner)
        return self._swept(layer.name, specs, copying.opened)

    def inputs(self, side: str, dates: Path | None) -> list[Made]:
        """The images before or after, from the winners.

        Args:
            side: "before" or "after".
            dates: the mosaic's dates of that side, which tell two images before apart; None where it has none.
        """
        name = f"{side}_input"
        images = self._images(side, dated=dates is not None)
        found = self._surveyed({number: frame.image for number, frame in images.items()})
        if not found.grids:
            self.notes.append(say("mosaic.no_images", self.settings.language, name=name))
            return []
        form = form_of(found.forms.values(), name)
        days = {n: images[n].date if len(self._before(n)) > 1 and side == "before" else None for n in found.grids}
        own, placed = self.lead.placed(self.grid), {}
        for number, one in found.placed(self.grid).items():
            shared = one.window.intersect(own[number // MOST_FRAMES].window)
            if shared.size:
                placed[number] = Placed(one.source, shared)
        specs = {name: self._spec(name, form)}
        copying = Copying(self._names(specs)[name], self._laid(placed, "cubic"), form, self._winner, days, dates)
        return self._swept(name, specs, copying.opened)

    def _before(self, number: int) -> tuple[Frame, ...]:
        """The images before of the pair that an image's number belongs to."""
        pair = self.pairs[number // MOST_FRAMES].pair
        return pair.before if pair is not None else ()

    def _images(self, side: str, *, dated: bool) -> dict[int, Frame]:
        """The compared images of a side by number; of two before, only those that a date tells apart."""
        images = {}
        for number, pair in enumerate(self.pairs):
            if pair.pair is None or not pair.pair.before:
                continue
            frames = pair.pair.before if side == "before" else (pair.pair.after,)
            for position, frame in enumerate(frames):
                if len(frames) == 1 or (dated and frame.date is not None):
                    images[number * MOST_FRAMES + position] = frame
        return images

    def _surveyed(self, sources: Mapping[int, str]) -> Survey:
        """Headers of the rasters of a layer; those that cannot be used become failures."""
        found = survey(sources)
        self.failures.update({sources[number]: problem for number, problem in found.failures.items()})
        return found

    def _laid(self, placed: Mapping[int, Placed], method: ResamplingName) -> Laid:
        return Laid(dict(placed), self.grid, method, self.settings.open_files)

    @property
    def _winner(self) -> Path:
        """The map of who wins, once that is known."""
        return self.scratch / "mosaic-choice" / f"{_WINNER}.tif"

    def _spec(self, layer: str, form: Form, *, code: bool = False) -> RasterSpec:
        return RasterSpec(
            self.grid,
            form.bands,
            form.dtype,
            form.nodata,
            overviews="nearest" if code else "average",
            title=say(f"mosaic.{layer}", self.settings.language),
            compression=self.settings.compression,
        )

    def _names(self, layers: Iterable[str]) -> dict[str, str]:
        """The names of the products of some layers, which are those of the reference."""
        return {layer: layer if layer == _WINNER else self.name_of(layer) for layer in layers}

    def _swept(self, title: str, specs: Mapping[str, RasterSpec], opened: Opener) -> list[Made]:
        """Runs a pass."""
        names = self._names(specs)
        sweep = Sweep({names[layer]: spec for layer, spec in specs.items()}, opened, self.fingerprint)
        with self.progress.bar(f"mosaic: {title}", self.grid.window.size, "px") as bar:
            files = swept(
                sweep, self.scratch / f"mosaic-{title}", self.published, bar, threads=self.settings.read_threads
            )
        return [Made(layer, files[names[layer]], spec) for layer, spec in specs.items()]

    def name_of(self, layer: str) -> str:
        """Name of a product of the mosaic."""
        return mosaic_name(layer, self.settings.postfix, self.layer)

    def _excluding(self) -> Excluding:
        """The quality layers, and how far around a dropped pixel resampling mixes it in."""
        name = LAYERS["quality_fmask"].name
        without = [pair.name for pair in self.pairs if name not in pair.files]
        if without and self.settings.missing_quality == "error":
            raise InputError(
                f"{without[0]} has no quality layer that could say where {', '.join(self.settings.exclude)} is",
                found=f"{len(without)} of {len(self.pairs)} pairs without",
                cure="Compare again with --quality, or take them as clear with --missing-quality clear.",
            )
        found = self._surveyed({n: str(pair.files[name]) for n, pair in enumerate(self.pairs) if name in pair.files})
        reach = {number: self._reach(self.lead.grids[number]) for number in found.grids}
        return Excluding(self._laid(found.placed(self.grid), "nearest"), tuple(self.settings.exclude), reach)

    def _reach(self, own: Grid) -> int:
        """Pixels of the mosaic over which resampling carries a pixel of a pair; 0 where the two coincide."""
        if place(own, self.grid, "a pair").shift is not None:
            return 0
        sides = [ground_sampling_distance(grid) or math.nan for grid in (own, self.grid)]
        radius = 1 if self.layer.resampling(self.settings.profile) == "bilinear" else 2
        return radius * max(1, math.ceil(sides[0] / sides[1] - 1e-3))
