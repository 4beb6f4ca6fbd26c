"""``arpent models``: which models are here, what they demand, how others come in and ours go out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from arpent.cli.console import facts, note, progress, show, table
from arpent.cli.options import with_settings
from arpent.models.import_settings import ImportSettings

if TYPE_CHECKING:
    from rich.table import Table

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
) -> None:
    """The bundles on this machine and the published models that Arpent knows."""
    from arpent.errors import FileMissing
    from arpent.models.published import models_folder, published_model, published_names, weights_file
    from arpent.models.shipped import shipped_folder
    from arpent.store.bundle import bundles_under

    for path in paths or ():
        if not path.exists():
            raise FileMissing(f"there is nothing at {path}", cure="Check the path.")
    places = paths or [models_folder()]
    bundles = [found for place in places for found in bundles_under(place)]
    shipped = [] if paths else list(bundles_under(shipped_folder()))
    catalog = [(published_model(name), weights_file(name)) for name in published_names()]
    rows = [(entry.name, entry.task, entry.megabytes, entry.licence, weights or "") for entry, weights in catalog]
    document = {
        "bundles": [_bundle_document(found) for found in bundles],
        "shipped": [{"name": found.path.stem, **_bundle_document(found)} for found in shipped],
        "published": [{**entry.model_dump(mode="json"), "weights": weights} for entry, weights in catalog],
    }
    tables = [table(["published model", "task", "MB", "licence", "weights"], rows)]
    if bundles or shipped:
        own = [(found.path, *_bundle_row(found)) for found in bundles]
        own += [(f"{found.path.stem} (comes with Arpent)", *_bundle_row(found)) for found in shipped]
        tables.insert(0, table(["bundle", "task", "architecture", "bands", "MB"], own))
    show(document, *tables)
    if not bundles:
        note(f"No bundles in {', '.join(str(place) for place in places)} yet.")


@app.command("show")
def show_model(
    model: Model,
    mlm: Annotated[bool, typer.Option("--mlm", help="As properties of a STAC item (MLM extension), in JSON.")] = False,
) -> None:
    """What a model demands of its images, what it says, and where it comes from."""
    from arpent.models.published import published_model, published_names, weights_file
    from arpent.models.shipped import shipped_bundle
    from arpent.store import bundle_in
    from arpent.store.bundle import read_contract

    if model in published_names() and not Path(model).exists():
        entry, weights = published_model(model), weights_file(model)
        show({**entry.model_dump(mode="json"), "weights": weights}, facts(_entry_facts(entry, weights)))
        return
    own = None if Path(model).exists() else shipped_bundle(model)
    contract = read_contract(own or bundle_in(model))
    if mlm:
        import json

        from arpent.models.mlm import mlm_metadata

        metadata = mlm_metadata(contract)
        show(metadata, json.dumps(metadata, indent=2, ensure_ascii=False))
        return
    show({"path": model, **contract.model_dump(mode="json")}, facts(_contract_facts(contract)), _band_table(contract))


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
) -> None:
    """Turns published weights into a bundle. Nothing in the file is ever run."""
    from arpent.errors import InvalidSetting
    from arpent.models import import_weights, open_model, published_names, save_bundle

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
        note(f"Left out: {', '.join(left_out)}.")
    if undescribed := bundle.contract.recipe.get("undescribed"):
        note(f"The contract describes neither bands nor statistics of: {', '.join(undescribed)}.")
    show({"bundle": written, "left_out": left_out}, f"{written} holds {_summary(bundle.contract)}.")


@app.command("fetch")
def fetch_models(
    names: Annotated[list[str], typer.Argument(help="Names in the catalog.", metavar="NAME...")],
    folder: Annotated[Path | None, typer.Option("--folder", help="Where models lie; $ARPENT_MODELS.")] = None,
) -> None:
    """Downloads published weights from Hugging Face and checks that they are what was published."""
    from arpent.models.download import fetch
    from arpent.models.published import published_model

    entries = [published_model(name) for name in names]  # a misspelt last name must not cost the first download
    fetched = {entry.name: fetch(entry.name, folder=folder, progress=progress()) for entry in entries}
    files = [(name, one.path, one.checked, one.sha256) for name, ones in fetched.items() for one in ones]
    show(
        [dict(zip(("name", "path", "checked", "sha256"), row, strict=True)) for row in files],
        table(["model", "file", "checksum", "SHA-256"], files),
    )
    if any(checked == "first seen" for _, _, checked, _ in files):
        note("'first seen': the publisher shows no checksum; the one above is recorded and checked from now on.")


@app.command("export")
def export_model(
    model: Model,
    to: Annotated[str, typer.Option("--to", help="onnx, openvino or safetensors.", metavar="FORMAT")],
    output: Output = None,
) -> None:
    """Writes a model for other programs, with its contract inside."""
    from arpent.errors import InvalidSetting, UnknownName
    from arpent.models import EXPORTS, export, open_model
    from arpent.store import bundle_in

    if to not in EXPORTS:
        raise UnknownName.among(to, EXPORTS, "export format")
    target = output or Path(f"{Path(model).stem if Path(model).exists() else model}{EXPORTS[to][0]}")
    if target.resolve() == Path(model).resolve():
        raise InvalidSetting(f"{target} is the bundle itself", cure="Name another file with --output.")
    source = str(bundle_in(model)) if Path(model).exists() else model
    written = export(open_model(source), target, to)
    show({"model": model, "format": to, "path": written}, f"{written} is written.")


def _bundle_document(found: FoundBundle) -> dict[str, object]:
    contract = found.contract.model_dump(mode="json") if found.contract else None
    return {"path": found.path, "bytes": found.bytes, "problem": found.problem, "contract": contract}


def _bundle_row(found: FoundBundle) -> tuple[object, ...]:
    size = round(found.bytes / 1e6, 1)
    if found.contract is None:
        return "cannot be used", found.problem, "", size
    return found.contract.task, found.contract.architecture, ", ".join(found.contract.band_names), size


def _entry_facts(entry: Published, weights: Path | None) -> list[tuple[str, object]]:
    return [
        ("name", entry.name),
        ("title", entry.title),
        ("task", entry.task),
        ("page", entry.page),
        ("licence", entry.licence),
        ("download", f"{entry.megabytes:g} MB"),
        ("bands", ", ".join(band.name for band in entry.images.described_bands()) if entry.images else "none"),
        ("weights", weights or f"not here; arpent models fetch {entry.name}"),
    ]


def _contract_facts(contract: Contract) -> list[tuple[str, object]]:
    normalisation = contract.normalisation
    told: list[tuple[str, object]] = [
        ("task", contract.task),
        ("architecture", contract.architecture),
        *_settings_facts(contract.settings),
        ("pixel size", f"{contract.gsd:g} m" if contract.gsd else "any"),
        ("pixel type", contract.dtype or "any"),
        ("no data", "none" if contract.nodata is None else f"{contract.nodata:g}"),
        ("statistics", normalisation.origin if normalisation else "by sensor" if contract.sensors else "none"),
        *((f"  {name}", _sensor_facts(own)) for name, own in contract.sensors.items()),
        ("classes", ", ".join(contract.classes.labels()) if contract.classes else "none"),
        *((f"  {name}", f"{value:.4g}") for name, value in contract.metrics.items()),
        *_settings_facts(contract.recipe),
        *((f"part {name}", sha256) for name, sha256 in contract.parts.items()),
        ("licence", contract.licence or "not said"),
        ("source", contract.source or "trained here, or not said"),
        ("written by", f"arpent {contract.arpent}, bundle format {contract.format}"),
    ]
    return told


def _settings_facts(settings: Mapping[str, Any], within: str = "") -> Iterator[tuple[str, object]]:
    """One line for each setting, with the names of those that it lies in before its own."""
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from _settings_facts(value, f"{within}{name}.")
        elif isinstance(value, list | tuple):
            yield f"  {within}{name}", ", ".join(map(str, value)) or "none"
        else:
            yield f"  {within}{name}", "none" if value in (None, "") else value


def _sensor_facts(own: SensorContract) -> str:
    """What the images of one sensor were like, for models trained on several."""
    size = f"{own.gsd:g} m, " if own.gsd else ""
    return f"{size}{own.dtype or 'any type'}, {own.normalisation.origin}"


def _band_table(contract: Contract) -> Table:
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
    return table(["band", "common name", "nm", "mean", "std"], rows)


def _summary(contract: Contract) -> str:
    return f"a '{contract.architecture}' for {contract.task} on {', '.join(contract.band_names)}"
