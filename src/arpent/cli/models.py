"""``arpent models``: which models are here, what they demand, how others come in and ours go out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from arpent.cli.console import facts, note, progress, show, table
from arpent.cli.options import with_settings
from arpent.cli.places import Spoken
from arpent.cli.setting_facts import setting_facts
from arpent.language import language_named, say, storage
from arpent.models.import_settings import ImportSettings

if TYPE_CHECKING:
    from rich.table import Table

    from arpent.core import Language
    from arpent.core.contract import Contract, SensorContract
    from arpent.models.published import Published
    from arpent.store.bundle import FoundBundle

__all__ = ["app"]

app = typer.Typer(help="Model bundles: list, show, import, fetch, export.", no_args_is_help=True)

Model = Annotated[
    str, typer.Argument(help="A bundle, the run that trained it, or a name in the catalog.", metavar="MODEL")
]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="Where to write.", metavar="PATH")]


@app.command("list")
def list_models(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(help="Bundles, or folders of them; $ARPENT_MODELS by default.", metavar="[PATH]..."),
    ] = None,
    language: Spoken = "en",
) -> None:
    """The bundles on this machine and the published models that Arpent knows."""
    from arpent.errors import FileMissing
    from arpent.models.published import models_folder, published_model, published_names, weights_file
    from arpent.models.shipped import shipped_folder
    from arpent.store.bundle import bundles_under

    spoken = language_named(language)
    for path in paths or ():
        if not path.exists():
            raise FileMissing(f"there is nothing at {path}", cure="Check the path.")
    places = paths or [models_folder()]
    bundles = [found for place in places for found in bundles_under(place)]
    shipped = [] if paths else list(bundles_under(shipped_folder()))
    catalog = [(published_model(name), weights_file(name)) for name in published_names()]
    rows = [
        (entry.name, entry.task, storage(1e6 * entry.megabytes, spoken), entry.licence, weights or "")
        for entry, weights in catalog
    ]
    document = {
        "bundles": [_bundle_document(found) for found in bundles],
        "shipped": [{"name": found.path.stem, **_bundle_document(found)} for found in shipped],
        "published": [{**entry.model_dump(mode="json"), "weights": weights} for entry, weights in catalog],
    }
    task, size = say("word.task", spoken), say("word.size", spoken)
    heads = [say("models.published", spoken), task, size, say("word.licence", spoken), say("models.weights", spoken)]
    tables = [table(heads, rows)]
    if bundles or shipped:
        own = [(found.path, *_bundle_row(found, spoken)) for found in bundles]
        own += [(say("models.shipped", spoken, name=one.path.stem), *_bundle_row(one, spoken)) for one in shipped]
        named = [say(key, spoken) for key in ("models.architecture", "word.bands")]
        tables.insert(0, table([say("models.bundle", spoken), task, *named, size], own))
    show(document, *tables)
    if not bundles:
        note(say("models.here_none", spoken, places=", ".join(str(place) for place in places)))


@app.command("show")
def show_model(
    model: Model,
    mlm: Annotated[bool, typer.Option("--mlm", help="As properties of a STAC item (MLM extension), in JSON.")] = False,
    language: Spoken = "en",
) -> None:
    """What a model demands of its images, what it says, and where it comes from."""
    from arpent.models.published import published_model, published_names, weights_file
    from arpent.models.shipped import shipped_bundle, shipped_name
    from arpent.store import bundle_in
    from arpent.store.bundle import read_contract

    spoken = language_named(language)
    if model in published_names() and not Path(model).exists():
        entry, weights = published_model(model), weights_file(model)
        show({**entry.model_dump(mode="json"), "weights": weights}, facts(_entry_facts(entry, weights, spoken)))
        return
    own = None if Path(model).exists() else shipped_bundle(model)
    bundle = own or bundle_in(model)
    contract = read_contract(bundle)
    if mlm:
        import json

        from arpent.models.mlm import mlm_metadata

        metadata = mlm_metadata(contract)
        show(metadata, json.dumps(metadata, indent=2, ensure_ascii=False))
        return
    source = contract.source or say("models.from_here" if shipped_name(bundle) else "models.own_source", spoken)
    told = facts(_contract_facts(contract, source, spoken)), _band_table(contract, spoken)
    show({"path": model, **contract.model_dump(mode="json")}, *told)


@app.command("import")
@with_settings
def import_model(
    weights: Annotated[str, typer.Argument(help="File of weights, or a name in the catalog.", metavar="FILE")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Bundle to write.", metavar="BUNDLE")],
    settings: ImportSettings,
    layout: Annotated[
        str | None,
        typer.Option("--as", help="How its tensors are named: croma, flair, planaura, smp, timm, torchvision."),
    ] = None,
    file: Annotated[Path | None, typer.Option("--file", help="File that stands for a model of the catalog.")] = None,
    language: Spoken = "en",
) -> None:
    """Turns published weights into a bundle. Nothing in the file is ever run."""
    from arpent.errors import InvalidSetting
    from arpent.models import import_weights, open_model, published_names, save_bundle

    spoken = language_named(language)
    if layout:
        bundle = import_weights(weights, layout, settings)
    elif weights in published_names():
        bundle = open_model(weights, file)
    else:
        raise InvalidSetting(
            f"how the tensors of {weights} are named must be said",
            cure="Add --as LAYOUT: croma, flair, planaura, smp, timm or torchvision.",
        )
    written = save_bundle(output, bundle.model, bundle.contract)
    left_out = bundle.contract.recipe["left_out"]
    if left_out:
        note(say("models.left_out", spoken, names=", ".join(left_out)))
    if undescribed := bundle.contract.recipe.get("undescribed"):
        note(say("models.undescribed", spoken, names=", ".join(undescribed)))
    made = bundle.contract
    about = {"architecture": made.architecture, "task": made.task, "bands": ", ".join(made.band_names)}
    show({"bundle": written, "left_out": left_out}, say("models.holds", spoken, path=written, **about))


@app.command("fetch")
def fetch_models(
    names: Annotated[list[str], typer.Argument(help="Names in the catalog.", metavar="NAME...")],
    folder: Annotated[Path | None, typer.Option("--folder", help="Where models lie; $ARPENT_MODELS.")] = None,
    language: Spoken = "en",
) -> None:
    """Downloads published weights from Hugging Face and checks that they are what was published."""
    from arpent.models.download import fetch
    from arpent.models.published import published_model

    spoken = language_named(language)
    entries = [published_model(name) for name in names]  # a misspelt last name must not cost the first download
    fetched = {entry.name: fetch(entry.name, folder=folder, progress=progress()) for entry in entries}
    files = [(name, one.path, one.checked, one.sha256) for name, ones in fetched.items() for one in ones]
    show(
        [dict(zip(("name", "path", "checked", "sha256"), row, strict=True)) for row in files],
        table([*(say(key, spoken) for key in ("word.model", "word.file", "models.checksum")), "SHA-256"], files),
    )
    if any(checked == "first seen" for _, _, checked, _ in files):
        note(say("models.first_seen", spoken))


@app.command("export")
def export_model(
    model: Model,
    to: Annotated[str, typer.Option("--to", help="onnx, openvino or safetensors.", metavar="FORMAT")],
    output: Output = None,
    language: Spoken = "en",
) -> None:
    """Writes a model for other programs, with its contract inside."""
    from arpent.errors import InvalidSetting, UnknownName
    from arpent.models import EXPORTS, export, open_model
    from arpent.store import bundle_in

    spoken = language_named(language)
    if to not in EXPORTS:
        raise UnknownName.among(to, EXPORTS, "export format")
    target = output or Path(f"{Path(model).stem if Path(model).exists() else model}{EXPORTS[to][0]}")
    if target.resolve() == Path(model).resolve():
        raise InvalidSetting(f"{target} is the bundle itself", cure="Name another file with --output.")
    source = str(bundle_in(model)) if Path(model).exists() else model
    written = export(open_model(source), target, to)
    show({"model": model, "format": to, "path": written}, say("models.written", spoken, path=written))


def _bundle_document(found: FoundBundle) -> dict[str, object]:
    contract = found.contract.model_dump(mode="json") if found.contract else None
    return {"path": found.path, "bytes": found.bytes, "problem": found.problem, "contract": contract}


def _bundle_row(found: FoundBundle, language: Language) -> tuple[object, ...]:
    size = storage(found.bytes, language)
    if found.contract is None:
        return say("models.unusable", language), found.problem, "", size
    return found.contract.task, found.contract.architecture, ", ".join(found.contract.band_names), size


def _entry_facts(entry: Published, weights: Path | None, language: Language) -> list[tuple[str, object]]:
    bands = ", ".join(band.name for band in entry.images.described_bands()) if entry.images else ""
    return [
        (say("word.name", language), entry.name),
        (say("models.title", language), entry.title),
        (say("word.task", language), entry.task),
        (say("models.page", language), entry.page),
        (say("word.licence", language), entry.licence),
        (say("models.download", language), storage(1e6 * entry.megabytes, language)),
        (say("word.bands", language), bands or say("models.none", language)),
        (say("models.weights", language), weights or say("models.not_here", language, name=entry.name)),
    ]


def _contract_facts(contract: Contract, source: str, language: Language) -> list[tuple[str, object]]:
    normalisation, none, anything = contract.normalisation, say("models.none", language), say("models.any", language)
    by_sensor = say("models.by_sensor", language) if contract.sensors else none
    written = say("models.written_with", language, version=contract.arpent, format=contract.format)
    return [
        (say("word.task", language), contract.task),
        (say("models.architecture", language), contract.architecture),
        *setting_facts(contract.settings, language),
        (say("models.pixel_size", language), f"{contract.gsd:g} m" if contract.gsd else anything),
        (say("models.pixel_type", language), contract.dtype or anything),
        (say("word.no_data", language), none if contract.nodata is None else f"{contract.nodata:g}"),
        (say("models.statistics", language), normalisation.origin if normalisation else by_sensor),
        *((f"  {name}", _sensor_facts(own, language)) for name, own in contract.sensors.items()),
        (say("word.classes", language), ", ".join(contract.classes.labels(language)) if contract.classes else none),
        *((f"  {name}", f"{value:.4g}") for name, value in contract.metrics.items()),
        *setting_facts(contract.recipe, language),
        *((say("models.part", language, name=name), sha256) for name, sha256 in contract.parts.items()),
        (say("word.licence", language), contract.licence or say("models.not_said", language)),
        (say("word.source", language), source),
        (say("models.written_by", language), written),
    ]


def _sensor_facts(own: SensorContract, language: Language) -> str:
    """What the images of one sensor were like, for models trained on several."""
    size = f"{own.gsd:g} m, " if own.gsd else ""
    return f"{size}{own.dtype or say('models.any_type', language)}, {own.normalisation.origin}"


def _band_table(contract: Contract, language: Language) -> Table:
    statistics = contract.normalisation
    rows = [
        (
            band.name,
            band.common or "",
            "" if band.wavelength is None else f"{band.wavelength:g}",
            f"{statistics.mean[index]:g}" if statistics else "",
            f"{statistics.std[index]:g}" if statistics else "",
        )
        for index, band in enumerate(contract.bands)
    ]
    heads = [say(key, language) for key in ("word.band", "models.common_name")]
    return table([*heads, "nm", say("stats.mean", language), say("stats.std", language)], rows)
