"""Many pairs become one map: the most persistent answer of all, and what belongs to it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from arpent.core import Grid, Progress, Raster, Silent, pixel_area, write_file
from arpent.engine.ledger import fingerprint
from arpent.errors import ArpentError, FileMissing
from arpent.io import open_image, quicklook, read_ahead, recorded_statistics, stac_item
from arpent.language import say
from arpent.report import figures
from arpent.store import Place, Run, RunFolder
from arpent.tasks.change.judgement import COSINE, PROBABILITY, Judgement, deciding
from arpent.tasks.change.mosaic_fill import survey
from arpent.tasks.change.mosaic_grid import mosaic_grid
from arpent.tasks.change.mosaic_layers import LAYERS, check_ignored, reference_layer
from arpent.tasks.change.mosaic_pairs import PairProducts, delete_residues, find_pairs
from arpent.tasks.change.mosaic_settings import MosaicSettings
from arpent.tasks.change.mosaic_stages import Made, Stages
from arpent.tasks.change.mosaic_style import change_ramp, qgis_style

__all__ = ["Fused", "Mosaic", "forget", "fuse", "make_mosaic"]

_BLOCK = 1024
_UNIMPORTANT = {"read_threads", "open_files", "language", "delete_residues"}
"""Settings that may change when a mosaic goes on."""


@dataclass(frozen=True)
class Fused:
    """What became of the pairs.

    Attributes:
        grid: of the mosaic.
        files: by layer ("cosine_map", "persistence", "before_input"), in the run folder.
        metrics: what was measured.
        notes: what people should know.
        judgement: which layer says what has changed, and from which value on; None where there is none that could.
    """

    grid: Grid
    files: Mapping[str, Path]
    metrics: Mapping[str, float]
    notes: tuple[str, ...]
    judgement: Judgement | None = None


@dataclass(frozen=True)
class Mosaic:
    """A finished mosaic.

    Attributes:
        run: its run folder.
        fused: what it holds.
        removed: files of the pairs that were removed.
    """

    run: Run
    fused: Fused
    removed: int = 0


def make_mosaic(
    sources: Sequence[str | Path], place: Place, settings: MosaicSettings, *, progress: Progress | None = None
) -> Mosaic:
    """Makes a mosaic in a run folder of its own.

    Args:
        sources: run folders of pairs, or folders with the reference's file names.
        place: where the run goes.
        settings: how to do it.
        progress: who is told how far it is.

    Raises:
        FileMissing: there are no pairs.
        InvalidSetting: pairs and settings do not say where the pixels of the mosaic lie.
    """
    found = find_pairs(sources, settings)
    if settings.delete_residues:
        delete_residues(found.pairs, only_check=True)
    kept = settings.model_dump(mode="json", exclude=_UNIMPORTANT) | {"pairs": [str(source) for source in sources]}
    suggested = settings.postfix or Path(sources[0]).resolve().name
    with place.begin("change-mosaic", suggested, kept, [*sources, *found.sources], language=settings.language) as run:
        for source in found.sources:
            run.add_input(source, role="pairs")
        fused = fuse(run, found.pairs, settings, progress=progress)
        finished = run.finish()
        removed = delete_residues(found.pairs) if settings.delete_residues else 0
    return Mosaic(finished, replace(fused, notes=(*found.notes, *fused.notes)), removed)


def fuse(
    run: RunFolder, pairs: Sequence[PairProducts], settings: MosaicSettings, *, progress: Progress | None = None
) -> Fused:
    """Makes a mosaic in a run that is under way, and publishes it there; the caller finishes the run.

    A pair whose leading layer cannot be read is noted as a failure of the run, and the others go on.

    Args:
        run: where the products go.
        pairs: in the order in which equal ones win.
        settings: how to do it.
        progress: who is told how far it is.
    """
    asked, limits = settings, _thresholds_of(pairs, settings)
    settings = settings.model_copy(update={"threshold": limits["cosine_map"]})
    with run.timed("mosaic"):
        stages = _stages(run, pairs, settings, progress or Silent())
        made = _made(stages)
    for item, problem in stages.failures.items():
        run.add_failure(item, problem)
    with run.timed("describe"):
        judgement = _judgement(made, asked, limits)
        files = _published(run, stages, made, judgement)
        metrics = _measured(stages, files, judgement)
    metrics |= {name: limits[layer] for layer, name in _LIMITS.items() if layer in files}
    run.add_metrics({f"mosaic/{name}": value for name, value in metrics.items()})
    return Fused(stages.grid, files, metrics, tuple(stages.notes), judgement)


def forget(run: RunFolder) -> None:
    """Has the next mosaic of a run made from its first row; to be called before products of an earlier one go.

    A pass that finds the note of its last row, and not its product, cannot go on.
    """
    for folder in run.scratch.glob("mosaic-*"):
        shutil.rmtree(folder, ignore_errors=True)


_LIMITS = {"cosine_map": "threshold", "change_probability": "probability"}
"""What the thresholds of the layers are called among the metrics."""


def _thresholds_of(pairs: Sequence[PairProducts], settings: MosaicSettings) -> dict[str, float]:
    """By layer: what is asked for, else that with which all pairs were compared, else the usual one."""
    limits = {"cosine_map": COSINE, "change_probability": PROBABILITY}
    for layer in limits:
        found = {pair.thresholds.get(layer) for pair in pairs}
        (only,) = found if len(found) == 1 else (None,)
        if only is not None:
            limits[layer] = only
    asked = {"cosine_map": settings.threshold, "change_probability": settings.probability}
    return limits | {layer: limit for layer, limit in asked.items() if limit is not None}


def _judgement(made: Mapping[str, Made], asked: MosaicSettings, limits: Mapping[str, float]) -> Judgement | None:
    """Which layer says what has changed, as in a pair; None where there is none that could."""
    if not limits.keys() & made.keys():
        return None
    layer = deciding(made.keys(), "auto", asked.threshold, asked.probability, what="layer of this mosaic")
    return Judgement(layer, limits[layer])


def _stages(run: RunFolder, pairs: Sequence[PairProducts], settings: MosaicSettings, progress: Progress) -> Stages:
    """Which pairs can win, and on which grid."""
    if not pairs:
        raise FileMissing("a mosaic of no pairs", cure="Give folders with the products of 'arpent change'.")
    ignored = check_ignored(settings.ignore)
    layer = reference_layer({name for pair in pairs for name in pair.files} - ignored, settings.reference)
    having = [pair for pair in pairs if layer.name in pair.files]
    found = survey({number: str(pair.files[layer.name]) for number, pair in enumerate(having)})
    failures: dict[str, ArpentError] = {having[number].name: problem for number, problem in found.failures.items()}
    if not found.grids:
        raise next(iter(failures.values()))
    left = [having[number] for number in found.grids]
    lead = found.renumbered()
    stages = Stages(
        left,
        lead,
        layer,
        mosaic_grid(list(lead.grids.values()), settings),
        settings,
        run.scratch,
        run.path,
        "",
        progress,
        failures=failures,
    )
    stages.notes.extend(
        say("mosaic.cannot_win", settings.language, name=pair.name, layer=layer.name)
        for pair in pairs
        if pair not in having
    )
    stages.fingerprint = _identity(stages)
    return stages


def _identity(stages: Stages) -> str:
    """Hash of all that decides the pixels: files by name, size and time, for reading them twice would cost too much."""
    files = []
    for pair in stages.pairs:
        sources = [*pair.files.values(), *(Path(frame.image) for frame in (pair.pair.frames if pair.pair else ()))]
        known = [(str(path), path.stat()) for path in sources if path.is_file()]
        files.append([pair.name, *((name, facts.st_size, facts.st_mtime_ns) for name, facts in known)])
    grid = stages.grid
    return fingerprint(
        files=files,
        grid=[grid.shape, tuple(grid.transform), str(grid.crs)],
        settings=stages.settings.model_dump(mode="json", exclude=_UNIMPORTANT),
    )


def _made(stages: Stages) -> dict[str, Made]:
    """All passes, one after the other; a layer that exists already is not copied again."""
    ignored = check_ignored(stages.settings.ignore)
    made = {one.layer: one for one in stages.choose()}
    for layer in LAYERS.values():
        if layer.name not in made and layer.name not in ignored:
            made |= {one.layer: one for one in stages.fill(layer)}
    for side in ("before", "after"):
        if f"{side}_input" not in ignored:
            dates = made.get(f"{side}_date")
            made |= {one.layer: one for one in stages.inputs(side, dates.path if dates else None)}
    return {name: one for name, one in made.items() if name not in ignored}


def _published(
    run: RunFolder, stages: Stages, made: Mapping[str, Made], judgement: Judgement | None
) -> dict[str, Path]:
    """Hands every product to the run, the leading one first, with its item, a picture and a style."""
    begun = _day(made.get("before_date"), last=False)
    ended = _day(made.get("after_date"), last=True)
    settings, files = stages.settings, {}
    for name in sorted(made, key=lambda name: name != stages.layer.name):
        one = made[name]
        title = stages.name_of(name)
        item = stac_item(
            f"{run.name}-{title}",
            f"./{one.path.name}",
            grid=stages.grid,
            start=begun or ended or run.undated(),
            end=ended if begun else None,
            raster=one.spec,
            statistics=recorded_statistics(one.path),
            properties={
                "arpent:task": run.task,
                "arpent:acquired": bool(begun or ended),
                "arpent:pairs": len(stages.pairs),
                "arpent:profile": settings.profile,
            },
        )
        run.publish(one.path, kind="raster", stac=item)
        files[name] = run.path / one.path.name
    _draw(run, stages, made[judgement.layer if judgement else stages.layer.name], "mosaic_preview", judgement)
    _draw(run, stages, made["persistence"], "mosaic_persistence_view")
    if "cosine_map" in files:
        assert settings.threshold is not None  # `fuse` has set it
        ramp = change_ramp(settings.threshold)
        labels = [say("mosaic.changed", settings.language, value=stop.value) for stop in ramp]
        style = qgis_style([*labels, say("mosaic.unchanged", settings.language)], ramp)
        title = f"{stages.name_of('cosine_map')}.qml"
        run.publish(write_file(run.scratch / title, style), kind="text", name=f"{stages.name_of('cosine_map')}_style")
    return files


def _draw(run: RunFolder, stages: Stages, made: Made, picture: str, judgement: Judgement | None = None) -> None:
    """A picture of a product's first band."""
    small = quicklook(run.path / made.path.name, classes=made.spec.overviews == "nearest")
    first = Raster(small.pixels[:1], small.valid, small.grid, small.bands[:1])
    drawn = run.scratch / f"{picture}.png"
    shown = figures.Panel(first, steps=judgement.steps if judgement else None)
    figures.panels([shown], drawn, title=made.spec.title, language=stages.settings.language)
    run.publish(drawn, kind="picture")


def _day(dates: Made | None, *, last: bool) -> datetime | None:
    """The first or the last date of a map of dates (YYYYDDD)."""
    found = recorded_statistics(dates.path) if dates is not None else ()
    number = (found[0].maximum if last else found[0].minimum) if found else None
    if number is None or not 1_000_000 < number < 10_000_000:
        return None
    return datetime.strptime(f"{int(number)}", "%Y%j").replace(tzinfo=UTC)


def _measured(stages: Stages, files: Mapping[str, Path], judgement: Judgement | None) -> dict[str, float]:
    """How much of the mosaic is known, how often, and how much of it has changed by the layer that judges."""
    known = seen = judged = changed = metres = 0.0
    whole = stages.grid.window
    blocks = list(whole.blocks(_BLOCK))
    with open_image(files["persistence"]) as counts:
        for raster in read_ahead(counts.read, blocks):
            known += int(np.count_nonzero(raster.valid))
            seen += float(raster.pixels[0][raster.valid].sum(dtype=np.float64))
    measured = {
        "pairs": float(len(stages.pairs)),
        "valid_share": known / whole.size,
        "mean_persistence": seen / known if known else 0.0,
    }
    if judgement is not None:
        with open_image(files[judgement.layer]) as scores:
            for block, raster in zip(blocks, read_ahead(scores.read, blocks), strict=True):
                count = int(np.count_nonzero(raster.valid & judgement.changed(raster.pixels[0])))
                judged += int(np.count_nonzero(raster.valid))
                changed += count
                metres += count * pixel_area(stages.grid, block)
        measured |= {"changed_share": changed / judged if judged else 0.0, "changed_m2": metres}
    return measured
