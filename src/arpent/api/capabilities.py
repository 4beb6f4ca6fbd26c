"""One function per capability: images in, a run out. Each calls what the command of its name calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, overload

from arpent.api.arguments import path_of, paths_of
from arpent.api.assumed import work_of
from arpent.api.runs import Run
from arpent.core import Progress, parse
from arpent.errors import PartialFailure
from arpent.store import Place
from arpent.store import Run as StoredRun

if TYPE_CHECKING:
    from arpent.tasks.change.pairs import ChangeRun
    from arpent.tasks.classify.predicting import LabelRun
    from arpent.tasks.describe.generating import Generated
    from arpent.tasks.describe.indexing import Indexed
    from arpent.tasks.forecast.predicting import Foretold
    from arpent.tasks.landcover import LandcoverMap

__all__ = ["change", "classify", "describe", "forecast", "landcover"]

Source = str | Path
Made = TypeVar("Made")


def landcover(
    image: Source,
    *,
    model: Source,
    truth: Source | None = None,
    taken: datetime | None = None,
    output: Source | Place | None = None,
    progress: Progress | None = None,
    **settings: Any,  # noqa: ANN401 - checked by the settings themselves
) -> Run[LandcoverMap]:
    """Maps the land cover of an image, as ``arpent landcover predict`` does.

    ::

        run = ap.landcover("ortho.tif", model="runs/model", output="runs/map", tta="d4")
        run.plot()

    Args:
        image: a file, a folder of bands or of sheets, a STAC item or an address.
        model: the bundle, or the run that trained it.
        truth: a map of true classes to be scored against.
        taken: when the image was taken, for models that are told of it.
        output: the run folder; a dated one under ``runs/`` if not given. An `ap.Place` says more: what the run is
            called, whether one that is there is replaced (``ap.Place(exact=folder, force=True)``) or resumed.
        progress: who is told how far it is.
        settings: those of `MapSettings`, by name.

    Raises:
        UnknownSetting, InvalidSetting: a setting that there is not, or a wrong value.
        InputError, BundleInvalid, ContractMismatch: the image, the model, or the one for the other.
    """
    from arpent.tasks.landcover import MapSettings, map_image

    made = map_image(
        path_of(image, "image", "ap.landcover"),
        Path(path_of(model, "model", "ap.landcover")),
        _place(output),
        parse(MapSettings, settings, "ap.landcover"),
        truth=None if truth is None else Path(truth),
        taken=taken,
        progress=progress,
    )
    return _whole(made.run, made)


def change(
    before: Source | Sequence[Source],
    after: Source,
    *,
    model: Source | None = None,
    output: Source | Place | None = None,
    quality: Sequence[Source] = (),
    before_before: Source | None = None,
    progress: Progress | None = None,
    **settings: Any,  # noqa: ANN401 - checked by the settings themselves
) -> Run[ChangeRun]:
    """Compares two dates of a place, or three, as ``arpent change pair`` does.

    ::

        run = ap.change("before.tif", "after.tif", model="planaura-hls", exclude=("cloud", "shadow"))
        run.metrics["changed_m2"]

    Args:
        before: the earlier image, or two of them in the order of their dates.
        after: the later image.
        model: a bundle, a published checkpoint or its name. If not given, ``change-nano`` compares, with a warning: it
            has learnt on simulated land alone.
        output: the run folder; a dated one under ``runs/`` if not given. An `ap.Place` says more: what the run is
            called, whether one that is there is replaced (``ap.Place(exact=folder, force=True)``) or resumed.
        quality: a layer for each image, in their order; looked for beside them if not given.
        before_before: a second image from before, still earlier.
        progress: who is told how far it is.
        settings: those of `ChangeSettings`, by name; and ``date0``, ``date1`` and ``date2``, the dates of the images as
            YYYYDDD or YYYYMMDD, which are read from their names if not given.

    Raises:
        UnknownSetting, InvalidSetting: a setting that there is not, or a wrong value.
        NoOverlap, NoValidPixels: the images share no ground, or nothing that can be compared.
        InputError, ModelError: an image, the model, or the one for the other.
    """
    from arpent.tasks.change.pairs import change as compare

    befores, then = paths_of(before, "before", "ap.change"), path_of(after, "after", "ap.change")
    work = work_of("change", model, _place(output), settings)
    made = compare(
        befores,
        then,
        model=work.model,
        place=work.place,
        quality=paths_of(quality, "quality", "ap.change"),
        before_before=before_before,
        progress=progress,
        **settings,
    )
    return _whole(made.run, made)


def forecast(
    series: Source,
    *,
    model: Source | None = None,
    output: Source | Place | None = None,
    progress: Progress | None = None,
    **settings: Any,  # noqa: ANN401 - checked by the settings themselves
) -> Run[Foretold]:
    """Maps the last dates of a radar series and the next ones, as ``arpent forecast predict`` does.

    ::

        run = ap.forecast("dataset", model="runs/forecast", horizons=3)
        run.to_xarray().sel(time="2023-05-07")

    Args:
        series: a folder that ``arpent forecast prepare`` has made, or a series as it takes one.
        model: the bundle, or the run that trained it; one that only segments maps every observed date. If not given,
            ``forecast-nano`` foretells, with a warning: it has learnt on simulated land alone.
        output: the run folder; a dated one under ``runs/`` if not given. An `ap.Place` says more: what the run is
            called, whether one that is there is replaced (``ap.Place(exact=folder, force=True)``) or resumed.
        progress: who is told how far it is.
        settings: those of `ForetellSettings`, by name.

    Raises:
        UnknownSetting, InvalidSetting: a setting that there is not, or a wrong value.
        BundleInvalid, ContractMismatch: the model, or an image that does not fit it.
        DatasetError: there are too few dates.
    """
    from arpent.tasks.forecast.predict_settings import ForetellSettings
    from arpent.tasks.forecast.predicting import foretell

    dates = Path(path_of(series, "series", "ap.forecast"))
    chosen = parse(ForetellSettings, settings, "ap.forecast")
    work = work_of("forecast", model, _place(output), settings)
    made = foretell(dates, Path(path_of(work.model, "model", "ap.forecast")), work.place, chosen, progress=progress)
    return _whole(made.run, made)


@overload
def describe(
    images: Source | Sequence[Source],
    *,
    parcels: Source | None = ...,
    model: None = ...,
    output: Source | Place | None = ...,
    progress: Progress | None = ...,
    **settings: Any,  # noqa: ANN401 - as below
) -> Run[Indexed]: ...
@overload
def describe(
    images: Source | Sequence[Source],
    *,
    parcels: Source | None = ...,
    model: Source,
    output: Source | Place | None = ...,
    progress: Progress | None = ...,
    **settings: Any,  # noqa: ANN401 - as below
) -> Run[Generated]: ...
def describe(
    images: Source | Sequence[Source],
    *,
    parcels: Source | None = None,
    model: Source | None = None,
    output: Source | Place | None = None,
    progress: Progress | None = None,
    **settings: Any,
) -> Run[Indexed] | Run[Generated]:
    """Describes the parcels of Sentinel-2 images in numbers and words.

    Without a model the parcels are measured, as ``arpent describe indices`` does, and `Run.texts` puts the numbers into
    words by the grammar of ``arpent describe caption``. With a model it writes the texts, each sentence held against
    the pixels, as ``arpent describe generate`` does. ::

        run = ap.describe("S2_20220601.tif", parcels="fields.gpkg")
        run.texts("fr")

    Args:
        images: one image or several: files, folders of bands, .SAFE folders, STAC items or addresses.
        parcels: a vector file; whole images, or squares of ``chip`` pixels, if not given.
        model: a describer, or the run that trained it.
        output: the run folder; a dated one under ``runs/`` if not given. An `ap.Place` says more: what the run is
            called, whether one that is there is replaced (``ap.Place(exact=folder, force=True)``) or resumed.
        progress: who is told how far it is.
        settings: those of `IndexSettings`, or with a model those of `GenerateSettings`, by name.

    Raises:
        UnknownSetting, InvalidSetting: a setting that there is not, or a wrong value.
        InputError, NoValidPixels: no image can be read, or no parcel is seen.
        PartialFailure: some images failed, or too many sentences of the model had to be mended; the run is there.
    """
    sources = paths_of(images, "images", "ap.describe")
    where = _place(output)
    if model is None:
        from arpent.tasks.describe import IndexSettings, index_run

        measured = parse(IndexSettings, settings, "ap.describe")
        made = index_run(sources, where, measured, parcels=parcels, progress=progress)
        assert made.run is not None  # a table alone is what `index_table` makes
        return _whole(made.run, made)
    from arpent.tasks.describe import GenerateSettings, generate

    chosen = parse(GenerateSettings, settings, "ap.describe")
    told = generate(sources, model, where, chosen, parcels=parcels, progress=progress)
    told.check()
    return _whole(told.run, told)


def classify(
    pictures: Source | Sequence[Source] = (),
    *,
    model: Source | None = None,
    caption: str | None = None,
    captions: Source | Mapping[str, Sequence[str]] | None = None,
    output: Source | Place | None = None,
    progress: Progress | None = None,
    **settings: Any,  # noqa: ANN401 - checked by the settings themselves
) -> Run[LabelRun]:
    """Gives labels to pictures, with their captions or without, as ``arpent classify predict`` does.

    ::

        run = ap.classify("photo.jpg", caption="two boats at a pier", model="runs/labeller")
        run.made.first[0].labels

    Args:
        pictures: one picture or several, or folders of them; none for a caption alone.
        model: a labeller's bundle, or the run that trained it. If not given, ``classify-nano`` does it, with a warning:
            it has learnt on simulated land alone.
        caption: what is said of the one picture; alone, it gets labels by itself.
        captions: of many pictures: a file in any form that ``arpent classify prepare`` reads, or captions by the names
            of their pictures.
        output: the run folder; a dated one under ``runs/`` if not given. An `ap.Place` says more: what the run is
            called, whether one that is there is replaced (``ap.Place(exact=folder, force=True)``) or resumed.
        progress: who is told how far it is.
        settings: those of `LabelSettings`, by name.

    Raises:
        UnknownSetting, InvalidSetting: a setting that there is not, or a wrong value.
        InputError, ModelError: no picture can be read, or the model is no labeller.
        PartialFailure: some pictures cannot be read; the others have their labels, and the run is there.
    """
    from arpent.tasks.classify import LabelSettings, label_pictures
    from arpent.tasks.classify.caption_files import read_captions

    sources = paths_of(pictures, "pictures", "ap.classify")
    chosen = parse(LabelSettings, settings, "ap.classify")
    work = work_of("classify", model, _place(output), settings)
    known = read_captions(Path(captions)).captions if isinstance(captions, str | Path) else captions
    made = label_pictures(
        sources,
        path_of(work.model, "model", "ap.classify"),
        work.place,
        chosen,
        caption=caption,
        captions=known,
        progress=progress,
    )
    return _whole(made.run, made)


def _place(output: Source | Place | None) -> Place:
    if isinstance(output, Place):
        return output
    return Place(exact=None if output is None else Path(output))


def _whole(stored: StoredRun, made: Made) -> Run[Made]:
    """The run, unless a part of it has failed: as a command does, it ends with an error that tells so.

    Raises:
        PartialFailure: some items failed.
    """
    failures = stored.manifest.failures
    if failures:
        raise PartialFailure(
            f"{len(failures)} of the items of this run failed; first: {failures[0].message.rstrip('.')}",
            cure=f"Correct them and repeat the call; what is done is there: ap.open_run({stored.place!r}).",
        )
    return Run(stored, made)
