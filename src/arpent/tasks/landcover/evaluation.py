"""An evaluation as a run folder: a model against an index, with all figures as JSON, as CSV and as a page."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from arpent.core import Contract, Language, Normalisation, Normalisations, Progress, write_file
from arpent.data import SPLITS, Sample, SampleIndex, Statistics, count_labels, measure
from arpent.engine import start_network
from arpent.errors import ArpentError, ContractMismatch
from arpent.io import ImageReader, open_image
from arpent.language import say
from arpent.models import load_bundle
from arpent.report import figures
from arpent.report.page import made_by
from arpent.store import Place, Run, RunFolder, bundle_in, seen_in_training
from arpent.tasks.landcover.evaluate_settings import EvaluateSettings
from arpent.tasks.landcover.evaluating import Evaluated, score
from arpent.tasks.landcover.evaluation_page import write_evaluation_page
from arpent.tasks.landcover.judged import Judged, csv_of, document_of, judge
from arpent.tasks.landcover.nearness import far_lines
from arpent.tasks.landcover.radiometry import bits_of, rule_anew
from arpent.tasks.landcover.task import classes_of

__all__ = ["Evaluation", "evaluate"]


@dataclass(frozen=True)
class Evaluation:
    """A finished evaluation: its run folder, and what was found."""

    run: Run
    judged: Judged


def evaluate(
    model: Path, data: str, place: Place, settings: EvaluateSettings, *, progress: Progress | None = None
) -> Evaluation:
    """Evaluates a model over an index, into a run folder of its own.

    Args:
        model: the bundle, or the run that trained it.
        data: the index of images and masks, or a folder of both.
        place: where the run goes.
        settings: how to do it.
        progress: who is told how far it is.

    Raises:
        BundleInvalid: the model is none of land cover.
        ContractMismatch: an image lacks a band, is of another resolution, or of another type while it is to be
            normalised as the model's own images.
        UnknownName: the nomenclature has no such class or code list.
        EmptySplit: nothing is on that side of the index.
        DatasetError: a sample has no mask, a mask numbers of no class, or none a known pixel.
    """
    model = bundle_in(model, "landcover")
    bundle = load_bundle(model)
    classes = classes_of(bundle, model)
    classes.index_of_code(settings.truth_codes)
    for word in settings.ignore:
        classes.index_of(word)
    index = _judged_by(SampleIndex.read(data), settings.split)
    kinds = _checked(index, bundle.contract, settings)
    count_labels(index, classes, settings.truth_codes).require_known(classes, "--truth-codes")
    kept = settings.model_dump(mode="json") | {"model": str(model), "data": data}
    with place.begin("landcover-evaluate", Path(data).stem, kept, [model, data], language=settings.language) as run:
        try:
            run.add_input(data, role="index")
            run.use_bundle(model)
            rule = _rules(index, bundle.contract, settings, kinds)
            far = far_lines(rule, bundle.contract.band_names, index, settings.language)
            for line in (*far, *_flattered(model, index, settings.language)):
                run.warn(line)
            network = start_network(bundle.model, settings.runtime, settings.device, settings.precision, fixed=True)
            with run.timed("evaluate"):
                found = score(
                    bundle,
                    rule,
                    index,
                    batch_size=settings.batch_size,
                    patch=settings.patch,
                    codes=settings.truth_codes,
                    network=network,
                    progress=progress,
                )
            return _concluded(run, found, settings, model, data)
        except ArpentError:
            run.abandon()  # an evaluation is not gone on with: it begins anew
            raise


def _judged_by(index: SampleIndex, split: str) -> SampleIndex:
    """The side of the index that the settings ask for."""
    sides = {sample.split for sample in index}
    if split == "auto":
        split = next((side for side in ("test", "val") if side in sides), "all")
    return index if split == "all" else index.of_split(next(side for side in SPLITS if side == split))


def _flattered(model: Path, index: SampleIndex, language: Language) -> list[str]:
    """A warning where the model has learnt, or may have, from what it is judged by.

    Samples that the index sets apart to judge by are not looked at: one image may serve both sides, by its windows.
    """
    images = list(dict.fromkeys(sample.image for sample in index if sample.split not in ("val", "test")))
    seen = seen_in_training(model, images)
    if seen is None:
        return [say("evaluate.may_be_seen", language)] if images else []
    return [say("evaluate.seen", language, seen=len(seen), of=len(images))] if seen else []


def _checked(index: SampleIndex, whole: Contract, settings: EvaluateSettings) -> dict[str, set[str]]:
    """Refuses images that do not fit the model; the types of their pixels, by sensor.

    Pixels of another type than in training are what norma-01 and norma-target are for.
    """
    kinds: dict[str, set[str]] = {}
    for image, sample in {sample.image: sample for sample in index}.items():
        contract = whole.of_sensor(sample.sensor)
        with _open(sample) as reader:
            dtype = str(reader.dtype)
            same = dtype if settings.normalise == "norma-source" or contract.dtype is None else contract.dtype
            reasons = contract.differences((*reader.bands, *contract.absent), reader.gsd, same)
        if reasons:
            raise ContractMismatch(
                f"{image} does not fit the model: {'; '.join(reasons)}",
                cure="Use images like those of training; for another bit depth, --normalise norma-target.",
            )
        kinds.setdefault(sample.sensor, set()).add(dtype)
    return kinds


def _open(sample: Sample, bands: Sequence[str] | None = None) -> ImageReader:
    return open_image(sample.image, bands=bands, sensor=sample.sensor or None)


def _rules(
    index: SampleIndex, whole: Contract, settings: EvaluateSettings, kinds: Mapping[str, set[str]]
) -> Normalisations:
    """One normalisation for all images; for a model of several sensors, one for each of them."""
    if not whole.sensors:
        return _rule(index, whole, settings, {dtype for own in kinds.values() for dtype in own})
    return {
        name: _rule(
            SampleIndex([sample for sample in index if sample.sensor == name], index.origin),
            whole.of_sensor(name),
            settings,
            dtypes,
        )
        for name, dtypes in kinds.items()
    }


def _rule(index: SampleIndex, contract: Contract, settings: EvaluateSettings, kinds: set[str]) -> Normalisation:
    bands = [name for name in contract.band_names if name not in contract.absent]
    dtype = next(iter(kinds)) if len(kinds) == 1 else ""

    def statistics() -> Statistics:
        found: Statistics | None = None
        for sample in index:
            with _open(sample, bands) as reader:
                found = measure(reader, sample.window, into=found)
        assert found is not None  # an index is never empty
        return found

    return rule_anew(
        settings.normalise,
        contract,
        dtype,
        bits=bits_of(settings.bits, dtype, index),
        statistics=statistics,
        origin=say("evaluate.own_statistics", settings.language),
        depth="Give it with --bits, or fill the column 'sensor' of the index.",
    )


def _concluded(run: RunFolder, found: Evaluated, settings: EvaluateSettings, model: Path, data: str) -> Evaluation:
    """Scores, tables, the figure and the page of a run."""
    judged, language = judge(found, settings), settings.language
    run.add_metrics(judged.metrics())
    text = json.dumps(document_of(judged), ensure_ascii=False, indent=1)
    run.publish(write_file(run.scratch / "scores.json", f"{text}\n"), kind="text", name="scores")
    run.publish(write_file(run.scratch / "classes.csv", csv_of(judged)), kind="table", name="classes")
    drawn = figures.confusion(found.matrix.counts, found.classes, run.scratch / "confusion.png", language=language)
    page = write_evaluation_page(
        run.scratch / "report.html",
        judged,
        drawn,
        model=str(model),
        data=data,
        language=language,
        footer=made_by(language),
    )
    run.publish(page, kind="page")
    run.publish(drawn, kind="picture")
    return Evaluation(run.finish(), judged)
