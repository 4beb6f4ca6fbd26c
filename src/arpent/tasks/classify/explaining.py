"""``classify explain``: what in a picture and in its caption each label rests on, as a run folder with figures."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from arpent.core import write_file
from arpent.errors import ArpentError, InputError, InvalidSetting, UnknownName
from arpent.io import read_picture
from arpent.language import percent, say
from arpent.report.labelled import WordWeight, explained
from arpent.store import Place, Run, RunFolder
from arpent.tasks.classify.asking import Asked
from arpent.tasks.classify.attention import Seen, heat_of, seen_by, word_weights
from arpent.tasks.classify.explain_settings import ExplainSettings
from arpent.tasks.classify.label_work import NOTES_APART

__all__ = ["Explained", "explain_labels"]

_SHOWN = 640
"""Pixels of the shorter side of the picture on a figure, at least."""


@dataclass(frozen=True)
class Explained:
    """A finished run.

    Attributes:
        run: its folder.
        chances: of every label that is explained.
        words: of the caption, each with what the chance of a label loses without it, by label.
        figures: by label.
        titles: what people call the labels in the language of the run, by their names.
    """

    run: Run
    chances: Mapping[str, float]
    words: Mapping[str, Sequence[tuple[str, float]]]
    figures: Mapping[str, Path]
    titles: Mapping[str, str]


def explain_labels(
    picture: str | None, caption: str | None, model: str | Path, place: Place, settings: ExplainSettings
) -> Explained:
    """Explains the labels of a picture, of a caption, or of both together.

    Args:
        picture: the file; None for a caption alone.
        caption: what is said of it; None for a picture alone.
        model: a labeller's bundle.
        place: where the run goes.
        settings: which labels.

    Raises:
        InvalidSetting: there is neither picture nor caption.
        UnknownName: the model knows no label of that name.
        InputError: the picture cannot be read, or the model reads nothing of what there is.
    """
    if picture is None and caption is None:
        raise InvalidSetting("there is neither a picture nor a caption", cure="Name a picture, or give --caption.")
    asked = Asked.open(model, runtime="torch", device="cpu")
    for name in settings.labels:
        if name not in asked.labels:
            raise UnknownName.among(name, asked.labels, "label")
    kept = settings.model_dump(mode="json", exclude={"language"})
    kept |= {"picture": picture, "caption": caption, "model": str(model)}
    files: list[str | Path] = [asked.opened.source, *([] if picture is None else [picture])]
    with place.begin(
        "classify-explain", Path(picture or "caption").stem, kept, files, language=settings.language
    ) as run:
        try:
            return _explained(run, asked, picture, caption, settings)
        except ArpentError:
            run.abandon()
            raise


def _explained(
    run: RunFolder, asked: Asked, picture: str | None, caption: str | None, settings: ExplainSettings
) -> Explained:
    for leak in asked.opened.leaks(settings.language):
        run.warn(leak)
    run.use_bundle(asked.opened.source, asked.opened.identity)
    pixels = None
    if picture is not None:
        run.add_input(picture)
        pixels = read_picture(picture, side=_SHOWN)
    seen = seen_by(asked, None if picture is None else Path(picture), caption)
    if seen.image is None and seen.codes is None:
        raise InputError(
            "there is nothing that the model reads",
            expected="a picture" if asked.reads_images else "a caption with words",
            cure="Give what it reads, or a model that was trained on pictures and captions.",
        )
    chosen = _chosen(asked, seen, settings)
    words = {name: word_weights(asked, seen, asked.labels.index(name)) for name in chosen}
    figures = {}
    with run.timed("figures"):
        for number, name in enumerate(chosen, start=1):
            file = _figure(run.scratch / f"{number:02d}.png", asked, seen, pixels, name, words[name], settings)
            figures[name] = run.path / run.publish(file, kind="picture", name=f"figure-{number:02d}").file
    chances = {name: float(seen.chances[asked.labels.index(name)]) for name in chosen}
    document = {
        "picture": picture,
        "caption": caption,
        "labels": {
            name: {"chance": chances[name], "words": [{"word": w, "weight": v} for w, v in words[name]]}
            for name in chosen
        },
    }
    text = json.dumps(document, ensure_ascii=False, indent=1, allow_nan=False)
    run.publish(write_file(run.scratch / "explanation.json", f"{text}\n"), kind="text")
    return Explained(run.finish(), chances, words, figures, asked.opened.titles(settings.language))


def _chosen(asked: Asked, seen: Seen, settings: ExplainSettings) -> list[str]:
    """The labels that are asked for; else those that are given, or the likeliest one."""
    if settings.labels:
        return list(dict.fromkeys(settings.labels))
    ranked = np.argsort(-seen.chances, kind="stable")
    given = [int(place) for place in ranked if seen.chances[place] >= seen.thresholds[place]]
    return [asked.labels[place] for place in (given or [int(ranked[0])])[: settings.most]]


def _figure(
    path: Path,
    asked: Asked,
    seen: Seen,
    pixels: NDArray[np.uint8] | None,
    name: str,
    words: Sequence[tuple[str, float]],
    settings: ExplainSettings,
) -> Path:
    language, label = settings.language, asked.labels.index(name)
    called = asked.opened.titles(language)[name]
    heat = heat_of(asked, seen, label)
    shown = None if heat is None else pixels
    if heat is not None and shown is not None:
        height, width = shown.shape[:2]
        heat = np.asarray(cv2.resize(heat, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
    chance, least = (percent(float(one[label]), language, 0) for one in (seen.chances, seen.thresholds))
    heads = tuple(say(f"classify_report.{word}", language) for word in ("picture", "what_counts", "words_count"))
    notes = [say("classify_report.explain_note", language)] if words else []
    if heat is not None and not heat.any():
        notes.append(say("classify_report.no_place", language))
    return explained(
        shown,
        heat,
        [WordWeight(*one) for one in words],
        path,
        title=say("classify_report.explain_title", language, label=called, chance=chance, least=least),
        heads=(heads[0], heads[1], heads[2]),
        note=NOTES_APART[language].join([*notes, *asked.opened.leaks(language)]),
        language=language,
    )
