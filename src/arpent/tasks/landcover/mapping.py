"""From an image and a bundle to a class map in a run folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from arpent.core import Progress, Silent, file_sha256
from arpent.engine import Job, Prediction, run_job
from arpent.errors import BundleInvalid
from arpent.io import open_image
from arpent.metrics import AdjustedAreas, DenseScores
from arpent.models import Bundle, load_bundle
from arpent.store import Place, Run, RunFolder, bundle_in, content_of
from arpent.tasks.landcover.scoring import ClassArea, adjusted_areas, areas_of, check_truth, score_map
from arpent.tasks.landcover.settings import LandcoverSettings, MapSettings
from arpent.tasks.landcover.task import LandcoverTask

__all__ = ["LandcoverMap", "map_image"]


@dataclass(frozen=True)
class LandcoverMap:
    """A finished map.

    Attributes:
        run: the run folder.
        path: of the class map.
        areas: the ground that each class covers.
        prediction: how it went.
        scores: against the truth, where one was given.
        adjusted: the areas corrected for the errors that the truth shows, where that can be done.
    """

    run: Run
    path: Path
    areas: list[ClassArea]
    prediction: Prediction
    scores: DenseScores | None
    adjusted: AdjustedAreas | None = None


def map_image(
    image: str,
    model: Path,
    place: Place,
    settings: MapSettings,
    *,
    truth: Path | None = None,
    taken: datetime | None = None,
    progress: Progress | None = None,
) -> LandcoverMap:
    """Maps one image.

    Args:
        image: anything that `io.open_image` reads.
        model: the bundle, or the run that trained it.
        place: where the run goes.
        settings: how to do it.
        truth: a map of true classes to be scored against.
        taken: when the image was taken.
        progress: who is told how far it is.

    Raises:
        BundleInvalid: the bundle is of another task.
        ContractMismatch: the image does not fit the model.
    """
    model = bundle_in(model)
    bundle = load_bundle(model)
    task = _task_of(bundle, model, settings)
    # How many threads read changes nothing, and may change when a run goes on.
    kept = settings.model_dump(mode="json", exclude={"read_threads"}) | {"image": image, "model": str(model)}
    with (
        open_image(image, bands=bundle.contract.band_names, sensor=settings.sensor) as reader,
        place.begin("landcover", Path(image).stem, kept, [image, model, *([truth] if truth else [])]) as run,
    ):
        if truth is not None:
            check_truth(truth, reader.grid)
            run.add_input(truth, role="truth")
        weights = file_sha256(model if model.is_file() else model / "bundle.json")
        run.use_bundle(model, weights)
        identity = (content_of(run.add_input(image)), weights)
        with run.timed("predict"):
            job = Job(
                task,
                bundle,
                reader,
                run,
                settings,
                identity=identity,
                taken=taken,
                language=settings.language,
                progress=progress or Silent(),
            )
            done = run_job(job)
        return _finished(run, task, done, truth)


def _finished(run: RunFolder, task: LandcoverTask, done: Prediction, truth: Path | None) -> LandcoverMap:
    """Measures the map, notes what was found, and finishes the run."""
    path = run.path / "classes.tif"
    areas = areas_of(path, task.classes)
    run.add_metrics({f"area_m2/{a.entry.en}": a.square_metres for a in areas if a.square_metres is not None})
    scores = adjusted = None
    if truth is not None:
        matrix = score_map(path, truth, task.classes)
        scores, adjusted = matrix.scores(), adjusted_areas(matrix, areas)
        run.add_metrics(scores.summary())
    if adjusted is not None:
        run.add_metrics(_figures(areas, adjusted))
    return LandcoverMap(run.finish(), path, areas, done, scores, adjusted)


def _figures(areas: Sequence[ClassArea], adjusted: AdjustedAreas) -> dict[str, float]:
    """Corrected areas and half the width of their intervals, for the manifest."""
    figures = {}
    for index, area in enumerate(areas):
        figures[f"adjusted_area_m2/{area.entry.en}"] = float(adjusted.area.value[index])
        figures[f"adjusted_area_margin_m2/{area.entry.en}"] = float(adjusted.area.half_width[index])
    return figures


def _task_of(bundle: Bundle, source: Path, settings: MapSettings) -> LandcoverTask:
    """The task that a bundle was trained for."""
    contract = bundle.contract
    if contract.task != "landcover" or contract.classes is None:
        raise BundleInvalid(
            f"{source} is no land-cover model", found=f"a model for '{contract.task}'", cure="Give another bundle."
        )
    config = LandcoverSettings(
        classes=contract.classes.name,
        bands=contract.band_names,
        architecture=contract.architecture,
        probabilities=settings.probabilities,
    )
    return LandcoverTask(config, contract.classes, settings.language)
