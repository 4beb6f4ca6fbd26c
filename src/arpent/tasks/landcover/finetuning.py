"""From a trained model and an index of other images to a model for these."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import nn

from arpent.core import Normalisations, Progress
from arpent.core.bundle import bundle_sha256
from arpent.data import PatchLoader, normaliser_of
from arpent.engine import (
    Epoch,
    Fit,
    Processes,
    Start,
    Tuning,
    improves,
    renew_statistics,
    require_figure,
    train_run,
    validate,
)
from arpent.errors import BundleInvalid
from arpent.language import say
from arpent.models import Bundle, load_bundle, parts_of
from arpent.store import Place, Run, RunFolder, bundle_in
from arpent.tasks.landcover.acquisitions import describer
from arpent.tasks.landcover.beginning import adapted, new_network, resolved, same_classes
from arpent.tasks.landcover.learning import (
    bands_of,
    contract_of,
    judging_batches,
    learn,
    publish,
    training_batches,
)
from arpent.tasks.landcover.radiometry import rule_of_images
from arpent.tasks.landcover.settings import FinetuneSettings
from arpent.tasks.landcover.strategies import STRATEGIES, Leg, Strategy, legs_of
from arpent.tasks.landcover.survey import Samples, note_inputs, survey
from arpent.tasks.landcover.task import LandcoverTask

__all__ = ["finetune", "joined"]


def finetune(settings: FinetuneSettings, place: Place, *, progress: Progress | None = None) -> Run:
    """Makes a trained model fit other images, and keeps it in a run folder, as the product ``model``.

    Started in several processes (``accelerate launch``), they train together; see `arpent.engine.train_run`.

    Raises:
        BundleInvalid: the model is of another task.
        ContractMismatch: the images have none of the bands that it knows.
        DatasetError: samples are missing, on no side of a split, on two, or of different kinds.
        InvalidSetting: the settings do not go with the model.
        UnknownName: the best epoch is to be picked by a figure that there is not.
        LossNotFinite: training diverged.
        Interrupted: by Ctrl-C; go on with a place that resumes.
    """
    path = bundle_in(Path(settings.start), "landcover")
    bundle = load_bundle(path)
    if bundle.contract.task != "landcover":
        raise BundleInvalid(
            f"{path} is no land-cover model", found=f"a model for '{bundle.contract.task}'", cure="Give another bundle."
        )
    settings = resolved(settings, bundle)
    own, labelled = bundle.contract.classes, STRATEGIES[settings.strategy].labelled
    task = LandcoverTask(settings.task, own if own is not None and own.name == settings.task.classes else None)
    if labelled:
        require_figure(task, settings.fit.best)  # told before images are read
    processes = Processes.joined(settings.fit.device)
    samples = processes.told(lambda: survey(settings, task.classes, labelled=labelled))
    work = _Work(settings, path, bundle, task, samples, processes, place, progress)

    def prepare(run: RunFolder) -> Normalisations:
        work.say_aloud()
        note_inputs(run, settings, samples, start=path)
        with run.timed("statistics"):
            return rule_of_images(settings, samples, bundle.contract)

    def finish(run: RunFolder, rule: Normalisations, fitted: Fit) -> None:
        contract = contract_of(settings, work.task, rule, samples, fitted)
        recipe = {**contract.recipe, **work.facts(fitted)}
        publish(run, fitted, contract.model_copy(update={"recipe": recipe}), settings.language)
        run.add_metrics(work.counts(fitted))

    return train_run(
        processes,
        place,
        "landcover-finetune",
        settings.name,
        settings,
        prepare=prepare,
        fit=work.fitted,
        publish=finish,
    )


@dataclass(frozen=True)
class _Work:
    """What one call of `finetune` knows: a bundle to start from, a task on these samples, and who helps."""

    settings: FinetuneSettings
    path: Path
    bundle: Bundle
    task: LandcoverTask
    samples: Samples
    processes: Processes
    place: Place
    progress: Progress | None

    @property
    def _strategy(self) -> Strategy:
        return STRATEGIES[self.settings.strategy]

    def _network(self) -> nn.Module:
        """The one that training begins with."""
        settings, task = self.settings, self.task
        bands = bands_of(settings.task.bands, (*self.samples.train, *self.samples.val))
        if self._strategy.anew:
            return new_network(settings, task, bands)
        return adapted(self.bundle, task, bands, settings.stem, settings.fit.seed)

    def _legs(self) -> tuple[Leg, ...]:
        """What is done one after the other."""
        config = self.settings.task
        parts = None if self._strategy.whole else parts_of(config.architecture, self.task.network_settings)
        return legs_of(self.settings, parts)

    def fitted(self, rule: Normalisations, folder: Path) -> Fit:
        """The whole training, in every process."""
        network, done = self._network(), []
        if not self._strategy.labelled:
            return self._renewed(network, rule)
        for leg in self._legs():
            done.append(
                learn(
                    self.task,
                    self.settings.model_copy(update={"fit": leg.fit}),
                    self.samples,
                    rule,
                    folder / leg.name,
                    start=Start(network, leg.tuning),
                    progress=self.progress,
                    resume=self.place.resume,
                )
            )
            network = copy.deepcopy(done[-1].model)
        return joined(done, self.settings.fit.best)

    def _renewed(self, network: nn.Module, rule: Normalisations) -> Fit:
        """The network with batch norm measured on the training images; judged where there are masks."""
        config, processes = self.settings.task, self.processes
        describe = describer(self.task.config.network)
        with PatchLoader(normaliser_of(rule), bands=config.bands, describe=describe) as load:
            batches = training_batches(self.settings, self.samples.train, load)
            seen, total = batches.epoch(0), batches.steps()
            told = processes.told(
                lambda: renew_statistics(
                    network, seen, processes.device, total=total, progress=self.progress
                ).state_dict()
            )
        network.load_state_dict(told)
        figures: dict[str, float] = {}
        if len(self.samples.val):
            with PatchLoader(
                normaliser_of(rule),
                bands=config.bands,
                classes=self.task.classes,
                codes=config.codes,
                describe=describe,
            ) as load:
                judges = judging_batches(self.settings, self.samples.val, load)
                figures = validate(self.task, network.to(processes.device), judges, processes)
        return Fit(network.to("cpu").eval(), Epoch(0, 0.0, 0.0, figures), ())

    def counts(self, fitted: Fit) -> dict[str, float]:
        """Numbers of the network that were trained, at any time, and all of them."""
        total = sum(parameter.numel() for parameter in fitted.model.parameters())
        moved = [Start(fitted.model, leg.tuning or Tuning()).trained() for leg in self._legs()]
        return {"parameters/trained": max(moved, default=0), "parameters/total": total}

    def facts(self, fitted: Fit) -> dict[str, Any]:
        """What the contract tells of how the model came about, beside its settings."""
        counts = self.counts(fitted)
        return {
            "start": {"name": self.path.name, "sha256": bundle_sha256(self.path)},
            "strategy": self.settings.strategy,
            "stages": {leg.name: leg.fit.epochs for leg in self._legs() if leg.name},
            "pretrained": (self.settings.pretrained or "none") if self._strategy.anew else "the start",
            "new_bands": list(self._new_bands()),
            "new_head": self._new_head(),
            "trained": counts["parameters/trained"],
            "frozen": counts["parameters/total"] - counts["parameters/trained"],
        }

    def _new_head(self) -> bool:
        return self._strategy.anew or not same_classes(self.bundle, self.task)

    def _new_bands(self) -> Sequence[str]:
        known = self.bundle.contract.bands
        return [name for name in self.settings.task.bands if not any(band.answers_to(name) for band in known)]

    def say_aloud(self) -> None:
        """Tells the user what the model does not bring along."""
        tell, settings = self.place.tell, self.settings
        if tell is None:
            return
        language = settings.language
        if self._strategy.anew:
            tell(say("finetune.scratch", language, weights=settings.pretrained or say("finetune.none", language)))
            return
        if self._new_head():
            tell(say("finetune.new_head", language, classes=self.task.classes.name))
        bands = self._new_bands()
        if bands and settings.stem == "zero" and "encoder" in self._strategy.frozen:
            tell(say("finetune.blind", language, bands=", ".join(bands)))


def joined(fits: Sequence[Fit], figure: str) -> Fit:
    """Trainings that went on from each other as one, with epochs numbered through; the best of all is kept.

    Args:
        fits: in order; at least one.
        figure: of the validation set, that picks the best.
    """
    history: list[Epoch] = []
    best: Fit | None = None
    for fit in fits:
        first = len(history)
        history += [replace(epoch, number=first + epoch.number) for epoch in fit.history]
        numbered = replace(fit, best=replace(fit.best, number=first + fit.best.number))
        if best is None or improves(numbered.best.validation[figure], best.best.validation[figure], figure):
            best = numbered
    assert best is not None  # there is a stage at least
    return replace(best, history=tuple(history))
