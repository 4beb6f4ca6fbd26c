"""The same course on images of the user's own: what has a folder is done, and the rest is said to be absent.

Nothing is known of the truth there, so that no quality is measured. A folder whose images do not do for what it is
named after is told of in one line, and the others are done all the same; so it is with an image among others.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from time import perf_counter

from arpent.core import no_folder
from arpent.core.bundle import FOLDER_HEADER
from arpent.demo.outcome import Outcome
from arpent.demo.stage import Stage
from arpent.errors import (
    ArpentError,
    BandMismatch,
    ConfigError,
    ContractMismatch,
    DatasetError,
    FileMissing,
    InputError,
    ModelError,
    PartialFailure,
)
from arpent.io.named_shapes import VECTOR_FILES
from arpent.language import LANGUAGES, say
from arpent.models.shipped import shipped_bundle, shipped_folder
from arpent.store import Place, open_run

__all__ = ["CAPABILITIES", "Own", "run_on"]

_IMAGES = (".jp2", ".tif", ".tiff", ".vrt")
_FOLDERS = (".SAFE",)
_LAYERS = ("cloudmask", "fmask", "qa60", "qa_pixel", "quality", "scl")
"""Quality layers beside images are found by the capabilities themselves."""
_PUBLISHED = "flair-rgbi-15"
"""In the catalog: a model for orthophotos."""
_OF_ONE_FOLDER = (InputError, ConfigError, ModelError, DatasetError, PartialFailure)
"""What is wrong with a folder; all else, such as a full disk, is wrong with all of them."""


@dataclass(frozen=True)
class Own:
    """What the user's folders have come to.

    Attributes:
        outcomes: of what was done, by the name of the capability; they say what was left out.
        failures: why the others could not be.
    """

    outcomes: Mapping[str, Outcome]
    failures: Mapping[str, ArpentError]


def run_on(stage: Stage, data: Path) -> Own:
    """Does what the user's folders allow, each by its own name.

    Args:
        stage: of the demo; images stay where they are.
        data: folder with any of the folders ``landcover``, ``change``, ``describe`` …

    Raises:
        FileMissing: `data` is no folder, or none of them is there.
        InputError, ConfigError, ModelError, DatasetError, PartialFailure: what is wrong with the first folder, where
            none will do.
        RunExists: the folder of the stage holds something that no demo of this data made.
    """
    if not data.is_dir():
        raise no_folder(data, "Check the path.")
    asked = {name: work for name, work in CAPABILITIES.items() if (data / name).is_dir()}
    if not asked:
        raise FileMissing(
            f"{data} holds none of the folders that the demo knows",
            expected=", ".join(CAPABILITIES),
            cure="Put your images into a folder of the name of what shall be done with them.",
        )
    stage.open(data)
    done: dict[str, Outcome] = {}
    failed: dict[str, ArpentError] = {}
    for name in CAPABILITIES:
        word = say(f"demo.{name}", stage.language)
        if name not in asked:
            stage.tell(say("demo.absent", stage.language, name=word, folder=data / name))
            continue
        begun, number = perf_counter(), len(done) + len(failed) + 1
        stage.tell(say("demo.step", stage.language, number=number, of=len(asked), name=word))
        try:
            made = asked[name](stage, data / name)
        except _OF_ONE_FOLDER as problem:
            failed[name] = problem
            stage.tell(say("demo.failed", stage.language, name=word, problem=str(problem)))
            continue
        done[name] = _whole(made, perf_counter() - begun)
        for one in done[name].failures:
            stage.tell(say("demo.left_out", stage.language, name=word, problem=one.message))
    if not done:
        raise next(iter(failed.values()))
    return Own(done, failed)


def _whole(made: Outcome, seconds: float) -> Outcome:
    """With its time, and with what its runs say that they have left out."""
    failures = [one for path in made.runs for one in open_run(path).manifest.failures]
    return replace(made, seconds=seconds, failures=tuple(failures))


def _images(folder: Path, least: int = 1) -> list[str]:
    """The images of a folder in the order of their names, without quality layers."""
    found = [path for path in sorted(folder.iterdir()) if path.suffix in _FOLDERS or _is_image(path)]
    if len(found) < least:
        raise FileMissing(
            f"{folder} holds too few images",
            found=f"{len(found)} of {', '.join((*_IMAGES, *_FOLDERS))}",
            expected=f"at least {least}",
            cure="Add some, or remove the folder.",
        )
    return [str(path) for path in found]


def _is_image(path: Path) -> bool:
    name = path.stem.casefold()
    return path.suffix.lower() in _IMAGES and not name.startswith(_LAYERS) and not name.endswith(_LAYERS)


def _model(folder: Path, shipped: str = "") -> Path:
    """The bundle that lies beside the images, a file or a folder; else the small one that comes with Arpent."""
    own = [*sorted(folder.glob("*.safetensors")), *(path.parent for path in sorted(folder.glob(f"*/{FOLDER_HEADER}")))]
    found = own[0] if own else shipped_bundle(shipped)
    if found is None:
        raise FileMissing(
            f"{folder} holds no model",
            expected="a bundle (.safetensors) beside the images",
            cure="Copy one there ('arpent models list' shows those on this machine), or bring in a published one: "
            f"'arpent models fetch {_PUBLISHED}', then "
            f"'arpent models import {_PUBLISHED} -o {folder / _PUBLISHED}.safetensors'.",
        )
    return found


def _place(stage: Stage, name: str, model: Path) -> Place:
    """Where a run goes; if its model only comes with Arpent, the run says what that one has learnt on."""
    place = stage.place(name)
    if not model.is_relative_to(shipped_folder()):
        return place
    return replace(place, doubts=(say("demo.own_shipped", stage.language, model=model.stem),))


def _once(tell: Callable[[str], None]) -> Callable[[str], None]:
    """Tells each line, and no line twice."""
    told: set[str] = set()

    def first(line: str) -> None:
        if line not in told:
            told.add(line)
            tell(line)

    return first


def _but(tell: Callable[[str], None], lines: Collection[str]) -> Callable[[str], None]:
    """Tells each line but these."""

    def others(line: str) -> None:
        if line not in lines:
            tell(line)

    return others


def _landcover(stage: Stage, folder: Path) -> Outcome:
    from arpent.tasks.landcover import MapSettings, map_image

    images = _images(folder)
    settings = MapSettings(vector=True, language=stage.language)
    image = images[0] if len(images) == 1 else str(folder)
    made = map_image(image, _model(folder), stage.place("landcover"), settings, progress=stage.progress)
    done = say("demo.own_landcover", stage.language, count=len(images), classes=len(made.areas))
    return Outcome(done, made.run.path / "preview.png", (made.run.path,))


def _change(stage: Stage, folder: Path) -> Outcome:
    from arpent.tasks.change import MosaicSettings, change, make_mosaic

    model = _model(folder, "change-nano")
    images = _images(folder, 2)
    pairs: list[Path] = []
    tell = _once(stage.tell)
    for number, (before, after) in enumerate(pairwise(images), start=1):
        place = replace(_place(stage, f"change-pair-{number}", model), tell=tell)
        made = change(before, after, model=model, place=place, language=stage.language, progress=stage.progress)
        pairs.append(made.run.path)
    shown = pairs[-1] / "preview.png"
    if len(pairs) > 1:
        settings = MosaicSettings(language=stage.language)
        place = replace(_place(stage, "change", model), tell=tell)
        pairs.append(make_mosaic(pairs, place, settings, progress=stage.progress).run.path)
        shown = pairs[-1] / "mosaic_preview.png"
    done = say("demo.own_change", stage.language, count=len(images), model=model.stem)
    return Outcome(done, shown, tuple(pairs))


def _forecast(stage: Stage, folder: Path) -> Outcome:
    from arpent.tasks.forecast.predict_settings import ForetellSettings
    from arpent.tasks.forecast.predicting import foretell

    model, settings = _model(folder, "forecast-nano"), ForetellSettings(language=stage.language)
    made = foretell(folder, model, _place(stage, "forecast", model), settings, progress=stage.progress)
    for line in made.notes:
        stage.tell(line)
    ahead = max(one.horizon for dates in made.dates.values() for one in dates)
    done = say("demo.own_forecast", stage.language, places=len(made.dates), ahead=ahead, model=model.stem)
    preview = next(product for product in made.run.manifest.products if product.kind == "picture")
    return Outcome(done, made.run.locate(preview), (made.run.path,))


def _describe(stage: Stage, folder: Path) -> Outcome:
    from arpent.tasks.describe import GenerateSettings, generate, tell

    parcels = next((path for path in sorted(folder.iterdir()) if path.suffix.lower() in VECTOR_FILES), None)
    model, images = _model(folder, "describe-nano"), _images(folder)
    asked = GenerateSettings(lang="both", language=stage.language)
    place = _place(stage, "describe", model)
    # Only once the model has done the work is it said what it is worth: these images may not be for it.
    quiet = replace(place, tell=_but(stage.tell, place.doubts))
    try:
        made, by = generate(images, model, quiet, asked, parcels=parcels, progress=stage.progress), "model"
        for doubt in place.doubts:
            stage.tell(doubt)
    except (BandMismatch, ContractMismatch) as problem:  # of such images indices may be measured all the same
        plain = stage.place("describe")
        made, by = tell(images, plain, asked, parcels=parcels, progress=stage.progress), "grammar"
        stage.tell(say("demo.told_exactly", stage.language, model=model.stem, problem=str(problem)))
    count = {"parcels": len({one.parcel for one in made.described}), "texts": len(made.described)}
    count["images"] = len({one.image for one in made.described})
    mended = made.repair_rate or 0.0
    done = say(f"demo.own_described_by_{by}", stage.language, **count, model=model.stem, mended=mended)
    told = {
        spoken: [one.text for one in made.described if one.language == spoken and not one.abstained][-1:]
        for spoken in LANGUAGES
    }
    return Outcome(done, made.run.path / "report.html", (made.run.path,), facts={"examples": told})


def _classify(stage: Stage, folder: Path) -> Outcome:
    from arpent.tasks.classify import LabelSettings, label_pictures
    from arpent.tasks.classify.caption_files import read_captions

    model = _model(folder, "classify-nano")
    told = next((path for path in sorted(folder.iterdir()) if path.stem == "captions"), None)
    made = label_pictures(
        [str(folder)],
        model,
        _place(stage, "classify", model),
        LabelSettings(language=stage.language),
        captions=None if told is None else read_captions(told).captions,
        progress=stage.progress,
    )
    words = "demo.own_classify" if told is None else "demo.own_captioned"
    done = say(words, stage.language, count=made.count, labels=len(made.names))
    return Outcome(done, made.run.path / "labels.csv", (made.run.path,))


CAPABILITIES: Mapping[str, Callable[[Stage, Path], Outcome]] = {
    "landcover": _landcover,
    "change": _change,
    "forecast": _forecast,
    "describe": _describe,
    "classify": _classify,
}
"""What the demo does with a folder of that name."""
