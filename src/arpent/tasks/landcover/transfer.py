"""The transfer study: a model on the images of another sensor, by every normalisation and strategy, in one report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from arpent.core import ClassMap, Language, Progress
from arpent.data import SampleIndex
from arpent.data.footprints import footprints
from arpent.data.split import sided
from arpent.errors import BundleInvalid, InvalidSetting
from arpent.language import number, say
from arpent.models import Bundle, load_bundle
from arpent.report import Tile
from arpent.store import Place, Run, RunFolder, bundle_in, read_contract
from arpent.tasks.landcover.examples import choose, example_tiles
from arpent.tasks.landcover.outcomes import Outcome, Study
from arpent.tasks.landcover.radiometry import no_statistics_of_bytes, rule_of_images, sees_bytes
from arpent.tasks.landcover.settings import TrainSettings
from arpent.tasks.landcover.survey import note_inputs, survey
from arpent.tasks.landcover.task import classes_of
from arpent.tasks.landcover.training import train
from arpent.tasks.landcover.transfer_report import title_of, write_report
from arpent.tasks.landcover.transfer_settings import TransferSettings, in_one_language
from arpent.tasks.landcover.trials import Ground, Mapper, Trials, publish_run, trained_below

__all__ = ["Transferred", "transfer"]

_SOURCE = "source"
"""Folder of the source model's training."""


@dataclass(frozen=True)
class Transferred:
    """A finished study.

    Attributes:
        run: the run folder, with ``report.json``, ``report.html`` and a run for each training below it.
        study: what was found.
    """

    run: Run
    study: Study


def transfer(settings: TransferSettings, place: Place, *, progress: Progress | None = None) -> Transferred:
    """Runs the study, or goes on with one: what is finished is kept.

    Raises:
        InvalidSetting: neither a source model nor its training is given, the baseline is not tried, or a normalisation
            does not go with the images.
        BundleInvalid: the source model is of another task, or of another nomenclature.
        EmptySplit, SplitLeak: the target's sides.
        Interrupted: by Ctrl-C; go on with a place that resumes.
    """
    _check(settings)
    settings = in_one_language(settings)
    ground = Ground.of(settings.target)
    own = _own_ground(settings.source) if settings.source is not None else None
    _check_normalisations(settings, ground)
    kept = settings.model_dump(mode="json")
    read = [name for name in (settings.target.index, settings.start) if name]
    with place.begin("landcover-transfer", settings.name, kept, read, language=settings.language) as run:
        anew = place.force and not run.resumed
        given = bundle_in(Path(settings.start), "landcover") if settings.start else None
        note_inputs(run, settings.target, replace(ground.samples, val=ground.judges), start=given, beside=own)
        start = _start(settings, run, anew, progress)
        bundle = load_bundle(start)
        classes = _classes(bundle, start, settings)
        _warn_of_sizes(run, bundle, ground, settings.language)
        trials = Trials.of(settings, run, ground, start, anew=anew, progress=progress)
        outcomes = _outcomes(settings, trials, bundle, own)
        facts = _facts(settings, ground, bundle)
        study = Study(settings.name, classes, outcomes, f"direct-{settings.baseline}", facts)
        write_report(study, run.scratch, _examples(settings, trials, study), settings.language)
        return Transferred(_finished(run, study, trained_source=not settings.start), study)


def _check(settings: TransferSettings) -> None:
    if not settings.start and settings.source is None:
        raise InvalidSetting(
            "the study has no source model",
            cure="Give 'start', a bundle or the run that trained it, or 'source', the settings to train it with.",
        )
    if settings.baseline not in settings.normalisations:
        raise InvalidSetting(
            f"gains are counted from {settings.baseline}, which is not tried",
            found=", ".join(settings.normalisations),
            cure="Add it to 'normalisations', or choose another 'baseline'.",
        )


def _check_normalisations(settings: TransferSettings, ground: Ground) -> None:
    """Refuses, before anything is trained, ways to normalise that these images or this model do not allow."""
    target, tried = settings.target, {*settings.normalisations, *(settings.tuned or ())}
    if target.to_bytes == "none":
        if "norma-01" in tried:
            rule_of_images(target.model_copy(update={"normalise": "norma-01"}), ground.samples)
    elif "norma-source" in tried and not _learns_bytes(settings):
        raise no_statistics_of_bytes()


def _learns_bytes(settings: TransferSettings) -> bool:
    """Whether the source model sees bytes, or will once it is trained."""
    if settings.start:
        contract = read_contract(bundle_in(Path(settings.start), "landcover"))
        return all(sees_bytes(contract.of_sensor(name)) for name in contract.sensors or ("",))
    source = settings.source
    assert source is not None  # one of the two is given
    if source.to_bytes != "none":
        return True
    kinds = survey(source).kinds.values()
    return all(kind.dtype == "uint8" for kind in kinds)


def _start(settings: TransferSettings, run: RunFolder, anew: bool, progress: Progress | None) -> Path:
    """The source model's bundle, trained if need be."""
    if settings.start:
        return bundle_in(Path(settings.start), "landcover")
    source = settings.source
    assert source is not None  # one of the two is given
    with run.timed("source"):
        trained = trained_below(run, _SOURCE, lambda place: train(source, place, progress=progress), anew=anew)
    return trained.file("model")


def _classes(bundle: Bundle, start: Path, settings: TransferSettings) -> ClassMap:
    classes = classes_of(bundle, start)
    if classes.name != settings.target.task.classes:
        raise BundleInvalid(
            f"{start} and the target's masks speak of different classes",
            found=classes.name,
            expected=settings.target.task.classes,
            cure="Set 'target.task.classes' to the nomenclature of the model.",
        )
    return classes


def _warn_of_sizes(run: RunFolder, bundle: Bundle, ground: Ground, language: Language) -> None:
    """Warns where the target's pixels are too far from those of the source model in size to be mapped as they are."""
    contract = bundle.contract
    for kind in ground.samples.kinds.values():
        if contract.differences(contract.band_names, kind.gsd, contract.dtype or ""):
            run.warn(say("transfer.sizes", language, source=contract.gsd, target=kind.gsd))


def _outcomes(settings: TransferSettings, trials: Trials, bundle: Bundle, own: SampleIndex | None) -> list[Outcome]:
    """Everything that is tried, in the order of the table."""
    found: list[Outcome] = []
    rule = bundle.contract.normalisations
    if own is not None and settings.source is not None and rule is not None:
        found.append(trials.source(Mapper(bundle, rule), own, settings.source.task.codes))
    found += [trials.direct(settings.target, normalise) for normalise in settings.normalisations]
    for strategy in settings.strategies:
        for normalise in settings.tuned if settings.tuned is not None else settings.normalisations:
            found.append(trials.tuned(settings.target, strategy, normalise))
    return found


def _own_ground(source: TrainSettings) -> SampleIndex:
    """What the source model is judged on: its test images; those that its epoch was chosen by where it has none.

    Raises:
        EmptySplit: there are only images that it was trained on.
    """
    index = sided(SampleIndex.read(source.index))
    return index.of_split("test" if any(sample.split == "test" for sample in index) else "val")


def _facts(settings: TransferSettings, ground: Ground, bundle: Bundle) -> list[tuple[str, str]]:
    language, contract = settings.language, bundle.contract
    sides = (ground.samples.train, ground.samples.val, ground.test)
    weights = sum(parameter.numel() for parameter in bundle.model.parameters())
    facts = [
        (say("transfer.source_bundle", language), f"{settings.start or _SOURCE} ({', '.join(contract.band_names)})"),
        (
            say("transfer.network", language),
            say("transfer.weights", language, name=contract.architecture, count=weights),
        ),
        (say("transfer.target_bands", language), ", ".join(settings.target.task.bands)),
        (say("transfer.stem", language), say(f"transfer.stem_{settings.stem}", language)),
        (say("transfer.domains_by_side", language), " · ".join(str(len(side.domains)) for side in sides)),
    ]
    prints = [footprints(side) for side in sides]
    if all(one.ground is not None for side in prints for one in side):
        areas = [sum(one.area for one in side) / 1e6 for side in prints]
        facts.append(
            (say("transfer.ground_by_side", language), " · ".join(f"{number(area, language)} km²" for area in areas))
        )
    return facts


def _examples(settings: TransferSettings, trials: Trials, study: Study) -> Sequence[Tile]:
    if not settings.examples:
        return ()
    language = settings.language
    mappers = {}
    for one in study.drawn:
        mapper = (
            trials.tuned_mapper(one.name)
            if one.kind == "tuned"
            else trials.direct_mapper(settings.target, settings.baseline)
        )
        mappers[title_of(one, language, short=True)] = mapper
    codes = settings.target.task.codes
    refs = choose(trials.ground.test, next(iter(mappers.values())), settings.examples, codes)
    return example_tiles(refs, say("word.truth", language), mappers, codes)


def _finished(run: RunFolder, study: Study, *, trained_source: bool) -> Run:
    """Hands everything to the run, and finishes it."""
    trainings = [one.name for one in study.outcomes if one.kind == "tuned"]
    for name in ([_SOURCE] if trained_source else []) + trainings:
        publish_run(run, name)
    run.publish(run.scratch / "report.json", kind="text", name="study")
    run.publish(run.scratch / "report.html", kind="page")
    for one in study.outcomes:
        figures = one.figures
        run.add_metrics({f"{one.name}/miou": figures.miou / 100, f"{one.name}/accuracy": figures.accuracy / 100})
    return run.finish()
