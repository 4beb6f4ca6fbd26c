"""One image, and what the model makes of each of its patches: as a table, as an image, as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from arpent.core import Grid, Progress, Raster
from arpent.engine import Prediction
from arpent.errors import InvalidSetting, NoValidPixels
from arpent.language import say
from arpent.models import Bundle, Origin, Planaura
from arpent.report import preview
from arpent.store import Place, Run, RunFolder
from arpent.tasks.change.asking import PairImages, pair_of
from arpent.tasks.change.comparing import compare
from arpent.tasks.change.embedding_settings import EmbedSettings
from arpent.tasks.change.embedding_sources import Embeddings, ImageEmbeddings, TableEmbeddings
from arpent.tasks.change.frames import Pair, files_of
from arpent.tasks.change.kmeans import draw_sample
from arpent.tasks.change.planning import PairPlan, plan_pair
from arpent.tasks.change.settings import Profile
from arpent.tasks.change.weights import find_model, load_model

__all__ = ["Embedded", "embed_image", "false_colours", "for_one_image", "plan_embedding"]

_COMPONENTS = 3
_SAMPLE = 20_000
_LARGEST = 1_000  # pixels of the longer side of the picture


@dataclass(frozen=True)
class Embedded:
    """An embedded image.

    Attributes:
        run: the run folder.
        files: what was written, by name of the product.
        prediction: how it went.
    """

    run: Run
    files: dict[str, Path]
    prediction: Prediction


def embed_image(
    image: str,
    model: str | Path,
    place: Place,
    settings: EmbedSettings,
    *,
    quality: Sequence[str] = (),
    layer: str | None = None,
    progress: Progress | None = None,
) -> Embedded:
    """Embeds one image.

    Args:
        image: anything that `io.open_image` reads.
        model: a bundle, the run that trained it, a checkpoint, or the name of a published model.
        place: where the run goes.
        settings: what is wanted.
        quality: a quality layer, as the only entry; looked for beside the image, or in it, if not given.
        layer: kind of that layer; None to tell it from its name.
        progress: who is told how far it is.

    Raises:
        BundleInvalid: the bundle is no model of change.
        ContractMismatch: the image does not fit the model.
        NoValidPixels: the image has no pixel with data, or none that is not excluded.
        FileMissing: the image, or a quality layer that is wanted, is not there.
        InvalidSetting: neither table nor image is wanted.
    """
    _require_product(settings)
    bundle = for_one_image(load_model(model, progress=progress), settings.profile)
    pair = _alone(image, quality, layer)
    kept = settings.model_dump(mode="json", exclude={"read_threads"}) | {"images": [image], "model": str(model)}
    kept |= {"quality_layers": list(quality)}
    with place.begin("change-embed", pair.name, kept, files_of(pair.frames, model), language=settings.language) as run:
        file = find_model(model)
        run.use_bundle(file)
        try:
            made = compare(run, pair, bundle, settings.comparing(), progress=progress)
            files = dict(made.products)
            source = _readable(files)
            if source is not None:
                with run.timed("picture"):
                    files["embeddings"] = _picture(source, run, settings)
        except NoValidPixels:
            run.abandon()  # nothing of it will ever be of use
            raise
        return Embedded(run.finish(), files, made.prediction)


def for_one_image(bundle: Bundle, profile: Profile) -> Bundle:
    """The model as it embeds a single image, with the weights of the bundle given.

    The reference computes positions anew for one date, on the grid of the stride. Profile arpent keeps the stored ones
    of the first date, brought to that grid: the same numbers at the stride of the patch, and below it still those that
    the network has been trained on, where counted ones would run to sixteen times as far.
    """
    model = bundle.model
    if profile == "arpent" or not isinstance(model, Planaura) or model.settings.positions == "computed":
        return bundle
    alone = copy(model)
    alone.settings = model.settings.model_copy(update={"positions": "computed"})
    origin = bundle.origin and Origin(_read_for_one, bundle.origin.path, (bundle.origin, profile))
    return Bundle(alone, bundle.contract, origin)


def _read_for_one(path: Path, origin: Origin, profile: Profile) -> Bundle:
    """The same model in another process."""
    return for_one_image(origin.read(path, *origin.more), profile)


def plan_embedding(
    image: str, model: str | Path, settings: EmbedSettings, *, quality: Sequence[str] = (), layer: str | None = None
) -> PairPlan:
    """What `embed_image` would do and cost.

    Raises:
        The errors of `embed_image` that do not need the pixels.
    """
    _require_product(settings)
    bundle = for_one_image(load_model(model), settings.profile)
    return plan_pair(_alone(image, quality, layer), bundle, settings.comparing())


def _alone(image: str, quality: Sequence[str], layer: str | None) -> Pair:
    return pair_of(PairImages((image,), tuple(quality), layer))


def _require_product(settings: EmbedSettings) -> None:
    if settings.table == "none" and not settings.image:
        raise InvalidSetting(
            "neither a table nor an image of embeddings is wanted", cure="Leave out --no-image, or give a --table."
        )


def _readable(files: dict[str, Path]) -> Embeddings | None:
    """The embeddings just written, where they are in a form that is read again."""
    table, image = files.get("feature_table_0"), files.get("feature_maps_0")
    if image is not None:
        return ImageEmbeddings(image, image.stem)
    return TableEmbeddings(table, table.stem) if table is not None and table.suffix != ".csv" else None


def false_colours(source: Embeddings) -> Raster:
    """The first three principal components as the bands of a small picture; fewer dimensions give fewer bands."""
    sample = draw_sample(lambda: (batch.values for batch in source.batches()), _SAMPLE, 0)
    mean = sample.mean(axis=0, dtype=np.float64)
    spread = np.cov((sample - mean).T.astype(np.float64), bias=True).reshape(len(mean), len(mean))
    axes = np.linalg.eigh(spread)[1][:, ::-1][:, : min(_COMPONENTS, len(mean))]
    # The sign of a component is free: its heaviest weight is made positive, so that pictures can be compared.
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])
    step = max(1, -(-max(source.grid.shape) // _LARGEST))
    grid = source.grid.coarsened(step)
    pixels: NDArray[np.float32] = np.zeros((axes.shape[1], *grid.shape), np.float32)
    valid = np.zeros(grid.shape, bool)
    for batch in source.batches():
        kept = (batch.rows % step == 0) & (batch.cols % step == 0) & _inside(batch.rows, batch.cols, source.grid)
        rows, cols = batch.rows[kept] // step, batch.cols[kept] // step
        pixels[:, rows, cols] = ((batch.values[kept] - mean) @ axes).T
        valid[rows, cols] = True
    return Raster(pixels, valid, grid, tuple(f"component {number + 1}" for number in range(axes.shape[1])))


def _inside(rows: NDArray[np.int64], cols: NDArray[np.int64], grid: Grid) -> NDArray[np.bool_]:
    return np.asarray((rows < grid.height) & (cols < grid.width))


def _picture(source: Embeddings, run: RunFolder, settings: EmbedSettings) -> Path:
    drawn = run.scratch / "embeddings.png"
    shown = false_colours(source)
    title = say("embed.image" if len(shown.bands) == _COMPONENTS else "embed.image_of_one", settings.language)
    preview(shown, drawn, title=title, language=settings.language)
    return run.path / run.publish(drawn, kind="picture").file
