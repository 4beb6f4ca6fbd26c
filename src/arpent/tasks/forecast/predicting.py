"""From a radar series and a bundle to maps of the observed dates and of the coming ones, in a run folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arpent.core import ClassMap, Progress, Silent, file_sha256
from arpent.engine import Job, run_job, start_network
from arpent.errors import ArpentError, BundleInvalid, Interrupted, InvalidSetting
from arpent.io import open_image, polygonise, stac_item
from arpent.models import Bundle, load_bundle, tile_needs
from arpent.models.recurrent import Forecaster
from arpent.store import Place as RunPlace
from arpent.store import Run, RunFolder, bundle_in, content_of
from arpent.tasks.forecast.answering import days_of
from arpent.tasks.forecast.asked_series import as_dataset
from arpent.tasks.forecast.dataset import Frame
from arpent.tasks.forecast.foretelling import ForetellTask, SegmentTask, coming_name, facts_of, moment, observed_name
from arpent.tasks.forecast.foretold import Coming, Plan
from arpent.tasks.forecast.grain import warn_of_filter
from arpent.tasks.forecast.predict_settings import ForetellSettings
from arpent.tasks.forecast.prediction_preview import draw_prediction
from arpent.tasks.forecast.prospects import notes_of, plans_of, warn_of_covariates, warn_of_doubts
from arpent.tasks.forecast.sharing import DatesElsewhere
from arpent.tasks.forecast.stacked import normalised
from arpent.tasks.forecast.timeline import TimelineDate, measured, write_timeline
from arpent.tiling import TilePlan

__all__ = ["Foretold", "foretell"]


@dataclass(frozen=True)
class Foretold:
    """A finished forecast.

    Attributes:
        run: its run folder.
        dates: of each place, as its timeline has them.
        classes: what masks name.
        notes: what people should know of how it was made.
    """

    run: Run
    dates: dict[str, tuple[TimelineDate, ...]]
    classes: ClassMap
    notes: tuple[str, ...]


def foretell(
    series: Path, model: Path, place: RunPlace, settings: ForetellSettings, *, progress: Progress | None = None
) -> Foretold:
    """Maps the last dates of a series, and foretells the next ones.

    A bundle that only segments maps the observed dates, all of them unless fewer are asked for.

    Args:
        series: a DATASET, or the folder or table of a series as ``arpent forecast prepare`` takes it.
        model: the bundle, or the run that trained it.
        place: where the run goes.
        settings: how to do it.
        progress: who is told how far it is.

    Raises:
        BundleInvalid: the model neither forecasts nor segments radar dates.
        ContractMismatch: an image does not fit it.
        DatasetError: there are too few dates, or a table of the coming ones that does not fit.
        InvalidSetting: no image is of the issue date, or the model does not go as far ahead as asked for.
    """
    model = bundle_in(model, "forecast")
    bundle = load_bundle(model)
    classes = _checked(bundle, model, settings)
    kept = settings.model_dump(mode="json", exclude={"read_threads"}) | {"series": str(series), "model": str(model)}
    read = [series, model] + ([Path(settings.coming)] if settings.coming else [])
    with place.begin("forecast", Path(series).resolve().stem, kept, read, language=settings.language) as run:
        try:
            dataset = as_dataset(series, run, bundle, settings, progress)
            plans = plans_of(dataset, bundle.model, settings)
            with run.timed("check"):
                for plan in plans:
                    warn_of_doubts(run, plan, bundle, model, settings)
                warn_of_covariates(run, plans, bundle.model, settings)
                warn_of_filter(run, dataset.facts, bundle.contract, settings.language)
        except ArpentError as problem:
            if not (place.resume or isinstance(problem, Interrupted)):
                run.abandon()  # nothing is made yet: once the cause is mended, the same command is to begin anew
            raise
        if settings.coming:
            run.add_input(settings.coming, role="coming dates")
        run.use_bundle(model)
        dates = {}
        for plan in plans:
            suffix = "" if len(plans) == 1 else f"_{plan.place.name}"
            work = _Work(run, bundle, classes, plan, settings, progress or Silent(), suffix)
            dates[plan.place.name] = work.done()
        return Foretold(run.finish(), dates, classes, notes_of(plans, settings))


def _checked(bundle: Bundle, source: Path, settings: ForetellSettings) -> ClassMap:
    """What the masks of a bundle name."""
    contract, model = bundle.contract, bundle.model
    if contract.task != "forecast" or contract.classes is None or contract.normalisation is None:
        raise BundleInvalid(
            f"{source} neither forecasts nor segments radar images",
            found=f"a model for '{contract.task}'",
            cure="Give one that 'arpent forecast train' or 'train-segmentation' has made.",
        )
    most = model.settings.future if isinstance(model, Forecaster) else 0
    if (settings.horizons or 0) > most:
        raise InvalidSetting(
            "the model does not look as far ahead",
            found=f"{settings.horizons} horizons",
            expected=f"at most {most}",
            cure="Ask for fewer with --horizons, or train with a longer --future."
            if most
            else "This model segments observed dates only: give one that 'arpent forecast train' has made.",
        )
    return contract.classes


@dataclass(frozen=True)
class _Work:
    """One place of a forecast."""

    run: RunFolder
    bundle: Bundle
    classes: ClassMap
    plan: Plan
    settings: ForetellSettings
    progress: Progress
    suffix: str

    def done(self) -> tuple[TimelineDate, ...]:
        """Makes every product of the place; the dates as its timeline has them."""
        identities = {frame.image: self._noted(frame) for frame in self.plan.observed}
        with self.run.timed("segment"):
            for frame in self.plan.observed:
                if frame == self.plan.past[-1] and isinstance(self.bundle.model, Forecaster):
                    self._today(self.bundle.model, [identities[one.image] for one in self.plan.past])
                else:
                    self._segment(frame, identities[frame.image])
        wanted = self._wanted()
        if wanted.coming:
            with self.run.timed("forecast"):
                self._forecast(wanted, [identities[frame.image] for frame in wanted.past])
        dates = [self._observed(frame) for frame in wanted.observed]
        dates += [self._coming(one) for one in wanted.coming]
        self._conclude(wanted, dates)
        return tuple(dates)

    def _wanted(self) -> Plan:
        """The plan, as far ahead as is asked for."""
        return replace(self.plan, coming=self.plan.coming[: self.settings.horizons])

    def _noted(self, frame: Frame) -> str:
        if self._kept(frame) is None:
            return file_sha256(Path(frame.image))
        return content_of(self.run.add_input(frame.image, role=f"date {frame.date}"))

    def _kept(self, frame: Frame | None) -> str | None:
        """The absolute path of the image of a date, where it will be there when the run is done."""
        if frame is None or Path(frame.image).resolve().is_relative_to(self.run.scratch.resolve()):
            return None
        return Path(frame.image).absolute().as_posix()

    def _segment(self, frame: Frame, identity: str) -> None:
        """Maps one observed date."""
        task = SegmentTask(self.settings, self.classes, frame.date, self.suffix)
        self._run(task, [frame], (identity,), observed_name("classes", frame.date, self.suffix))

    def _today(self, model: Forecaster, identity: Sequence[str]) -> None:
        """Maps the issue date as the forecast sees it, which is how evaluations judge it."""
        days, date = days_of(self.plan.past, self.plan.coming, model.settings), self.plan.issue
        task = SegmentTask(self.settings, self.classes, date, self.suffix)
        told = (*identity, str(days.tolist()))
        self._run(task, self.plan.past, told, observed_name("classes", date, self.suffix), days)

    def _forecast(self, wanted: Plan, identity: Sequence[str]) -> None:
        """Maps the coming dates."""
        model = self.bundle.model
        assert isinstance(model, Forecaster)  # others have no horizons
        days = days_of(self.plan.past, self.plan.coming, model.settings)
        task = ForetellTask(self.settings, self.classes, wanted, days, self.suffix)
        told = (*identity, str(days.tolist()))
        self._run(task, self.plan.past, told, f"forecast{self.suffix}")

    def _run(
        self,
        task: ForetellTask | SegmentTask,
        frames: Sequence[Frame],
        identity: tuple[str, ...],
        name: str,
        days: NDArray[np.float32] | None = None,
    ) -> None:
        """One pass of the engine over the dates of one image or more."""
        settings, contract = self.settings, self.bundle.contract
        needs = tile_needs(contract.architecture, contract.settings)
        shape = settings.shape(needs.stride)
        place = self.plan.place
        assert self.run.bundle is not None  # noted before any work
        dates = DatesElsewhere(
            tuple(frames),
            place.name,
            place.sensor or None,
            task,
            days,
            self.bundle.origin,
            self.run.bundle.sha256,
            settings,
        )
        with dates.stack(contract) as image:
            model = dates.network(self.bundle.model)
            tiles = len(TilePlan.of(*image.grid.shape, shape))
            network = start_network(
                model, settings.runtime, settings.device, settings.precision, tiles=tiles, fixed=shape.fixed
            )
            run_job(
                Job(
                    task,
                    self.bundle,
                    image,
                    self.run,
                    settings,
                    identity=(*identity, self.run.bundle.sha256),
                    taken=moment(frames[-1].date),
                    language=settings.language,
                    progress=self.progress,
                    prepare=normalised(contract, len(frames)),
                    shape=shape,
                    network=network,
                    folder=self.run.scratch / name,
                    pictures=False,
                    opener=dates.openers,
                )
            )

    def _observed(self, frame: Frame) -> TimelineDate:
        """An observed date, as its timeline has it."""
        days = (frame.date - self.plan.issue).days
        steps = self.plan.observed.index(frame) - len(self.plan.observed) + 1
        name = observed_name("classes", frame.date, self.suffix)
        chances = observed_name("probabilities", frame.date, self.suffix)
        found = measured(self.run.path / f"{name}.tif", self.classes, frame.mask)
        self._figures(f"{frame.date.isoformat()}{self.suffix}", found.areas, found.iou)
        return TimelineDate(
            frame.date.isoformat(),
            "observed",
            steps,
            days,
            f"{name}.tif",
            f"{chances}.tif" if self.settings.probabilities else None,
            image=self._kept(frame),
            side=frame.split if frame.mask else None,
            shares=found.shares,
            area_m2=found.areas,
            iou=found.iou,
        )

    def _coming(self, one: Coming) -> TimelineDate:
        """A foretold date, as its timeline has it; with its polygons."""
        name = coming_name("classes", one.date, one.horizon, self.suffix)
        chances = coming_name("probabilities", one.date, one.horizon, self.suffix)
        truth = one.frame.mask if one.frame else None
        found = measured(self.run.path / f"{name}.tif", self.classes, truth)
        self._figures(f"t+{one.horizon}{self.suffix}", found.areas, found.iou)
        return TimelineDate(
            one.date.isoformat(),
            "forecast",
            one.horizon,
            (one.date - self.plan.issue).days,
            f"{name}.tif",
            f"{chances}.tif" if self.settings.probabilities else None,
            self._outlined(one, name) if self.settings.vector else None,
            self._kept(one.frame),
            one.frame.split if one.frame and truth else None,
            found.shares,
            found.areas,
            found.iou,
            self._persisting(truth),
        )

    def _persisting(self, truth: str | None) -> Mapping[str, float]:
        """How right the map of the issue date would be of a coming one: what a forecast has to do better than."""
        issue = self.run.path / f"{observed_name('classes', self.plan.issue, self.suffix)}.tif"
        return measured(issue, self.classes, truth).iou if truth is not None and issue.exists() else {}

    def _figures(self, key: str, areas: Any, iou: Any) -> None:  # noqa: ANN401 - two mappings
        self.run.add_metrics({f"area_m2/{key}/{name}": value for name, value in areas.items()})
        self.run.add_metrics({f"iou/{key}/{name}": value for name, value in iou.items()})

    def _outlined(self, one: Coming, source: str) -> str:
        """Publishes the polygons of a coming date; the name of their file."""
        name = coming_name("polygons", one.date, one.horizon, self.suffix)
        ending = "gpkg" if self.settings.form == "gpkg" else "parquet"
        with self.run.timed("polygons"):
            made = polygonise(
                self.run.path / f"{source}.tif",
                self.run.scratch / f"{name}.{ending}",
                classes=self.classes,
                min_area=self.settings.min_area,
                simplify=self.settings.simplify,
                language=self.settings.language,
            )
        with open_image(self.run.path / f"{source}.tif") as image:
            item = stac_item(
                f"{self.run.name}-{name}",
                f"./{made.name}",
                grid=image.grid,
                start=moment(one.date),
                properties={"arpent:task": self.run.task, **facts_of(self.plan, one)},
            )
        self.run.publish(made, kind="vector", name=name, stac=item)
        return made.name

    def _conclude(self, wanted: Plan, dates: Sequence[TimelineDate]) -> None:
        """The timeline and the preview."""
        with open_image(self.run.path / dates[0].classes) as image:
            grid = image.grid
        path = write_timeline(
            self.run.scratch / f"timeline{self.suffix}.json",
            dates,
            place=self.plan.place.name,
            issue=self.plan.issue.isoformat(),
            step=self.plan.step,
            grid=grid,
            classes=self.classes,
        )
        self.run.publish(path, kind="text", name=f"timeline{self.suffix}")
        with self.run.timed("preview"):
            drawn = draw_prediction(
                self.run.scratch / f"preview{self.suffix}.png",
                self.run.path,
                wanted,
                dates,
                classes=self.classes,
                bands=self.bundle.contract.band_names,
                language=self.settings.language,
            )
        self.run.publish(drawn, kind="picture", name=f"preview{self.suffix}")
