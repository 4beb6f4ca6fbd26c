"""From an image and a bundle to a class map in a run folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from arpent.core import Contract, Grid, Progress, Silent, ground_sampling_distance
from arpent.core.bundle import bundle_sha256
from arpent.engine import Job, Prediction, run_job
from arpent.errors import ContractMismatch, InvalidSetting
from arpent.io import ImageReader
from arpent.language import say
from arpent.metrics import AdjustedAreas, DenseScores
from arpent.models import Bundle, load_bundle
from arpent.store import Place, Run, RunFolder, bundle_in, content_of
from arpent.tasks.landcover.acquisitions import told, unheard
from arpent.tasks.landcover.fitting import check_fit, normalised, of_its_sensor, open_fitting
from arpent.tasks.landcover.laying import check_sheets, lay_on, lay_sheets
from arpent.tasks.landcover.outlining import outline
from arpent.tasks.landcover.scoring import ClassArea, adjusted_areas, areas_of, check_truth, score_map
from arpent.tasks.landcover.settings import LandcoverSettings, MapSettings
from arpent.tasks.landcover.sharing import MapElsewhere, turned
from arpent.tasks.landcover.task import LandcoverTask, classes_of

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
        notes: what people should know of how it was made.
    """

    run: Run
    path: Path
    areas: list[ClassArea]
    prediction: Prediction
    scores: DenseScores | None
    adjusted: AdjustedAreas | None = None
    notes: tuple[str, ...] = ()


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
        image: anything that `io.open_image` reads; a folder of sheets is mapped as one image.
        model: the bundle, or the run that trained it.
        place: where the run goes.
        settings: how to do it.
        truth: a map of true classes to be scored against.
        taken: when the image was taken.
        progress: who is told how far it is.

    Raises:
        BundleInvalid: the bundle is of another task.
        ContractMismatch: the image does not fit the model.
        DatasetError: the sheets of a folder do not make one image.
    """
    model = bundle_in(model, "landcover")
    loaded = load_bundle(model)
    loaded = replace(loaded, contract=of_its_sensor(loaded.contract, image, settings))
    task = _task_of(loaded, model, settings)
    # How many threads read changes nothing, and may change when a run goes on.
    kept = settings.model_dump(mode="json", exclude={"read_threads"}) | {"image": image, "model": str(model)}
    opened = open_fitting(image, loaded.contract, settings)
    own = opened.own
    with (
        opened.reader as reader,
        place.begin(
            "landcover", Path(image).stem, kept, [image, model, *([truth] if truth else [])], language=settings.language
        ) as run,
    ):
        if settings.per_sheet:
            check_sheets(reader.sheets, [*(product.name for product in task.products()), "preview"], settings.box)
        if truth is not None:
            check_truth(truth, own if settings.grid == "image" else reader.grid)
            run.add_input(truth, role="truth")
        informed = told(loaded, own, settings, taken, reader.sensor)
        identity = _noted(run, image, model, taken if informed is not loaded else None)
        ready = _renormalised(informed, reader, run, settings)
        job = Job(turned(task, settings), ready, reader, run, settings, identity, taken)
        elsewhere = MapElsewhere.of(image, loaded, job, task, settings)
        opener = None if elsewhere is None else elsewhere.openers
        job = replace(job, language=settings.language, progress=progress or Silent(), opener=opener)
        with run.timed("predict"):
            done = run_job(job)
        _derive(job, task, settings, own)
        return _finished(run, task, done, truth, _notes(job, loaded.contract, settings, own))


def _renormalised(loaded: Bundle, reader: ImageReader, run: RunFolder, settings: MapSettings) -> Bundle:
    """The model with the normalisation that is asked for, once it is sure that the image fits."""
    try:
        with run.timed("statistics"):
            contract = normalised(loaded.contract, reader, settings)
        check_fit(contract, reader)
    except (ContractMismatch, InvalidSetting):
        run.abandon()  # nothing is made yet: with the option that was missing, the same command is to begin anew
        raise
    return Bundle(loaded.model, contract)


def _noted(run: RunFolder, image: str, model: Path, told: datetime | None) -> tuple[str, ...]:
    """Notes what a map is made from; hashes that must be the same when the run goes on."""
    weights = bundle_sha256(model)
    run.use_bundle(model, weights)
    return (content_of(run.add_input(image)), weights, *([] if told is None else [told.isoformat()]))


def _derive(job: Job, task: LandcoverTask, settings: MapSettings, own: Grid) -> None:
    """What is made of the finished maps: the same on other pixels, sheet by sheet, as polygons."""
    run, reader = job.run, job.image
    if settings.grid == "image" and not reader.grid.matches(own):
        with run.timed("grid"):
            for product in task.products():
                lay_on(run, product, own, job.taken)
    if settings.per_sheet and isinstance(reader, ImageReader):
        with run.timed("sheets"):
            lay_sheets(run, task.products()[0], reader.sheets, job.taken)
    if settings.vector:
        with run.timed("polygons"):
            outline(run, task.classes, settings, job.taken)


def _notes(job: Job, contract: Contract, settings: MapSettings, own: Grid) -> tuple[str, ...]:
    """What people should know of how a map was made."""
    notes, language = [], settings.language
    if not job.image.grid.georeferenced:
        notes.append(say("landcover.no_place", language, source=Path(job.image.source).name))
    size = ground_sampling_distance(own)
    if size and contract.gsd and not job.image.grid.matches(own):
        notes.append(say("landcover.resampled", language, image=size, model=contract.gsd))
    rule = job.bundle.contract.normalisation
    if rule is not None and rule != contract.normalisation:
        notes.append(say("landcover.normalised", language, origin=rule.origin))
    deaf = unheard(contract, settings)
    return (*notes, deaf) if deaf else tuple(notes)


def _finished(
    run: RunFolder, task: LandcoverTask, done: Prediction, truth: Path | None, notes: tuple[str, ...]
) -> LandcoverMap:
    """Measures the map, notes what was found, and finishes the run."""
    path = run.path / "classes.tif"
    areas = areas_of(path, task.classes)
    run.add_metrics({f"area_m2/{a.entry.en}": a.square_metres for a in areas if a.square_metres is not None})
    scores = adjusted = None
    if truth is not None:
        matrix = score_map(path, truth, task.classes)
        scores = matrix.scores(leave_out=task.classes.inactive)
        adjusted = adjusted_areas(matrix, areas)
        run.add_metrics(scores.summary())
    if adjusted is not None:
        run.add_metrics(_figures(areas, adjusted))
    return LandcoverMap(run.finish(), path, areas, done, scores, adjusted, notes)


def _figures(areas: Sequence[ClassArea], adjusted: AdjustedAreas) -> dict[str, float]:
    """Corrected areas and half the width of their intervals, for the manifest."""
    figures = {}
    for index, area in enumerate(areas):
        figures[f"adjusted_area_m2/{area.entry.en}"] = float(adjusted.area.value[index])
        figures[f"adjusted_area_margin_m2/{area.entry.en}"] = float(adjusted.area.half_width[index])
    return figures


def _task_of(bundle: Bundle, source: Path, settings: MapSettings) -> LandcoverTask:
    """The task that a bundle was trained for."""
    contract, classes = bundle.contract, classes_of(bundle, source)
    config = LandcoverSettings(
        classes=classes.name,
        bands=contract.band_names,
        architecture=contract.architecture,
        probabilities=settings.probabilities,
    )
    return LandcoverTask(config, classes, settings.language)
