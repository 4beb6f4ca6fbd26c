"""One pair, one run: what ``arpent change pair`` and ``arpent.change`` do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from arpent.core import Progress, Silent, parse
from arpent.core.bundle import bundle_sha256
from arpent.errors import NoValidPixels
from arpent.models import Bundle, Planaura
from arpent.store import Place, Run
from arpent.tasks.change.asking import PairImages, pair_of
from arpent.tasks.change.comparing import Compared, check_pair, compare
from arpent.tasks.change.frames import MOST_FRAMES, Pair, files_of
from arpent.tasks.change.settings import ChangeSettings
from arpent.tasks.change.weights import ModelFit, find_model, load_model

__all__ = ["ChangeRun", "change", "compare_images", "model_for"]

"""Images that are compared at once."""


@dataclass(frozen=True)
class ChangeRun:
    """A finished run of one pair.

    Attributes:
        run: the run folder.
        compared: its products and figures.
    """

    run: Run
    compared: Compared


def model_for(
    source: str | Path, frames: int, *, reset_patch_embedding: bool = False, progress: Progress | None = None
) -> Bundle:
    """The model of that name or path, for so many dates.

    A model of two dates compares three with positions that are computed: those that are stored were computed likewise.

    Raises:
        As `weights.load_model`.
    """
    fit = ModelFit(
        frames=frames if frames > 2 else None, keep_positions=frames <= 2, reset_patch_embedding=reset_patch_embedding
    )
    bundle = load_model(source, fit, progress)
    model = bundle.model
    if isinstance(model, Planaura) and frames > model.settings.frames:
        model.settings = model.settings.model_copy(update={"positions": "computed"})
    return bundle


def compare_images(
    pair: Pair,
    bundle: Bundle,
    source: str | Path,
    place: Place,
    settings: ChangeSettings,
    *,
    progress: Progress | None = None,
) -> ChangeRun:
    """Compares the images of one pair in a run of its own.

    Args:
        pair: the images.
        bundle: the model, loaded.
        source: what the model was loaded from.
        place: where the run goes.
        settings: what is wanted, and how.
        progress: who is told how far it is.

    Raises:
        The errors of `compare`, and those of beginning a run.
    """
    # How many threads read changes nothing, and may change when a run goes on.
    kept: dict[str, Any] = settings.model_dump(mode="json", exclude={"read_threads"})
    kept |= {"images": [frame.image for frame in pair.frames], "model": str(source)}
    kept |= {"quality_layers": [frame.quality for frame in pair.frames], "dates_given": [f.date for f in pair.frames]}
    check_pair(pair, bundle, settings)
    with place.begin("change", pair.name, kept, files_of(pair.frames, source), language=settings.language) as run:
        file = find_model(source)
        run.use_bundle(file, bundle_sha256(file))
        try:
            compared = compare(run, pair, bundle, settings, progress=progress or Silent())
        except NoValidPixels:
            run.abandon()  # nothing of it will ever be of use
            raise
        return ChangeRun(run.finish(), compared)


def change(
    before: str | Path | Sequence[str | Path],
    after: str | Path,
    *,
    model: str | Path,
    output: str | Path | None = None,
    quality: Sequence[str | Path] = (),
    before_before: str | Path | None = None,
    place: Place | None = None,
    progress: Progress | None = None,
    **settings: Any,  # noqa: ANN401 - checked by the settings themselves
) -> ChangeRun:
    """Compares two dates of a place, as ``arpent change pair`` and `arpent.change` do.

    Args:
        before: the earlier image, or two of them in the order of their dates.
        after: the later image.
        model: a bundle, a published checkpoint or its name.
        output: the run folder; a dated one under ``runs/`` if not given.
        quality: a layer for each image, in their order; looked for beside them if not given.
        before_before: a second image from before, still earlier.
        place: where the run goes and what is done if something is there, for more than `output` says.
        progress: who is told how far it is.
        settings: those of `ChangeSettings`, by name; and ``date0``, ``date1`` and ``date2``, the dates of the images as
            YYYYDDD or YYYYMMDD, which are read from their names if not given.

    Raises:
        UnknownSetting, InvalidSetting: a setting that there is not, or a wrong value.
        And the errors of `compare`.
    """
    dates = [settings.pop(f"date{number}", None) for number in range(MOST_FRAMES)]
    chosen = parse(ChangeSettings, settings, "ap.change")
    befores = [before] if isinstance(before, str | Path) else list(before)
    images = tuple(str(image) for image in (*filter(None, (before_before,)), *befores, after))
    pair = pair_of(PairImages(images, tuple(map(str, quality))), dates)
    bundle = model_for(model, len(images), progress=progress)
    where = place or Place(exact=None if output is None else Path(output))
    return compare_images(pair, bundle, model, where, chosen, progress=progress)
