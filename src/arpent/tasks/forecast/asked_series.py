"""The series that a forecast starts from: a DATASET, or images as others leave them, prepared as in training."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from arpent.core import Contract, Progress, Silent, nomenclature_names, parse
from arpent.errors import InvalidSetting
from arpent.models import Bundle
from arpent.store import RunFolder
from arpent.tasks.forecast.dataset import FACTS, Dataset
from arpent.tasks.forecast.predict_settings import ForetellSettings
from arpent.tasks.forecast.prepare_settings import PrepareSettings
from arpent.tasks.forecast.preparing import prepare
from arpent.tasks.forecast.series_settings import SeriesSettings

__all__ = ["as_dataset"]

_OF_NO_TRAINING: dict[str, Any] = {"past": 1, "future": 1, "patch": 8, "split": "none"}
"""What only matters to those who train: nothing is asked of a series that is only looked at."""

_HOW = ("window", "enl", "damping")
"""Settings of a speckle filter that a series is prepared with as that of training was."""


def as_dataset(
    series: Path, run: RunFolder, bundle: Bundle, settings: ForetellSettings, progress: Progress | None
) -> Dataset:
    """The DATASET at a path; of a series as others leave it, one in the scratch folder, prepared like that of training.

    It is prepared again where a run goes on, from the images that are still the same.
    """
    if (series / FACTS).is_file():
        _nothing_to_say(series, settings)
        return Dataset.read(series)
    wanted = parse(PrepareSettings, _wanted(bundle.contract, settings), "predict")
    run.add_input(series, role="series")
    with run.timed("prepare"):
        done = prepare(
            series,
            run.scratch / "series",
            wanted,
            looks=_looks(bundle.contract),
            force=True,
            progress=progress or Silent(),
        )
    for note in done.notes:
        run.tell(note)
    return done.dataset


def _wanted(contract: Contract, settings: ForetellSettings) -> dict[str, Any]:
    """Settings of `prepare`: the speckle filter of training, what the model sees, and how people say images are read.

    How many dates a model looks at is asked of each place when its issue date is known, and not here.
    """
    how, name = contract.recipe.get("filter_settings"), contract.recipe.get("filter", "lee")
    kept = {key: value for key, value in (how if isinstance(how, Mapping) else {}).items() if key in _HOW}
    seen = {"bands": list(contract.band_names), "classes": _nomenclature(contract)}
    read = {name: getattr(settings, name) for name in SeriesSettings.model_fields}
    return kept | seen | read | {"filter": name, "language": settings.language} | _OF_NO_TRAINING


def _looks(contract: Contract) -> dict[str, float]:
    """The looks by band that the training images were filtered by; none in bundles that do not know them."""
    how = contract.recipe.get("filter_settings")
    looks = how.get("looks") if isinstance(how, Mapping) else None
    found = looks if isinstance(looks, Mapping) else {}
    return {band: float(one) for band, one in found.items() if isinstance(one, int | float) and one > 0}


def _nomenclature(contract: Contract) -> str:
    """The name of the classes of a model, where it is one that masks can be read by; else that of radar classes."""
    known = contract.classes
    return known.name if known is not None and known.name in nomenclature_names() else "sar"


def _nothing_to_say(series: Path, settings: ForetellSettings) -> None:
    """Refuses what is said of the images of a data set, where all is settled."""
    given = [name for name, field in SeriesSettings.model_fields.items() if getattr(settings, name) != field.default]
    if given:
        raise InvalidSetting(
            f"{series} is prepared already: how its images are read is settled",
            found=", ".join(f"--{name.replace('_', '-')}" for name in given),
            cure="Leave it out, or give the images themselves in place of the data set.",
        )
