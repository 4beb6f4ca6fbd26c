"""``describe evaluate``: the texts of a run, or those that a bundle writes for it, held against the pixels."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from arpent.core import Progress, write_file
from arpent.errors import ArpentError, DatasetError, FileMissing
from arpent.language import LANGUAGES, Measured
from arpent.report.page import made_by
from arpent.store import Place, Run, RunFolder, bundle_in, open_run
from arpent.tasks.describe.counterfactual_pairs import Followed
from arpent.tasks.describe.evaluate_settings import EvaluateSettings
from arpent.tasks.describe.evaluation_page import About, draw_evaluation, write_evaluation_page
from arpent.tasks.describe.judging import Item, Judged, judge, split_of
from arpent.tasks.describe.learnt_from import LearntFrom, learnt_from
from arpent.tasks.describe.targets import reached, repair_rate
from arpent.tasks.describe.texts import TEXTS, Described, read_texts
from arpent.tasks.describe.truth import Key, Truth, Written, earlier, measured_again, sources_of
from arpent.tasks.describe.verdict import dependence, failed, plain_words

__all__ = ["Evaluation", "document_of", "evaluate", "items_of"]


@dataclass(frozen=True)
class Evaluation:
    """A finished evaluation.

    Attributes:
        run: its run folder.
        judged: what was counted.
        words: what the figures say, sentence by sentence.
        failed: whether too much had to be repaired.
        followed: what came of scaled pixels.
    """

    run: Run
    judged: Judged
    words: tuple[str, ...]
    failed: bool
    followed: Followed | None = None


def evaluate(
    source: Path,
    place: Place,
    settings: EvaluateSettings,
    *,
    images: Sequence[str] = (),
    parcels: str | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Judges the texts of a run of ``describe generate``, or lets a describer write texts and judges those.

    Args:
        source: the run; or a describer's bundle, or the run that trained it.
        place: where the evaluation goes.
        settings: how to do it.
        images: for a describer, what it shall write about.
        parcels: for a describer, a vector file; the images themselves, or squares of them, if not given.
        progress: who is told how far it is.

    Raises:
        InputError: the run, the images or the parcels cannot be read (any more).
        DatasetError: there is nothing to judge.
        ModelError: the describer cannot be used.
    """
    source = Path(source)
    if (source / TEXTS).is_file() or source.is_file():
        written = _of_run(source)
    else:
        if not bundle_in(source).exists():
            raise FileMissing(f"there is no {source}", cure="Check the path.")
        if not images:
            raise FileMissing(
                f"{source} holds no texts",
                expected=f"a run with {TEXTS}, or a describer with images",
                cure="Give a run of 'arpent describe generate', or name the images that the describer shall describe.",
            )
        from arpent.tasks.describe.judged_bundle import written_by

        written = written_by(bundle_in(source), Truth(tuple(images), parcels, settings), settings, progress)
    kept = settings.model_dump(mode="json") | {"source": str(source), "images": list(written.truth.images)}
    with place.begin(
        "describe-evaluate", source.resolve().name, kept, [source, *written.truth.images], language=settings.language
    ) as run:
        try:
            return _evaluated(run, written, settings, progress)
        except ArpentError:
            run.abandon()  # an evaluation is not gone on with: it begins anew
            raise


def _of_run(source: Path) -> Written:
    folder = source if source.is_dir() else source.parent
    run = open_run(folder)
    bundle = run.manifest.bundle
    path = None if bundle is None else Path(bundle.source)
    return Written(read_texts(source), sources_of(run), path)


def items_of(described: Iterable[Described], facts: Mapping[Key, Measured], known: LearntFrom) -> list[Item]:
    """Texts with their truth, in their order.

    Raises:
        DatasetError: a text is about a parcel that is not there.
    """
    training = None if known.training is None else known.training.measured
    of_parcel: defaultdict[tuple[str, str], list[Measured]] = defaultdict(list)
    for fact in facts.values():
        of_parcel[fact.place, fact.parcel].append(fact)
    items = []
    for one in described:
        key = (one.parcel, one.image)
        if key not in facts:
            raise DatasetError(
                f"there is no parcel {one.parcel} on {one.image} any more",
                found=f"{len(facts)} parcels",
                cure="Judge the run with the images and parcels that it was made with.",
            )
        measured = facts[key]
        turns = any(f.claim.kind == "direction" for sentence in one.sentences for f in sentence.findings)
        items.append(
            Item(
                one.text,
                one.language,
                measured,
                split_of(measured, training),
                one.image,
                one.draft,
                earlier(of_parcel[measured.place, measured.parcel], measured) if turns else (),
                one.mode,
                one.due,
                one.repairs,
                known.vectors.get(key),
                known.profile,
            )
        )
    return items


def _evaluated(run: RunFolder, written: Written, settings: EvaluateSettings, progress: Progress | None) -> Evaluation:
    for image in written.truth.images:
        run.add_input(image)
    if written.truth.parcels is not None:
        run.add_input(written.truth.parcels, "parcels")
    with run.timed("measure"):
        facts = measured_again(written.truth, progress)
    known = learnt_from(written.bundle, settings.training, settings.embeddings)
    for note in (*written.notes, *known.problems):
        run.warn(note)
    with run.timed("judge"):
        judged = judge(items_of(written.described, facts, known), known.training, seed=settings.seed)
    followed = None
    if written.followed is not None:
        with run.timed("counterfactual"):
            followed = written.followed(facts)
    return _concluded(run, judged, followed, settings)


def _concluded(run: RunFolder, judged: Judged, followed: Followed | None, settings: EvaluateSettings) -> Evaluation:
    """Figures, pictures and the page of a run."""
    language = settings.language
    words = tuple(plain_words(judged, language, draws=settings.draws, seed=settings.seed))
    document = document_of(judged, followed, settings)
    run.add_metrics(_metrics(judged, followed))
    text = json.dumps({**document, "words": words}, ensure_ascii=False, indent=1, allow_nan=False)
    run.publish(write_file(run.scratch / "metrics.json", f"{text}\n"), kind="text", name="metrics")
    about = About(words, followed, settings.draws, settings.seed, made_by(language))
    with run.timed("pictures"):
        drawn = draw_evaluation(judged, run.scratch, about, language)
    page = write_evaluation_page(run.scratch / "report.html", judged, drawn, about=about, language=language)
    run.publish(page, kind="page")
    for picture in drawn.values():
        run.publish(picture, kind="picture")
    return Evaluation(run.finish(), judged, words, failed(judged), followed)


def document_of(judged: Judged, followed: Followed | None, settings: EvaluateSettings) -> dict[str, Any]:
    """All figures, as JSON has them; what is not known is null."""
    swapped = dependence(judged, draws=settings.draws, seed=settings.seed)
    methods: dict[str, Any] = {}
    for method, tally in judged.tallies.items():
        groups = {"all": tally.scores(draws=settings.draws, seed=settings.seed)}
        for split in tally.splits:
            for spoken in LANGUAGES:
                if tally.has(split, spoken):
                    scores = tally.scores(split, spoken, draws=settings.draws, seed=settings.seed)
                    groups[f"{split}/{spoken}"] = scores
        methods[method] = {
            name: {
                "texts": scores.texts,
                "parcels": scores.parcels,
                **{
                    figure: [_finite(v) for v in (one.value, one.low, one.high)]
                    for figure, one in scores.figures.items()
                },
            }
            for name, scores in groups.items()
        }
    return {
        "mode": judged.mode,
        "texts": judged.items,
        "failed": failed(judged),
        "repair_rate": {
            "held_out": repair_rate(judged),
            **{split: one.rate for split, one in judged.repairs.items()},
        },
        "image_dependence": {
            "model": swapped.model,
            "permuted": swapped.permuted,
            "loss": [_finite(v) for v in (swapped.loss.value, swapped.loss.low, swapped.loss.high)],
            "constant": swapped.constant,
            "depends": swapped.depends,
            "falls_to_constant": swapped.falls,
        },
        "counterfactual": None if followed is None else _of_scaled(followed),
        "targets": [
            {
                "name": one.target.name,
                "split": one.split,
                "method": one.target.method,
                "figure": one.target.figure,
                "side": one.target.side,
                "bound": one.target.bound,
                "value": _finite(one.value),
                "met": one.met,
            }
            for one in reached(judged)
        ],
        "methods": methods,
        "likeness": {f"{method}/{spoken}": one.summary() for (method, spoken), one in judged.likeness.items()},
    }


def _of_scaled(followed: Followed) -> dict[str, Any]:
    one = followed.slope
    return {
        "slope": [_finite(v) for v in (one.value, one.low, one.high)],
        "texts": followed.texts,
        "scales": followed.scales,
        "true": followed.true,
        "stated": [_finite(value) for value in followed.stated],
    }


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _metrics(judged: Judged, followed: Followed | None) -> dict[str, float]:
    """The figures that the manifest keeps."""
    found: dict[str, float] = {}
    model = judged.tallies["model"]
    for split in model.splits:
        found |= {f"{split}/{name}": value for name, value in model.scores(split, draws=1).summary().items()}
    for method, tally in judged.tallies.items():
        if method != "model":
            scores = tally.scores(draws=1).summary()
            found |= {
                f"{method}/{name}": scores[name] for name in ("hit05", "classes", "contradiction") if name in scores
            }
    rate = repair_rate(judged)
    if rate is not None:
        found["repair_rate"] = rate
    if followed is not None:
        found["counterfactual_slope"] = followed.slope.value
    return found
