"""Ways of bringing a model to new images, each trained in a run of its own and judged on the same test images."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from arpent.core import Normalisations, Progress, Silent, write_file, writing
from arpent.core.settings import parse
from arpent.data import SampleIndex, check_leak
from arpent.engine import FitSettings
from arpent.language import say
from arpent.models import Bundle, load_bundle
from arpent.store import Place, Run, RunFolder, open_run
from arpent.store.manifest import MANIFEST
from arpent.tasks.landcover.evaluating import score
from arpent.tasks.landcover.finetuning import finetune
from arpent.tasks.landcover.nearness import far_lines
from arpent.tasks.landcover.outcomes import Counts, Outcome
from arpent.tasks.landcover.radiometry import rule_of_images
from arpent.tasks.landcover.settings import FinetuneSettings, LandcoverSettings, StrategyName, TrainSettings
from arpent.tasks.landcover.survey import Samples, check_test, survey
from arpent.tasks.landcover.transfer_settings import BudgetSettings, NormaliseName, TransferSettings

__all__ = ["Ground", "Mapper", "Trials", "publish_run", "trained_below"]

_OUTCOMES = "outcomes"


@dataclass(frozen=True)
class Ground:
    """What is learnt from, and what is judged on."""

    samples: Samples
    test: SampleIndex

    @classmethod
    def of(cls, target: TrainSettings) -> Ground:
        """The three sides of a data set, apart from one another.

        Raises:
            EmptySplit: a side has no sample.
            DatasetError: the masks of a side say nothing, or hold numbers of no class.
            SplitLeak: two of them share ground.
        """
        test = SampleIndex.read(target.index).of_split("test")
        samples = survey(target)
        check_test(target, test)
        check_leak(samples.train, samples.val, test)
        return cls(samples, test)

    @property
    def judges(self) -> SampleIndex:
        """Validation and test together: what is not learnt from."""
        return SampleIndex((*self.samples.val, *self.test), self.test.origin)


@dataclass(frozen=True)
class Mapper:
    """A model with the normalisation that it is to be used with."""

    bundle: Bundle
    rule: Normalisations


@dataclass(frozen=True)
class Trials:
    """Trains and judges, and keeps what is finished: asked again, it answers from the files of the run.

    Attributes:
        run: of the study; each training is a run in a folder of it.
        ground: of the target.
        start: bundle of the source model.
        patch: side in pixels of the squares in which test images are mapped.
        stem: how bands begin that the source model has not seen.
        fits: training of single strategies, in place of the target's own.
        anew: whether trainings that lie in the folder from an earlier run are replaced.
        progress: who is told how far it is.
    """

    run: RunFolder
    ground: Ground
    start: Path
    patch: int
    stem: str = "zero"
    fits: Mapping[StrategyName, FitSettings] = field(default_factory=dict)
    anew: bool = False
    progress: Progress = field(default_factory=Silent)

    @classmethod
    def of(
        cls,
        settings: TransferSettings | BudgetSettings,
        run: RunFolder,
        ground: Ground,
        start: Path,
        *,
        anew: bool,
        progress: Progress | None,
    ) -> Trials:
        """Those of a study or of a budget, as it is set."""
        return cls(
            run=run,
            ground=ground,
            start=start,
            patch=settings.judged_patch,
            stem=settings.stem,
            fits=settings.fits,
            anew=anew,
            progress=progress or Silent(),
        )

    def source(self, mapper: Mapper, index: SampleIndex, codes: str = "") -> Outcome:
        """The source model on images of its own sensor, which all lie on one side; `codes` is that of their masks."""
        side, task = index[0].split, LandcoverSettings(codes=codes)

        def judge() -> Outcome:
            found = self._judged("source", "source", "norma-source", mapper, index, task)
            return found.model_copy(update={"side": side})

        return self._kept("source", judge)

    def direct(self, target: TrainSettings, normalise: NormaliseName) -> Outcome:
        """The source model as it is, on images that are normalised in one way."""
        name = f"direct-{normalise}"

        def judge() -> Outcome:
            mapper, test = self.direct_mapper(target, normalise), self.ground.test
            for line in far_lines(mapper.rule, mapper.bundle.contract.band_names, test, target.language):
                self.run.warn(say("transfer.far", target.language, normalise=normalise, line=line))
            return self._judged(name, "direct", normalise, mapper, test, target.task)

        return self._kept(name, judge)

    def direct_mapper(self, target: TrainSettings, normalise: NormaliseName) -> Mapper:
        """The source model with that normalisation of the target."""
        bundle = load_bundle(self.start)
        task = target.task.model_copy(update={"bands": bundle.contract.band_names})
        changed = target.model_copy(update={"normalise": normalise, "task": task})
        return Mapper(bundle, rule_of_images(changed, self.ground.samples, bundle.contract))

    def tuned(self, target: TrainSettings, strategy: StrategyName, normalise: NormaliseName, name: str = "") -> Outcome:
        """One strategy with one normalisation.

        Args:
            target: what is learnt from, and how.
            strategy: the strategy.
            normalise: the normalisation.
            name: of the run's folder and of the outcome; made from strategy and normalisation if not given.
        """
        name = name or f"{strategy}-{normalise}"
        return self._kept(name, lambda: self._tuned(target, strategy, normalise, name))

    def tuned_mapper(self, name: str) -> Mapper:
        """The model that a strategy has trained."""
        bundle = load_bundle(open_run(self.run.path / name).file("model"))
        rule = bundle.contract.normalisations
        assert rule is not None  # every training writes one
        return Mapper(bundle, rule)

    def trained(self, name: str, training: Callable[[Place], Run]) -> Run:
        """The finished training in a folder of the study, which is made, or gone on with, if need be."""
        return trained_below(self.run, name, training, anew=self.anew)

    def _tuned(self, target: TrainSettings, strategy: StrategyName, normalise: NormaliseName, name: str) -> Outcome:
        document = target.model_dump(mode="json", exclude_unset=True) | {
            "name": name,
            "start": str(self.start),
            "strategy": strategy,
            "normalise": normalise,
            "stem": self.stem,
        }
        if strategy in self.fits:
            document["fit"] = self.fits[strategy].model_dump(mode="json")
        wanted = parse(FinetuneSettings, document, name)
        run = self.trained(name, lambda place: finetune(wanted, place, progress=self.progress))
        bare = self._judged(name, "tuned", normalise, self.tuned_mapper(name), self.ground.test, target.task)
        history = tuple(json.loads(line) for line in run.file("history").read_text("utf-8").splitlines())
        contract = load_bundle(run.file("model")).contract
        return bare.model_copy(
            update={
                "strategy": strategy,
                "epochs": contract.recipe.get("epoch"),
                "trained": len(history),
                "seconds": run.manifest.timings.get("fit"),
                "history": history,
            }
        )

    def _judged(
        self, name: str, kind: str, normalise: str, mapper: Mapper, index: SampleIndex, task: LandcoverSettings
    ) -> Outcome:
        """Counts, and which classes are not judged; `task` says how masks are written and what of them is ignored."""
        found = score(mapper.bundle, mapper.rule, index, patch=self.patch, codes=task.codes, progress=self.progress)
        domains = {domain: _counts(matrix.to_list()) for domain, matrix in found.domains.by_domain.items()}
        document = {"name": name, "kind": kind, "normalise": normalise, "counts": found.matrix.to_list()}
        left_out = {*found.classes.inactive, *(found.classes.index_of(word) for word in task.ignore)}
        return Outcome.model_validate({**document, "domains": domains, "left_out": sorted(left_out)})

    def _kept(self, name: str, make: Callable[[], Outcome]) -> Outcome:
        path = self.run.scratch / _OUTCOMES / f"{name}.json"
        if path.exists():
            return Outcome.model_validate_json(path.read_bytes())
        outcome = make()
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        write_file(path, outcome.model_dump_json())
        return outcome


def _counts(rows: list[list[int]]) -> Counts:
    return tuple(tuple(row) for row in rows)


def trained_below(run: RunFolder, name: str, training: Callable[[Place], Run], *, anew: bool) -> Run:
    """The finished training in a folder of another run, which is made, or gone on with, if need be.

    Args:
        run: that holds the folder.
        name: of the folder.
        training: trains at a place.
        anew: whether a training that an earlier run has left there is replaced.
    """
    folder = run.path / name
    # What this attempt, or the one that it goes on with, has begun.
    mark = run.scratch / "trainings" / name
    begun = mark.exists()
    if begun and (folder / MANIFEST).exists():
        return open_run(folder)
    with writing(mark):
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()
    return training(Place(exact=folder, force=anew and not begun, resume=begun or not anew))


def publish_run(run: RunFolder, name: str) -> None:
    """Makes the files of a training products of the run that it was made for, so that they come and go with it."""
    folder = run.path / name
    for product in open_run(folder).manifest.products:
        run.publish(folder / product.file, kind=product.kind, name=f"{name}/{product.name}")
    run.publish(folder / MANIFEST, kind="text", name=f"{name}/manifest")
