"""The series that a forecast starts from: a DATASET, or images as others leave them, prepared as in training."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from arpent.core import Progress, Silent, parse
from arpent.models import Bundle
from arpent.store import RunFolder
from arpent.tasks.forecast.dataset import Dataset
from arpent.tasks.forecast.predict_settings import ForetellSettings
from arpent.tasks.forecast.prepare_settings import PrepareSettings
from arpent.tasks.forecast.preparing import prepare

__all__ = ["as_dataset"]

_HOW = ("window", "enl", "damping")
"""Settings of a speckle filter that a series is prepared with as that of training was."""


def as_dataset(
    series: Path, run: RunFolder, bundle: Bundle, settings: ForetellSettings, progress: Progress | None
) -> Dataset:
    """The DATASET at a path; of a series as others leave it, one in the scratch folder, prepared like that of training.

    It is prepared again where a run goes on, from the images that are still the same.
    """
    if (series / "dataset.json").is_file():
        return Dataset.read(series)
    recipe = bundle.contract.recipe
    how, name = recipe.get("filter_settings"), recipe.get("filter", "lee")
    kept = {key: value for key, value in (how if isinstance(how, Mapping) else {}).items() if key in _HOW}
    wanted = parse(PrepareSettings, {**kept, "filter": name, "split": "none", "language": settings.language}, "predict")
    run.add_input(series, role="series")
    with run.timed("prepare"):
        done = prepare(series, run.scratch / "series", wanted, force=True, progress=progress or Silent())
    for note in done.notes:
        run.tell(note)
    return done.dataset
