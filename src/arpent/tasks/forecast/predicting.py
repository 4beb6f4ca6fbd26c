"""From a radar series and a bundle to maps of the observed dates and of the coming ones, in a run folder."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from arpent.core import ClassMap, Progress, Silent, file_sha256
from arpent.data import glance
from arpent.engine import Job, run_job, start_network
from arpent.engine.caution import far_from_training
from arpent.errors import ArpentError, BundleInvalid, Interrupted, InvalidSetting
from arpent.io import open_image, polygonise, stac_item
from arpent.language import say
from arpent.models import Bundle, load_bundle, tile_needs
from arpent.models.recurrent import Forecaster
from arpent.store import Place as RunPlace
from arpent.store import Run, RunFolder, bundle_in, content_of
from arpent.tasks.forecast.answering import days_of, unknown_covariates
from arpent.tasks.forecast.asked_series import as_dataset
from arpent.tasks.forecast.dataset import Dataset, Frame
from arpent.tasks.forecast.foretelling import ForetellTask, SegmentTask, coming_name, facts_of, moment, observed_name
from arpent.tasks.forecast.foretold import Coming, Plan, place_named, plan_of, usual_step, whole_places
from arpent.tasks.forecast.predict_settings import ForetellSettings
from arpent.tasks.forecast.prediction_preview import draw_prediction
from arpent.tasks.forecast.stacked import Stack, normalised
from arpent.tasks.forecast.timeline import TimelineDate, measured, write_timeline
from arpent.tiling import TilePlan

__all__ = ["Foretold", "foretell"]

_STEPS_APART = 1.5
"""Times by which the step of a series may differ from that of training before it is said."""


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


class _Segmenter(nn.Module):
    """The part of a forecaster that sees single dates."""

    def __init__(self, model: Forecaster) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        """Scores ``(N, classes, H, W)`` of images ``(N, channels, H, W)``."""
        return self.model.explained(images).scores


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
        DatasetError: there are too few dates.
        InvalidSetting: no image is of the issue date, or the model does not go as far ahead as asked for.
    """
    model = bundle_in(model)
    bundle = load_bundle(model)
    classes = _checked(bundle, model, settings)
    kept = settings.model_dump(mode="json", exclude={"read_threads"}) | {"series": str(series), "model": str(model)}
    with place.begin("forecast", Path(series).resolve().stem, kept, [series, model]) as run:
        try:
            dataset = as_dataset(series, run, bundle, settings, progress)
            plans = _plans(dataset, bundle, settings)
            with run.timed("check"):
                for plan in plans:
                    _check(run, plan, bundle, settings)
        except ArpentError as problem:
            if not (place.resume or isinstance(problem, Interrupted)):
                run.abandon()  # nothing is made yet: once the cause is mended, the same command is to begin anew
            raise
        run.use_bundle(model, file_sha256(model if model.is_file() else model / "bundle.json"))
        dates = {}
        for plan in plans:
            suffix = "" if len(plans) == 1 else f"_{plan.place.name}"
            work = _Work(run, bundle, classes, plan, settings, progress or Silent(), suffix)
            dates[plan.place.name] = work.done()
        return Foretold(run.finish(), dates, classes, _notes(plans, settings))


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


def _plans(dataset: Dataset, bundle: Bundle, settings: ForetellSettings) -> tuple[Plan, ...]:
    """The dates of each place."""
    usual, model = dataset.facts.step_days, bundle.model
    past, future = (model.settings.past, model.settings.future) if isinstance(model, Forecaster) else (1, 0)
    everything = settings.observed == "all" or not isinstance(model, Forecaster)
    return tuple(
        plan_of(
            one,
            past,
            future,
            step=settings.step or usual_step(one, usual),
            issue=settings.issue,
            everything=everything,
        )
        for one in place_named(whole_places(dataset), settings.place)
    )


def _check(run: RunFolder, plan: Plan, bundle: Bundle, settings: ForetellSettings) -> None:
    """Refuses images that do not fit, and warns of what makes a forecast doubtful, before anything is computed."""
    contract, language = bundle.contract, settings.language
    with Stack(plan.observed, plan.place.name, contract, plan.place.sensor or None):
        pass
    rule = contract.normalisation
    assert rule is not None  # `_checked` has seen to it
    with open_image(plan.past[-1].image, bands=contract.band_names) as image:
        seen = glance(image, image.grid.window, rule)
    warning = None if seen is None else far_from_training(seen, rule, plan.past[-1].image, language)
    if warning is not None:
        run.warn(warning)
    if isinstance(bundle.model, Forecaster):
        learnt = bundle.model.settings.step
        if not 1 / _STEPS_APART <= plan.step / learnt <= _STEPS_APART:
            where = {"place": plan.place.name, "series": plan.step, "model": learnt}
            run.warn(say("forecast_product.step_differs", language, **where))
        unknown = unknown_covariates(plan.past, bundle.model.settings)
        if unknown:
            names = ", ".join(unknown)
            run.warn(say("forecast_product.untold", language, place=plan.place.name, names=names))


def _notes(plans: Sequence[Plan], settings: ForetellSettings) -> tuple[str, ...]:
    return tuple(
        say(
            "forecast_product.looked",
            settings.language,
            place=plan.place.name,
            count=len(plan.past),
            issue=plan.issue,
            future=len(plan.coming),
            step=plan.step,
        )
        for plan in plans
        if plan.coming
    )


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
        """The image of a date as seen from the run folder, where it will be there when the run is done."""
        if frame is None or Path(frame.image).resolve().is_relative_to(self.run.scratch.resolve()):
            return None
        return Path(os.path.relpath(frame.image, self.run.path)).as_posix()

    def _segment(self, frame: Frame, identity: str) -> None:
        """Maps one observed date."""
        model = self.bundle.model
        network: nn.Module = _Segmenter(model) if isinstance(model, Forecaster) else model
        task = SegmentTask(self.settings, self.classes, frame.date, self.suffix)
        self._run(task, network, [frame], (identity,), observed_name("classes", frame.date, self.suffix))

    def _forecast(self, wanted: Plan, identity: Sequence[str]) -> None:
        """Maps the coming dates."""
        model = self.bundle.model
        assert isinstance(model, Forecaster)  # others have no horizons
        coming = [one.frame or one.date for one in self.plan.coming]
        days = days_of(self.plan.past, coming, model.settings)
        task = ForetellTask(self.settings, self.classes, wanted, days, self.suffix)
        told = (*identity, str(days.tolist()))
        self._run(task, model, self.plan.past, told, f"forecast{self.suffix}")

    def _run(
        self,
        task: ForetellTask | SegmentTask,
        model: nn.Module,
        frames: Sequence[Frame],
        identity: tuple[str, ...],
        name: str,
    ) -> None:
        """One pass of the engine over the dates of one image or more."""
        settings, contract = self.settings, self.bundle.contract
        needs = tile_needs(contract.architecture, contract.settings)
        shape = settings.shape(needs.stride)
        with Stack(frames, self.plan.place.name, contract, self.plan.place.sensor or None) as image:
            tiles = len(TilePlan.of(*image.grid.shape, shape))
            network = start_network(
                model, settings.runtime, settings.device, settings.precision, tiles=tiles, fixed=shape.fixed
            )
            assert self.run.bundle is not None  # noted before any work
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
            found.shares,
            found.areas,
            found.iou,
        )

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
                self.classes,
                self.settings.language,
            )
        self.run.publish(drawn, kind="picture", name=f"preview{self.suffix}")
