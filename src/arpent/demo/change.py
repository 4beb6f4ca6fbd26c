"""Change: pairs of dates under clouds, and the mosaic of what every pair has seen."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import numpy as np

from arpent.core import Strip
from arpent.demo.outcome import Figure, Outcome
from arpent.demo.stage import Stage, days
from arpent.io import CogWriter, RasterSpec, open_image
from arpent.language import say
from arpent.tasks.change import EvaluateSettings, Evaluation, MosaicSettings, change, evaluate, make_mosaic
from arpent.tasks.change.baselines import VECTOR
from arpent.testing.simulation import CHANGES, Simulated

__all__ = ["find_change"]

_DATES = days("2021-06-25", "2021-09-10", "2022-09-12", "2023-06-30")
"""Two dates before the fires, clear-cuts, floods and building sites of 2022, and two after them."""
_PAIRS = ((1, 2), (0, 2), (1, 3))
_EXCLUDED = ("cloud", "shadow")


def find_change(stage: Stage, model: Path) -> Outcome:
    """Compares three pairs of four dates, fuses them, and holds the mosaic against what truly changed."""
    seen = stage.simulated("dates", sensor=("hls-s30",), size=stage.scale.pair, dates=_DATES, clouds=0.15, haze=0.4)
    pairs = [_compared(stage, model, seen[before], seen[after], number) for number, (before, after) in _numbered()]
    settings = MosaicSettings(exclude=_EXCLUDED, language=stage.language)
    fused = make_mosaic(pairs, stage.place("change"), settings, progress=stage.progress)
    truth = _lasting(stage, seen)
    found = evaluate(fused.run.path, truth, stage.place("change-score"), EvaluateSettings(language=stage.language))
    ours, plain = found.own or found.best, found.baselines[VECTOR]
    single = _of_single(stage, pairs[0], truth)
    done = say("demo.done_change", stage.language, pairs=len(pairs), dates=len(_DATES))
    facts = {"f1_of_one_pair": (single.own or single.best).f1, "recall_by_kind": dict(found.recall_by_kind)}
    figure = Figure("f1", ours.f1, "plain", plain.f1)
    return Outcome(
        done, fused.run.path / "mosaic_preview.png", (*pairs, fused.run.path, found.run.path), figure, facts=facts
    )


def _numbered() -> Sequence[tuple[int, tuple[int, int]]]:
    return list(enumerate(_PAIRS, start=1))


def _compared(stage: Stage, model: Path, before: Simulated, after: Simulated, number: int) -> Path:
    """The run of one pair."""
    assert before.quality is not None and after.quality is not None  # optical
    made = change(
        before.image,
        after.image,
        model=model,
        quality=(before.quality, after.quality),
        place=stage.place(f"change-pair-{number}"),
        exclude=_EXCLUDED,
        language=stage.language,
        progress=stage.progress,
    )
    return made.run.path


def _lasting(stage: Stage, seen: Sequence[Simulated]) -> Path:
    """A mask of what has changed between the dates of every pair: a flood that has passed by the last date has not."""
    commune = stage.commune()
    with open_image(seen[0].image) as image:
        grid = image.grid
    taken: list[date] = [one.date for one in seen]
    masks = [commune.changes(grid, taken[before], taken[after]) for before, after in _PAIRS]
    lasting = np.where(np.all([mask > 0 for mask in masks], axis=0), masks[0], np.uint8(0))
    path = stage.images("dates") / "lasting.tif"
    spec = RasterSpec(grid, ("event",), "uint8", CHANGES.nodata, CHANGES, overviews="nearest", title="Lasting change")
    with CogWriter(path, spec) as writer:
        writer.write(Strip(0, lasting[None]))
    return path


def _of_single(stage: Stage, pair: Path, truth: Path) -> Evaluation:
    """What one pair alone finds of it."""
    settings = EvaluateSettings(baselines=False, language=stage.language)
    return evaluate(pair, truth, stage.place("change-pair-score"), settings)
