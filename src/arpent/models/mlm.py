"""A contract in the words of STAC's machine-learning-model extension, for catalogs that other people search."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from arpent.core.contract import Contract, Normalisation

__all__ = ["mlm_metadata"]

_TASKS = {
    "change": "similarity-search",
    "classify": "classification",
    "describe": "image-captioning",
    "forecast": "regression",
    "landcover": "semantic-segmentation",
}
_MAPS = ["batch", "channel", "height", "width"]


def mlm_metadata(contract: Contract) -> dict[str, Any]:
    """The ``properties`` of a STAC 1.1 item that describes the model, by version 1.4.0 of the extension."""
    tasks = [_TASKS.get(contract.task, "regression")]
    metadata: dict[str, Any] = {
        "mlm:name": f"{contract.task}-{contract.architecture}",
        "mlm:architecture": contract.architecture,
        "mlm:framework": "PyTorch",
        "mlm:tasks": tasks,
        "mlm:input": [_input(contract)],
        "mlm:output": [_output(contract, tasks)],
        "bands": [_band(band) for band in contract.model_dump(exclude_none=True)["bands"]],
    }
    if contract.recipe:
        metadata["mlm:hyperparameters"] = dict(contract.recipe)
    if contract.licence:
        metadata["license"] = contract.licence
    return metadata


def _input(contract: Contract) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "name": "images",
        "bands": list(contract.band_names),
        "input": {
            "shape": [-1, len(contract.bands), -1, -1],
            "dim_order": _MAPS,
            "data_type": contract.dtype or "float32",
        },
        "resize_type": None,
    }
    if contract.normalisation:
        entry["value_scaling"] = _scaling(contract.normalisation)
        if contract.normalisation.decibels is not None:
            entry["pre_processing_function"] = _to_decibels(contract.normalisation.decibels)
    return entry


def _to_decibels(cuts: Sequence[tuple[float, float]]) -> dict[str, Any]:
    """What is done to linear power before it is scaled."""
    ends = ", ".join(f"{low:g} to {high:g}" for low, high in cuts)
    return {"format": "text", "expression": f"10 · log10(pixel), cut off band by band: {ends} dB"}


def _scaling(normalisation: Normalisation) -> list[dict[str, Any]]:
    """One rule per band, in the unit of the pixels: the extension knows no factor that comes first."""
    if normalisation.unit:
        ends = [(mean, mean + std) for mean, std in zip(normalisation.mean, normalisation.std, strict=True)]
        scale = normalisation.scale
        return [{"type": "min-max", "minimum": low / scale, "maximum": high / scale} for low, high in ends]
    return [
        {"type": "z-score", "mean": mean / normalisation.scale, "stddev": std / normalisation.scale}
        for mean, std in zip(normalisation.mean, normalisation.std, strict=True)
    ]


def _output(contract: Contract, tasks: list[str]) -> dict[str, Any]:
    classes = contract.classes
    order = ["batch", "class"] if contract.task == "classify" else _MAPS
    shape = [-1, len(classes) if classes else -1, -1, -1][: len(order)]
    entry: dict[str, Any] = {
        "name": "scores" if classes else "features",
        "tasks": tasks,
        "result": {"shape": shape, "dim_order": order, "data_type": "float32"},
    }
    if classes:
        entry["classification:classes"] = [
            {"value": one.id, "name": one.en.replace(" ", "-"), "title": one.en, "color_hint": one.colour[1:].upper()}
            for one in classes.classes
        ]
    return entry


def _band(band: dict[str, Any]) -> dict[str, Any]:
    """A band as STAC 1.1 has it; micrometres there, nanometres here."""
    entry: dict[str, Any] = {"name": band["name"]}
    if "common" in band:
        entry["eo:common_name"] = band["common"]
    if "wavelength" in band:
        entry["eo:center_wavelength"] = round(band["wavelength"] / 1000, 6)
    if "gsd" in band:
        entry["gsd"] = band["gsd"]
    return entry
