"""From an index of images and masks to a model bundle."""

from __future__ import annotations

from pathlib import Path

from arpent.core import Normalisations, Progress
from arpent.engine import Fit, Processes, Start, require_figure, train_run
from arpent.models import tile_needs
from arpent.store import Place, Run, RunFolder
from arpent.tasks.landcover.beginning import new_network
from arpent.tasks.landcover.learning import bands_of, contract_of, learn, publish
from arpent.tasks.landcover.radiometry import rule_of_images
from arpent.tasks.landcover.settings import TrainSettings
from arpent.tasks.landcover.survey import note_inputs, survey
from arpent.tasks.landcover.task import LandcoverTask

__all__ = ["train"]


def train(settings: TrainSettings, place: Place, *, progress: Progress | None = None) -> Run:
    """Trains a model and keeps it in a run folder, as the product ``model``.

    Started in several processes (``accelerate launch``), they train together; see `arpent.engine.train_run`.

    Raises:
        DatasetError: samples are missing, on no side of a split, on two, or of different kinds.
        LossNotFinite: training diverged.
        Interrupted: by Ctrl-C; go on with a place that resumes.
    """
    task = LandcoverTask(settings.task)
    tile_needs(settings.task.architecture, task.network_settings)  # a wrong network is told before images are read
    require_figure(task, settings.fit.best)  # and so is a figure that there is not
    processes = Processes.joined(settings.fit.device)
    samples = processes.told(lambda: survey(settings))

    def prepare(run: RunFolder) -> Normalisations:
        note_inputs(run, settings, samples)
        with run.timed("statistics"):
            return rule_of_images(settings, samples)

    def fitted(rule: Normalisations, folder: Path) -> Fit:
        start = None
        if settings.pretrained:
            bands = bands_of(settings.task.bands, (*samples.train, *samples.val))
            start = Start(new_network(settings, task, bands))
        return learn(task, settings, samples, rule, folder, start=start, progress=progress, resume=place.resume)

    def finish(run: RunFolder, rule: Normalisations, fit: Fit) -> None:
        publish(run, fit, contract_of(settings, task, rule, samples, fit), settings.language)

    return train_run(
        processes,
        place,
        "landcover-train",
        settings.name,
        settings,
        prepare=prepare,
        fit=fitted,
        publish=finish,
    )
